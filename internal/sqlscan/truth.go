package sqlscan

// Whether a condition is always true is decided without a database, as far as its
// text allows.
//
// The rule: a condition that is claimed to be always true is true for every row on
// every server of the dialect, whatever its collation, tables and rows. What depends
// on a row, a parameter, a setting or a version is unknown, and unknown is never
// claimed. The opposite, to find every such condition, is best effort.
//
// Where the dialects differ, and what follows:
//
//   - PostgreSQL: a condition is a boolean; 'a' takes the type of what it meets.
//     Integer division truncates. `x IS NULL OR x IS NOT NULL` is false for a
//     composite (1, NULL), so the two tests are not each other's opposite.
//   - MySQL, MariaDB: a condition is a number; text meets a number as a double.
//     / is decimal. 'a' = 'A' and 'a' = 'a ' depend on the collation. || is OR
//     unless PipesAsConcat. IN, LIKE and BETWEEN bind closer than =. The modes
//     HIGH_NOT_PRECEDENCE and EMPTY_STRING_IS_NULL are not known here.
//   - SQLite: a number is less than any text, text less than any blob; "x" may
//     be a column or a text; `x IN ()` is false, even for NULL. TRUE is taken
//     for the constant, though a column may be called so.
//   - ClickHouse: / is a double; IS TRUE compares with 1; a NULL in an IN list
//     counts for nothing; NaN is not equal to itself.
//
// Reals and their literals are doubles in SQLite and ClickHouse, decimals elsewhere.
// No double is ever computed: an operation on doubles is done on scaled integers
// where the double would be exact, and is unknown where not.

// alwaysTrue reports whether the condition at where in src is provably true
// for every row. It allocates only for quoted quotes and takes linear time.
func alwaysTrue(src string, d Dialect, m Mode, where Span) bool {
	if where.Start < 0 || where.End > int32(len(src)) || where.Start >= where.End {
		return false
	}
	text := src[where.Start:where.End]
	if startsWithColumn(text, d) && nextOr(text, 0, d) == len(text) {
		return false
	}
	p := prover{text: text, dialect: d, mode: m, topLevel: true}
	p.sc.Init(p.text, d, m)
	p.next()
	v := p.disjunction()
	if p.sc.uncertain > 0 {
		return false // only some servers run one of its comments
	}
	return p.proven || p.state == reading && p.tok.Kind == EOF && p.truth(v) == yes
}

// tri is a truth value of SQL's three-valued logic, or unknown.
type tri uint8

const (
	unknown tri = iota // any of the three, or an error
	yes
	no
	null
)

func triOf(b bool) tri {
	if b {
		return yes
	}
	return no
}

func (a tri) not() tri {
	switch a {
	case yes:
		return no
	case no:
		return yes
	}
	return a
}

func (a tri) and(b tri) tri {
	switch {
	case a == no || b == no:
		return no
	case a == unknown || b == unknown:
		return unknown
	case a == null || b == null:
		return null
	}
	return yes
}

func (a tri) or(b tri) tri { return a.not().and(b.not()).not() }

func (a tri) xor(b tri) tri {
	switch {
	case a == null || b == null:
		return null
	case a == unknown || b == unknown:
		return unknown
	}
	return triOf(a != b)
}

// noOrAhead reports that a condition which is not true so far cannot become true: no
// OR follows. So a list of 100,000 parameters is not read. The position found is
// kept, so that all searches together stay linear.
func (p *prover) noOrAhead() bool {
	if !p.topLevel {
		return false
	}
	if from := int(p.tok.Pos); p.orAt < from || from == 0 {
		p.orAt = nextOr(p.text, from, p.dialect)
	}
	return p.orAt == len(p.text)
}
