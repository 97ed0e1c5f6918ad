package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// A statement that bounds itself takes one round trip: the caller's DELETE or UPDATE
// becomes a CTE, and the outer query raises an error at the first row beyond the bound.
// To exclude any other change, the statement's own transaction becomes read-only before
// the first row. The statement itself has passed the server's read-only check by then; a
// write by a cascade, trigger, rule or function has not, and fails with everything else
// (SQLSTATE 25006). A statement that a rule puts in the caller's place has passed it, too:
// postgres_rules.go. Nothing is assumed about the schema, so nothing can be out of date.
//
// SELECT … FOR KEY SHARE counts as a write there, and with it the check of a foreign key
// without action. Such a statement fails as well, having changed nothing, and is run again
// and counted.
//
// The server does not check writes to a foreign server, so no foreign table may exist. And
// it may evaluate functions declared IMMUTABLE or STABLE during planning: a text that calls
// a function which may write is not sealed.

// nonce is one per process, and part of every error that the guard raises: no value of the
// caller's in an error of the same kind can be taken for one of them.
var nonce = func() string {
	b := make([]byte, 6)
	_, _ = rand.Read(b) // never fails, says its documentation
	return hex.EncodeToString(b)
}()

// The word after the nonce: the bound is exceeded, Exactly is not reached, or the seal does
// not hold.
const (
	raisedOver       = "over"
	raisedUnder      = "under"
	raisedUnverified = "unsure"
)

// raise is an expression that fails with SQLSTATE 22P02 and the word in its message. It has
// to be volatile, hence random(): the planner evaluates constant and stable expressions to
// estimate limits, and would fail. It uses no cast and no operator, which users may redefine
// for text.
func raise(word string) string { return raiseWith(word, "pg_catalog.random()") }

func raiseWith(word, value string) string {
	return "pg_catalog.int4in(pg_catalog.textout(pg_catalog.concat('dbguard " + nonce + " " + word + " ', " + value + ")))"
}

// raised takes word and value from an error that raise caused.
func raised(err error) (word, value string) {
	if sqlState(err) != "22P02" { // invalid_text_representation
		return "", ""
	}
	_, rest, ok := strings.Cut(err.Error(), "dbguard "+nonce+" ")
	if !ok {
		return "", ""
	}
	word, rest, _ = strings.Cut(rest, " ")
	value, _, _ = strings.Cut(rest, `"`)
	return word, value
}

func (p *postgres) rewriteFor(ctx context.Context, f *Flight) rewrite {
	switch {
	case len(f.st.targets) == 1 && f.st.op.Acts[0].Verb == dbguard.Insert:
		return p.rewriteInsert(ctx, f)
	case !p.boundable(f):
		return rewrite{}
	}
	if w, ok := p.rewriteByKey(f); ok {
		return w
	}
	if f.strategy == inCallerTx && p.gateable(f) {
		if known, ok := p.lookUpPlain(ctx, f); ok {
			return p.rewriteGated(f, known)
		}
	}
	if f.op.Limit() >= minBulk && f.form != Rows && isBulk(f) {
		return rewrite{text: bulkText(f), tagged: true}
	}
	j := p.seal(ctx, f)
	return rewrite{
		text: p.boundText(f, j), sealed: j.seal != "", holdsChecks: j.ofTable, checksKeys: j.ofTable, detectsRules: j.showsRules,
		ambiguousError: p.mayRaiseAmbiguously(f), tagged: f.usesCommandTag(f.op.Limit()),
	}
}

// seal chooses the condition under which the statement changes nothing but its own rows.
func (p *postgres) seal(ctx context.Context, f *Flight) checks {
	x := &f.st.targets[0]
	switch {
	case f.st.calls, p.unsealable.has(f.st.op.Text), f.strategy == inCallerTx && p.holdCursors:
	case f.strategy == ownTx && !f.op.Shares():
		return checks{seal: p.readOnlySeal(), showsRules: p.canShowRules(f)}
	case !isRegclassName(x):
	case f.strategy == inCallerTx && !p.tablesInDoubt && f.isStable(x) && equalityColumns(f, x) != nil && p.isReadCommitted(ctx):
		if known, ok := p.lookUpPlain(ctx, f); ok {
			return checks{seal: known.unchangedCond(x, true), ofTable: true} // holds as long as the statement's lock
		}
		fallthrough
	default:
		return checks{seal: p.readOnlySeal() + nothingDeferred(x, f.strategy), showsRules: p.canShowRules(f)} // deferred triggers fire too late to be refused
	}
	return checks{showsRules: p.canShowRules(f)}
}

// boundable reports that the statement can be rewritten to bound itself, in the form that
// the adapter supports.
func (p *postgres) boundable(f *Flight) bool {
	st, limit := f.st, f.op.Limit()
	switch x := st.simple(); {
	case x == nil, len(st.kinds) != 1, limit < 0, p.major < 10, p.operatorShadowed:
		return false
	case f.form == Rows && (x.op.Flags&sqlscan.Returning == 0 || limit > maxBuffered):
		return false
	}
	return !p.unrewritable.has(st.op.Text)
}

// mayRaiseAmbiguously reports that the shortest way to raise will do. That error may also be one of the
// caller's own, or be about a temporary table, so the statement is then sent once more with
// the longer way; a text refused once gets that at once.
func (p *postgres) mayRaiseAmbiguously(f *Flight) bool { return !p.refused.has(f.st.op.Text) }

// readOnlySeal is a condition that makes the transaction read-only, and is true unless the
// server would not refuse some write: with foreign tables, and before version 16 with large
// objects that a function may change.
func (p *postgres) readOnlySeal() string {
	const text = `pg_catalog.set_config('transaction_read_only', 'on', true) IS NOT NULL
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_foreign_table)`
	if p.major >= 16 || !p.largeObjects {
		return text
	}
	return text + `
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)`
}

// boundText is the statement that bounds itself.
func (p *postgres) boundText(f *Flight, j checks) string {
	x, limit := &f.st.targets[0], f.op.Limit()
	over := negative
	switch {
	case p.mayRaiseAmbiguously(f):
	case isRegclassName(x): // the file path shows a temporary table, whose rows do not count
		over = raiseWith(raisedOver, "pg_catalog.pg_relation_filepath("+plannedRegclass(x)+"), pg_catalog.random()")
	default:
		over = raise(raisedOver)
	}
	verdict := "CASE WHEN EXISTS (SELECT FROM dbguard OFFSET " + strconv.FormatInt(limit, 10) + ") THEN " + over
	if least := f.op.AtLeast(); least > 0 && j.seal != "" {
		const rows = "(SELECT pg_catalog.count(*) FROM dbguard)"
		verdict += " WHEN " + rows + " < " + strconv.FormatInt(least, 10) + " THEN " + raiseWith(raisedUnder, rows)
	}
	j.limit, j.maxRows = verdict+" END", limit
	return p.checkedText(f, j)
}

// negative is an invalid LIMIT (SQLSTATE 2201W) and OFFSET (2201X), and cheap to plan.
const negative = "-1"

// checks are what a statement checks while it runs.
type checks struct {
	seal       string // the condition under which nothing else changes; "": not checked
	limit      string // expression for LIMIT: NULL, or it raises; "": none
	ofTable    bool   // the seal is about the table itself, without children, and covers rules
	showsRules bool   // RETURNING tableoid shows a rule; else the catalogue is asked
	maxRows    int64  // of the answer
}

// checkedText answers with the rows of the statement, or their number. The seal is checked
// in OFFSET and then the bound in LIMIT, which are evaluated before the first row is read
// (recompute_limits in the server's source); CASE evaluates in order, and a subquery when
// it is reached. A seal that does not hold has to raise: the statement would run to its
// end even if nobody read its rows.
func (p *postgres) checkedText(f *Flight, j checks) string {
	known := &f.s.text.bound
	if asked := (checkedWording{checks: j, form: f.form, way: f.strategy, text: known.text}); *known != asked {
		*known = asked
		known.text = writeCheckedText(f, j)
	}
	return known.text
}

// checkedWording is the last result of writeCheckedText for a text, and what it was made for.
type checkedWording struct {
	checks
	form Form
	way  strategy
	text string
}

func writeCheckedText(f *Flight, j checks) string {
	x, t := &f.st.targets[0], &f.s.text.Text
	stmt := trimTrailing(t)
	if j.ofTable && x.op.Kind != sqlscan.Insert {
		stmt = withOnly(t, x, 0, int32(len(stmt)))
	}
	switch {
	case x.op.Flags&sqlscan.Returning != 0:
	case j.showsRules:
		stmt += "\nRETURNING tableoid"
	default:
		stmt += "\nRETURNING 1"
	}
	seal, unsure := j.seal, negative
	if j.ofTable && f.strategy == inCallerTx {
		unsure = raise(raisedUnverified) // distinguishable from the caller's own errors
	}
	if !j.ofTable {
		seal = noRuleCond(f, j.showsRules)
		if j.seal != "" {
			seal += "\n AND " + j.seal
		}
	}
	read := "FROM dbguard OFFSET CASE WHEN " + seal + "\n THEN 0 ELSE " + unsure + " END"
	if j.limit != "" {
		read += "\n LIMIT " + j.limit
	}
	switch {
	case f.form == Rows:
		read = "dbguard.* " + read
	case !f.usesCommandTag(j.maxRows): // else the command tag has the number of rows
		read = "pg_catalog.count(*) FROM (SELECT " + read + ") l"
	}
	return "WITH dbguard AS (" + stmt + "\n)\nSELECT " + read
}

// trimTrailing is the text up to its last token, without semicolons and comments after it.
func trimTrailing(t *sqlscan.Text) string {
	end := int32(0)
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		if !isPunct(tok, ';') {
			end = tok.End
		}
	}
	return t.Source[:end]
}

// interpretError reads an error. The caller's text is run as written where the error says nothing
// about it (class 25: a hidden write; 0A: a rule that WITH does not support), or says it
// differently than without a guard (22, 3F and 42: many give a position in the text).
func (p *postgres) interpretError(f *Flight, err error) (refused *dbguard.Count, again bool) {
	state := sqlState(err)
	switch word, value := raised(err); word {
	case raisedOver:
		if strings.Contains(value, "/t") {
			f.verbatim = true
			return nil, true
		}
		return &dbguard.Count{Rows: f.op.Limit() + 1}, false
	case raisedUnder:
		return asCount(value), false
	case raisedUnverified:
		p.sealFailed(f)
		return nil, true
	}
	switch {
	case f.detectsRules && slices.Contains(tableoidErrors, state), state == "2201X": // invalid_row_count_in_result_offset_clause
		p.sealFailed(f)
		return nil, true
	case f.ambiguousError && state == "2201W": // invalid_row_count_in_limit_clause
		p.refused.add(f.st.op.Text)
		return nil, true
	case state == "25006" && f.sealed && !p.unsealable.has(f.st.op.Text): // a second time it is not the seal's
		p.unsealable.add(f.st.op.Text)
		return nil, true
	case strings.HasPrefix(state, "0A"):
		p.unrewritable.add(f.st.op.Text)
		return nil, true
	case len(state) == 5 && slices.Contains(rewordedErrors, state[:2]):
		f.verbatim = true
		return nil, true
	}
	return nil, false
}

// tableoidErrors are the errors caused by asking for tableoid: of a rule, of a view, and
// without the privilege to read.
var tableoidErrors = []string{"XX000", "42703", "42501"}

// rewordedErrors are the classes of errors that may read differently than without a guard.
var rewordedErrors = []string{"22", "25", "3F", "42"}

// noteUndone notes that the counters include changes that the server has undone, in relations that
// are no longer locked.
func (p *postgres) noteUndone(f *Flight) {
	p.stale = true
	if f.strategy == inCallerTx {
		p.pending = nil
	}
}
