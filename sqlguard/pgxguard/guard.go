package pgxguard

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dbguard/dbguard-go/internal/engine"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// connGuard is the guard's state for one connection. It is stored in the connection itself, so
// that every way to the connection finds it for as long as it lives.
type connGuard struct {
	conn       *pgx.Conn
	session    *engine.Session
	observing  bool
	caches     bool // pgx caches the statements, or their descriptions, that it prepares
	statements preparedStatements
	// alreadyJudged says that the next text that the tracer sees was judged by a guarded
	// handle; internal, that all are, and that the user's tracer is told separately.
	alreadyJudged, internal bool
	// tracedCtx is the context of a call that the user's tracer has been told of.
	tracedCtx  context.Context //nolint:containedctx // until pgx starts the call again
	userTracer *userTracer
	sentBefore map[string]bool // texts that pgx has sent
	// connExposed says that the caller holds the *pgx.Conn, and may use the connection
	// below every tracer.
	connExposed bool
	wasReset    bool  // a guarded handle has reset it, and gives the connection back to its pool
	tracerErr   error // of the last text, which the tracer could not return to its sender
}

// guardKey is the key of the connGuard in a connection's custom data.
const guardKey = "github.com/dbguard/dbguard-go/sqlguard/pgxguard"

// guardOf is the connGuard of a connection, created on first use.
func guardOf(conn *pgx.Conn, s settings) *connGuard {
	data := conn.PgConn().CustomData()
	if g, ok := data[guardKey].(*connGuard); ok {
		return g
	}
	cfg := conn.Config()
	g := &connGuard{conn: conn, observing: s.guard.Observing(), userTracer: &userTracer{}}
	if t, ok := cfg.Tracer.(*tracer); ok {
		g.userTracer = &t.user
	}
	g.caches = cfg.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement || cfg.DefaultQueryExecMode == pgx.QueryExecModeCacheDescribe
	g.session = engine.NewSession(wire{conn.PgConn()}, engine.Config{
		Guard: s.guard, Dialect: sqlscan.PostgreSQL, Namespace: cfg.Database, Gate: s.gate,
	})
	data[guardKey] = g
	return g
}

// runner is what connections and transactions of pgx have in common.
type runner interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
	Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error)
}

var (
	_ runner = (*pgx.Conn)(nil)
	_ runner = pgx.Tx(nil)
)

// pgxRefuses reports that pgx will refuse the call before it sends anything, with a better
// error than the guard's.
func (g *connGuard) pgxRefuses(ctx context.Context) bool {
	return ctx.Err() != nil || g.conn.IsClosed() || g.conn.PgConn().IsBusy()
}

// asJudged has pgx send what was judged: the tracer lets it pass, once.
func (g *connGuard) asJudged(do func()) {
	g.alreadyJudged = true
	defer func() { g.alreadyJudged, g.tracedCtx = false, nil }()
	do()
}

// asInternal has pgx do something of the guard's own: the tracer ignores it.
func (g *connGuard) asInternal(do func()) {
	g.internal = true
	defer func() { g.internal = false }()
	do()
}

// start has the session judge a text that may need it, by one of its methods.
func (g *connGuard) start(ctx context.Context, text string, judge func(context.Context, string) (*engine.Flight, error)) (*engine.Flight, error) {
	if g.connExposed {
		g.session.RawTouched()
	}
	flight, err := judge(ctx, text)
	g.closeIfBroken()
	return flight, err
}

// end asks the session for the verdict.
func (g *connGuard) end(ctx context.Context, f *engine.Flight, tag pgconn.CommandTag, err error) error {
	err = f.End(ctx, affected(tag, err), err)
	g.closeIfBroken()
	return err
}

// closeIfBroken closes a connection on which an undo failed or a reply was lost: the server
// rolls back, and the pool does not use it again.
func (g *connGuard) closeIfBroken() {
	if g.session.Broken() && !g.conn.IsClosed() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // do not wait
		_ = g.conn.Close(ctx)
	}
}

// reset prepares for the next user of the pool.
func (g *connGuard) reset() {
	if g.conn.PgConn().TxStatus() != 'I' { // the pool closes it
		g.session.Closed()
	}
	g.session.Reset()
	if g.connExposed {
		g.session.RawTouched()
	}
	g.closeIfBroken()
	g.connExposed, g.wasReset, g.tracerErr, g.tracedCtx = false, true, nil, nil
}

// released is called when the connection goes back to its pool. If no guarded handle returns
// it, it was used through [Pool.Unwrap], and nobody saw how.
func (g *connGuard) released() {
	if !g.wasReset {
		g.session.RawTouched()
	}
	g.wasReset = false
}
