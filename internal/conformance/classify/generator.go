package classify

import (
	"math/rand/v2"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// generator makes statements of one dialect, the same ones for the same seed.
type generator struct {
	rng     *rand.Rand
	dialect sqlscan.Dialect
	deep    int
}

func newGenerator(d sqlscan.Dialect, seed uint64) *generator {
	return &generator{rng: rand.New(rand.NewPCG(seed, uint64(d))), dialect: d}
}

func (g *generator) pick(choices ...string) string { return choices[g.rng.IntN(len(choices))] }

// maybe is s every other time.
func (g *generator) maybe(s string) string { return g.pick("", s) }

func (g *generator) table() string {
	if g.dialect == sqlscan.MySQL {
		return g.pick("t", "Users", "`a b`", "s.t", "`s`.`t`", "s . t", "`where`")
	}
	return g.pick("t", "Users", `"a b"`, "s.t", `"S"."t"`, "s . t", `"where"`)
}

func (g *generator) where() string {
	return g.maybe(" WHERE " + g.pick("id = 1", "a IN (SELECT b FROM u WHERE c = 2)", "x LIKE '%; DELETE FROM u'", "1=1",
		"EXISTS (SELECT 1 FROM u)", "a BETWEEN 1 AND 2 OR b", "(a, b) = (1, 2)", "CASE WHEN a THEN b ELSE c END", "a = 'it''s'"))
}

// statement is one statement of any kind that reads or changes rows.
func (g *generator) statement() string {
	if g.dialect == sqlscan.MySQL {
		return g.mysqlStatement()
	}
	returning := g.maybe(" RETURNING *")
	var s string
	switch g.rng.IntN(9) {
	case 0:
		s = "DELETE FROM " + g.maybe("ONLY ") + g.table() + g.maybe(" AS x") + g.maybe(" USING u, v AS w") + g.where() + returning
	case 1:
		s = "UPDATE " + g.maybe("ONLY ") + g.table() + " SET a = 1, (b, c) = (2, DEFAULT)" + g.maybe(" FROM u JOIN v USING (id)") + g.where() + returning
	case 2:
		s = "INSERT INTO " + g.table() + g.maybe(" (a, b)") + g.pick(" VALUES (1, 2), (3, 4)", " SELECT * FROM u", " DEFAULT VALUES") +
			g.pick("", " ON CONFLICT DO NOTHING", " ON CONFLICT (a) DO UPDATE SET a = 1"+g.where()) + returning
	case 3:
		s = "MERGE INTO " + g.table() + " AS m USING u ON m.a = u.a " + g.maybe("WHEN NOT MATCHED THEN INSERT VALUES (1) ") +
			g.pick("WHEN MATCHED THEN DELETE", "WHEN MATCHED AND u.b THEN UPDATE SET a = 1", "WHEN MATCHED THEN DO NOTHING", "WHEN NOT MATCHED THEN INSERT DEFAULT VALUES")
	case 4:
		return "TRUNCATE " + g.maybe("TABLE ") + g.table() + g.maybe(", u") + g.maybe(" CASCADE")
	case 5:
		return "COPY " + g.pick(g.table()+" FROM STDIN", "("+g.statement()+") TO STDOUT", g.table()+" TO STDOUT")
	case 6, 7:
		return g.wrapped()
	default:
		s = g.pick("SELECT", "SELECT DISTINCT") + " a, 'DELETE FROM t' " + g.maybe("INTO "+g.maybe("TEMP ")+g.table()+" ") + "FROM u" + g.where() + g.maybe(" FOR UPDATE")
	}
	return s
}

// wrapped is a statement nested in another one.
func (g *generator) wrapped() string {
	if g.deep++; g.deep > 3 {
		g.deep = 0
		return "TABLE t"
	}
	switch g.rng.IntN(5) {
	case 0:
		return "EXPLAIN " + g.pick("", "ANALYZE ", "(ANALYZE) ", "(ANALYZE false, VERBOSE) ", "(ANALYZE off, ANALYZE) ", "VERBOSE ") + g.statement()
	case 1:
		return "PREPARE p AS " + g.statement()
	case 2:
		return "CREATE " + g.maybe("TEMP ") + "TABLE n AS " + g.statement()
	case 3:
		return "DECLARE c CURSOR FOR " + g.statement()
	}
	return "WITH " + g.maybe("RECURSIVE ") + g.pick("d", "update", `"x y"`) + g.maybe(" (a)") + " AS " +
		g.pick("", "MATERIALIZED ", "NOT MATERIALIZED ") + "(" + g.statement() + ") " + g.statement()
}

func (g *generator) mysqlStatement() string {
	switch g.rng.IntN(8) {
	case 0:
		return "DELETE " + g.pick("", "LOW_PRIORITY ", "QUICK ", "IGNORE ") + "FROM " + g.table() + g.where() + g.maybe(" ORDER BY a") + g.maybe(" LIMIT 3")
	case 1:
		return "DELETE " + g.pick("x, y FROM t AS x JOIN u AS y ON x.a = y.a", "FROM t USING t JOIN u ON t.a = u.a", "t, u FROM t, u", "t.* FROM t, u") + g.where()
	case 2:
		return "UPDATE " + g.pick("", "LOW_PRIORITY ", "IGNORE ") + g.table() + " SET a = 1, b = DEFAULT" + g.where() + g.maybe(" LIMIT 3")
	case 3:
		return "UPDATE t JOIN u ON t.a = u.a SET t.b = 1, u.b = 2" + g.where()
	case 4:
		return g.pick("INSERT ", "INSERT IGNORE ", "REPLACE ") + g.maybe("INTO ") + g.table() +
			g.pick(" (a) VALUES (1), (2)", " SET a = 1", " SELECT * FROM u", " VALUES ()")
	case 5:
		return "INSERT INTO " + g.table() + " VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a)"
	case 6:
		return g.pick("EXPLAIN ", "EXPLAIN ANALYZE ", "DESC ", "EXPLAIN FORMAT='json' ") + g.pick("SELECT 1", "DELETE FROM t"+g.where(), "UPDATE t SET a = 1")
	}
	return g.pick("SELECT a, 'DELETE FROM t' FROM u"+g.where(), "TRUNCATE t", "WITH c AS (SELECT 1) DELETE FROM t"+g.where(), "/*! DELETE FROM t */", "TRUNCATE TABLE s.t")
}

// mutate changes one to three tokens of a text, mostly what is between them, so that it is
// likely to be accepted.
func (g *generator) mutate(text, other string) string {
	for range 1 + g.rng.IntN(3) {
		tokens := tokensOf(text, g.dialect)
		if len(tokens) == 0 || len(text) > 4000 {
			return text
		}
		i := g.rng.IntN(len(tokens))
		at, end := int(tokens[i].Pos), int(tokens[i].End)
		switch g.rng.IntN(9) {
		case 0, 1:
			text = text[:at] + g.gap() + text[at:]
		case 2:
			text = text[:at] + flipCase(text[at:end], g.rng) + text[end:]
		case 3:
			text = text[:at] + text[end:]
		case 4:
			text = text[:end] + " " + text[at:end] + text[end:]
		case 5:
			from := tokensOf(other, g.dialect)
			if len(from) > 0 {
				o := from[g.rng.IntN(len(from))]
				text = text[:at] + " " + other[o.Pos:o.End] + " " + text[end:]
			}
		case 6:
			text += ";" + g.gap() + other
		case 7:
			text = text[:at] + "(" + text[at:end] + ")" + text[end:]
		case 8:
			text += g.gap()
		}
	}
	return text
}

// gap is white space or a comment.
func (g *generator) gap() string {
	if g.dialect == sqlscan.MySQL {
		return g.pick(" ", "\n", "/* ; DELETE FROM t */", "-- WHERE\n", "# '\n", "\t/**/", "/* /* */")
	}
	return g.pick(" ", "\n", "/* ; DELETE FROM t */", "-- WHERE\n", "--\r", "/* /* */ WHERE */", "\f", "\v")
}

func tokensOf(text string, d sqlscan.Dialect) []sqlscan.Token {
	var s sqlscan.Scanner
	s.Init(text, d, d.DefaultMode())
	var tokens []sqlscan.Token
	for t := s.Scan(); t.Kind != sqlscan.EOF && t.Kind != sqlscan.Illegal; t = s.Scan() {
		tokens = append(tokens, t)
	}
	return tokens
}

// flipCase changes the case of a word, but not of what is quoted.
func flipCase(s string, rng *rand.Rand) string {
	if strings.ContainsAny(s, "'\"`$\\") {
		return s
	}
	if rng.IntN(2) == 0 {
		return strings.ToUpper(s)
	}
	return strings.ToLower(s)
}
