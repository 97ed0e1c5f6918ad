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

// A statement that bounds itself is one round trip: the caller's DELETE or
// UPDATE stands in a WITH, whose reader raises an error at the first row too
// many. What the rows do not show cannot happen: before the first of them the
// transaction, which is the statement's own, becomes read-only. The statement
// itself has passed that check already. A cascade, a trigger, a rule's or a
// function's statement that would write has not, and fails, and everything with
// it (SQLSTATE 25006). What a rule has put in the statement's place has passed it,
// too: postgres_ruled.go. Nothing is assumed of the schema, so nothing about it can
// be out of date.
//
// What a SELECT … FOR KEY SHARE does counts as writing there: the check of a
// foreign key without action. Such a statement fails as well, having changed
// nothing, and is run again in the way that counts.
//
// The server does not check a foreign server's rows, so no foreign table may
// exist. And it may evaluate functions that are declared IMMUTABLE or STABLE
// while it plans: a text that calls any but the server's own does not come here.

// nonce is the process's. It is in every error that is ours, so that no value of the
// caller's in an error of the same kind is taken for one.
var nonce = func() string {
	b := make([]byte, 6)
	_, _ = rand.Read(b) // never fails, says its documentation
	return hex.EncodeToString(b)
}()

// What our errors say, after the nonce.
const (
	raisedOver   = "over"
	raisedUnder  = "under"
	raisedUnsure = "unsure"
)

// raise is an expression that fails with SQLSTATE 22P02 and the word in its
// message. It must not be constant or stable, or planning fails, which estimates limits;
// random() is volatile. It is no cast, which somebody may have defined anew for text,
// nor an operator.
func raise(word string) string { return raiseWith(word, "pg_catalog.random()") }

func raiseWith(word, value string) string {
	return "pg_catalog.int4in(pg_catalog.textout(pg_catalog.concat('dbguard " + nonce + " " + word + " ', " + value + ")))"
}

// raised is the word of an error that raise has made, and its value.
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
		return p.wordInsert(ctx, f)
	case !p.boundable(f):
		return rewrite{}
	}
	if w, ok := p.wordKey(f); ok {
		return w
	}
	if f.strategy == inCallerTx && p.gateable(f) {
		if known, ok := p.plain(ctx, f); ok {
			return p.gate(f, known)
		}
	}
	if f.op.Limit() >= bulk && f.form != Rows && isBulk(f) {
		return rewrite{text: bulkText(f), tagged: true}
	}
	j := p.seal(ctx, f)
	return rewrite{
		text: p.boundText(f, j), sealed: j.seal != "", holdsChecks: j.seen, checksKeys: j.seen, detectsRules: j.shows,
		ambiguousError: p.terse(f), tagged: f.usesCommandTag(f.op.Limit()),
	}
}

// seal finds the condition by which a statement changes nothing besides.
func (p *postgres) seal(ctx context.Context, f *Flight) judged {
	x := &f.st.targets[0]
	switch {
	case f.st.calls, p.costly.has(f.st.op.Text), f.strategy == inCallerTx && p.holds:
	case f.strategy == ownTx && !f.op.Shares():
		return judged{seal: p.nothingWritten(), shows: p.showsRules(f)}
	case !isRegclass(x):
	case f.strategy == inCallerTx && !p.wary && f.isSteady(x) && equalityColumns(f, x) != nil && p.committed(ctx):
		if known, ok := p.plain(ctx, f); ok {
			return judged{seal: known.still(x, true), seen: true} // for as long as the statement's lock is held
		}
		fallthrough
	default:
		return judged{seal: p.nothingWritten() + nothingDeferred(x, f.strategy), shows: p.showsRules(f)} // what comes with the COMMIT comes too late
	}
	return judged{shows: p.showsRules(f)}
}

// boundable reports that the flight's statement can bound itself in the form
// that the door can run.
func (p *postgres) boundable(f *Flight) bool {
	st, limit := f.st, f.op.Limit()
	switch x := st.simple(); {
	case x == nil, len(st.kinds) != 1, limit < 0, p.major < 10, p.deceives:
		return false
	case f.form == Rows && (x.op.Flags&sqlscan.Returning == 0 || limit > maxBuffered):
		return false
	}
	return !p.unfit.has(st.op.Text)
}

// terse reports that the statement may be refused in the fewest words, which do not
// tell our error from the same of the caller's own, nor whether the table is a
// temporary one: it is asked again, in more. What was refused once may be again.
func (p *postgres) terse(f *Flight) bool { return !p.refused.has(f.st.op.Text) }

// nothingWritten is true, and has the server refuse from then on whatever writes:
// large objects only since version 16. Where a function may change some, and there are
// any, it is false.
func (p *postgres) nothingWritten() string {
	const text = `pg_catalog.set_config('transaction_read_only', 'on', true) IS NOT NULL
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_foreign_table)`
	if p.major >= 16 || !p.objects {
		return text
	}
	return text + `
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)`
}

// boundText is the statement that bounds itself.
func (p *postgres) boundText(f *Flight, j judged) string {
	x, limit := &f.st.targets[0], f.op.Limit()
	over := negative
	switch {
	case p.terse(f):
	case isRegclass(x): // the file of a temporary table tells that it is one: its rows do not count
		over = raiseWith(raisedOver, "pg_catalog.pg_relation_filepath("+regclass(x)+"), pg_catalog.random()")
	default:
		over = raise(raisedOver)
	}
	verdict := "CASE WHEN EXISTS (SELECT FROM dbguard OFFSET " + strconv.FormatInt(limit, 10) + ") THEN " + over
	if least := f.op.AtLeast(); least > 0 && j.seal != "" {
		const rows = "(SELECT pg_catalog.count(*) FROM dbguard)"
		verdict += " WHEN " + rows + " < " + strconv.FormatInt(least, 10) + " THEN " + raiseWith(raisedUnder, rows)
	}
	j.verdict, j.atMost = verdict+" END", limit
	return p.judgedText(f, j)
}

// negative is what no limit and no offset may be (SQLSTATE 2201W, 2201X), and takes
// the server no time to plan.
const negative = "-1"

// judged is what is asked of a statement while it runs.
type judged struct {
	seal    string // a condition by which nothing happens besides; "": it is not asked for
	verdict string // the limit of the rows that are read: NULL, or it raises; "": none
	seen    bool   // the seal is about the table, and not about its children, and knows of rules
	shows   bool   // it shows whether there is a rule, else the catalogue is asked
	atMost  int64  // rows that it answers with
}

// judgedText answers with the rows of the statement, or their number. It is judged by
// the offset and then the limit of what is read, which are evaluated before the first
// row is (recompute_limits in the server's source), and CASE evaluates in order, a
// subquery when it is reached. The statement would run to its end even if nobody read
// its rows: who is unsure raises.
func (p *postgres) judgedText(f *Flight, j judged) string {
	known := &f.s.text.bound
	if asked := (boundWords{judged: j, form: f.form, way: f.strategy, text: known.text}); *known != asked {
		*known = asked
		known.text = judgedText(f, j)
	}
	return known.text
}

// boundWords are those that a text was last given to bound itself, and for what.
type boundWords struct {
	judged
	form Form
	way  strategy
	text string
}

func judgedText(f *Flight, j judged) string {
	x, t := &f.st.targets[0], &f.s.text.Text
	stmt := withoutEnd(t)
	if j.seen && x.op.Kind != sqlscan.Insert {
		stmt = only(t, x, 0, int32(len(stmt)))
	}
	switch {
	case x.op.Flags&sqlscan.Returning != 0:
	case j.shows:
		stmt += "\nRETURNING tableoid"
	default:
		stmt += "\nRETURNING 1"
	}
	seal, unsure := j.seal, negative
	if j.seen && f.strategy == inCallerTx {
		unsure = raise(raisedUnsure) // told from the caller's own errors
	}
	if !j.seen {
		seal = unruled(f, j.shows)
		if j.seal != "" {
			seal += "\n AND " + j.seal
		}
	}
	read := "FROM dbguard OFFSET CASE WHEN " + seal + "\n THEN 0 ELSE " + unsure + " END"
	if j.verdict != "" {
		read += "\n LIMIT " + j.verdict
	}
	switch {
	case f.form == Rows:
		read = "dbguard.* " + read
	case !f.usesCommandTag(j.atMost): // the command tag tells how many rows there are
		read = "pg_catalog.count(*) FROM (SELECT " + read + ") l"
	}
	return "WITH dbguard AS (" + stmt + "\n)\nSELECT " + read
}

// withoutEnd is the text without what comes after its last word: a semicolon
// and comments.
func withoutEnd(t *sqlscan.Text) string {
	end := int32(0)
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		if !isPunct(tok, ';') {
			end = tok.End
		}
	}
	return t.Source[:end]
}

// interpretError reads an error. The caller's text is run as it is written where the
// error says nothing about it (class 25: a hidden write; 0A: a rule that WITH
// does not support), or says it otherwise than without a guard (22, 3F and 42:
// many tell a position in the text).
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
	case raisedUnsure:
		p.unsure(f)
		return nil, true
	}
	switch {
	case f.detectsRules && slices.Contains(noTable, state), state == "2201X": // invalid_row_count_in_result_offset_clause
		p.unsure(f)
		return nil, true
	case f.ambiguousError && state == "2201W": // invalid_row_count_in_limit_clause
		p.refused.add(f.st.op.Text)
		return nil, true
	case state == "25006" && f.sealed && !p.costly.has(f.st.op.Text): // once: then it is not by us
		p.costly.add(f.st.op.Text)
		return nil, true
	case strings.HasPrefix(state, "0A"):
		p.unfit.add(f.st.op.Text)
		return nil, true
	case len(state) == 5 && slices.Contains(otherwise, state[:2]):
		f.verbatim = true
		return nil, true
	}
	return nil, false
}

// noTable are the errors where tableoid is asked for: of a rule, of a view, and where
// the account may not read.
var noTable = []string{"XX000", "42703", "42501"}

// otherwise are the classes of errors that may read otherwise than without a guard.
var otherwise = []string{"22", "25", "3F", "42"}

// noteUndone notes that counters hold what the server has undone, for relations that
// are no longer locked.
func (p *postgres) noteUndone(f *Flight) {
	p.stale = true
	if f.strategy == inCallerTx {
		p.pending = nil
	}
}
