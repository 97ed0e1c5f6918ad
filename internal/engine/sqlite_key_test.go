package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// keyed is a rig that knows a table.
func keyed(t *testing.T) *rig {
	r := newRig(t, sq)
	r.backend.(*sqlite).schema.tables["t"] = &sqliteTable{plain: true, rowid: "rowid", unique: []string{"id", "rowid", "a,b"}}
	return r
}

func TestKeyedStatements(t *testing.T) {
	tests := []struct {
		where string
		alone bool
	}{
		{"id = ?", true},
		{"ID = 'x'", true},
		{`"id" = :id`, true},
		{"rowid = 7", true},
		{"b = 1 AND a = ?2", true},
		{"s = 1 AND id = 2", true},
		{"a = 1", false},
		{"id = a", false},
		{"id = 1 OR id = 2", false},
		{"id = 1 + 1", false},
		{"NOT id = 1", false},
		{"id > 1", false},
		{"id = 1 COLLATE NOCASE", false},
		{"(id) = 1", false},
		{`id = "a"`, false},
		{"id IN (1, 2)", false},
		{"t.id = 1", true},
	}
	for _, tt := range tests {
		t.Run(tt.where, func(t *testing.T) {
			f, err := keyed(t).Start(atMost(1), "DELETE FROM t WHERE "+tt.where, Tagged)
			require.NoError(t, err)
			assert.Equal(t, tt.alone, f.Text() != "")
			if tt.alone {
				assert.True(t, strings.HasPrefix(f.Text(), "DELETE FROM t WHERE ("+tt.where+") AND "), f.Text())
			}
		})
	}
}

// Rows that an index finds are counted first, within the statement.
func TestRowsByAnIndex(t *testing.T) {
	const asked = " AND (SELECT schema_version FROM pragma_schema_version) = 7"
	tests := []struct{ name, text, want string }{
		{
			"arguments", "UPDATE t SET s = ?, n = '?' WHERE a = ? RETURNING ?",
			"UPDATE t SET s = ?1, n = '?' WHERE (a = ?2) AND (SELECT count(*) FROM (SELECT 1 FROM t  WHERE (a = ?2) LIMIT 3)) <= 2" + asked + " RETURNING ?3",
		},
		{
			"names", "DELETE FROM t AS x WHERE b = :b AND a = :a -- why",
			"DELETE FROM t AS x WHERE (b = :b AND a = :a) AND (SELECT count(*) FROM (SELECT 1 FROM t AS x  WHERE (b = :b AND a = :a) LIMIT 3)) <= 2" + asked + " -- why",
		},
		{"both", "DELETE FROM t WHERE b = ? AND a = :a", ""},
		{"no index", "DELETE FROM t WHERE b = ?", ""},
		{"more than the index", "DELETE FROM t WHERE a = ? AND s = ?", ""},
		{"ignored conflicts", "UPDATE OR IGNORE t SET s = 1 WHERE a = ?", ""},
		{"a hint", "DELETE FROM t NOT INDEXED WHERE a = ?", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, sq)
			r.backend.(*sqlite).schema.tables["t"] = &sqliteTable{plain: true, rowid: "rowid", indexes: []string{"a,b"}}
			form := Tagged
			if strings.Contains(tt.text, "RETURNING") {
				form = Rows
			}
			f, err := r.Start(atMost(2), tt.text, form)
			require.NoError(t, err)
			require.Equal(t, tt.want, f.Text())
			if tt.want == "" {
				return
			}
			r.conn.on("PRAGMA main.schema_version", int64(7))
			again, err := f.Answer(t.Context(), 0, nil)
			require.NoError(t, err)
			assert.True(t, again, "there may be too many")
			assert.Empty(t, f.Text(), "the caller's own words")
		})
	}
}

// A selfBounded statement sends nothing else; but not with every bound, and not where
// the table's triggers may do more than add rows.
func TestKeyedAlone(t *testing.T) {
	const text = "UPDATE t SET s = 1 WHERE id = 1"
	for _, tt := range []struct {
		name string
		rig  func(r *rig)
		n    int64
	}{
		{"none may change", func(*rig) {}, 0},
		{"a trigger changes rows", func(r *rig) {
			r.backend.(*sqlite).schema.triggers = map[string][]sqliteTrigger{"t": {{events: rowsChanged, readable: true, changes: []tableChange{{table: "u", kind: rowsRemoved}}}}}
		}, 1},
		{"the table replaces", func(r *rig) {
			r.backend.(*sqlite).schema.replaces = map[string]bool{"t": true}
			r.conn.on(changed+sizeOfT, int64(10), int64(5))
		}, 1},
		{"an extension is missing", func(r *rig) { r.backend.(*sqlite).noVersionTable = true }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := keyed(t)
			tt.rig(r)
			f, err := r.Start(atMost(tt.n), text, Tagged)
			require.NoError(t, err)
			assert.Empty(t, f.Text())
		})
	}
	for _, begin := range []func(r *rig){func(*rig) {}, func(r *rig) { r.TxBegan(false) }} {
		r := keyed(t)
		begin(r)
		f, err := r.Start(atMost(1), text, Tagged)
		require.NoError(t, err)
		again, err := f.Answer(t.Context(), 1, nil)
		require.NoError(t, err)
		assert.False(t, again)
		assert.Empty(t, r.sent())
	}
}

// The statement itself finds out that the schema has changed meanwhile, and is then
// counted.
func TestKeyedOnAnotherSchema(t *testing.T) {
	r := keyed(t)
	f, err := r.Start(atMost(1), "DELETE FROM t WHERE id = 1", Tagged)
	require.NoError(t, err)
	r.conn.on("PRAGMA main.schema_version", int64(8)).on(changes2, int64(11), int64(1), int64(8))
	again, err := f.Answer(t.Context(), 0, nil)
	require.NoError(t, err)
	require.True(t, again)
	assert.Empty(t, f.Text(), "the caller's own words")
	require.NoError(t, f.End(t.Context(), 1, nil))
	sent := r.sent()
	assert.Contains(t, sent, open)
	assert.Contains(t, sent, release)
	assert.Equal(t, dbguard.EffectApplied, r.last(t).Effect)
	f, err = r.Start(atMost(1), "DELETE FROM t WHERE id = 1", Tagged)
	require.NoError(t, err)
	assert.Empty(t, f.Text(), "nothing is known of the other schema's t")
	require.NoError(t, f.End(t.Context(), 0, nil))

	r = keyed(t)
	r.conn.on("PRAGMA main.schema_version", int64(7))
	f, err = r.Start(atMost(1), "DELETE FROM t WHERE id = 1", Tagged)
	require.NoError(t, err)
	again, err = f.Answer(t.Context(), 0, nil)
	require.NoError(t, err)
	assert.False(t, again, "there is no such row")

	failure := errors.New("constraint failed: CHECK")
	f, err = keyed(t).Start(atMost(1), "DELETE FROM t WHERE id = 1", Tagged)
	require.NoError(t, err)
	_, err = f.Answer(t.Context(), -1, failure)
	assert.True(t, err == failure, "the driver's own error, unwrapped, not %v", err)
}
