package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// In the caller's transaction an error would end more than the statement. So a gated
// statement raises none, and still takes one round trip: a CTE counts the rows that the
// condition finds, up to one more than the bound, and the statement's own condition requires
// that count to be within the bound. Both see the same snapshot. A row that another
// transaction has changed meanwhile can only drop out of the rows found, as it is checked
// again.
//
// The same statement excludes everything else that could change rows: it requires an ordinary
// table without children, rules, policies and triggers that change rows, as seen by a snapshot
// taken under the statement's own lock. None of these can be created under that lock except
// children, which ONLY leaves out. Functions behind operators, casts and constraints take no
// lock of the table; they were looked up when the session first met the table.

// harmlessTriggers are the functions of foreign-key triggers that only look (RI_FKey_check,
// restrict and noaction), and of deferred unique constraints.
const harmlessTriggers = "(1250, 1644, 1645, 1648, 1649, 1654, 1655)"

// stableCalls are words before a parenthesis whose value is the same for every evaluation in
// one statement.
var stableCalls = []string{
	"abs", "all", "and", "any", "array", "between", "cast", "ceil", "char", "coalesce", "concat", "current_timestamp",
	"date", "date_trunc", "decimal", "extract", "floor", "greatest", "in", "interval", "least", "length", "lower", "ltrim",
	"mod", "not", "now", "nullif", "numeric", "or", "replace", "round", "row", "rtrim", "set", "substr", "substring",
	"time", "timestamp", "trim", "upper", "varchar", "when", "where",
}

// unsupportedWords are those of subqueries, of cursors, and of clauses that other servers allow
// after the condition.
var unsupportedWords = []string{"select", "table", "values", "of", "order", "limit"}

// gateable reports that the statement can be gated.
func (p *postgres) gateable(f *Flight) bool {
	x, limit := f.st.simple(), f.op.Limit()
	switch {
	case p.tablesInDoubt, f.form == Rows, f.op.AtLeast() > 0, limit > maxBuffered, x.op.Flags&sqlscan.Returning != 0, p.slow.has(f.st.op.Text):
		return false
	}
	return f.isStable(x)
}

// isStable reports one statement whose effect depends on its text and table only.
func (f *Flight) isStable(x *target) bool {
	switch {
	case !isRegclassName(x), hasStar(&f.s.text.Text, x), f.op.Shares(), f.st.calls, x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised) != 0:
		return false
	}
	return isStableText(&f.s.text.Text, x.op.At.Start)
}

// isRegclassName reports a name that to_regclass reads as the statement does, and without an
// error, which would end the caller's transaction.
func isRegclassName(x *target) bool {
	return len(x.name) >= 1 && len(x.name) <= 2 && !strings.ContainsFunc(x.raw, func(r rune) bool {
		return !(r == '_' || r == '.' || r == '"' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	})
}

// isStableText reports that the text begins with the statement, has no subquery, and finds the
// same rows if it is evaluated twice.
func isStableText(t *sqlscan.Text, start int32) bool {
	var last sqlscan.Token
	word := ""
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		if last.End == 0 && tok.Pos != start {
			return false
		}
		text := strings.ToLower(t.Source[tok.Pos:tok.End])
		switch {
		case tok.Kind == sqlscan.Word && slices.Contains(unsupportedWords, text):
			return false
		case isPunct(tok, '('):
			called := isName(last)
			if called && (last.Kind == sqlscan.QuotedIdent || !slices.Contains(stableCalls, word)) {
				return false
			}
		}
		last, word = tok, text
	}
	return true
}

// lookUpPlain asks the catalogue, once per session and table, whether a statement can itself
// verify that nothing but its own rows changes.
func (p *postgres) lookUpPlain(ctx context.Context, f *Flight) (known plainTable, ok bool) {
	x := &f.st.targets[0]
	key := x.cacheKey()
	if known, cached := p.tables[key]; cached {
		return known, known.ok
	}
	begin := time.Now()
	err := p.conn.Query(ctx, "SELECT c.relchecks::int8, "+uniqueKeys+" FROM pg_catalog.pg_class c WHERE "+isOrdinary(x)+noTriggersFor(x)+noHiddenCalls+maySelect, func(v []any) (err error) {
		known.checks, err = asInt(v[0])
		known.keys = strings.Clone(AsText(v[1]))
		known.ok = err == nil
		return err
	})
	if err != nil {
		f.noteRewriteErr(err)
		return known, false
	}
	p.roundTrip = time.Since(begin)
	if p.tables == nil || len(p.tables) >= maxNames {
		p.tables = map[string]plainTable{}
	}
	p.tables[key] = known
	return known, known.ok
}

// plainTable is what the session knows of a table of DELETE or UPDATE.
type plainTable struct {
	ok     bool
	checks int64  // pg_class.relchecks
	keys   string // the columns of each key, a comma between them, the keys on lines of their own
}

// unchangedCond is the condition that the table is as it was when it was looked up, and so are
// its keys, if they matter: those take the server longest to plan.
func (known plainTable) unchangedCond(x *target, keys bool) string {
	text := `pg_catalog.current_setting('transaction_isolation') = 'read committed' AND ` + sameTable(x) + `
 AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE ` + isOrdinary(x) + ` AND c.relchecks = ` + strconv.FormatInt(known.checks, 10)
	if keys {
		text += "\n AND " + uniqueKeys + ` = ` + quoteString(sqlscan.PostgreSQL, known.keys)
	}
	return text + ")" + noTriggersFor(x)
}

// triggerEvent is the bit of the statement in pg_trigger.tgtype.
func triggerEvent(x *target) string {
	if x.op.Kind == sqlscan.Update {
		return "16"
	}
	return "8"
}

// isOrdinary is a condition on c, a pg_class.
func isOrdinary(x *target) string {
	return `c.oid = ` + regclass(x) + `
 AND c.relkind = 'r' AND c.relpersistence <> 't' AND NOT (c.relhassubclass OR c.relispartition OR c.relhasrules OR c.relrowsecurity)`
}

// noTriggersFor is a separate condition: as one on c it would take longer to plan.
func noTriggersFor(x *target) string {
	return `
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = ` + regclass(x) + ` AND (g.tgtype & ` + triggerEvent(x) + `) <> 0 AND g.tgfoid NOT IN ` + harmlessTriggers + `)`
}

// noHiddenCalls excludes whatever may call functions that write and is not covered by a lock
// of the table: constraints, indexes and defaults, domains and types that may contain some,
// operators, casts. A partition has no catalogue entries of its own for the expressions and
// operator classes of the partition key that its rows must have.
const noHiddenCalls = `
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend a JOIN pg_catalog.pg_depend b ON b.classid = a.classid AND b.objid = a.objid
  LEFT JOIN pg_catalog.pg_proc p ON p.oid = b.refobjid AND b.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  LEFT JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  LEFT JOIN pg_catalog.pg_depend d ON d.classid = b.refclassid AND d.objid = b.refobjid AND d.deptype = 'e'
  LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
  WHERE a.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND a.refobjid = c.oid AND b.refobjid >= 16384
  AND b.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass, 'pg_catalog.pg_opclass'::pg_catalog.regclass)
  AND a.classid <> 'pg_catalog.pg_trigger'::pg_catalog.regclass
  AND NOT COALESCE(l.lanname IN ('c', 'internal') AND e.extname IN ('uuid-ossp', 'pgcrypto', 'citext'), false)
  AND NOT (b.refclassid <> 'pg_catalog.pg_proc'::pg_catalog.regclass AND COALESCE(e.extname IN ('citext', 'pg_trgm', 'btree_gin', 'btree_gist', 'hstore', 'ltree', 'cube', 'intarray'), false)))
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid WHERE a.attrelid = c.oid AND ` + mayHoldDomain + `)
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend a JOIN pg_catalog.pg_depend b ON b.classid = a.classid AND b.objid = a.objid
  JOIN pg_catalog.pg_type t ON t.oid = b.refobjid
  WHERE a.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND a.refobjid = c.oid AND b.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
  AND a.classid <> 'pg_catalog.pg_type'::pg_catalog.regclass AND ` + mayHoldDomain + `)
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  WHERE o.oid >= 16384 AND l.lanname NOT IN ('c', 'internal'))
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_cast k JOIN pg_catalog.pg_proc p ON p.oid = k.castfunc JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  WHERE k.oid >= 16384 AND l.lanname NOT IN ('c', 'internal'))
 AND NOT (c.relispartition AND EXISTS (SELECT FROM pg_catalog.pg_partitioned_table k JOIN pg_catalog.pg_depend d ON d.classid = 1259 AND d.objid = k.partrelid
  WHERE d.refclassid IN (1255, 2616, 2617) AND d.refobjid >= 16384))
 AND NOT EXISTS (SELECT FROM (SELECT k.conbin FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid
  UNION ALL SELECT d.adbin FROM pg_catalog.pg_attrdef d WHERE d.adrelid = c.oid) t (tree) WHERE ` + callsBuiltinWriter + `)`

// maySelect is the privilege that counting rows needs, and a condition without columns does not.
const maySelect = `
 AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')`

// mayHoldDomain is the condition on t, a pg_type, that it is a domain or may contain values of
// one: reading a value runs the domain's checks.
const mayHoldDomain = `t.oid >= 16384 AND (t.typtype NOT IN ('b', 'e') OR t.typelem <> 0
  AND EXISTS (SELECT FROM pg_catalog.pg_type m WHERE m.oid = t.typelem AND m.typtype NOT IN ('b', 'e')))`

// rewriteGated is the gated rewrite of a statement. What the transaction has verified under a lock that
// it still holds is not checked again.
func (p *postgres) rewriteGated(f *Flight, known plainTable) rewrite {
	x := &f.st.targets[0]
	still, keyed := "", known.hasKey(equalityColumns(f, x))
	if keys, seen := p.verified[x.cacheKey()]; !seen || keyed && !keys {
		still = known.unchangedCond(x, keyed)
	}
	return rewrite{text: gateText(f, still), gated: true, checksKeys: keyed, tagged: f.form == Tagged}
}

// gateText answers with the number of rows changed; one more than the bound if there were too
// many and none was changed, two more if the table has changed since it was looked up. That
// is not checked if still is empty.
func gateText(f *Flight, still string) string {
	t, x, limit := &f.s.text.Text, &f.st.targets[0], f.op.Limit()
	n := func(i int64) string { return strconv.FormatInt(limit+i, 10) }
	begin, end := targetSpan(t, x)
	verb, where := "", "true"
	if w := x.op.Where; w.Start < w.End {
		verb, where = withOnly(t, x, x.op.At.Start, w.Start), t.Source[w.Start:w.End]
	} else {
		verb = withOnly(t, x, x.op.At.Start, int32(len(trimTrailing(t)))) + "\nWHERE "
	}
	found := `(SELECT pg_catalog.count(*) FROM (SELECT FROM ` + withOnly(t, x, begin, end) + "\nWHERE (" + where + "\n) LIMIT " + n(1) + `) k)`
	if still != "" {
		found = `CASE
 WHEN ` + still + `
 THEN ` + found + `
 WHEN EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = ` + regclass(x) + ` AND (g.tgtype & 1) = 0)
 THEN ` + raise(raisedUnverified) + ` ELSE ` + n(2) + ` END`
	}
	count := "WITH dbguard_k AS MATERIALIZED (SELECT " + found + " AS n)"
	stmt := verb + "(SELECT dbguard_k.n FROM dbguard_k) <= " + n(0) + " AND (" + where + "\n) RETURNING 1"
	number := `CASE WHEN (SELECT n FROM dbguard_k) > ` + n(0) + ` THEN (SELECT n FROM dbguard_k)
 WHEN (SELECT ` + raise(raisedOver) + ` FROM (SELECT FROM dbguard OFFSET ` + n(0) + ` LIMIT 1) o) IS NULL THEN (SELECT pg_catalog.count(*) FROM dbguard) END`
	text := count + ",\ndbguard AS (" + stmt + ")\nSELECT "
	if f.form == Tagged {
		return text + "FROM pg_catalog.generate_series(1, " + number + ")"
	}
	return text + number
}

// targetClause is the table of a DELETE or UPDATE with its alias.
func targetClause(t *sqlscan.Text, x *target) string {
	begin, end := targetSpan(t, x)
	return t.Source[begin:end]
}

func targetSpan(t *sqlscan.Text, x *target) (begin, end int32) {
	begin, end = x.op.At.End, int32(len(trimTrailing(t)))
	before := ""
	for tok := range tokens(t, x.op.At.End, end) {
		word := ""
		if tok.Kind == sqlscan.Word {
			word = strings.ToLower(t.Source[tok.Pos:tok.End])
		}
		switch {
		case word == "from" && x.op.Kind == sqlscan.Delete && tok.End <= x.op.Object.Start:
			begin = tok.End
		case tok.Pos >= x.op.Object.End && before != "as" && (word == "set" || word == "where"):
			return begin, tok.Pos
		}
		before = word
	}
	return begin, end
}

// withOnly is a piece of the text that contains the table, with ONLY before it.
func withOnly(t *sqlscan.Text, x *target, from, to int32) string {
	at := x.op.Object.Start
	if x.only {
		return t.Source[from:to]
	}
	head := t.Source[from:at]
	if at == x.op.At.End || strings.HasSuffix(strings.ToLower(head), "from") {
		head += " " // a quoted name needs none before it
	}
	return head + "ONLY " + t.Source[at:to]
}

// hasStar reports a table that includes its children by a star after its name.
func hasStar(t *sqlscan.Text, x *target) bool {
	for tok := range tokens(t, x.op.Object.End, int32(len(t.Source))) {
		return t.Source[tok.Pos:tok.End] == "*"
	}
	return false
}

// checkAnswer reads the answer of a gated statement.
func (p *postgres) checkAnswer(f *Flight, rows int64) (refused *dbguard.Count, again bool) {
	x := &f.st.targets[0]
	if f.onlyAdds {
		p.markVerified(x, false)
		return nil, false
	}
	p.noteDuration(f)
	over := rows - f.op.Limit()
	if over > 1 {
		delete(p.tables, x.cacheKey())
		p.tablesInDoubt = true
		return nil, true
	}
	p.markVerified(x, f.checksKeys)
	if over == 1 {
		return &dbguard.Count{Rows: rows}, false
	}
	return nil, false
}

// noteDuration finds statements whose condition no index serves, and is evaluated twice: those
// that were slow twice in a row.
func (p *postgres) noteDuration(f *Flight) {
	text := f.st.op.Text
	switch {
	case time.Since(f.sent) <= 4*p.roundTrip+slowAfter:
		if p.slowOnce == text {
			p.slowOnce = ""
		}
	case p.slowOnce == text:
		p.slow.add(text)
	default:
		p.slowOnce = text
	}
}

// cacheKey is a table and what is done to it.
func (x *target) cacheKey() string { return x.keyword + " " + x.raw }

// slowAfter is more than a statement takes that finds its rows by an index.
const slowAfter = 50 * time.Millisecond

// gateError is the server's error, or the guard's in place of one that the guard raised.
func (p *postgres) gateError(f *Flight, err error) error {
	p.tables, p.insertTables = nil, nil // a new rule may have caused the error
	switch word, _ := raised(err); {
	case word == raisedUnverified, f.onlyAdds && sqlState(err) == "0A000":
		p.unrewritable.add(f.st.op.Text) // the name may mean another table than the server's plan for as long as that is kept
		return fmt.Errorf("%w: %w", errTableChanged, err)
	case word == raisedOver:
		p.unrewritable.add(f.st.op.Text)
		return fmt.Errorf("%w: %w", errUnstable, err)
	}
	if sqlState(err) == "0A000" { // feature_not_supported: a new rule or view
		_ = f.op.Uncountable("its table was given a rule while the transaction was open") // End returns it
	}
	return err
}

var (
	errTableChanged = errors.New("dbguard: the table was given a trigger or a rule since this connection met it: run the transaction again")
	errUnstable     = errors.New("dbguard: the condition finds other rows each time it is evaluated: run the transaction again")
)
