package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// How a statement is written so that it stops one row past a bound of two.
func TestStops(t *testing.T) {
	const plain = "DELETE FROM t WHERE a > 1"
	log := []liteTrigger{{on: rowsRemoved, read: true, acts: []deed{{"log", rowsAdded, nil}}}}
	tests := []struct {
		name, text string
		change     func(sc *liteSchema)
		want       string
	}{
		{"rowid", plain, nil, "DELETE FROM t WHERE rowid IN (SELECT rowid FROM t  WHERE (a > 1) LIMIT 3)"},
		{
			"an alias and RETURNING", "UPDATE t AS x SET a = ? WHERE x.b = ? RETURNING x.a", nil,
			"UPDATE t AS x SET a = ? WHERE rowid IN (SELECT rowid FROM t AS x  WHERE (x.b = ?) LIMIT 3) RETURNING x.a",
		},
		{
			"a primary key", plain, func(sc *liteSchema) { sc.tables["t"] = &liteTable{plain: true, key: []string{"a", "b"}} },
			`DELETE FROM t WHERE ("a", "b") IN (SELECT "a", "b" FROM t  WHERE (a > 1) LIMIT 3)`,
		},
		{
			"a trigger", plain, func(sc *liteSchema) { sc.triggers = map[string][]liteTrigger{"t": log} },
			"DELETE FROM t WHERE rowid IN (SELECT rowid FROM t  WHERE (a > 1) LIMIT 3)",
		},
		{
			"a trigger that may fail", plain, func(sc *liteSchema) {
				sc.triggers = map[string][]liteTrigger{"t": {{on: rowsRemoved, read: true, raises: true}}}
			}, "",
		},
		{"conflicts are ignored", "UPDATE OR IGNORE t SET a = 1 WHERE b > 1", nil, ""},
		{"a unique column", "UPDATE t SET id = id + 1 WHERE b > 1", nil, ""},
		{"several columns at once", "UPDATE t SET (a, b) = (1, 2) WHERE b > 1", nil, ""},
		{"conflicts are resolved", plain, func(sc *liteSchema) { sc.replaces = map[string]bool{"t": true} }, "DELETE FROM t WHERE rowid IN (SELECT rowid FROM t  WHERE (a > 1) LIMIT 3)"},
		{"rows hang together", plain, func(sc *liteSchema) { sc.refs = map[string][]liteRef{"t": {{child: "t", strict: true}}} }, ""},
		{"rows hang together elsewhere", plain, func(sc *liteSchema) {
			sc.refs = map[string][]liteRef{"t": {{child: "u", strict: true}, {child: "u", onDelete: rowsRemoved}}}
		}, ""},
		{
			"others may fail", plain, func(sc *liteSchema) { sc.refs = map[string][]liteRef{"t": {{child: "u", strict: true}}} },
			"DELETE FROM t WHERE rowid IN (SELECT rowid FROM t  WHERE (a > 1) LIMIT 3)",
		},
		{"a WITH of the name", "WITH t AS (SELECT 1 AS a) DELETE FROM t WHERE a > 1", nil, ""},
		{"nothing is known", plain, func(sc *liteSchema) { sc.tables["t"] = &liteTable{} }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, sq)
			sc := r.backend.(*sqlite).schema
			sc.tables["t"] = &liteTable{plain: true, rowid: "rowid", keyed: []string{"id", "rowid"}}
			if tt.change != nil {
				tt.change(sc)
			}
			f, err := r.StartAs(atMost(2), tt.text, Tagged)
			require.NoError(t, err)
			text, complete := f.Instead()
			assert.Equal(t, tt.want, text)
			assert.False(t, complete)
		})
	}
}
