package pgxguard

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// watch is the context of what came past the guarded handles, on a connection
// that was taken out of them or by code of pgx itself, and was judged by the
// tracer. With a veto it is done already: pgx sends nothing and returns its
// error, and the connection lives on.
type watch struct {
	context.Context //nolint:containedctx // it is one
	link            *link
	veto            error
	flights         []*engine.Flight // one for each text, nil where nothing is guarded
	seen            int              // how many texts have answered
}

// watch judges texts that nobody has vouched for. It is nil where there is
// nothing to guard.
func (l *link) watch(ctx context.Context, takes options, queries ...pgx.QueuedQuery) *watch {
	if l.vouched {
		l.vouched = false
		return nil
	}
	if l.mute(ctx) {
		return nil
	}
	var w *watch
	for i, q := range queries {
		flight, err := l.judge(ctx, takes, q)
		if flight == nil && err == nil {
			continue
		}
		if w == nil {
			w = &watch{Context: ctx, link: l, flights: make([]*engine.Flight, len(queries))}
		}
		if w.flights[i] = flight; err != nil {
			w.veto = err
			w.end(errUnsent)
			break
		}
	}
	return w
}

// errUnsent ends what was judged and did not get its turn.
var errUnsent = errors.New("pgxguard: not sent")

func (l *link) judge(ctx context.Context, takes options, q pgx.QueuedQuery) (*engine.Flight, error) {
	r, err := l.read(ctx, takes, q.SQL, q.Arguments)
	if err != nil || l.session.IsRead(r.text) || largeObject[r.text] {
		return nil, nil //nolint:nilerr // pgx finds the same error, and returns it
	}
	if l.shared {
		l.session.RawTouched()
	}
	flight, err := l.session.Past(ctx, r.text)
	l.check()
	return flight, err
}

// on is the context to go on with.
func (w *watch) on(ctx context.Context) context.Context {
	if w == nil {
		return ctx
	}
	w.Context = ctx
	return w
}

// watched finds the watch that a tracer is handed back.
func watched(ctx context.Context) *watch {
	w, _ := ctx.(*watch)
	return w
}

// Done is closed where there is a veto.
func (w *watch) Done() <-chan struct{} {
	if w.veto != nil {
		return done
	}
	return w.Context.Done()
}

// Err is the veto, if there is one.
func (w *watch) Err() error {
	if w.veto != nil {
		return w.veto
	}
	return w.Context.Err()
}

var done = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// saw ends the next text. Whoever sent it cannot be told what comes of it now;
// observers are, and a transaction that had its own COMMIT sent.
func (w *watch) saw(tag pgconn.CommandTag, err error) *watch {
	if w == nil || w.seen >= len(w.flights) {
		return w
	}
	if f := w.flights[w.seen]; f != nil {
		w.link.aside = w.link.end(w.Context, f, tag, err)
	}
	w.flights[w.seen] = nil
	w.seen++
	return w
}

// end ends what a batch did not get to.
func (w *watch) end(err error) {
	if w == nil {
		return
	}
	if err == nil {
		err = errUnsent
	}
	for w.seen < len(w.flights) {
		w.saw(pgconn.CommandTag{}, err)
	}
}

// largeObject are the texts with which pgx.LargeObjects works: it knows the
// transaction of pgx's own, not the guarded one. Large objects are no rows.
var largeObject = map[string]bool{
	"select lo_create($1)":          true,
	"select lo_open($1, $2)":        true,
	"select lo_unlink($1)":          true,
	"select lowrite($1, $2)":        true,
	"select loread($1, $2)":         true,
	"select lo_lseek64($1, $2, $3)": true,
	"select lo_tell64($1)":          true,
	"select lo_truncate64($1, $2)":  true,
	"select lo_close($1)":           true,
}
