package classify

import (
	"fmt"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// condition is a random condition over constants and the columns n (a number)
// and s (a text) of a table t.
func (g *generator) condition(depth int) string {
	if depth == 0 {
		return g.predicate()
	}
	one, two := func() string { return g.condition(depth - 1) }, func() string { return g.condition(g.rng.IntN(depth)) }
	switch g.rng.IntN(14) {
	case 0, 1, 2:
		return one() + g.or() + two()
	case 3:
		return one() + g.and() + two()
	case 4, 5:
		return "NOT " + one()
	case 6, 7:
		return "(" + one() + ")"
	case 8:
		return "(" + one() + ")" + g.pick(" IS ", " IS NOT ") + g.pick("TRUE", "FALSE", "NULL")
	case 9:
		return "CASE WHEN " + one() + " THEN " + two() + g.maybe(" ELSE "+two()) + " END"
	case 10:
		return "COALESCE(" + g.pick("NULL", one()) + ", " + two() + ")"
	case 11:
		if g.dialect == sqlscan.MySQL {
			return one() + " XOR " + two()
		}
		return one() + " = " + two()
	case 12:
		c := g.pick("n", "s")
		return c + " IS NULL" + g.or() + g.pick("NOT "+c+" IS NULL", c+" IS NOT NULL", "n = n", "s = s")
	}
	return g.predicate()
}

func (g *generator) or() string {
	if g.dialect == sqlscan.MySQL {
		return g.pick(" OR ", " || ", " or ")
	}
	return g.pick(" OR ", " or/**/")
}

func (g *generator) and() string {
	if g.dialect == sqlscan.MySQL {
		return g.pick(" AND ", " && ")
	}
	return " AND "
}

// predicate is an atomic condition.
func (g *generator) predicate() string {
	v := g.numberOperand
	if g.rng.IntN(3) == 0 {
		v = g.textOperand
	}
	switch g.rng.IntN(12) {
	case 0, 1, 2, 3:
		return v() + " " + g.pick("=", "<>", "!=", "<", "<=", ">", ">=", "=", g.dialectComparison()) + " " + v()
	case 4:
		return v() + g.pick(" BETWEEN ", " NOT BETWEEN ") + v() + " AND " + v()
	case 5:
		return v() + g.pick(" IN (", " NOT IN (") + v() + g.maybe(", "+v()) + g.maybe(", NULL") + ")"
	case 6:
		return g.textOperand() + g.pick(" LIKE ", " NOT LIKE ") + g.textOperand()
	case 7:
		return v() + g.pick(" IS NULL", " IS NOT NULL")
	case 8:
		return fmt.Sprintf("(%s, %s) %s (%s, %s)", v(), v(), g.pick("=", "<", ">=", "<>"), v(), v())
	case 9:
		if g.dialect != sqlscan.PostgreSQL {
			return v()
		}
		return g.pick("'t'", "'f'::bool", "1::bool", "true", "'no'", "0::bool")
	case 10:
		return g.pick("EXISTS (SELECT 1)", "NOT EXISTS (SELECT NULL)", "(SELECT 1) = 1", "EXISTS (SELECT 1 WHERE 1=0)", "1 IN (SELECT 1)")
	}
	return g.pick("TRUE", "FALSE", "1=1", "1=0")
}

func (g *generator) dialectComparison() string {
	switch g.dialect {
	case sqlscan.MySQL:
		return "<=>"
	case sqlscan.SQLite:
		return g.pick("IS", "IS NOT", "==")
	}
	return g.pick("IS DISTINCT FROM", "IS NOT DISTINCT FROM")
}

// numberOperand is a number most of the time.
func (g *generator) numberOperand() string {
	switch g.rng.IntN(14) {
	case 0, 1:
		op := g.pick("+", "-", "*", "/", "%", "+", "-", "*", "&", "|", "<<", ">>", "||")
		return g.numberOperand() + g.pick("", " ") + op + " " + g.numberOperand()
	case 2:
		return g.pick("-", "+", "- ", "~") + g.pick("1", "2", "(3)", "n")
	case 3:
		return "(" + g.numberOperand() + ")"
	case 4:
		return g.pick("NULLIF(", "COALESCE(") + g.numberOperand() + ", " + g.numberOperand() + ")"
	case 5:
		return "CASE " + g.numberOperand() + " WHEN " + g.numberOperand() + " THEN " + g.numberOperand() + g.maybe(" ELSE "+g.numberOperand()) + " END"
	case 6:
		return g.pick("n", "s", "NULL", "NULL")
	case 7:
		return g.textOperand()
	case 8:
		return g.typedOperand()
	}
	return g.pick("0", "1", "2", "3", "7", "10", "1.0", "2.5", "0.1", "0.0", "1e0", "2147483647", "9223372036854775807", ".5", "5", "4")
}

// typedOperand is an operand with a type of its own.
func (g *generator) typedOperand() string {
	switch g.dialect {
	case sqlscan.PostgreSQL:
		return g.pick("1::text", "'1'::int", "CAST('5' AS bigint)", "true::int", "date '2020-01-01'", "1::numeric", "'a'::varchar")
	case sqlscan.MySQL:
		return g.pick("0x10", "x'41'", "b'1'", "_utf8'a'", "N'a'", "CAST('1' AS SIGNED)", `"a"`, "0x41", "7 DIV 2", "IF(1, 2, 3)", "date '2020-01-01'", "! 1", "5 ^ 1")
	}
	return g.pick("0x10", "x'41'", "CAST('1' AS INTEGER)", "CAST(1 AS TEXT)", "CAST('1' AS TEXT)", `"a"`, "IIF(1, 2, 3)", "abs(-2)", "x''", "CAST(2 AS REAL)")
}

// textOperand is a text most of the time.
func (g *generator) textOperand() string {
	if g.rng.IntN(10) == 0 {
		return g.pick("s", "n", "1", "'a'||'b'", "NULL", "''")
	}
	return "'" + g.pick("a", "b", "A", "B", "ab", "a ", " a", "a%", "%", "_", "", "1", "01", "1.0", "0", "2", "1x", "it''s", "z", "t", "ch", "d", "inf",
		"a_b", strings.Repeat("a", 3), "_a", "-1", "+1", "1e1", " 1", "i", "j", "0x1") + "'"
}
