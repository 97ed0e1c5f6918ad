package property

import (
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// A gap is something that the guard is known to miss on some engines. It
// explains the failures that it is the reason of. Its example fails for as long
// as the gap is there: a test says when the row can go.
type gap struct {
	name     string
	on       string  // the engines
	driver   string  // the driver, "" for all of them
	failing  failing // of the example
	also     failing // what it looks like elsewhere
	explains func(c *testcase, v *verdict) bool
	example  testcase
}

// plain is how an example is sent.
var plain = play{Wrap: alone, Method: execPlain, Bound: bound{"AtMost", 1}}

func example(class, text string, setup ...string) testcase {
	return testcase{
		Setup:     append([]string{"CREATE TABLE log (what VARCHAR(20), n INT)"}, setup...),
		statement: statement{Text: text, Class: class}, play: plain,
	}
}

// atMost is the case with another bound.
func (c testcase) atMost(n int) testcase {
	c.Bound.N = n
	return c
}

const (
	makeT = "CREATE TABLE t (id INT PRIMARY KEY, a INT)"
	fillT = "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)"
)

var gaps = []gap{
	{
		name: "an INSERT changes rows by triggers or rules", on: lite, failing: escape,
		explains: func(c *testcase, _ *verdict) bool { return c.Fires && inserts(c.Text) },
		example: example("insert", "INSERT INTO t VALUES (4, 4)", makeT, fillT,
			"CREATE TABLE u (id INT)", "CREATE TRIGGER trg AFTER INSERT ON t FOR EACH ROW BEGIN DELETE FROM log; END",
			"INSERT INTO log VALUES ('x', 1), ('x', 2)"),
	},
	{
		name: "rows that a trigger inserts count as changed, where a trigger also changes some", on: lite, failing: overStrict,
		explains: func(c *testcase, v *verdict) bool { return v.Rows-int64(v.added()) <= int64(c.Bound.N) },
		example: example("delete", "DELETE FROM t WHERE id = 1", makeT, fillT,
			"CREATE TRIGGER trg AFTER DELETE ON t BEGIN INSERT INTO log VALUES ('gone', OLD.id); DELETE FROM log WHERE n < 0; END"),
	},
	{
		name: "REPLACE counts more than it removes", on: lite, failing: overStrict,
		explains: func(c *testcase, _ *verdict) bool { return replaces(c.Text) },
		example: example("replace", "REPLACE INTO t VALUES (1, 50, NULL)",
			"CREATE TABLE t (id INT PRIMARY KEY, b INT UNIQUE, r INT REFERENCES t (id) ON DELETE CASCADE)",
			"INSERT INTO t VALUES (1, 10, NULL), (2, 20, 1)").atMost(3),
	},
	{
		name: "a statement without a condition is judged by the size of its table, whatever a trigger keeps", on: lite, failing: overStrict,
		explains: func(c *testcase, _ *verdict) bool {
			return c.All != "" && strings.Contains(strings.Join(c.Setup, ";"), "RAISE(IGNORE)")
		},
		example: func() testcase {
			c := example("everything", "DELETE FROM t", makeT, fillT, "CREATE TRIGGER trg BEFORE DELETE ON t BEGIN SELECT RAISE(IGNORE) WHERE OLD.id > 1; END")
			c.All, c.Granted = "t", true
			return c
		}(),
	},
	{
		name: "a prepared statement with RETURNING that is executed tells the rows that it changed, which the driver tells too soon", on: lite, failing: differs,
		explains: func(c *testcase, v *verdict) bool {
			return c.Method == prepared && strings.Contains(c.Text, "RETURNING") && strings.Contains(v.Why, "rows affected")
		},
		example: func() testcase {
			// With a trigger it is sent in the caller's own words.
			c := example("delete", "DELETE FROM t WHERE id = 1 RETURNING id", makeT, fillT,
				"CREATE TRIGGER trg AFTER DELETE ON t BEGIN INSERT INTO log VALUES ('gone', OLD.id); END")
			c.Method = prepared
			return c
		}(),
	},
}

// holds reports that the gap is one of the target.
func (g *gap) holds(tg target.Target) bool {
	return strings.Contains(g.on, string(tg.Engine)) && (g.driver == "" || g.driver == tg.Driver)
}

// inserts reports a text that is an INSERT, whatever stands before it.
func inserts(text string) bool { return strings.Contains(text, "INSERT INTO") }

// replaces reports a text that removes rows in conflict.
func replaces(text string) bool { return strings.Contains(text, "REPLACE ") }

// added is the number of rows that are there after the statement and are no
// changed ones.
func (v *verdict) added() (n int) {
	for _, more := range v.Lost.Added {
		n += more
	}
	return n
}

// explain finds the gap that a failure falls into.
func explain(tg target.Target, c *testcase, v *verdict) *gap {
	at := slices.IndexFunc(gaps, func(g gap) bool {
		return (g.failing == v.Failing || g.also == v.Failing) && g.holds(tg) && g.explains(c, v)
	})
	if at < 0 {
		return nil
	}
	return &gaps[at]
}
