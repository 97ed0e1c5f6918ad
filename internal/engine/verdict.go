package engine

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// endAsIs ends a statement that ran as it is. Its effect is what the server said,
// and unknown if the reply was lost.
func (f *Flight) endAsIs(ctx context.Context, affected int64, err error) error {
	s := f.s
	s.noteTxOutcome(ctx, f.st, err)
	switch {
	case s.guard.Observing():
		return f.endObserved(affected, err)
	case err == nil:
		if f.st.simple() != nil && affected >= 0 && !f.uncounted {
			f.op.Settle(dbguard.Count{Rows: affected}) // nothing bounds it: only for the trace
		}
		return f.op.End(dbguard.EffectApplied, nil)
	case s.connectionLost(err):
		s.broken = true
		return f.op.End(dbguard.EffectUnknown, hideBadConn(err))
	}
	return f.op.End(dbguard.EffectNone, err)
}

// endObserved returns exactly what the caller would see without a guard, including
// driver.ErrBadConn, on which database/sql retries.
func (f *Flight) endObserved(affected int64, err error) error {
	if errors.Is(err, driver.ErrBadConn) {
		f.op.Abandon()
		return err
	}
	if err != nil {
		f.op.End(dbguard.EffectNone, err)
		return err
	}
	if f.st.simple() != nil {
		f.op.Settle(dbguard.Count{Rows: affected})
	}
	f.op.End(dbguard.EffectApplied, nil)
	return nil
}

// endFailed ends a statement that the driver or the server rejected: what it did is
// undone, unless the server has done so itself.
func (f *Flight) endFailed(ctx context.Context, err error) error {
	if b, ok := f.s.backend.(readListener); ok {
		b.noteFailure()
	}
	if f.commitUnknown(err) {
		if f.s.broken = true; f.st.opaque && f.s.tx == txCaller {
			f.s.endLedger(ctx, dbguard.EffectApplied, nil) // it may have committed
		}
		return f.op.End(dbguard.EffectUnknown, hideBadConn(err))
	}
	if done, err := f.endPartial(ctx, err); done {
		return err
	}
	commits := f.s.backend.isTxControlError(err)
	undo := f.closeFrame(ctx, f.frame.fail)
	if f.strategy == selfBounded {
		f.s.noteStatementError(ctx)
	}
	if commits && undo == nil {
		// A procedure that commits cannot be counted or undone, which is why it was
		// run where it may not commit: say so, rather than "invalid transaction
		// termination".
		f.op.Uncountable("it ends the transaction that it is called in")
	}
	return f.op.End(dbguard.EffectUndone, hideBadConn(err))
}

// partialKeeper is a counter of an engine where a failed statement may keep what it
// has done so far, as SQLite's OR FAIL does.
type partialKeeper interface{ mayKeepPart(cause error) bool }

// endPartial ends such a statement: what it has done stays, unless that exceeds the
// bound.
func (f *Flight) endPartial(ctx context.Context, cause error) (done bool, _ error) {
	c, ok := f.counter.(partialKeeper)
	if !ok || f.strategy < ownTx || f.op.AtLeast() > 0 || f.op.Shares() || !c.mayKeepPart(cause) {
		return false, nil
	}
	count, err := f.counter.count(ctx, -1)
	limit := f.op.Limit()
	switch {
	case err != nil, count.Rows < 0, limit >= 0 && count.Rows > limit:
		return false, nil
	case f.op.Settle(count) != nil:
		return true, f.undoStatement(ctx, cause)
	case f.s.exec(ctx, f.frame.keep) != nil:
		return false, nil
	}
	return true, f.op.End(dbguard.EffectApplied, hideBadConn(cause))
}

// undoStatement undoes a statement whose count was refused.
func (f *Flight) undoStatement(ctx context.Context, cause error) error {
	effect := dbguard.EffectUndone
	if err := f.closeFrame(ctx, f.frame.undo); err != nil {
		cause = err
		if !f.s.connectionLost(err) || f.s.backend.isNoTransaction(err) {
			effect = dbguard.EffectUnknown
		}
	}
	return f.op.End(effect, hideBadConn(cause))
}

// close counts, judges and commits in one text, if the engine can and the number of
// rows alone decides.
func (f *Flight) close(ctx context.Context, affected int64) (can bool, _ error) {
	c, ok := f.counter.(closing)
	if !ok || !f.op.Plain() {
		return false, nil
	}
	can, count, refused, err := c.close(ctx, affected)
	switch {
	case !can:
		return false, nil
	case refused:
		f.op.Settle(count)
		return true, f.op.End(dbguard.EffectUndone, hideBadConn(err))
	case err == nil:
		f.op.Settle(count) // the server has judged it
		return true, f.op.End(dbguard.EffectApplied, nil)
	case f.s.connectionLost(err) && f.strategy == ownTx:
		f.s.broken = true
		return true, f.op.End(dbguard.EffectUnknown, hideBadConn(err))
	}
	return true, f.endFailed(ctx, err)
}

// keep lets a statement take effect.
func (f *Flight) keep(ctx context.Context) error {
	s := f.s
	err := s.exec(ctx, f.frame.keep)
	if err == nil {
		return f.op.End(dbguard.EffectApplied, nil)
	}
	undo := f.closeFrame(ctx, f.frame.undo)
	switch {
	case f.strategy == inCallerTx: // the caller's transaction fails or is gone, and the statement with it
		return f.op.End(dbguard.EffectUndone, hideBadConn(err))
	case s.connectionLost(err), undo != nil:
		s.broken = true
		return f.op.End(dbguard.EffectUnknown, hideBadConn(err))
	}
	return f.op.End(dbguard.EffectUndone, err)
}

// closeFrame closes the frame by sending these texts. If that fails the connection is
// given up: the server then rolls back what was open.
func (f *Flight) closeFrame(ctx context.Context, texts []string) error {
	ctx, cancel := outlive(ctx)
	defer cancel()
	s := f.s
	err := s.exec(ctx, texts)
	switch {
	case err == nil:
		return nil
	case f.strategy == ownTx && s.backend.isNoTransaction(err): // the engine has rolled back by itself
		return nil
	case s.backend.isNoTransaction(err):
		s.endLedger(ctx, dbguard.EffectUndone, nil)
		s.tx = txUnknown
		return err
	}
	s.broken = true
	s.txLost = f.strategy == inCallerTx
	return err
}

// trackTx returns a flight for a text that needs no verdict but may affect the
// transaction or, since none of its objects exists, need not be sent. It returns nil
// for any other.
func (s *Session) trackTx(ctx context.Context, st *statement) *Flight {
	_, listens := s.backend.(readListener)
	if _, ok := s.backend.(txProber); ok {
		listens = s.tx == txCaller
	}
	moves := st.control != controlNone || st.commits && s.tx != txIdle || st.onlyAdds && listens
	if !moves && !st.noOp {
		s.backend.noteChanges(st, s.tx != txCaller)
		return nil
	}
	f := &Flight{s: s, st: st, ctx: ctx, strategy: tracked}
	s.flight = f
	return f
}

// noteTxOutcome notes what a text that has run did to the transaction, and returns
// the error for the caller.
func (s *Session) noteTxOutcome(ctx context.Context, st *statement, err error) error {
	if st.opaque {
		s.forgetModes()
	}
	if b, ok := s.backend.(readListener); ok && err != nil {
		b.noteFailure()
	}
	switch {
	case st.control == controlCommit:
		return s.committed(ctx, err)
	case st.control == controlRollback:
		return s.rolledBack(ctx, err)
	case st.control == controlRollbackAndChain && err == nil:
		_ = s.rolledBack(ctx, nil)
		s.tx = txUnknown
	case st.control == controlBegin && err == nil:
		if s.tx != txCaller || s.dialect == sqlscan.MySQL || s.dialect == sqlscan.SQLite && st.kinds[0] == sqlscan.Begin {
			s.TxBegan(false)
			s.txBegins = false // it may be WITH CONSISTENT SNAPSHOT
		}
	case st.control == controlBegin && s.tx == txCaller && s.dialect != sqlscan.MySQL:
		// The open transaction stays open.
	case st.control == controlSelfContained && err == nil:
		if s.tx == txIdle { // else it was a savepoint within the open transaction
			s.noteTxEnd()
		}
	case st.control == controlRelease:
		s.endLedger(ctx, dbguard.EffectApplied, nil)
		s.tx = txUnknown
	case st.commits && s.tx != txIdle, st.opaque, st.control != controlNone:
		if s.tx == txCaller {
			s.endLedger(ctx, dbguard.EffectApplied, nil)
		}
		s.tx = txUnknown
	case err != nil:
		s.noteStatementError(ctx)
	}
	return err
}
