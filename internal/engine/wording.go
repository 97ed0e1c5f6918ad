package engine

import (
	"context"
	"strconv"
	"time"

	"github.com/dbguard/dbguard-go/dbguard"
)

// dozed is how long a connection may have been silent and still be sent, without
// a question first, what cannot be taken back: an answer that never comes from a
// connection that had died in the pool would leave the statement's effect unknown.
const dozed = time.Second

// wording is what is sent in place of the caller's text, with the same
// arguments: the caller's statement in words that the server refuses at the
// first row beyond the bound.
type wording struct {
	text string // "": the caller's own is sent, or instead
	// instead does what the caller's text does, but stops early: it is counted like
	// that. complete says that the arguments are in it.
	instead  string
	complete bool
	// sealed says that the server refuses, too, what the statement would change
	// besides: then there is nothing to count, and outside of the caller's
	// transaction there is nothing to open and to close.
	sealed bool
	// gated says that the statement changes nothing where it goes beyond its
	// bound, and raises no error: nothing is to be opened in the caller's
	// transaction.
	gated bool
	// keyed says of a gated one that it changes one row at most, whatever the bound.
	keyed bool
	// mild says of a sealed one that its error ends nothing but the statement: in
	// the caller's transaction there is nothing to open either.
	mild bool
	// few says of a mild one that it changes no row where they are too many.
	few bool
	// sees says of a sealed one that what it makes sure of stays so until the caller's
	// transaction ends.
	sees bool
	// keys says of a gated one, or one that sees, that it makes sure of the keys, too.
	keys bool
	// shows says that it shows by itself whether a rule has put another statement in its
	// place: postgres_rules.go.
	shows bool
	// terse says that the error of what goes beyond the bound could be the caller's own.
	terse bool
	// adds says that the rows that it answers were not there before.
	adds bool
	// tagged says that the number of rows is told by the command tag.
	tagged bool
}

// rewording is a backend that can write a statement so that it bounds itself.
type rewording interface {
	// word is the best wording of which nothing is known that speaks against it.
	word(ctx context.Context, f *Flight) wording
	// passed reads the answer of a gated or mild wording, or one that sees, as verdict
	// does errors.
	passed(f *Flight, rows int64) (refused *dbguard.Count, again bool)
	// verdict reads an error of a wording: a count that is refused; or that the
	// statement has to be run in other words, as the server has undone these.
	verdict(f *Flight, err error) (refused *dbguard.Count, again bool)
	// gateError is what the caller is told of an error of a gated wording.
	gateError(f *Flight, err error) error
	// undid tells that the server has undone a wording. Counters may not have been.
	undid(f *Flight)
}

// reword chooses the words of a flight whose way can be undone, and with that,
// whether it needs a way at all.
func (f *Flight) reword(ctx context.Context) {
	f.wording = wording{}
	b, ok := f.s.backend.(rewording)
	if !ok || f.form == AsWritten || f.verbatim || f.way < own {
		return
	}
	f.wording = b.word(ctx, f)
	f.sent = time.Now()
	if f.gated {
		f.way = alone
	}
	// A budget is charged between the count and the end of the transaction: not of
	// rows that were not there.
	if f.sealed && (f.way == own || f.mild) && (f.adds || !f.op.Shares()) {
		f.way, f.outer = alone, f.way
	}
}

// fails notes that the server refused to say what the wording depends on, as of a
// schema that the account may not use: the caller sees that, and not merely that
// nothing is possible any more. Outside of a transaction the statement says it.
func (f *Flight) fails(err error) {
	if f.way == nested && !f.s.backend.aborted(err) {
		f.failed = err
	}
}

// Text is what the door sends with the caller's arguments, in place of the
// caller's text, and whose outcome it hands to Answer. It is empty where the
// caller's own is to be sent, and its outcome goes to End.
func (f *Flight) Text() string {
	if f == nil {
		return ""
	}
	return f.text
}

// Tells is how Text tells the number of rows: by its command tag, as the one value
// of the one row, or by rows that are the caller's.
func (f *Flight) Tells() Form {
	switch {
	case f.tagged:
		return Tagged
	case f.form == Rows:
		return Rows
	}
	return Counted
}

// tags reports that the number of rows is told by the command tag: that of a
// SELECT, which sends as many rows, so that there may not be too many.
func (f *Flight) tags(atMost int64) bool {
	const many = 100
	return f.form == Tagged && atMost >= 0 && atMost <= many
}

// Answer takes the outcome of Text, and returns what the caller must see. rows
// is the number that it answered, or the number of its rows.
//
// again says that nothing has happened and nothing is decided: the door asks
// for Text once more.
func (f *Flight) Answer(ctx context.Context, rows int64, err error) (again bool, _ error) {
	s := f.s
	switch {
	case f.gated:
		return f.answerGated(ctx, rows, err)
	case err == nil && !f.sealed, s.lose(err) && f.way != alone:
		return false, f.End(ctx, rows, err)
	case err == nil:
		return f.answerSealed(ctx, rows)
	case s.lose(err):
		f.land()
		s.broken = true
		return false, f.op.End(dbguard.EffectUnknown, hide(err))
	}
	b := s.backend.(rewording)
	refused, again := b.verdict(f, err)
	switch {
	case again:
		return f.again(ctx)
	case refused != nil:
		return false, f.endSealed(ctx, *refused, dbguard.EffectUndone)
	case f.way != alone:
		return false, f.End(ctx, -1, err)
	}
	f.land()
	b.undid(f)
	return false, f.op.End(dbguard.EffectUndone, err)
}

// answerSealed is Answer of what the server has judged.
func (f *Flight) answerSealed(ctx context.Context, rows int64) (again bool, _ error) {
	if f.mild || f.sees {
		if _, again := f.s.backend.(rewording).passed(f, rows); again {
			return f.again(ctx)
		}
	}
	return false, f.endSealed(ctx, f.countOf(rows), dbguard.EffectApplied)
}

// answerGated is Answer where nothing was opened in the caller's transaction. An
// error is the end of that, as it would be without a guard.
func (f *Flight) answerGated(ctx context.Context, rows int64, err error) (again bool, _ error) {
	s := f.s
	if err != nil {
		f.land()
		if s.lose(err) {
			s.broken = true // and the server rolls back
		}
		return false, f.op.End(dbguard.EffectUndone, hide(s.backend.(rewording).gateError(f, err)))
	}
	if f.keyed {
		return false, f.endKeyed(ctx, rows)
	}
	refused, again := s.backend.(rewording).passed(f, rows)
	if again {
		return f.again(ctx)
	}
	f.land()
	s.backend.touched(f.st, false)
	if refused != nil {
		f.op.Settle(*refused)
		return false, f.op.End(dbguard.EffectUndone, nil)
	}
	f.op.Settle(f.countOf(rows)) // the server has judged it
	return false, f.op.End(dbguard.EffectApplied, nil)
}

// endKeyed ends a statement that can only have changed too few rows. Should there
// be more all the same, the caller's transaction goes with them.
func (f *Flight) endKeyed(ctx context.Context, rows int64) error {
	f.land()
	s := f.s
	s.backend.touched(f.st, false)
	if f.op.Settle(dbguard.Count{Rows: rows}) == nil {
		return f.op.End(dbguard.EffectApplied, nil)
	}
	if rows > 0 {
		ctx, cancel := outlive(ctx)
		defer cancel()
		_ = s.exec(ctx, ownTransaction.undo) // or the connection is gone
		s.broken, s.lost = true, true
	}
	return f.op.End(dbguard.EffectUndone, nil)
}

// endSealed ends a flight whose count the server has judged. A budget may have
// been spent by somebody else meanwhile.
func (f *Flight) endSealed(ctx context.Context, count dbguard.Count, effect dbguard.Effect) error {
	f.land()
	s := f.s
	s.backend.touched(f.st, s.tx != txCaller)
	refused := f.op.Settle(count) != nil
	if refused {
		s.backend.(rewording).undid(f)
	}
	if f.way == alone {
		return f.op.End(effect, nil)
	}
	ctx, cancel := outlive(ctx)
	defer cancel()
	if refused {
		return f.takeBack(ctx, nil)
	}
	return f.keep(ctx)
}

// countOf is the count of a wording that has answered this many rows.
func (f *Flight) countOf(rows int64) dbguard.Count {
	if f.adds {
		return dbguard.Count{}
	}
	return dbguard.Count{Rows: rows}
}

// maxReworded is beyond what any statement needs. Words that fail each time, for what
// their backend has not thought of, must not be sent for ever.
const maxReworded = 8

// again opens the way for other words.
func (f *Flight) again(ctx context.Context) (bool, error) {
	s := f.s
	f.callers = s.text.Source // nothing else has been read meanwhile
	defer func() { f.callers = "" }()
	s.backend.(rewording).undid(f)
	if f.gated {
		f.way = nested
	} else if f.way == alone {
		f.way = f.outer
	} else if err := f.leave(ctx, f.frame.undo); err != nil {
		s.flight = nil
		return false, f.refused(ctx, hide(err))
	}
	f.reworded++
	f.verbatim = f.verbatim || f.reworded > maxReworded
	f.reword(ctx)
	if f.way == alone {
		return true, nil
	}
	if err := f.open(ctx); err != nil {
		s.flight = nil
		return false, f.refused(ctx, hide(err))
	}
	return true, nil
}

// asCount is a count that the server has written into an error.
func asCount(value string) *dbguard.Count {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		n = -1
	}
	return &dbguard.Count{Rows: n}
}

// maxHeld is the largest bound for which the rows of RETURNING are read into
// memory before the caller sees them, so that it sees none of a refused one.
const maxHeld = 1000
