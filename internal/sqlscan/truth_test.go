package sqlscan

import (
	"strings"
	"testing"
)

func provesAll(where string, d Dialect) bool {
	return alwaysTrue(where, d, d.DefaultMode(), Span{0, int32(len(where))})
}

var (
	everyDialect = []Dialect{PostgreSQL, MySQL, SQLite, ClickHouse}
	notPG        = []Dialect{MySQL, SQLite, ClickHouse}
)

func TestAlwaysTrue(t *testing.T) {
	for _, row := range []struct {
		name     string // why
		dialects []Dialect
		where    string
		want     bool
	}{
		{"the classic", everyDialect, "1=1", true},
		{"a literal", everyDialect, "true", true},
		{"a number is a condition", notPG, "1", true},
		{"a number is no condition", []Dialect{PostgreSQL}, "1", false},
		{"texts", everyDialect, "'a'='a'", true},
		{"negation", everyDialect, "NOT false", true},
		{"double negation", everyDialect, "NOT NOT 1=1", true},
		{"a column", everyDialect, "id = 3", false},
		{"a parameter", []Dialect{PostgreSQL}, "$1 = 1", false},
		{"a parameter", []Dialect{MySQL, SQLite, ClickHouse}, "? = 1", false},
		{"true or anything", everyDialect, "1=1 OR x = 3", true},
		{"anything or true", everyDialect, "x = 3 OR 1=1", true},
		{"a number or anything", notPG, "1 OR x = 3", true},
		{"an injected OR inside brackets", everyDialect, "(name = 'x' OR (1 = 1))", true},
		{"OR binds weaker than AND", everyDialect, "x = 1 AND y = 2 OR 1=1", true},
		{"the column decides", everyDialect, "1=1 AND x = 1", false},
		{"brackets bind OR", everyDialect, "x = 1 AND (y = 2 OR 1=1)", false},
		{"true after what is true", everyDialect, "(1=1) OR x = 2 AND 1=0", true},
		{"the last of many", everyDialect, "a = 1 OR b = 2 OR c = 3 AND d = 4 OR 2 > 1", true},
		{"empty", everyDialect, "", false},
		{"only a comment", everyDialect, "/* 1=1 */", false},
		{"a comment in between", everyDialect, "1/**/=/**/1", true},
		{"a comment ends it", everyDialect, "1=1 -- AND x = 1\n", true},
		{"something behind it", everyDialect, "1=1 x", false},
		{"brackets that do not close", everyDialect, "(1=1", false},
		{"brackets that do not open", everyDialect, "1=1)", false},
		{"not a condition", everyDialect, "= 1 OR", false},

		{"NULL is not true", everyDialect, "NULL", false},
		{"NULL equals nothing", everyDialect, "NULL = NULL", false},
		{"NULL is NULL", everyDialect, "NULL IS NULL", true},
		{"not NULL is NULL", everyDialect, "NOT NULL", false},
		{"NULL or true", everyDialect, "NULL OR 1=1", true},
		{"NULL in a list that lacks it", everyDialect, "id NOT IN (NULL)", false},
		{"… beside something true", everyDialect, "id NOT IN (NULL) OR 1=1", true},
		{"NULL in a list hides the rest", everyDialect, "1 NOT IN (2, NULL)", false},
		{"NULL in a list hides no match", everyDialect, "1 IN (NULL, 1)", true},
		{"a column that is NULL is not itself", everyDialect, "id = id", false},
		{"… unless that is asked too", []Dialect{MySQL, SQLite}, "id = id OR id IS NULL", true},
		{"NaN is not itself", []Dialect{ClickHouse, PostgreSQL}, "id = id OR id IS NULL", false},
		{"NULL or not", notPG, "x IS NULL OR x IS NOT NULL", true},
		{"a composite may be neither", []Dialect{PostgreSQL}, "x IS NULL OR x IS NOT NULL", false},
		{"a test and its opposite", everyDialect, "x IS NULL OR NOT x IS NULL", true},
		{"two columns", everyDialect, "x IS NULL OR NOT y IS NULL", false},
		{"unknown or false is not false", everyDialect, "NOT (x = 1 OR y = 2 OR 1=0)", false},
		{"unknown or false may be NULL", everyDialect, "(x = 1 OR 1=0) IS NOT NULL", false},
		{"with something between", everyDialect, "(x IS NULL OR y = 2) OR NOT (x IS NULL)", true},
		{"equality that takes NULL", []Dialect{MySQL}, "x <=> x", true},
		{"equality that takes NULL", []Dialect{SQLite}, "x IS x", true},
		{"another column", []Dialect{SQLite}, "x IS y", false},
		{"IS NOT DISTINCT FROM", []Dialect{PostgreSQL}, "1 IS NOT DISTINCT FROM 1", true},
		{"IS DISTINCT FROM NULL", []Dialect{PostgreSQL}, "1 IS DISTINCT FROM NULL", true},

		{"an empty list", []Dialect{SQLite}, "x NOT IN ()", true},
		{"an empty list behind AND", []Dialect{SQLite}, "x NOT IN () AND y NOT IN ( )", true},
		{"an empty list holds nothing", []Dialect{SQLite}, "x IN ()", false},
		{"an empty list holds no NULL", []Dialect{SQLite}, "NULL NOT IN ()", true},
		{"an empty list is no syntax", []Dialect{PostgreSQL, MySQL}, "x NOT IN ()", false},
		{"a list", everyDialect, "1 IN (1, 2)", true},
		{"a list without it", everyDialect, "3 NOT IN (1, 2)", true},
		{"a query", everyDialect, "1 IN (SELECT 1 FROM t)", false},
		{"a list is compared in one type", []Dialect{PostgreSQL, MySQL}, "'01' NOT IN ('1', 2)", false},
		{"between", everyDialect, "2 BETWEEN 1 AND 3", true},
		{"not between", everyDialect, "5 NOT BETWEEN 1 AND 3", true},
		{"between takes its own AND", everyDialect, "2 BETWEEN 1 AND 3 AND x = 1", false},
		{"between with a NULL that has a type", []Dialect{MySQL}, "'' NOT BETWEEN 'a' AND NULLIF(1, 1)", false},
		{"a list with a NULL that has a type", []Dialect{PostgreSQL}, "('01' IN ('1', NULL::int)) IS NULL", false},
		{"a case with a NULL that has a type", []Dialect{PostgreSQL}, "CASE WHEN true THEN '01' ELSE NULL::int END <> '1'", false},
		{"between with NULL", everyDialect, "5 NOT BETWEEN NULL AND 3", true},

		{"case", everyDialect, "CASE WHEN 1=0 THEN 1=0 ELSE 1=1 END", true},
		{"case of a value", everyDialect, "CASE 2 WHEN 1 THEN 1=0 WHEN 2 THEN 1=1 END", true},
		{"case without else", everyDialect, "CASE WHEN 1=0 THEN 1=1 END", false},
		{"case on a column", everyDialect, "CASE WHEN x = 1 THEN 1=1 END", false},
		{"an OR inside a case is its own", everyDialect, "CASE WHEN x = 1 OR 1=1 THEN 1=0 ELSE 1=1 END", false},
		{"… also behind what cannot be read", everyDialect, "CASE WHEN x -> y OR 1=1 THEN x = 2 END", false},
		{"coalesce", everyDialect, "COALESCE(NULL, 1) = 1", true},
		{"coalesce with a column before", everyDialect, "COALESCE(x, 1) = 1", false},
		{"coalesce is not NULL", everyDialect, "COALESCE(x, 1) IS NOT NULL", true},
		{"nullif", everyDialect, "NULLIF(1, 1) IS NULL", true},
		{"ifnull", notPG, "IFNULL(NULL, 1) = 1", true},
		{"a user's function", []Dialect{PostgreSQL}, "ifnull(NULL, 1) = 1", false},
		{"an unknown function", everyDialect, "f(1, (2)) = 1 OR 1=1", true},
		{"a query without tables", everyDialect, "EXISTS (SELECT 1)", true},
		{"a query with tables", everyDialect, "EXISTS (SELECT 1 FROM t)", false},
		{"a query that may have no row", everyDialect, "EXISTS (SELECT generate_series(1, 0))", false},
		{"a query without rows", everyDialect, "EXISTS (SELECT 1 WHERE 1=0)", false},
		{"a scalar query", everyDialect, "(SELECT 1) = 1", true},

		{"rows", everyDialect, "(1, 2) < (1, 3)", true},
		{"rows, the first decides", everyDialect, "(2, 0) > (1, 3)", true},
		{"rows with NULL", everyDialect, "(1, NULL) = (1, NULL)", false},
		{"a later member may decide", everyDialect, "((NULL, 1) = (2, 3)) IS NULL", false},
		{"rows in a list", everyDialect, "(1, 2) IN ((3, 4), (1, 2))", true},
		{"rows of other lengths", everyDialect, "(1, 2) = (1, 2, 3)", false},

		{"arithmetic", everyDialect, "1 + 2 * 3 = 7", true},
		{"brackets", everyDialect, "(1 + 2) * 3 = 9", true},
		{"remainder", everyDialect, "7 % 2 = 1", true},
		{"unary minus", everyDialect, "- -1 = 1", true},
		{"two minus signs", []Dialect{MySQL}, "2--1 = 3", true},
		{"two minus signs are a comment", []Dialect{PostgreSQL, SQLite, ClickHouse}, "0--1 = 1", false},
		{"integer division", []Dialect{PostgreSQL, SQLite}, "5 / 2 = 2", true},
		{"decimal division", []Dialect{MySQL, ClickHouse}, "5 / 2 = 2", false},
		{"decimal division", []Dialect{ClickHouse}, "5 / 2 = 2.5", true},
		{"division to a whole number", everyDialect, "6 / 2 = 3", true},
		{"DIV", []Dialect{MySQL}, "5 DIV 2 = 2", true},
		{"division by zero", []Dialect{MySQL, SQLite}, "1 / 0 IS NULL", true},
		{"division by zero fails or is infinite", []Dialect{PostgreSQL, ClickHouse}, "1 / 0 IS NULL", false},
		{"decimals", []Dialect{PostgreSQL, MySQL}, "0.1 + 0.2 = 0.3", true},
		{"doubles", []Dialect{SQLite, ClickHouse}, "0.1 + 0.2 = 0.3", false},
		{"doubles that are exact", everyDialect, "0.25 + 0.5 = 0.75", true},
		{"overflow", everyDialect, "9223372036854775807 + 1 > 0", false},
		{"overflow of a product", everyDialect, "9223372036854775807 * 9223372036854775807 > 0", false},
		{"bits", []Dialect{PostgreSQL, MySQL, SQLite}, "(6 & 3) = 2", true},
		{"& binds closer than = in three of four", []Dialect{PostgreSQL, MySQL, SQLite}, "6 & 3 = 2", true},
		{"not a power", []Dialect{MySQL}, "6 ^ 3 = 5", true},
		{"a power", []Dialect{PostgreSQL}, "6 ^ 3 = 5", false},
		{"hexadecimal", everyDialect, "0x10 = 16", true},
		{"an exponent", everyDialect, "1e2 = 100", true},
		{"a fraction may be cut", []Dialect{MySQL, ClickHouse}, "0.5", false},
		{"a byte may be cut", []Dialect{ClickHouse}, "256", false},

		{"XOR", []Dialect{MySQL}, "1=1 XOR 1=0", true},
		{"XOR behind what is false", []Dialect{MySQL}, "1=1 AND 1=0 XOR 1=1", true},
		{"XOR binds weaker than AND", []Dialect{MySQL}, "1 XOR 1 AND 0", true},
		{"&& and ||", []Dialect{MySQL}, "0 && x OR 0 || 1", true},
		{"! binds close", []Dialect{MySQL}, "! 0 = 1", true},
		{"|| concatenates", []Dialect{PostgreSQL, SQLite, ClickHouse}, "'a' || 'b' = 'ab'", true},
		{"|| is OR", []Dialect{MySQL}, "x = 1 || 1=1", true},
		{"= and IN", []Dialect{MySQL}, "1 = 2 IN (2)", true},
		{"= chains", []Dialect{MySQL, SQLite}, "2 = 2 = 1", true},
		{"= does not chain", []Dialect{PostgreSQL}, "true = true = true", false},
		{"< binds closer than =", []Dialect{SQLite}, "1 = 1 < 2", true},

		{"text is a number", []Dialect{MySQL, SQLite}, "'1'", true},
		{"text is zero", []Dialect{MySQL, SQLite}, "'a'", false},
		{"text is zero, denied", []Dialect{MySQL, SQLite}, "NOT 'a'", true},
		{"text is a boolean", []Dialect{PostgreSQL}, "'t'", true},
		{"text meets a number", []Dialect{PostgreSQL, MySQL}, "'1' = 1", true},
		{"text is more than any number", []Dialect{SQLite}, "'1' > 2", true},
		{"text is never a number", []Dialect{SQLite}, "'1' = 1", false},
		{"a cast has an affinity", []Dialect{SQLite}, "CAST('1' AS INTEGER) <> '1'", false},
		{"capitals", []Dialect{PostgreSQL, SQLite, ClickHouse}, "'a' <> 'A'", true},
		{"capitals may be equal", []Dialect{MySQL}, "'a' <> 'A'", false},
		{"capitals may differ", []Dialect{MySQL}, "'a' = 'A'", false},
		{"spaces at the end", []Dialect{MySQL}, "'a' = 'a '", false},
		{"spaces at the end", []Dialect{MySQL}, "'a' <> 'a '", false},
		{"letters differ", everyDialect, "'a' <> 'b'", true},
		{"letters are ordered", everyDialect, "'a' < 'b'", true},
		{"capitals come first or not", []Dialect{PostgreSQL, MySQL}, "'a' > 'B'", false},
		{"one letter in some languages", []Dialect{MySQL}, "'i' <> 'j'", false},
		{"z is not last in Estonian", []Dialect{PostgreSQL, MySQL}, "'z' > 't'", false},
		{"ch is behind h in Czech", []Dialect{PostgreSQL, MySQL}, "'ch' < 'd'", false},
		{"binary order", []Dialect{SQLite, ClickHouse}, "'B' < 'a'", true},
		{"a collation", everyDialect, "'a' COLLATE x = 'A'", false},
		{"a double quote is a text", []Dialect{MySQL}, `"a" = 'a'`, true},
		{"a double quote is a name", []Dialect{PostgreSQL, SQLite, ClickHouse}, `"a" = "a"`, false},
		{"a doubled quote", everyDialect, "'it''s' = 'it''s'", true},
		{"a backslash", []Dialect{MySQL, ClickHouse}, `'\' OR x=\'' = 'a' OR 1=0`, false},
		{"a character set", []Dialect{MySQL}, "_utf8'a' = 'a'", true},
		{"a character set of wide letters", []Dialect{MySQL}, "_ucs2'ab' = 'ab'", false},
		{"bits are a number", []Dialect{MySQL}, "b'1'", true},
		{"bits from a function are a text", []Dialect{MySQL}, "COALESCE(NULL, b'1')", false},
		{"blobs", []Dialect{SQLite}, "x'4A' = x'4a' AND x'00' > 'a'", true},

		{"LIKE", everyDialect, "'ab' LIKE 'a%'", true},
		{"LIKE one", everyDialect, "'ab' LIKE '_b'", true},
		{"NOT LIKE", everyDialect, "'ab' NOT LIKE 'b%'", true},
		{"LIKE folds or not", []Dialect{MySQL, SQLite}, "'AB' LIKE 'a%'", false},
		{"NOT LIKE folds or not", []Dialect{MySQL, SQLite}, "'AB' NOT LIKE 'a%'", false},
		{"LIKE is exact", []Dialect{PostgreSQL, ClickHouse}, "'AB' NOT LIKE 'a%'", true},
		{"LIKE on a column", everyDialect, "name LIKE '%'", false},
		{"LIKE with ESCAPE", everyDialect, "'a' LIKE 'a' ESCAPE 'x'", false},
		{"ILIKE", []Dialect{PostgreSQL, ClickHouse}, "'ab' ILIKE 'a%'", true},

		{"a cast", []Dialect{PostgreSQL}, "1::bool", true},
		{"a cast of text", []Dialect{PostgreSQL}, "'t'::bool AND '1'::int = 1", true},
		{"CAST", []Dialect{PostgreSQL}, "CAST(1 AS boolean)", true},
		{"a typed literal", []Dialect{PostgreSQL}, "date '2020-01-01' IS NOT NULL", true},
		{"a type of the user's", []Dialect{PostgreSQL}, "'a'::mood IS NOT NULL", false},
		{"a date may become NULL", []Dialect{MySQL}, "CAST('a' AS DATE) IS NOT NULL", false},
		{"a conversion", []Dialect{ClickHouse}, "toUInt8(1)", true},
		{"a dollar quote", []Dialect{PostgreSQL, ClickHouse}, "$$a$$ = 'a'", true},

		{"IS TRUE", []Dialect{PostgreSQL, MySQL, SQLite}, "(1=1) IS TRUE", true},
		{"IS NOT FALSE on NULL", []Dialect{PostgreSQL, MySQL, SQLite}, "(NULL) IS NOT FALSE", true},
		{"IS TRUE on a number", []Dialect{MySQL, SQLite}, "2 IS TRUE", true},
		{"IS TRUE compares with 1", []Dialect{ClickHouse}, "2 IS TRUE", false},
		{"IS UNKNOWN", []Dialect{PostgreSQL, MySQL}, "(NULL = 1) IS UNKNOWN", true},
		{"IS with a value", []Dialect{SQLite}, "1 IS 1", true},
		{"TRUE in brackets is still TRUE", []Dialect{SQLite}, "2 IS NOT (TRUE)", false},

		{"an operator of an extension", []Dialect{PostgreSQL}, "a @> b OR 1=1", true},
		{"an operator of an extension decides", []Dialect{PostgreSQL}, "a @> b AND 1=1", false},
		{"an operator that ends in minus", []Dialect{PostgreSQL}, "1=-1 OR 1%-1=0", false},
		{"a regular expression", []Dialect{MySQL}, "a REGEXP 'x' OR 1=1", true},
		{"assignment swallows OR", []Dialect{MySQL}, "NOT @a := 0 OR 1=1", false},
		{"INTERVAL swallows OR", []Dialect{MySQL}, "d > INTERVAL a OR 1=1 OR b ~ c DAY", false},
		{"the ternary operator swallows OR", []Dialect{ClickHouse}, "a ? b OR 1=1 OR x @ y : c", false},
		{"the ternary operator behind OR", []Dialect{ClickHouse}, "1 OR a ? 0 : 0", false},
		{"a parameter before OR", []Dialect{ClickHouse}, "a = ? OR 1=1", true},
		{"a typed parameter", []Dialect{ClickHouse}, "a = {a:UInt8} OR 1=1", true},
		{"an array", []Dialect{PostgreSQL}, "a = ANY(ARRAY[1,2]) OR 1=1", true},
		{"an executable comment", []Dialect{MySQL}, "x = 1 /*! OR 1=1 */", true},
		{"a comment that some run", []Dialect{MySQL}, "x = 1 /*!80000 OR 1=1 */", false},
	} {
		for _, d := range row.dialects {
			t.Run(d.String()+"/"+row.name+"/"+row.where, func(t *testing.T) {
				if got := provesAll(row.where, d); got != row.want {
					t.Errorf("alwaysTrue(%q) = %v, want %v", row.where, got, row.want)
				}
			})
		}
	}
}

func TestAlwaysTrueMode(t *testing.T) {
	const where = "1 = 0 || 1"
	whole := Span{0, int32(len(where))}
	if !alwaysTrue(where, MySQL, BackslashEscapes, whole) {
		t.Error("|| is OR in MySQL's own mode")
	}
	if alwaysTrue(where, MySQL, BackslashEscapes|PipesAsConcat, whole) {
		t.Error("|| is not OR with PIPES_AS_CONCAT")
	}
}

func TestAlwaysTrueSpan(t *testing.T) {
	const text = "DELETE FROM t WHERE 1=1 LIMIT 5"
	if !alwaysTrue(text, MySQL, 0, Span{20, 23}) {
		t.Error("the condition inside its statement is not seen")
	}
	for _, s := range []Span{{}, {-1, 3}, {20, 20}, {23, 20}, {20, 99}} {
		if alwaysTrue(text, MySQL, 0, s) {
			t.Errorf("%v is no condition", s)
		}
	}
}

// longConditions are built to be slow, deep or both.
func longConditions(n int) map[string]string {
	return map[string]string{
		"brackets":            strings.Repeat("(", n) + "1=1" + strings.Repeat(")", n),
		"brackets left open":  strings.Repeat("(", n),
		"negations":           strings.Repeat("NOT ", n) + "1=1",
		"signs":               strings.Repeat("- ", n) + "1 = 1",
		"cases":               strings.Repeat("CASE WHEN ", n),
		"ands":                "x = 1" + strings.Repeat(" AND order_id = 1", n) + " OR 1=0",
		"ors":                 "x = 1" + strings.Repeat(" OR x = 1", n),
		"ands without an or":  "x = 1" + strings.Repeat(" AND x = 1", n),
		"lost":                "x ~~~ 1" + strings.Repeat(" OR x ~~~ 1", n),
		"calls":               strings.Repeat("f(", n) + strings.Repeat(")", n) + " = 1 OR x = 1",
		"a list":              "x IN (1" + strings.Repeat(",?", n) + ")",
		"a list of constants": "'" + strings.Repeat("a", n) + "' IN ('b'" + strings.Repeat(",'b'", n) + ")",
		"concatenations":      "'a'" + strings.Repeat("||'a'", n) + " = 'b'",
		"a pattern":           "'" + strings.Repeat("a", n) + "' LIKE '" + strings.Repeat("%a", n) + "b'",
		"rows":                "(1" + strings.Repeat(",1", n) + ") = (1" + strings.Repeat(",1", n) + ")",
	}
}

// TestAlwaysTrueLong runs into the time limit of the test, or out of stack,
// where something is not linear or not bounded.
func TestAlwaysTrueLong(t *testing.T) {
	for name, where := range longConditions(100_000) {
		for _, d := range everyDialect {
			if provesAll(where, d) {
				t.Errorf("%v: %s: claimed to be always true", d, name)
			}
		}
	}
}

func TestAlwaysTrueDoesNotAllocate(t *testing.T) {
	for name, where := range map[string]string{
		"by key":   "id = $1",
		"two keys": "a = 1 AND b IN (1, 2, 3)",
		"constant": "x = 3 OR 1=1 AND 'a' = 'a'",
		"bracket":  "((a = 1) AND (b LIKE 'x%')) OR CASE WHEN c THEN 1=1 ELSE coalesce(d, 1) = 1 END",
		"long":     longConditions(1000)["a list"],
	} {
		if n := testing.AllocsPerRun(100, func() { provesAll(where, PostgreSQL) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func FuzzAlwaysTrue(f *testing.F) {
	for _, where := range []string{
		"1=1", "x IS NULL OR NOT x IS NULL", "CASE 1 WHEN 1 THEN true END", "(1,2) IN ((1,2))", "'a'||'b' LIKE 'a_'",
		"1::bool", "x NOT IN ()", "0x10 BETWEEN 1 AND 1e2", "EXISTS (SELECT 1)", "CAST('1' AS int) = 1", "{a:UInt8} = [1,2][1]",
	} {
		for _, d := range everyDialect {
			f.Add(where, uint8(d), uint8(d.DefaultMode()))
		}
	}
	f.Fuzz(func(t *testing.T, where string, d, m uint8) {
		dialect, mode := Dialect(d%4+1), Mode(m%8)
		whole := Span{0, int32(len(where))}
		if !alwaysTrue(where, dialect, mode, whole) || !balanced(where, dialect, mode) {
			return
		}
		for _, form := range []string{"NOT (" + where + "\n)", "(" + where + "\n) AND x"} {
			if alwaysTrue(form, dialect, mode, Span{0, int32(len(form))}) {
				t.Errorf("%v: %q is always true, and so is %q", dialect, where, form)
			}
		}
	})
}

// balanced reports that the brackets of a text close, so that it may be put in
// brackets itself.
func balanced(text string, d Dialect, m Mode) bool {
	var s Scanner
	s.Init(text, d, m)
	nest := 0
	for nest >= 0 {
		switch tok := s.Scan(); {
		case tok.Kind == EOF:
			return nest == 0
		case tok.Kind == Illegal:
			return false
		case tok.Kind != Punct:
		case tok.Byte == '(':
			nest++
		case tok.Byte == ')':
			nest--
		}
	}
	return false
}
