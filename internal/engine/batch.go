package engine

import (
	"context"
	"errors"

	"github.com/dbguard/dbguard-go/dbguard"
)

// A batch is sent in one flight, and the server leaves out what follows an error.
// So a statement can be among others if its words raise an error for whatever is
// too much or cannot be told: those of an INSERT, and of a DELETE or UPDATE of an
// ordinary table, whose every condition is in the catalogue. The seal of a
// statement that is alone is none here: it would hold for those behind it.

// ErrNotInBatch is told of a text that needs a way of its own.
var ErrNotInBatch = errors.New("dbguard: this statement cannot be sent among others")

// batching is a backend that can write a statement so that it can stand among
// others.
type batching interface {
	rewriteForBatch(ctx context.Context, f *Flight) rewrite
	// notSent tells that it has not been sent so.
	notSent()
}

// StartInBatch judges a text that is to be sent among others. The door sends Text, and
// tells the outcome to Landed or Fell, or calls Drop. No Flight and no error: it
// goes as it is.
//
// Outside of a transaction an error must undo all of them; inside one each
// statement with a Flight stands under a savepoint of its own.
func (s *Session) StartInBatch(ctx context.Context, text string) (*Flight, error) {
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

// EndInBatch ends a flight of Among whose text has answered with so many rows. It
// stands or falls with its transaction.
func (f *Flight) EndInBatch(rows int64) error {
	f.s.backend.noteChanges(f.st, false)
	f.op.Settle(f.countOf(rows)) // the server has judged it
	return f.op.End(dbguard.EffectApplied, nil)
}

// FailInBatch ends one whose text has failed, and returns what the caller must see.
// again says that this is not known: the statement has to go its own way, once the
// transaction or savepoint is undone. Then nobody is told. commits says that the
// last of the texts ends the transaction.
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

// DropFromBatch ends one that was not sent. Nobody is told.
func (f *Flight) DropFromBatch() {
	f.s.backend.(batching).notSent()
	f.op.Abandon()
}
