package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

var logged = deed{table: "log", kind: rowsAdded, most: 1}

var triggerBodies = []struct {
	name, body string
	acts       []deed
	read       bool
}{
	{"log", "INSERT INTO Log VALUES (OLD.id);", []deed{logged}, true},
	{"two", "INSERT INTO log VALUES (1); INSERT INTO main.b SELECT OLD.id;", []deed{logged, {table: "b", kind: rowsAdded}}, true},
	{"check", "SELECT RAISE(ABORT, 'no') WHERE NEW.id < 0;", nil, true},
	{"skip", "SELECT RAISE(IGNORE) WHERE NEW.id < 0;", nil, true},
	{"case", "INSERT INTO log VALUES (CASE WHEN OLD.id > 1 THEN 2 ELSE 3 END);", []deed{logged}, true},
	{
		"update", `UPDATE t SET a = 1, "B" = 2 WHERE id = OLD.id AND c = 4;`,
		[]deed{{table: "t", kind: rowsChanged, sets: []string{"a", "b"}}},
		true,
	},
	{"update of several", "UPDATE t SET (a, b) = (1, 2);", []deed{{table: "t", kind: rowsChanged, sets: []string{"*"}}}, true},
	{"update of several behind another", "UPDATE t SET a = f(1, (2)), (b, c) = (1, 2);", []deed{{table: "t", kind: rowsChanged, sets: []string{"a", "*"}}}, true},
	{"a condition that is no assignment", "UPDATE t SET a = 1 WHERE b IN (1, (2)) AND (c, d) = (1, 2);", []deed{{table: "t", kind: rowsChanged, sets: []string{"a"}}}, true},
	{"columns with the names of keywords", "INSERT INTO log SELECT OLD.begin, end FROM log;", []deed{{table: "log", kind: rowsAdded}}, true},
	{"a row that is named", `DELETE FROM ft WHERE "DocID" = Old.[id];`, []deed{{table: "ft", kind: rowsRemoved, by: "docid"}}, true},
	{"rows that are not", "DELETE FROM ft WHERE docid = OLD.id OR 1;", []deed{{table: "ft", kind: rowsRemoved}}, true},
	{"update or replace", "UPDATE OR REPLACE t SET a = 1;", []deed{{table: "t", kind: rowsChanged | rowsReplaced, sets: []string{"a"}}}, true},
	{"delete", "DELETE FROM t;", []deed{{table: "t", kind: rowsRemoved}}, true},
	{"replace", "INSERT OR REPLACE INTO log VALUES (1);", []deed{{table: "log", kind: rowsAdded | rowsChanged | rowsReplaced, most: 1}}, true},
	{
		"upsert", "INSERT INTO log VALUES (1) ON CONFLICT DO UPDATE SET n = n + 1;",
		[]deed{{table: "log", kind: rowsAdded | rowsChanged, sets: []string{"n"}, most: 1}},
		true,
	},
	{"nothing", "", nil, false},
	{"what no trigger does", "DROP TABLE t;", nil, false},
}

func TestReadTrigger(t *testing.T) {
	for _, tt := range triggerBodies {
		t.Run(tt.name, func(t *testing.T) {
			tr := readTrigger("CREATE TRIGGER \"insert\" AFTER DELETE ON t WHEN OLD.id > CASE 1 WHEN 1 THEN 0 END BEGIN " + tt.body + " END")
			assert.Equal(t, tt.read, tr.read)
			assert.Equal(t, tt.acts, tr.acts)
			assert.Equal(t, rowsRemoved, tr.on)
			assert.Equal(t, tt.name == "check" || tt.name == "skip", tr.raises)
			assert.Equal(t, tt.name == "skip", tr.skips)
		})
	}
	for _, head := range []string{
		"begin AFTER DELETE ON t", "begin DELETE ON t", "g AFTER DELETE ON begin", "g BEFORE DELETE ON t WHEN OLD.begin < OLD.end",
		"g DELETE ON t WHEN OLD.begin", "begin BEFORE DELETE ON begin WHEN OLD.id AND begin",
	} {
		tr := readTrigger("CREATE TRIGGER " + head + " BEGIN INSERT INTO log VALUES (1); END")
		assert.True(t, tr.read, head)
		assert.Equal(t, []deed{logged}, tr.acts, head)
		assert.Equal(t, rowsRemoved, tr.on, head)
	}
	assert.Equal(t, rowsChanged, readTrigger("CREATE TRIGGER g INSTEAD OF UPDATE OF a ON v BEGIN SELECT 1; END").on)
	for text, of := range map[string][]string{
		"g AFTER UPDATE OF A, /* , */ [b c] ,'on',of ON t": {"a", "b c", "on", "of"}, `"update of x" UPDATE ON t`: nil,
		"g DELETE ON of": nil, "g INSERT ON t WHEN NEW.update OF": nil, "g INSTEAD OF UPDATE OF x ON v": {"x"}, "g INSTEAD OF UPDATE ON v": nil,
	} {
		assert.Equal(t, of, readTrigger("CREATE TRIGGER "+text+" BEGIN DELETE FROM t; END").of, text)
	}
	odd := readTrigger("CREATE TABLE t (id)")
	assert.Equal(t, liteTrigger{on: rowsAdded | rowsChanged | rowsRemoved, raises: true, skips: true}, odd, "no trigger: it may be on anything")
}

// pins are conditions of a trigger's act and the columns by which it keeps to the row
// that set the trigger off.
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

func TestPins(t *testing.T) {
	for _, tt := range pins {
		tr := readTrigger("CREATE TRIGGER after " + tt.timing + " UPDATE ON t BEGIN UPDATE t SET a = 1 " + tt.where + "; END")
		if assert.Len(t, tr.acts, 1, tt.where) {
			assert.Equal(t, tt.want, tr.acts[0].pins, "%s %s", tt.timing, tt.where)
		}
	}
}

func after(on effect, acts ...deed) []liteTrigger {
	return []liteTrigger{{on: on, acts: acts, read: true}}
}

// reached is a schema whose names say what happens to the tables.
var reached = &liteSchema{
	triggers: map[string][]liteTrigger{
		"logged":    after(rowsRemoved, deed{table: "log", kind: rowsAdded}),
		"counted":   after(rowsAdded, deed{table: "counter", kind: rowsChanged, sets: []string{"n"}}),
		"counter":   after(rowsChanged, deed{table: "log", kind: rowsAdded}),
		"round":     after(rowsRemoved, deed{table: "round", kind: rowsRemoved}),
		"dark":      {{on: rowsAdded}},
		"picky":     {{on: rowsAdded, read: true, raises: true}},
		"stamped":   after(rowsChanged, deed{table: "stamped", kind: rowsChanged, same: true}, deed{table: "log", kind: rowsAdded}),
		"replacing": after(rowsAdded, deed{table: "logging", kind: rowsAdded | rowsReplaced}),
		"logging":   after(rowsAdded, deed{table: "log", kind: rowsAdded}),
		"keeper":    after(rowsAdded, deed{table: "latest", kind: rowsAdded}),
	},
	refs: map[string][]liteRef{
		"parent": {{child: "logged", onDelete: rowsRemoved}, {child: "child", onUpdate: rowsChanged}},
	},
	replaces: map[string]bool{"latest": true},
}

var reaches = []struct {
	name string
	deed deed
	want map[string]effect
}{
	{"nothing", deed{table: "t", kind: rowsRemoved}, map[string]effect{}},
	{"another event", deed{table: "logged", kind: rowsAdded}, map[string]effect{}},
	{"a log", deed{table: "logged", kind: rowsRemoved}, map[string]effect{"log": rowsAdded}},
	{"triggers of triggers", deed{table: "counted", kind: rowsAdded}, map[string]effect{"counter": rowsChanged, "log": rowsAdded}},
	{"itself", deed{table: "round", kind: rowsRemoved}, map[string]effect{"round": rowsRemoved}},
	{"a cascade", deed{table: "parent", kind: rowsRemoved}, map[string]effect{"logged": rowsRemoved, "log": rowsAdded}},
	{"a cascade of another event", deed{table: "parent", kind: rowsChanged}, map[string]effect{"child": rowsChanged}},
	{"replaced rows are removed, and triggers replace", deed{table: "parent", kind: rowsAdded | rowsReplaced}, map[string]effect{"logged": rowsRemoved, "log": rowsAdded | rowsReplaced}},
	{"a stamp", deed{table: "stamped", kind: rowsChanged}, map[string]effect{"stamped": 0, "log": rowsAdded}},
	{"a trigger that replaces hands that down", deed{table: "replacing", kind: rowsAdded}, map[string]effect{"logging": rowsAdded | rowsReplaced, "log": rowsAdded | rowsReplaced}},
	{"a table that replaces", deed{table: "keeper", kind: rowsAdded}, map[string]effect{"latest": rowsAdded | rowsReplaced}},
}

func TestReach(t *testing.T) {
	for _, tt := range reaches {
		t.Run(tt.name, func(t *testing.T) {
			r := reached.reach([]deed{tt.deed})
			got := map[string]effect{}
			for name, e := range r.at {
				got[name] = e.kinds
			}
			assert.Equal(t, tt.want, got)
			assert.False(t, r.dark || r.fail || r.skip)
		})
	}
	dark := reached.reach([]deed{{table: "dark", kind: rowsAdded}})
	assert.False(t, dark.onlyAdds())
	picky := reached.reach([]deed{{table: "picky", kind: rowsAdded}})
	assert.True(t, picky.fail && picky.onlyAdds())
}
