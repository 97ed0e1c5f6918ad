package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestInsertRewrite(t *testing.T) {
	const asked = ") WHERE (SELECT schema_version FROM pragma_schema_version) = 7"
	tests := []struct{ text, want string }{
		{"INSERT INTO t VALUES (?, 'a)')", "INSERT INTO t SELECT * FROM (VALUES (?, 'a)')" + asked},
		{
			`INSERT OR IGNORE INTO main.t AS x ("values", b) VALUES ((SELECT 1), f(2)) ON CONFLICT DO NOTHING; -- why`,
			`INSERT OR IGNORE INTO main.t AS x ("values", b) SELECT * FROM (VALUES ((SELECT 1), f(2))` + asked + " ON CONFLICT DO NOTHING; -- why",
		},
		{"INSERT INTO t VALUES (1) RETURNING id", "INSERT INTO t SELECT * FROM (VALUES (1)" + asked + " RETURNING id"},
		{"INSERT INTO t VALUES (1), (2)", ""},
		{"INSERT INTO t DEFAULT VALUES", ""},
		{"INSERT INTO t SELECT 1", ""},
		{"INSERT INTO unknown VALUES (1)", ""},
		{"INSERT INTO counted VALUES (1)", ""},
		{"INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)", ""},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			r := newRig(t, sq)
			sc := r.backend.(*sqlite).schema
			sc.schemasOf["counted"] = []string{"main"}
			sc.triggers = map[string][]sqliteTrigger{"counted": {{events: rowsAdded, readable: true, changes: []tableChange{{table: "u", kind: rowsChanged}}}}}
			form := Tagged
			if strings.Contains(tt.text, "RETURNING") {
				form = Rows
			}
			f, err := r.Start(t.Context(), tt.text, form)
			require.NoError(t, err)
			require.Equal(t, tt.want, f.Text())
			if tt.want == "" {
				return
			}
			again, err := f.Answer(t.Context(), 1, nil)
			require.NoError(t, err)
			assert.False(t, again)
			assert.Empty(t, r.sent())
			assert.Empty(t, r.events, "nobody is told of rows that are added")
		})
	}
}

// What was verified under the lock of the caller's transaction is not queried again,
// but only whether that is still open.
func TestInsertsKnownToOnlyAdd(t *testing.T) {
	const text = "INSERT INTO t SELECT 1"
	r := newRig(t, sq)
	r.TxBegan(false)
	r.conn.on("PRAGMA main.schema_version", int64(7))
	insert := func() []string {
		require.NoError(t, r.send(t.Context(), text, 1, nil))
		return r.sent()
	}
	full := []string{open, "> " + text, "PRAGMA main.schema_version", release}
	assert.Equal(t, full, insert())
	inTx := errors.New("SQL logic error: cannot start a transaction within a transaction (1)")
	r.conn.fail("BEGIN", inTx)
	for range 2 {
		assert.Equal(t, []string{"BEGIN", "> " + text}, insert())
	}
	for _, change := range []string{"ROLLBACK TO a", "SAVEPOINT a", "COMMIT; BEGIN"} {
		require.NoError(t, r.send(t.Context(), strings.Split(change, ";")[0], 0, nil))
		r.sent()
		if strings.HasSuffix(change, "BEGIN") {
			require.NoError(t, r.send(t.Context(), "BEGIN", 0, nil))
			r.sent()
		}
		assert.Equal(t, full, insert(), change)
		assert.Equal(t, []string{"BEGIN", "> " + text}, insert(), change)
	}
	r.conn.on("BEGIN")
	assert.Equal(t, append([]string{"BEGIN", "ROLLBACK"}, full...), insert(), "the transaction was gone")
}
