package pgxguard

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// vetoContext is the context of a call that bypasses the guarded handles, on a connection taken
// out of them or made by code of pgx itself, and was judged by the tracer. With a veto the
// context is done already: pgx sends nothing and returns its error, and the connection stays
// usable.
type vetoContext struct {
	context.Context //nolint:containedctx // it is one
	guard           *connGuard
	veto            error
	flights         []*engine.Flight    // one for each text, nil where nothing is guarded
	tags            []pgconn.CommandTag // of those that have answered
	failed          error               // of one of them: what the others did is undone with it
}

// judgeBypass judges texts that no guarded handle has judged. It returns nil where there is
// nothing to guard.
func (g *connGuard) judgeBypass(ctx context.Context, takes options, queries ...pgx.QueuedQuery) *vetoContext {
	if g.alreadyJudged {
		g.alreadyJudged = false
		return nil
	}
	if g.pgxRefuses(ctx) {
		return nil
	}
	var w *vetoContext
	renamed, shifted := g.session.PrepareCount(), g.session.SchemaChanges()
	defer func() { g.statements.replacementPending = false; g.session.SchemaChangePending(false) }()
	for i, q := range queries {
		g.statements.replacementPending = g.session.PrepareCount() != renamed
		g.session.SchemaChangePending(g.session.SchemaChanges() != shifted)
		flight, err := g.judge(ctx, takes, q)
		if flight == nil && err == nil {
			continue
		}
		if w == nil {
			w = &vetoContext{Context: ctx, guard: g, flights: make([]*engine.Flight, len(queries))}
		}
		if w.flights[i] = flight; err != nil {
			w.veto, w.failed = err, errUnsent
			w.end(nil)
			break
		}
	}
	return w
}

// errUnsent ends flights that were judged and not sent.
var errUnsent = errors.New("pgxguard: not sent")

func (g *connGuard) judge(ctx context.Context, takes options, q pgx.QueuedQuery) (*engine.Flight, error) {
	r, err := g.read(ctx, takes, q.SQL, q.Arguments)
	if err != nil || g.session.IsRead(r.text) || harmlessLargeObject[r.text] {
		return nil, nil //nolint:nilerr // pgx finds the same error, and returns it
	}
	return g.start(ctx, r.text, g.session.StartBypass)
}

// withParent is the context to continue with.
func (w *vetoContext) withParent(ctx context.Context) context.Context {
	if w == nil {
		return ctx
	}
	w.Context = ctx
	return w
}

// vetoContextOf finds the vetoContext in the context that a tracer is handed back.
func vetoContextOf(ctx context.Context) *vetoContext {
	w, _ := ctx.(*vetoContext)
	return w
}

// Done is closed if there is a veto.
func (w *vetoContext) Done() <-chan struct{} {
	if w.veto != nil {
		return closedChan
	}
	return w.Context.Done()
}

// Err is the veto, if there is one.
func (w *vetoContext) Err() error {
	if w.veto != nil {
		return w.veto
	}
	return w.Context.Err()
}

var closedChan = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// record keeps the result of the next text.
func (w *vetoContext) record(tag pgconn.CommandTag, err error) *vetoContext {
	if w == nil {
		return nil
	}
	w.tags = append(w.tags, tag)
	if err != nil && !w.guard.readFailed(tag, err) && w.failed == nil {
		w.failed = err
	}
	return w
}

// end ends the flights at the end of the call: texts of a batch stand or fall together. An
// error of a callback's does not undo them. The sender cannot be told the verdict now;
// observers are, and a transaction whose own COMMIT was sent.
func (w *vetoContext) end(err error) {
	if w == nil {
		return
	}
	var server *pgconn.PgError
	if w.failed == nil && err != nil && (errors.As(err, &server) || w.guard.conn.IsClosed()) {
		w.failed = err
	}
	for i, f := range w.flights {
		n := int64(-1)
		if i < len(w.tags) && w.failed == nil {
			n = w.tags[i].RowsAffected()
		}
		if f != nil {
			w.guard.tracerErr = f.End(w.Context, n, w.failed)
		}
		w.flights[i] = nil
	}
	w.guard.closeIfBroken()
}

// harmlessLargeObject are the texts of pgx.LargeObjects that lose nothing: it uses pgx's own
// transaction, not the guarded one. Its writes, truncates and unlinks are not counted.
var harmlessLargeObject = map[string]bool{
	"select lo_create($1)":          true,
	"select lo_open($1, $2)":        true,
	"select loread($1, $2)":         true,
	"select lo_lseek64($1, $2, $3)": true,
	"select lo_tell64($1)":          true,
	"select lo_close($1)":           true,
}
