package engine

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// endWatched ends a statement that ran as it is. Its effect is what the
// server said, and unknown if the answer was lost.
func (f *Flight) endWatched(ctx context.Context, affected int64, err error) error {
	s := f.s
	s.moved(ctx, f.st, err)
	switch {
	case s.guard.Observing():
		return f.endObserved(affected, err)
	case err == nil:
		if f.st.simple() != nil && affected >= 0 && !f.blind {
			f.op.Settle(dbguard.Count{Rows: affected}) // nothing bounds it: it is only told
		}
		return f.op.End(dbguard.EffectApplied, nil)
	case s.lose(err):
		s.broken = true
		return f.op.End(dbguard.EffectUnknown, hide(err))
	}
	return f.op.End(dbguard.EffectNone, err)
}

// endObserved changes nothing of what the caller would see without a guard,
// driver.ErrBadConn included: database/sql then sends the statement again.
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

// endFailed ends a statement that the driver or the server rejected: what it
// had done is undone, where the server has not done so itself.
func (f *Flight) endFailed(ctx context.Context, err error) error {
	if b, ok := f.s.backend.(listening); ok {
		b.failed()
	}
	if f.unsure(err) {
		if f.s.broken = true; f.st.elsewhere && f.s.tx == txCaller {
			f.s.endLedger(ctx, dbguard.EffectApplied, nil) // it may have committed
		}
		return f.op.End(dbguard.EffectUnknown, hide(err))
	}
	if done, err := f.endPartly(ctx, err); done {
		return err
	}
	commits := f.s.backend.endsTransaction(err)
	undo := f.leave(ctx, f.frame.fail)
	if f.way == alone {
		f.s.faltered(ctx)
	}
	if commits && undo == nil {
		// A procedure that commits cannot be counted or undone, which is why it
		// was run where it could not: say so, not "invalid termination".
		f.op.Uncountable("it ends the transaction that it is called in")
	}
	return f.op.End(dbguard.EffectUndone, hide(err))
}

// leaving is a counter of an engine where a statement that fails may leave what it
// did until then, as SQLite's OR FAIL does.
type leaving interface{ leaves(cause error) bool }

// endPartly ends such a statement: what it has left stands, unless that is too much.
func (f *Flight) endPartly(ctx context.Context, cause error) (done bool, _ error) {
	c, ok := f.counter.(leaving)
	if !ok || f.way < own || f.op.AtLeast() > 0 || f.op.Shares() || !c.leaves(cause) {
		return false, nil
	}
	count, err := f.counter.count(ctx, -1)
	limit := f.op.Limit()
	switch {
	case err != nil, count.Rows < 0, limit >= 0 && count.Rows > limit:
		return false, nil
	case f.op.Settle(count) != nil:
		return true, f.takeBack(ctx, cause)
	case f.s.exec(ctx, f.frame.keep) != nil:
		return false, nil
	}
	return true, f.op.End(dbguard.EffectApplied, hide(cause))
}

// takeBack undoes a statement that its count refused.
func (f *Flight) takeBack(ctx context.Context, cause error) error {
	effect := dbguard.EffectUndone
	if err := f.leave(ctx, f.frame.undo); err != nil {
		cause = err
		if !f.s.lose(err) || f.s.backend.gone(err) {
			effect = dbguard.EffectUnknown
		}
	}
	return f.op.End(effect, hide(cause))
}

// close counts, judges and keeps in one go, where the engine can and the number
// of rows alone decides.
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
		return true, f.op.End(dbguard.EffectUndone, hide(err))
	case err == nil:
		f.op.Settle(count) // the server has judged it
		return true, f.op.End(dbguard.EffectApplied, nil)
	case f.s.lose(err) && f.way == own:
		f.s.broken = true
		return true, f.op.End(dbguard.EffectUnknown, hide(err))
	}
	return true, f.endFailed(ctx, err)
}

// keep lets a statement stand.
func (f *Flight) keep(ctx context.Context) error {
	s := f.s
	err := s.exec(ctx, f.frame.keep)
	if err == nil {
		return f.op.End(dbguard.EffectApplied, nil)
	}
	undo := f.leave(ctx, f.frame.undo)
	switch {
	case f.way == nested: // the caller's transaction fails or is gone: the statement with it
		return f.op.End(dbguard.EffectUndone, hide(err))
	case s.lose(err), undo != nil:
		s.broken = true
		return f.op.End(dbguard.EffectUnknown, hide(err))
	}
	return f.op.End(dbguard.EffectUndone, err)
}

// leave closes the frame by these texts. Where that fails the connection is
// given up: the server then rolls back what was open.
func (f *Flight) leave(ctx context.Context, texts []string) error {
	ctx, cancel := outlive(ctx)
	defer cancel()
	s := f.s
	err := s.exec(ctx, texts)
	switch {
	case err == nil:
		return nil
	case f.way == own && s.backend.gone(err): // the engine has rolled back on its own
		return nil
	case s.backend.gone(err):
		s.endLedger(ctx, dbguard.EffectUndone, nil)
		s.tx = txUnknown
		return err
	}
	s.broken = true
	s.lost = f.way == nested
	return err
}

// follow returns the flight of a text that needs no verdict but may move the
// transaction or, since nothing that it names exists, need not be sent. It
// returns nil for any other.
func (s *Session) follow(ctx context.Context, st *statement) *Flight {
	_, listens := s.backend.(listening)
	if _, ok := s.backend.(doubtful); ok {
		listens = s.tx == txCaller
	}
	moves := st.control != controlNone || st.commits && s.tx != txIdle || st.quiet && listens
	if !moves && !st.moot {
		s.backend.touched(st, s.tx != txCaller)
		return nil
	}
	f := &Flight{s: s, st: st, ctx: ctx, way: followed}
	s.flight = f
	return f
}

// moved notes what a text that has run did to the transaction, and returns the
// error that the caller must see.
func (s *Session) moved(ctx context.Context, st *statement, err error) error {
	if st.elsewhere {
		s.forgetModes()
	}
	if b, ok := s.backend.(listening); ok && err != nil {
		b.failed()
	}
	switch {
	case st.control == controlEnds:
		return s.committed(ctx, err)
	case st.control == controlUndoes:
		return s.rolledBack(ctx, err)
	case st.control == controlTurns && err == nil:
		_ = s.rolledBack(ctx, nil)
		s.tx = txUnknown
	case st.control == controlBegins && err == nil:
		if s.tx != txCaller || s.dialect == sqlscan.MySQL || s.dialect == sqlscan.SQLite && st.kinds[0] == sqlscan.Begin {
			s.TxBegan(false)
		}
	case st.control == controlBegins && s.tx == txCaller && s.dialect != sqlscan.MySQL:
		// what is open stays open
	case st.control == controlCloses && err == nil:
		if s.tx == txIdle { // else it was a savepoint within what is open
			s.rest()
		}
	case st.control == controlReleases:
		s.endLedger(ctx, dbguard.EffectApplied, nil)
		s.tx = txUnknown
	case st.commits && s.tx != txIdle, st.elsewhere, st.control != controlNone:
		if s.tx == txCaller {
			s.endLedger(ctx, dbguard.EffectApplied, nil)
		}
		s.tx = txUnknown
	case err != nil:
		s.faltered(ctx)
	}
	return err
}
