package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

var logged = tableChange{table: "log", kind: rowsAdded, maxRows: 1}

var triggerBodies = []struct {
	name, body string
	acts       []tableChange
	read       bool
}{
	{"log", "INSERT INTO Log VALUES (OLD.id);", []tableChange{logged}, true},
	{"two", "INSERT INTO log VALUES (1); INSERT INTO main.b SELECT OLD.id;", []tableChange{logged, {table: "b", kind: rowsAdded}}, true},
	{"check", "SELECT RAISE(ABORT, 'no') WHERE NEW.id < 0;", nil, true},
	{"skip", "SELECT RAISE(IGNORE) WHERE NEW.id < 0;", nil, true},
	{"case", "INSERT INTO log VALUES (CASE WHEN OLD.id > 1 THEN 2 ELSE 3 END);", []tableChange{logged}, true},
	{
		"update", `UPDATE t SET a = 1, "B" = 2 WHERE id = OLD.id AND c = 4;`,
		[]tableChange{{table: "t", kind: rowsChanged, sets: []string{"a", "b"}}},
		true,
	},
	{"update of several", "UPDATE t SET (a, b) = (1, 2);", []tableChange{{table: "t", kind: rowsChanged, sets: []string{"*"}}}, true},
	{"update of several behind another", "UPDATE t SET a = f(1, (2)), (b, c) = (1, 2);", []tableChange{{table: "t", kind: rowsChanged, sets: []string{"a", "*"}}}, true},
	{"a condition that is no assignment", "UPDATE t SET a = 1 WHERE b IN (1, (2)) AND (c, d) = (1, 2);", []tableChange{{table: "t", kind: rowsChanged, sets: []string{"a"}}}, true},
	{"columns with the names of keywords", "INSERT INTO log SELECT OLD.begin, end FROM log;", []tableChange{{table: "log", kind: rowsAdded}}, true},
	{"a row that is named", `DELETE FROM ft WHERE "DocID" = Old.[id];`, []tableChange{{table: "ft", kind: rowsRemoved, rowKey: "docid"}}, true},
	{"rows that are not", "DELETE FROM ft WHERE docid = OLD.id OR 1;", []tableChange{{table: "ft", kind: rowsRemoved}}, true},
	{"update or replace", "UPDATE OR REPLACE t SET a = 1;", []tableChange{{table: "t", kind: rowsChanged | rowsReplaced, sets: []string{"a"}}}, true},
	{"delete", "DELETE FROM t;", []tableChange{{table: "t", kind: rowsRemoved}}, true},
	{"replace", "INSERT OR REPLACE INTO log VALUES (1);", []tableChange{{table: "log", kind: rowsAdded | rowsChanged | rowsReplaced, maxRows: 1}}, true},
	{
		"upsert", "INSERT INTO log VALUES (1) ON CONFLICT DO UPDATE SET n = n + 1;",
		[]tableChange{{table: "log", kind: rowsAdded | rowsChanged, sets: []string{"n"}, maxRows: 1}},
		true,
	},
	{"nothing", "", nil, false},
	{"what no trigger does", "DROP TABLE t;", nil, false},
}

func TestParseTrigger(t *testing.T) {
	for _, tt := range triggerBodies {
		t.Run(tt.name, func(t *testing.T) {
			tr := parseTrigger("CREATE TRIGGER \"insert\" AFTER DELETE ON t WHEN OLD.id > CASE 1 WHEN 1 THEN 0 END BEGIN " + tt.body + " END")
			assert.Equal(t, tt.read, tr.readable)
			assert.Equal(t, tt.acts, tr.changes)
			assert.Equal(t, rowsRemoved, tr.events)
			assert.Equal(t, tt.name == "check" || tt.name == "skip", tr.mayRaise)
			assert.Equal(t, tt.name == "skip", tr.maySkip)
		})
	}
	for _, head := range []string{
		"begin AFTER DELETE ON t", "begin DELETE ON t", "g AFTER DELETE ON begin", "g BEFORE DELETE ON t WHEN OLD.begin < OLD.end",
		"g DELETE ON t WHEN OLD.begin", "begin BEFORE DELETE ON begin WHEN OLD.id AND begin",
	} {
		tr := parseTrigger("CREATE TRIGGER " + head + " BEGIN INSERT INTO log VALUES (1); END")
		assert.True(t, tr.readable, head)
		assert.Equal(t, []tableChange{logged}, tr.changes, head)
		assert.Equal(t, rowsRemoved, tr.events, head)
	}
	assert.Equal(t, rowsChanged, parseTrigger("CREATE TRIGGER g INSTEAD OF UPDATE OF a ON v BEGIN SELECT 1; END").events)
	for text, of := range map[string][]string{
		"g AFTER UPDATE OF A, /* , */ [b c] ,'on',of ON t": {"a", "b c", "on", "of"}, `"update of x" UPDATE ON t`: nil,
		"g DELETE ON of": nil, "g INSERT ON t WHEN NEW.update OF": nil, "g INSTEAD OF UPDATE OF x ON v": {"x"}, "g INSTEAD OF UPDATE ON v": nil,
	} {
		assert.Equal(t, of, parseTrigger("CREATE TRIGGER "+text+" BEGIN DELETE FROM t; END").columns, text)
	}
	odd := parseTrigger("CREATE TABLE t (id)")
	assert.Equal(t, sqliteTrigger{events: rowsAdded | rowsChanged | rowsRemoved, mayRaise: true, maySkip: true}, odd, "no trigger: it may be on anything")
}

// pins are conditions in a trigger's statement, and the columns by which it only
// affects the row that fired the trigger.
var pins = []struct {
	timing, where string
	want          []string
}{
	{"AFTER", `WHERE id = NEW.id`, []string{"id"}},
	{"AFTER", `WHERE "Id" = new."ID" AND b = OLD.b`, []string{"id", "b"}},
	{"BEFORE", "WHERE id = OLD.id", nil},
	{"BEFORE", "WHERE id = NEW.id", nil},
	{"", "WHERE id = NEW.id", nil},
	{"AFTER", "WHERE id = NEW.b", nil},
	{"AFTER", "WHERE id = NEW.id OR 1", nil},
	{"AFTER", "WHERE id = NEW.id AND", nil},
	{"AFTER", "WHERE id = NEW.id + 1", nil},
	{"AFTER", "WHERE id = other.id", nil},
	{"AFTER", "", nil},
}

func TestMatchedColumns(t *testing.T) {
	for _, tt := range pins {
		tr := parseTrigger("CREATE TRIGGER after " + tt.timing + " UPDATE ON t BEGIN UPDATE t SET a = 1 " + tt.where + "; END")
		if assert.Len(t, tr.changes, 1, tt.where) {
			assert.Equal(t, tt.want, tr.changes[0].matched, "%s %s", tt.timing, tt.where)
		}
	}
}

func after(on effect, acts ...tableChange) []sqliteTrigger {
	return []sqliteTrigger{{events: on, changes: acts, readable: true}}
}

// reached is a schema whose names say what happens to the tables.
var reached = &sqliteSchema{
	triggers: map[string][]sqliteTrigger{
		"logged":    after(rowsRemoved, tableChange{table: "log", kind: rowsAdded}),
		"counted":   after(rowsAdded, tableChange{table: "counter", kind: rowsChanged, sets: []string{"n"}}),
		"counter":   after(rowsChanged, tableChange{table: "log", kind: rowsAdded}),
		"round":     after(rowsRemoved, tableChange{table: "round", kind: rowsRemoved}),
		"dark":      {{events: rowsAdded}},
		"picky":     {{events: rowsAdded, readable: true, mayRaise: true}},
		"stamped":   after(rowsChanged, tableChange{table: "stamped", kind: rowsChanged, sameRow: true}, tableChange{table: "log", kind: rowsAdded}),
		"replacing": after(rowsAdded, tableChange{table: "logging", kind: rowsAdded | rowsReplaced}),
		"logging":   after(rowsAdded, tableChange{table: "log", kind: rowsAdded}),
		"keeper":    after(rowsAdded, tableChange{table: "latest", kind: rowsAdded}),
	},
	foreignKeys: map[string][]sqliteForeignKey{
		"parent": {{child: "logged", onDelete: rowsRemoved}, {child: "child", onUpdate: rowsChanged}},
	},
	replaces: map[string]bool{"latest": true},
}

var reaches = []struct {
	name string
	deed tableChange
	want map[string]effect
}{
	{"nothing", tableChange{table: "t", kind: rowsRemoved}, map[string]effect{}},
	{"another event", tableChange{table: "logged", kind: rowsAdded}, map[string]effect{}},
	{"a log", tableChange{table: "logged", kind: rowsRemoved}, map[string]effect{"log": rowsAdded}},
	{"triggers of triggers", tableChange{table: "counted", kind: rowsAdded}, map[string]effect{"counter": rowsChanged, "log": rowsAdded}},
	{"itself", tableChange{table: "round", kind: rowsRemoved}, map[string]effect{"round": rowsRemoved}},
	{"a cascade", tableChange{table: "parent", kind: rowsRemoved}, map[string]effect{"logged": rowsRemoved, "log": rowsAdded}},
	{"a cascade of another event", tableChange{table: "parent", kind: rowsChanged}, map[string]effect{"child": rowsChanged}},
	{"replaced rows are removed, and triggers replace", tableChange{table: "parent", kind: rowsAdded | rowsReplaced}, map[string]effect{"logged": rowsRemoved, "log": rowsAdded | rowsReplaced}},
	{"a stamp", tableChange{table: "stamped", kind: rowsChanged}, map[string]effect{"stamped": 0, "log": rowsAdded}},
	{"a trigger that replaces hands that down", tableChange{table: "replacing", kind: rowsAdded}, map[string]effect{"logging": rowsAdded | rowsReplaced, "log": rowsAdded | rowsReplaced}},
	{"a table that replaces", tableChange{table: "keeper", kind: rowsAdded}, map[string]effect{"latest": rowsAdded | rowsReplaced}},
}

func TestReach(t *testing.T) {
	for _, tt := range reaches {
		t.Run(tt.name, func(t *testing.T) {
			r := reached.reach([]tableChange{tt.deed})
			got := map[string]effect{}
			for name, e := range r.tables {
				got[name] = e.kinds
			}
			assert.Equal(t, tt.want, got)
			assert.False(t, r.unreadable || r.mayRaise || r.maySkip)
		})
	}
	dark := reached.reach([]tableChange{{table: "dark", kind: rowsAdded}})
	assert.False(t, dark.onlyAdds())
	picky := reached.reach([]tableChange{{table: "picky", kind: rowsAdded}})
	assert.True(t, picky.mayRaise && picky.onlyAdds())
}
