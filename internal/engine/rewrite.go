package engine

import (
	"context"
	"strconv"
	"time"

	"github.com/dbguard/dbguard-go/dbguard"
)

// maxIdle is how long a connection may have been silent before it is pinged ahead of
// a statement that cannot be undone: on a connection that had died in the pool the
// reply would be lost and the statement's effect unknown.
const maxIdle = time.Second

// rewrite is what is sent instead of the caller's text, with the same arguments: a
// text that does the same, but that the server refuses at the first row beyond the
// bound.
type rewrite struct {
	text string // "": the caller's text is sent, or earlyStop
	// earlyStop does what the caller's text does, but stops early; it is counted like
	// that. complete says that the arguments are in it.
	earlyStop string
	complete  bool
	// sealed says that the server also refuses what the statement would change
	// indirectly: then there is nothing to count, and outside of the caller's
	// transaction nothing to open.
	sealed bool
	// gated says that the statement changes nothing if it exceeds its bound, and
	// raises no error: nothing need be opened in the caller's transaction.
	gated bool
	// keyed says of a gated one that it changes one row at most, whatever the bound.
	keyed bool
	// keepsTx says of a sealed one that its error undoes only the statement: nothing
	// need be opened in the caller's transaction either.
	keepsTx bool
	// countsFirst says of one that keepsTx that it changes no row if they are too
	// many.
	countsFirst bool
	// holdsChecks says of a sealed one that what it checks cannot change until the
	// caller's transaction ends.
	holdsChecks bool
	// checksKeys says of a gated one, or one that holdsChecks, that it checks the
	// keys, too.
	checksKeys bool
	// detectsRules says that its result shows whether a rule has put another
	// statement in its place: postgres_rules.go.
	detectsRules bool
	// ambiguousError says that the error for exceeding the bound might be the
	// caller's own.
	ambiguousError bool
	// onlyAdds says that the rows that it returns did not exist before.
	onlyAdds bool
	// tagged says that the number of rows is in the command tag.
	tagged bool
}

// rewriter is a backend that can rewrite a statement so that it enforces its bound.
type rewriter interface {
	// rewriteFor is the best rewrite that is not known to be impossible.
	rewriteFor(ctx context.Context, f *Flight) rewrite
	// checkAnswer reads the answer of a rewrite that is gated, keepsTx or
	// holdsChecks, as interpretError reads errors.
	checkAnswer(f *Flight, rows int64) (refused *dbguard.Count, again bool)
	// interpretError reads an error of a rewrite: it returns a count that is refused
	// or, as again, that the statement must be run with another rewrite, since the
	// server has undone this one.
	interpretError(f *Flight, err error) (refused *dbguard.Count, again bool)
	// gateError is what the caller is told of an error of a gated rewrite.
	gateError(f *Flight, err error) error
	// noteUndone tells the backend that the server has undone a rewrite, though
	// possibly not its counters.
	noteUndone(f *Flight)
}

// chooseRewrite chooses the rewrite of a flight whose strategy can undo it, and so
// whether anything need be opened.
func (f *Flight) chooseRewrite(ctx context.Context) {
	f.rewrite = rewrite{}
	b, ok := f.s.backend.(rewriter)
	if !ok || f.form == AsWritten || f.verbatim || f.strategy < ownTx {
		return
	}
	f.rewrite = b.rewriteFor(ctx, f)
	f.sent = time.Now()
	if f.gated {
		f.strategy = selfBounded
	}
	// A budget is charged between the count and the end of the transaction, though
	// not for rows that did not exist.
	if f.sealed && (f.strategy == ownTx || f.keepsTx) && (f.onlyAdds || !f.op.Shares()) {
		f.strategy, f.fallback = selfBounded, f.strategy
	}
}

// noteRewriteErr notes that the server refused a query that the rewrite depends on,
// for example for a schema that the account may not use: the caller sees that error,
// and not only that the transaction is aborted. Outside of a transaction the
// statement fails in the same way.
func (f *Flight) noteRewriteErr(err error) {
	if f.strategy == inCallerTx && !f.s.backend.isTxAborted(err) {
		f.rewriteErr = err
	}
}

// Text is what the adapter sends with the caller's arguments, instead of the caller's
// text, and whose outcome it passes to Answer. It is empty if the caller's text is to
// be sent, whose outcome goes to End.
func (f *Flight) Text() string {
	if f == nil {
		return ""
	}
	return f.text
}

// AnswerForm is how Text returns the number of rows: in its command tag, as a single
// value in a single row, or by rows that are the caller's.
func (f *Flight) AnswerForm() Form {
	switch {
	case f.tagged:
		return Tagged
	case f.form == Rows:
		return Rows
	}
	return Counted
}

// usesCommandTag reports that the number of rows is in the command tag: that of a
// SELECT, which sends as many rows, so there may not be too many.
func (f *Flight) usesCommandTag(atMost int64) bool {
	const many = 100
	return f.form == Tagged && atMost >= 0 && atMost <= many
}

// Answer takes the outcome of Text, and returns the error for the caller. rows is the
// number that it returned, or the number of its rows.
//
// again says that nothing has happened and nothing is decided: the adapter asks for
// Text once more.
func (f *Flight) Answer(ctx context.Context, rows int64, err error) (again bool, _ error) {
	s := f.s
	switch {
	case f.gated:
		return f.answerGated(ctx, rows, err)
	case err == nil && !f.sealed, s.connectionLost(err) && f.strategy != selfBounded:
		return false, f.End(ctx, rows, err)
	case err == nil:
		return f.answerSealed(ctx, rows)
	case s.connectionLost(err):
		f.noteSent()
		s.broken = true
		return false, f.op.End(dbguard.EffectUnknown, hideBadConn(err))
	}
	b := s.backend.(rewriter)
	refused, again := b.interpretError(f, err)
	switch {
	case again:
		return f.retry(ctx)
	case refused != nil:
		return false, f.endSealed(ctx, *refused, dbguard.EffectUndone)
	case f.strategy != selfBounded:
		return false, f.End(ctx, -1, err)
	}
	f.noteSent()
	b.noteUndone(f)
	return false, f.op.End(dbguard.EffectUndone, err)
}

// answerSealed is Answer for a rewrite that the server has judged.
func (f *Flight) answerSealed(ctx context.Context, rows int64) (again bool, _ error) {
	if f.keepsTx || f.holdsChecks {
		if _, again := f.s.backend.(rewriter).checkAnswer(f, rows); again {
			return f.retry(ctx)
		}
	}
	return false, f.endSealed(ctx, f.countOf(rows), dbguard.EffectApplied)
}

// answerGated is Answer if nothing was opened in the caller's transaction. An error
// aborts that, as it would without a guard.
func (f *Flight) answerGated(ctx context.Context, rows int64, err error) (again bool, _ error) {
	s := f.s
	if err != nil {
		f.noteSent()
		if s.connectionLost(err) {
			s.broken = true // and the server rolls back
		}
		return false, f.op.End(dbguard.EffectUndone, hideBadConn(s.backend.(rewriter).gateError(f, err)))
	}
	if f.keyed {
		return false, f.endKeyed(ctx, rows)
	}
	refused, again := s.backend.(rewriter).checkAnswer(f, rows)
	if again {
		return f.retry(ctx)
	}
	f.noteSent()
	s.backend.noteChanges(f.st, false)
	if refused != nil {
		f.op.Settle(*refused)
		return false, f.op.End(dbguard.EffectUndone, nil)
	}
	f.op.Settle(f.countOf(rows)) // the server has judged it
	return false, f.op.End(dbguard.EffectApplied, nil)
}

// endKeyed ends a statement that can only have changed too few rows. Should there be
// too many all the same, the caller's transaction is rolled back with them.
func (f *Flight) endKeyed(ctx context.Context, rows int64) error {
	f.noteSent()
	s := f.s
	s.backend.noteChanges(f.st, false)
	if f.op.Settle(dbguard.Count{Rows: rows}) == nil {
		return f.op.End(dbguard.EffectApplied, nil)
	}
	if rows > 0 {
		ctx, cancel := outlive(ctx)
		defer cancel()
		_ = s.exec(ctx, ownTransaction.undo) // or the connection is gone
		s.broken, s.txLost = true, true
	}
	return f.op.End(dbguard.EffectUndone, nil)
}

// endSealed ends a flight whose count the server has judged. Meanwhile another
// statement may have used up the budget.
func (f *Flight) endSealed(ctx context.Context, count dbguard.Count, effect dbguard.Effect) error {
	f.noteSent()
	s := f.s
	s.backend.noteChanges(f.st, s.tx != txCaller)
	refused := f.op.Settle(count) != nil
	if refused {
		s.backend.(rewriter).noteUndone(f)
	}
	if f.strategy == selfBounded {
		return f.op.End(effect, nil)
	}
	ctx, cancel := outlive(ctx)
	defer cancel()
	if refused {
		return f.undoStatement(ctx, nil)
	}
	return f.keep(ctx)
}

// countOf is the count of a rewrite that has returned this many rows.
func (f *Flight) countOf(rows int64) dbguard.Count {
	if f.onlyAdds {
		return dbguard.Count{}
	}
	return dbguard.Count{Rows: rows}
}

// maxRewrites is more than any statement needs. A rewrite that fails each time, for a
// reason that its backend does not foresee, must not be sent for ever.
const maxRewrites = 8

// retry chooses and opens another rewrite.
func (f *Flight) retry(ctx context.Context) (bool, error) {
	s := f.s
	f.callerText = s.text.Source // no other text has been parsed meanwhile
	defer func() { f.callerText = "" }()
	s.backend.(rewriter).noteUndone(f)
	if f.gated {
		f.strategy = inCallerTx
	} else if f.strategy == selfBounded {
		f.strategy = f.fallback
	} else if err := f.closeFrame(ctx, f.frame.undo); err != nil {
		s.flight = nil
		return false, f.endUnsent(ctx, hideBadConn(err))
	}
	f.rewriteCount++
	f.verbatim = f.verbatim || f.rewriteCount > maxRewrites
	f.chooseRewrite(ctx)
	if f.strategy == selfBounded {
		return true, nil
	}
	if err := f.open(ctx); err != nil {
		s.flight = nil
		return false, f.endUnsent(ctx, hideBadConn(err))
	}
	return true, nil
}

// asCount is a count that the server has put into an error.
func asCount(value string) *dbguard.Count {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		n = -1
	}
	return &dbguard.Count{Rows: n}
}

// maxBuffered is the largest bound for which the rows of RETURNING are buffered
// before the caller sees any, so that it sees none of a refused statement.
const maxBuffered = 1000
