package property

import (
	"regexp"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// A gap is something that the guard is known to get wrong on some engines. It explains the
// failures that it causes. Its example fails for as long as the gap is there: a test says
// when the row can go.
type gap struct {
	name     string
	on       string  // the engines
	driver   string  // the driver, "" for all of them
	failing  failure // of the example
	explains func(c *testcase, v *verdict) bool
	example  testcase
}

// plain is how an example is sent.
var plain = delivery{Wrap: autocommit, Method: execPlain, Bound: bound{"AtMost", 1}}

func example(class, text string, setup ...string) testcase {
	return testcase{
		Setup:     append([]string{"CREATE TABLE log (what VARCHAR(20), n INT)"}, setup...),
		statement: statement{Text: text, Class: class}, delivery: plain,
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

// removesNew matches a trigger that deletes the row that fires it.
var removesNew = regexp.MustCompile(`AFTER INSERT ON \w+ BEGIN DELETE FROM \w+ WHERE id = NEW\.id`)

var gaps = []gap{
	{
		name: "new rows that go again within the statement are counted", on: lite, failing: overStrict,
		explains: func(c *testcase, _ *verdict) bool {
			all := c.Text + strings.Join(c.Setup, ";")
			return strings.Contains(all, "REPLACE") || removesNew.MatchString(all) ||
				strings.Contains(all, "DELETE FROM log") && strings.Contains(all, "INSERT INTO log VALUES ('fired'")
		},
		example: example("replace", "REPLACE INTO t VALUES (1, 1), (2, 2), (2, 3)", makeT, fillT).atMost(2),
	},
	{
		name: "a row that a BEFORE trigger deletes, and an upsert then adds under its number, counts twice", on: lite, failing: overStrict,
		explains: func(c *testcase, _ *verdict) bool {
			return strings.Contains(c.Text, "ON CONFLICT") && strings.Contains(strings.Join(c.Setup, ";"), "BEFORE INSERT")
		},
		example: example("upsert", "INSERT INTO t VALUES (7, 5), (1, 1) ON CONFLICT (id) DO UPDATE SET a = 9",
			"CREATE TABLE t (id INTEGER PRIMARY KEY, a INT)", fillT,
			"CREATE TRIGGER trg BEFORE INSERT ON t BEGIN DELETE FROM t WHERE id = NEW.id; END"),
	},
	{
		name: "which foreign key fails first may be another one where a statement stops early", on: lite, driver: "sqlite", failing: differs,
		explains: func(_ *testcase, v *verdict) bool { return strings.Count(v.Why, "FOREIGN KEY constraint failed") == 2 },
		example: example("delete", "DELETE FROM t WHERE a > 0", makeT, fillT,
			"CREATE TABLE kid (n INT REFERENCES t (id), r INT REFERENCES t (id) ON DELETE RESTRICT)", "INSERT INTO kid VALUES (1, 2)").atMost(0),
	},
	{
		name: "what is counted by the undo log counts as often as it is touched", on: maria, failing: overStrict,
		explains: func(_ *testcase, v *verdict) bool { return strings.Contains(v.Why, "(foreign key)") },
		example: example("replace", "REPLACE INTO t VALUES (3, 1), (10, 2), (10, 1)",
			"CREATE TABLE t (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES t (id) ON DELETE CASCADE)",
			"INSERT INTO t VALUES (1, NULL), (2, 1), (3, 2), (5, 3)").atMost(2),
	},
	{
		name: "a row that ON DELETE SET NULL changes before it is deleted counts twice", on: string(target.MySQL), failing: overStrict,
		explains: func(_ *testcase, v *verdict) bool { return strings.Contains(v.Why, "(foreign key)") },
		example: example("delete", "DELETE FROM t WHERE id < 9",
			"CREATE TABLE t (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES t (id) ON DELETE SET NULL)",
			"INSERT INTO t VALUES (1, NULL), (2, 1), (3, 2)").atMost(3),
	},
	{
		name: "children count of keys that stay where another key moves", on: maria, failing: overStrict,
		explains: func(_ *testcase, v *verdict) bool { return strings.Contains(v.Why, "(ON UPDATE ") },
		example: example("update", "UPDATE t SET id = IF(id = 1, 100, id) WHERE id < 3", makeT, fillT,
			"CREATE TABLE kid (id INT PRIMARY KEY, r INT, FOREIGN KEY (r) REFERENCES t (id) ON UPDATE CASCADE)", "INSERT INTO kid VALUES (1, 2), (2, 2)").atMost(2),
	},
	{
		name: "what DO has undone, as it hides the error, is counted", on: maria, failing: overStrict,
		explains: func(c *testcase, _ *verdict) bool { return strings.HasPrefix(c.Text, "DO ") },
		example:  example("function in SELECT", "DO f()", makeT, fillT, "CREATE FUNCTION f() RETURNS INT MODIFIES SQL DATA BEGIN UPDATE t SET id = 9; RETURN 1; END"),
	},
	{
		name: "a row of a partition that code changes, along with rows elsewhere, counts twice", on: maria, failing: overStrict,
		explains: func(c *testcase, _ *verdict) bool {
			all := strings.Join(c.Setup, ";")
			return strings.Contains(all, "PARTITION BY") && (strings.Contains(all, "CREATE TRIGGER") || strings.Contains(all, "CREATE FUNCTION") || strings.Contains(all, "CREATE PROCEDURE"))
		},
		example: example("insert", "INSERT INTO t VALUES (9, 9)", makeT, fillT,
			"CREATE TABLE p (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2", "INSERT INTO p VALUES (1), (2)",
			"CREATE TABLE q AS SELECT 1 AS id", "CREATE TRIGGER trg AFTER INSERT ON t FOR EACH ROW BEGIN DELETE FROM p WHERE id = 1; UPDATE q SET id = 2; END").atMost(2),
	},
}

// holds reports that the gap is one of the target's.
func (g *gap) holds(tg target.Target) bool {
	return strings.Contains(g.on, string(tg.Engine)) && (g.driver == "" || g.driver == tg.Driver)
}

// explain finds the gap that a failure falls into.
func explain(tg target.Target, c *testcase, v *verdict) *gap {
	at := slices.IndexFunc(gaps, func(g gap) bool {
		return g.failing == v.Failing && g.holds(tg) && g.explains(c, v)
	})
	if at < 0 {
		return nil
	}
	return &gaps[at]
}
