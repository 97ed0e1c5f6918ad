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
	flights         []*engine.Flight    // one for each text, nil where nothing is guarded
	tags            []pgconn.CommandTag // of those that have answered
	failed          error               // of one of them: what the others did is undone with it
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
	renamed, shifted := l.session.Renamed(), l.session.SchemaChanges()
	defer func() { l.statements.unsent = false; l.session.SchemaChangePending(false) }()
	for i, q := range queries {
		l.statements.unsent = l.session.Renamed() != renamed
		l.session.SchemaChangePending(l.session.SchemaChanges() != shifted)
		flight, err := l.judge(ctx, takes, q)
		if flight == nil && err == nil {
			continue
		}
		if w == nil {
			w = &watch{Context: ctx, link: l, flights: make([]*engine.Flight, len(queries))}
		}
		if w.flights[i] = flight; err != nil {
			w.veto, w.failed = err, errUnsent
			w.end(nil)
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
	return l.start(ctx, r.text, l.session.StartBypass)
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

// saw keeps what the next text has answered.
func (w *watch) saw(tag pgconn.CommandTag, err error) *watch {
	if w == nil {
		return nil
	}
	w.tags = append(w.tags, tag)
	if err != nil && !w.link.unread(tag, err) && w.failed == nil {
		w.failed = err
	}
	return w
}

// end ends what was judged, at the end of the call: texts of a batch stand or
// fall together. An error of a callback's does not make them fall. Whoever sent
// them cannot be told what comes of it now; observers are, and a transaction
// that had its own COMMIT sent.
func (w *watch) end(err error) {
	if w == nil {
		return
	}
	var server *pgconn.PgError
	if w.failed == nil && err != nil && (errors.As(err, &server) || w.link.conn.IsClosed()) {
		w.failed = err
	}
	for i, f := range w.flights {
		n := int64(-1)
		if i < len(w.tags) && w.failed == nil {
			n = w.tags[i].RowsAffected()
		}
		if f != nil {
			w.link.aside = f.End(w.Context, n, w.failed)
		}
		w.flights[i] = nil
	}
	w.link.check()
}

// largeObject are the texts of pgx.LargeObjects that lose nothing: it knows the
// transaction of pgx's own, not the guarded one. What it writes, truncates and unlinks
// nobody counts.
var largeObject = map[string]bool{
	"select lo_create($1)":          true,
	"select lo_open($1, $2)":        true,
	"select loread($1, $2)":         true,
	"select lo_lseek64($1, $2, $3)": true,
	"select lo_tell64($1)":          true,
	"select lo_close($1)":           true,
}
