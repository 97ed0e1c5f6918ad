package engine

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/dbguard/dbguard-go/dbguard"
)

// A batch is sent in one round trip, and after an error the server skips the rest of
// it. So a statement can go in a batch only if its rewrite raises an error for
// everything that exceeds the bound or cannot be told: an INSERT's rewrite, or that
// of a DELETE or UPDATE of an ordinary table whose conditions are all in the
// catalogue. The sealed rewrite of a statement sent by itself does not do: it would
// also apply to the statements behind it.

// ErrNotInBatch is returned for a text that must not be sent in a batch.
var ErrNotInBatch = errors.New("dbguard: this statement cannot be sent among others")

// batching is a backend that can rewrite a statement so that it can go in a batch.
type batching interface {
	rewriteForBatch(ctx context.Context, f *Flight) rewrite
	// notSent tells the backend that such a rewrite was not sent.
	notSent()
}

// StartInBatch judges a text that is to be sent in a batch. The adapter sends Text
// and passes the outcome to EndInBatch or FailInBatch, or calls DropFromBatch. If it
// returns neither a Flight nor an error, the text goes as it is.
//
// Outside of a transaction an error must undo the whole batch; inside one, each
// statement with a Flight runs under a savepoint of its own.
func (s *Session) StartInBatch(ctx context.Context, text string, args ...driver.NamedValue) (*Flight, error) {
	s.args = args
	defer func() { s.args = nil }()
	st, op, err := s.judge(ctx, text)
	switch {
	case err != nil || st == nil:
		return nil, err
	case op == nil && (st.control != controlNone || st.commits || st.noOp):
		return nil, ErrNotInBatch
	case op == nil:
		s.backend.noteChanges(st, false)
		return nil, nil
	}
	f := &Flight{s: s, st: st, op: op, ctx: op.Context(), strategy: selfBounded, form: RowsIfAny.of(st)}
	if b, ok := s.backend.(batching); ok && s.chooseStrategy(st, op) >= ownTx && !op.Shares() {
		f.rewrite = b.rewriteForBatch(ctx, f)
	}
	if f.text == "" {
		op.Abandon()
		return nil, ErrNotInBatch
	}
	return f, nil
}

// EndInBatch ends a flight of StartInBatch whose text has answered with this many
// rows. Whether it takes effect depends on its transaction.
func (f *Flight) EndInBatch(rows int64) error {
	f.s.backend.noteChanges(f.st, false)
	f.op.Settle(f.countOf(rows)) // the server has judged it
	return f.op.End(dbguard.EffectApplied, nil)
}

// FailInBatch ends a flight of StartInBatch whose text has failed, and returns the
// error for the caller. If again is true, the outcome is still open and nobody is
// told: once the transaction or savepoint is undone, the statement has to be sent by
// itself. commits says that the last text of the batch ends the transaction.
func (f *Flight) FailInBatch(err error, commits bool) (again bool, _ error) {
	f.s.backend.forget()
	if f.s.connectionLost(err) {
		f.s.broken = true
		effect := dbguard.EffectUndone
		if commits && sqlState(err) == "" {
			effect = dbguard.EffectUnknown
		}
		return false, f.op.End(effect, hideBadConn(err))
	}
	refused, again := f.s.backend.(rewriter).interpretError(f, err)
	switch {
	case again:
		f.op.Abandon()
		return true, nil
	case refused != nil:
		f.op.Settle(*refused)
		return false, f.op.End(dbguard.EffectUndone, nil)
	}
	return false, f.op.End(dbguard.EffectUndone, err)
}

// DropFromBatch ends a flight that was not sent. Nobody is told.
func (f *Flight) DropFromBatch() {
	f.s.backend.(batching).notSent()
	f.op.Abandon()
}
