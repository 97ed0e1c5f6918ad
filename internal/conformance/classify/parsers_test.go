package classify

import (
	"testing"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// A comparison counts outcomes and fails the test for those that nothing explains.
type comparison struct {
	parser     func(string) (effects, bool)
	dialect    sqlscan.Dialect
	exceptions []exception
	counts     map[outcome]int
	reasons    map[string]int
	texts      int
	failures   int
	text       sqlscan.Text
}

func (y *comparison) check(t *testing.T, text string) {
	t.Helper()
	theirs, ok := y.parser(text)
	if !ok {
		return
	}
	y.texts++
	sqlscan.Classify(&y.text, text, y.dialect, y.dialect.DefaultMode())
	o := compare(&y.text, theirs)
	y.counts[o]++
	if o == agree {
		return
	}
	if e := excused(y.exceptions, o, text, y.text.Why); e != nil {
		y.reasons[e.why]++
		return
	}
	if y.failures++; y.failures <= 40 {
		t.Errorf("%s: %q\n  theirs %+v\n  ours   %+v %s", o, text, theirs, ourEffects(&y.text), y.text.Why)
	}
}

// checkAll checks texts, as many generated ones, and mutants of both.
func (y *comparison) checkAll(t *testing.T, texts []string) {
	g := newGenerator(y.dialect, 1)
	for range generated {
		g.deep = 0
		texts = append(texts, g.statement())
	}
	for _, text := range texts {
		y.check(t, text)
	}
	for range mutants {
		y.check(t, g.mutate(texts[g.rng.IntN(len(texts))], texts[g.rng.IntN(len(texts))]))
	}
}

// How many texts are made; they are always the same.
const (
	generated = 3_000
	mutants   = 30_000
)

func (y *comparison) report(t *testing.T) {
	t.Logf("%d texts that the parser accepts: %v", y.texts, y.counts)
	for why, n := range y.reasons {
		t.Logf("  %5d %s", n, why)
	}
	if y.failures > 40 {
		t.Errorf("… and %d more", y.failures-40)
	}
}

func newComparison(parser func(string) (effects, bool), d sqlscan.Dialect, list []exception) *comparison {
	return &comparison{parser: parser, dialect: d, exceptions: list, counts: map[outcome]int{}, reasons: map[string]int{}}
}

func TestPostgreSQL(t *testing.T) {
	y := newComparison(parsePostgres, sqlscan.PostgreSQL, postgresExceptions)
	y.checkAll(t, corpus(t, "pg.jsonl"))
	y.report(t)
}

var postgresExceptions = []exception{
	{"INTO TEMP and INTO SET, where the word is the table's name", unreadable, "a name is missing"},
}

func TestMySQL(t *testing.T) {
	y := newComparison(parseTiDB(), sqlscan.MySQL, mysqlExceptions)
	y.checkAll(t, corpus(t, "mysql.jsonl"))
	y.report(t)
}

var mysqlExceptions = []exception{
	{"writes a file on the server, which TiDB reads as a query", overcareful, "outfile"},
	{"writes a file on the server, which TiDB reads as a query", overcareful, "dumpfile"},
	{"takes a guard away, which is no matter of grammar", overcareful, "sql_log_bin"},
	{"takes a guard away, which is no matter of grammar", overcareful, "sql_safe_updates"},
	{"SET GLOBAL autocommit, which begins nothing in this session", different, "global autocommit"},
	{"a variable of a structure called unknown", different, "@@unknown.autocommit"},
	{"a comment that only some servers run", unreadable, "a comment that only some servers run"},
	{"the mode in which to read the rest is not known any more", unreadable, "an earlier SET changes how the rest is read"},
	{"TiDB takes a number, a * or a keyword for a name", unreadable, "a name is missing"},
	{"TiDB takes the second QUICK for a table, MySQL for an option", different, "quick quick"},
}
