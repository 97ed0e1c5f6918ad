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

// selfBounding is a backend that can write a statement so that the server
// refuses it when it goes beyond its bound. It is then one round trip, and
// final when its answer comes.
type selfBounding interface {
	// bounded is the text to send in place of the caller's, "" where the
	// statement cannot bound itself.
	bounded(f *Flight, form Form) string
	// verdict reads an error of that text: a count that is refused; or that the
	// caller's own text has to be run after all, as the server has undone this one.
	verdict(f *Flight, err error) (refused *dbguard.Count, again bool)
}

// boundItself sends the flight alone, where that is possible.
func (f *Flight) boundItself(form Form) {
	if b, ok := f.s.backend.(selfBounding); ok && form != AsWritten {
		if f.text = b.bounded(f, form); f.text != "" {
			f.way = alone
		}
	}
}

// Text is what the door sends with the caller's arguments, in place of the
// caller's text, and whose outcome it hands to Answer and not to End. It is
// empty where the caller's own is to be sent.
func (f *Flight) Text() string {
	if f == nil || f.way != alone {
		return ""
	}
	return f.text
}

// Answer ends a flight whose Text has run, and returns what the caller must
// see. rows is the number that it answered, or the number of its rows.
//
// again says that nothing has happened and nothing is decided: the door now
// sends the caller's own text, and calls End.
func (f *Flight) Answer(ctx context.Context, rows int64, err error) (again bool, _ error) {
	f.land()
	s := f.s
	s.backend.touched(f.st, true)
	if err == nil {
		f.op.Settle(dbguard.Count{Rows: rows}) // the server has judged it
		return false, f.op.End(dbguard.EffectApplied, nil)
	}
	if s.lose(err) {
		s.broken = true
		return false, f.op.End(dbguard.EffectUnknown, hide(err))
	}
	refused, again := s.backend.(selfBounding).verdict(f, err)
	switch {
	case again:
		return f.again(ctx)
	case refused != nil:
		f.op.Settle(*refused)
		err = nil
	}
	return false, f.op.End(dbguard.EffectUndone, err)
}

// again opens the way that counts.
func (f *Flight) again(ctx context.Context) (bool, error) {
	f.way, f.text = own, ""
	if err := f.open(ctx); err != nil {
		return false, f.refused(ctx, err)
	}
	f.s.flight = f
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
