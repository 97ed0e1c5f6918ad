package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"time"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// Flight is one statement between its judgement and its verdict. A nil Flight is a
// statement that is not guarded.
type Flight struct {
	s        *Session
	st       *statement
	op       *dbguard.Operation // nil if tracked
	ctx      context.Context
	strategy strategy
	fallback strategy // of a selfBounded rewrite, if it must be replaced
	frame    frame
	counter  counter
	form     Form
	rewrite
	sent         time.Time
	verbatim     bool   // send the caller's text, even if a rewrite would be cheaper
	rewriteCount int    // how many rewrites have been tried
	callerText   string // until the statement is sent
	args         []driver.NamedValue
	commits      bool  // its COMMIT is pipelined with it
	uncounted    bool  // it can be neither counted nor undone, and the caller has accepted that
	rewriteErr   error // the server's error when it was queried for the rewrite
}

// reading is the caller's text, ready to be tokenized.
func (f *Flight) reading() *sqlscan.Text {
	return &sqlscan.Text{Source: f.callerText, Dialect: f.s.dialect, Mode: f.s.modes.mode}
}

// Context is the context to pass to the driver with the statement.
func (f *Flight) Context() context.Context { return f.ctx }

// Streams reports that the rows of a Query must be read to their end, and counted,
// before End.
func (f *Flight) Streams() bool { return f != nil && f.strategy >= ownTx }

// EarlyStopText is the text that the adapter sends instead of the caller's: it does
// the same, but stops early. It takes the caller's arguments, unless complete says
// that they are in the text; then it is for an Exec only. It is empty if the caller's
// text is to be sent.
func (f *Flight) EarlyStopText() (text string, complete bool) { return f.earlyStop, f.complete }

// NoOp reports that the statement would find nothing to do, as DROP … IF EXISTS of a
// missing object. An adapter that does not send it, and answers with no rows
// affected, cannot drop an object that somebody else creates in the meantime.
func (f *Flight) NoOp() bool { return f != nil && f.st.noOp }

// CommandTag is the server's command tag for the statement, without its number of
// rows, for an adapter that makes up the reply.
func (f *Flight) CommandTag() string {
	if f.st.op.Name == "INSERT" {
		return "INSERT 0" // the OID, which rows no longer have
	}
	return f.st.op.Name
}

// LeavesRows reports that the statement returns rows, and that a driver may leave it
// running until they are read: SQLite then neither commits nor releases a savepoint.
// The adapter reads them to their end.
func (f *Flight) LeavesRows() bool {
	return f != nil && f.s.dialect == sqlscan.SQLite && slices.ContainsFunc(f.st.targets, func(x target) bool {
		return x.op.Flags&sqlscan.Returning != 0
	})
}

// startFlight chooses the statement's strategy and rewrite, and opens what it needs.
func (s *Session) startFlight(ctx context.Context, st *statement, op *dbguard.Operation, form Form) (*Flight, error) {
	f := &Flight{s: s, st: st, op: op, ctx: op.Context(), strategy: s.chooseStrategy(st, op), form: form.of(st), callerText: s.text.Source, args: s.args}
	f.chooseRewrite(ctx)
	var err error
	switch {
	case f.rewriteErr != nil: // which has aborted the caller's transaction
		err = f.rewriteErr
	case f.gated:
	case f.strategy == selfBounded:
		if time.Since(s.lastReply) > maxIdle {
			err = s.backend.ping(ctx)
		}
	case f.strategy >= ownTx:
		err = f.open(ctx)
	case !s.guard.Observing():
		// It cannot be undone, and database/sql must not run it twice. So a
		// connection that died in the pool must be found out before it is sent.
		err = s.backend.ping(ctx)
	}
	if err != nil {
		return nil, f.endUnsent(ctx, err)
	}
	f.callerText, f.args = "", nil
	s.flight = f
	return f, nil
}

// open sends what precedes the statement. It may change the strategy: the caller's
// transaction may turn out to be gone, or the tables may not support rollback.
func (f *Flight) open(ctx context.Context) error {
	s := f.s
	if f.sealed {
		f.startHolding()
		defer f.stopHolding()
		return f.openFrame(ctx)
	}
	f.counter = s.backend.counter(f)
	if note, err := f.counter.survey(ctx); err != nil || note != "" {
		return f.uncountable(note, err)
	}
	if err := f.probe(ctx, ownTx); err != nil {
		return err
	}
	f.startHolding()
	defer f.stopHolding()
	if err := f.openFrame(ctx); err != nil || f.strategy == asIs {
		return err
	}
	note, err := f.counter.baseline(ctx)
	if err == nil && note == "" {
		err = f.probe(ctx, inCallerTx)
	}
	if err != nil || note != "" {
		if undo := f.closeFrame(ctx, f.frame.undo); undo != nil && err == nil {
			err = undo
		}
		return f.uncountable(note, err)
	}
	return nil
}

// uncountable turns a note into a refusal or, if the caller has accepted that, lets
// the statement run as it is.
func (f *Flight) uncountable(note string, err error) error {
	if err != nil {
		return err
	}
	if note == "" {
		return nil
	}
	f.strategy, f.uncounted, f.rewrite = asIs, true, rewrite{}
	return f.op.Uncountable(note)
}

// openFrame opens the transaction or savepoint.
func (f *Flight) openFrame(ctx context.Context) error {
	s := f.s
	for {
		f.frame = s.backend.frame(f)
		err := s.exec(ctx, f.frame.open)
		switch {
		case err == nil:
			return nil
		case f.strategy == inCallerTx && s.backend.isTxAborted(err):
			f.strategy, f.rewrite = asIs, rewrite{} // until the caller's ROLLBACK the server refuses everything
			return nil
		case f.strategy == inCallerTx && s.backend.isNoTransaction(err):
			s.endLedger(ctx, dbguard.EffectApplied, nil) // ended without the session's knowledge: nothing is refunded
			s.tx, f.strategy = txIdle, ownTx
		default:
			f.ensureFrameClosed(ctx, err)
			return err
		}
	}
}

// ensureFrameClosed makes sure that a frame whose opening failed is not open.
func (f *Flight) ensureFrameClosed(ctx context.Context, err error) {
	s := f.s
	switch {
	case s.connectionLost(err):
		s.broken = true
	case s.dialect == sqlscan.SQLite: // a cancellation may be reported after it was opened
		ctx, cancel := outlive(ctx)
		defer cancel()
		if err := s.exec(ctx, f.frame.undo); err != nil && !s.backend.isNoTransaction(err) {
			s.broken = true
		}
	}
}

// endUnsent ends the operation of a flight whose statement was not sent.
func (f *Flight) endUnsent(ctx context.Context, err error) error {
	if errors.Is(err, driver.ErrBadConn) {
		f.s.broken = true
		f.op.Abandon() // nothing has happened, and database/sql will retry
		return driver.ErrBadConn
	}
	var v *dbguard.Violation
	if errors.As(err, &v) {
		err = v.Err
	}
	return f.op.End(dbguard.EffectNone, err)
}

// End counts what the statement did, gets the verdict, keeps or undoes, and returns
// the error for the caller. affected is the driver's number of affected rows, or the
// number of rows that were streamed; -1 if neither is known. err is the statement's
// own error.
func (f *Flight) End(ctx context.Context, affected int64, err error) error {
	if f == nil {
		return err
	}
	f.noteSent()
	if err == nil && f.strategy == tracked && f.st.onlyAdds && len(f.st.kinds) == 1 {
		return nil // only a failure matters
	}
	ctx, cancel := outlive(ctx)
	defer cancel()
	f.s.backend.noteChanges(f.st, f.strategy == ownTx || f.s.tx != txCaller)
	if f.s.modes.known && (f.st.calls || f.st.opaque) { // the code may have changed a mode
		f.s.noteModeChange()
	}
	switch {
	case f.strategy == tracked:
		return f.s.noteTxOutcome(ctx, f.st, err)
	case f.strategy == asIs:
		return f.endAsIs(ctx, affected, err)
	case err != nil:
		return f.endFailed(ctx, err)
	}
	return f.settle(ctx, affected)
}

// settle ends a statement that can be undone.
func (f *Flight) settle(ctx context.Context, affected int64) error {
	if can, err := f.close(ctx, affected); can {
		return err
	}
	if d, ok := f.counter.(deferring); ok {
		if err := d.runDeferred(ctx); err != nil {
			return f.endFailed(ctx, err)
		}
	}
	count, err := f.counter.count(ctx, affected)
	switch {
	case f.s.connectionLost(err): // the server then rolls back
		f.closeFrame(ctx, f.frame.undo)
		return f.op.End(dbguard.EffectUndone, hideBadConn(err))
	case isConflict(err): // the server has rolled back, and says so
		return f.endFailed(ctx, err)
	case err != nil:
		count = dbguard.Count{Rows: -1}
	}
	if f.op.Settle(count) != nil || err != nil && f.s.dialect == sqlscan.PostgreSQL { // the error aborts the transaction: a COMMIT would roll back, and succeed
		return f.undoStatement(ctx, err)
	}
	return f.keep(ctx)
}

// noteSent notes that the flight's statement has been sent.
func (f *Flight) noteSent() {
	if f.s.flight == f {
		f.s.flight = nil
	}
	f.s.lastReply = time.Now()
}

// Skip closes a flight whose statement the driver declined with driver.ErrSkip:
// database/sql retries it in another form. Nobody is told.
func (f *Flight) Skip(ctx context.Context) error {
	if f == nil {
		return nil
	}
	f.s.flight = nil
	if f.op == nil {
		return nil
	}
	f.op.Abandon()
	if f.strategy < ownTx {
		return nil
	}
	ctx, cancel := outlive(ctx)
	defer cancel()
	if err := f.closeFrame(ctx, f.frame.undo); err != nil {
		return driver.ErrBadConn
	}
	return nil
}
