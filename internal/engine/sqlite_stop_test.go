package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const plainDelete = "DELETE FROM t WHERE a > 1"

var logging = []sqliteTrigger{{events: rowsRemoved, readable: true, changes: []tableChange{{table: "log", kind: rowsAdded}}}}

// stops are texts and their rewrites that stop one row past a bound of two; "" where
// there is none.
var stops = []struct {
	name, text string
	change     func(sc *sqliteSchema)
	want       string
}{
	{"rowid", plainDelete, nil, "DELETE FROM t WHERE rowid IN (SELECT rowid FROM t  WHERE (a > 1) LIMIT 3)"},
	{
		"an alias and RETURNING", "UPDATE t AS x SET a = ? WHERE x.b = ? RETURNING x.a", nil,
		"UPDATE t AS x SET a = ? WHERE rowid IN (SELECT rowid FROM t AS x  WHERE (x.b = ?) LIMIT 3) RETURNING x.a",
	},
	{
		"a primary key", plainDelete, func(sc *sqliteSchema) { sc.tables["t"] = &sqliteTable{plain: true, primaryKey: []string{"a", "b"}} },
		`DELETE FROM t WHERE ("a", "b") IN (SELECT "a", "b" FROM t  WHERE (a > 1) LIMIT 3)`,
	},
	{
		"a trigger", plainDelete, func(sc *sqliteSchema) { sc.triggers = map[string][]sqliteTrigger{"t": logging} },
		"DELETE FROM t WHERE rowid IN (SELECT rowid FROM t  WHERE (a > 1) LIMIT 3)",
	},
	{
		"a trigger that may fail", plainDelete, func(sc *sqliteSchema) {
			sc.triggers = map[string][]sqliteTrigger{"t": {{events: rowsRemoved, readable: true, mayRaise: true}}}
		}, "",
	},
	{"conflicts are ignored", "UPDATE OR IGNORE t SET a = 1 WHERE b > 1", nil, ""},
	{"a unique column", "UPDATE t SET id = id + 1 WHERE b > 1", nil, ""},
	{"several columns at once", "UPDATE t SET (a, b) = (1, 2) WHERE b > 1", nil, ""},
	{"conflicts are resolved", plainDelete, func(sc *sqliteSchema) { sc.replaces = map[string]bool{"t": true} }, "DELETE FROM t WHERE rowid IN (SELECT rowid FROM t  WHERE (a > 1) LIMIT 3)"},
	{"rows hang together", plainDelete, func(sc *sqliteSchema) {
		sc.foreignKeys = map[string][]sqliteForeignKey{"t": {{child: "t", restricts: rowsRemoved}}}
	}, ""},
	{"rows hang together elsewhere", plainDelete, func(sc *sqliteSchema) {
		sc.foreignKeys = map[string][]sqliteForeignKey{"t": {{child: "u", restricts: rowsRemoved}, {child: "u", onDelete: rowsRemoved}}}
	}, ""},
	{
		"others may fail", plainDelete, func(sc *sqliteSchema) {
			sc.foreignKeys = map[string][]sqliteForeignKey{"t": {{child: "u", restricts: rowsRemoved}}}
		},
		"DELETE FROM t WHERE rowid IN (SELECT rowid FROM t  WHERE (a > 1) LIMIT 3)",
	},
	{
		"rows go along that mind changes alone", plainDelete, func(sc *sqliteSchema) {
			sc.foreignKeys = map[string][]sqliteForeignKey{"t": {{child: "u", onDelete: rowsRemoved, restricts: rowsChanged}}}
		},
		"DELETE FROM t WHERE rowid IN (SELECT rowid FROM t  WHERE (a > 1) LIMIT 3)",
	},
	{"a WITH of the name", "WITH t AS (SELECT 1 AS a) DELETE FROM t WHERE a > 1", nil, ""},
	{"nothing is known", plainDelete, func(sc *sqliteSchema) { sc.tables["t"] = &sqliteTable{} }, ""},
}

func TestStops(t *testing.T) {
	for _, tt := range stops {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, sq)
			sc := r.backend.(*sqlite).schema
			sc.tables["t"] = &sqliteTable{plain: true, rowid: "rowid", uniqueColumns: []string{"id", "rowid"}}
			if tt.change != nil {
				tt.change(sc)
			}
			f, err := r.Start(atMost(2), tt.text, Tagged)
			require.NoError(t, err)
			text, complete := f.EarlyStopText()
			assert.Equal(t, tt.want, text)
			assert.False(t, complete)
		})
	}
}
