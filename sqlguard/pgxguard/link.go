package pgxguard

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dbguard/dbguard-go/internal/engine"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// link is the guard's view of one connection, kept with the connection itself:
// whatever way leads to it, and for as long as it lives.
type link struct {
	conn       *pgx.Conn
	session    *engine.Session
	observing  bool
	caches     bool // pgx keeps what it learns of a statement that it prepares
	statements statements
	// vouched says that what the tracer sees next was judged here, quiet that
	// all of it is, and that the user's tracer is told of it by somebody else.
	vouched, quiet bool
	// told is the context of a call that the user's tracer knows of already.
	told context.Context //nolint:containedctx // until pgx begins the call once more
	next *followers
	met  map[string]bool // texts that pgx has sent
	// shared says that the caller holds the *pgx.Conn and may do to it, below
	// every tracer, what nobody sees.
	shared bool
	rested bool  // a guarded handle is about to give the connection back to its pool
	aside  error // what the tracer could not tell whoever sent the last text
}

// dataKey is that of the link in a connection's custom data.
const dataKey = "github.com/dbguard/dbguard-go/sqlguard/pgxguard"

// linkOf is the link of a connection, made when it is first asked for.
func linkOf(conn *pgx.Conn, s settings) *link {
	data := conn.PgConn().CustomData()
	if l, ok := data[dataKey].(*link); ok {
		return l
	}
	cfg := conn.Config()
	l := &link{conn: conn, observing: s.guard.Observing(), next: &followers{}}
	if t, ok := cfg.Tracer.(*tracer); ok {
		l.next = &t.next
	}
	l.caches = cfg.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement || cfg.DefaultQueryExecMode == pgx.QueryExecModeCacheDescribe
	l.session = engine.NewSession(wire{conn.PgConn()}, engine.Config{
		Guard: s.guard, Dialect: sqlscan.PostgreSQL, Namespace: cfg.Database, Gate: s.gate,
	})
	data[dataKey] = l
	return l
}

// runner is what a connection and a transaction of pgx have in common.
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

// mute reports that pgx will refuse the call before anything is sent, with an
// error that is better than any of ours.
func (l *link) mute(ctx context.Context) bool {
	return ctx.Err() != nil || l.conn.IsClosed() || l.conn.PgConn().IsBusy()
}

// vouch has pgx do what was judged: its tracer lets it pass, once.
func (l *link) vouch(do func()) {
	l.vouched = true
	defer func() { l.vouched, l.told = false, nil }()
	do()
}

// quietly has pgx do what is the guard's own business.
func (l *link) quietly(do func()) {
	l.quiet = true
	defer func() { l.quiet = false }()
	do()
}

// start has the session judge a text that may need it, by one of its calls.
func (l *link) start(ctx context.Context, text string, judge func(context.Context, string) (*engine.Flight, error)) (*engine.Flight, error) {
	if l.shared {
		l.session.RawTouched()
	}
	flight, err := judge(ctx, text)
	l.check()
	return flight, err
}

// end has the verdict fall.
func (l *link) end(ctx context.Context, f *engine.Flight, tag pgconn.CommandTag, err error) error {
	err = f.End(ctx, affected(tag, err), err)
	l.check()
	return err
}

// check closes a connection on which an undo failed or a reply was lost: the
// server rolls back, and the pool does not take it again.
func (l *link) check() {
	if l.session.Broken() && !l.conn.IsClosed() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // now: nothing is waited for
		_ = l.conn.Close(ctx)
	}
}

// rest makes the link as new for the next user of the pool.
func (l *link) rest() {
	if l.conn.PgConn().TxStatus() != 'I' { // the pool closes it
		l.session.Closed()
	}
	l.session.Reset()
	if l.shared {
		l.session.RawTouched()
	}
	l.check()
	l.shared, l.rested, l.aside, l.told = false, true, nil, nil
}

// returned notes that the connection goes back to its pool. Whoever had it from
// [Pool.Unwrap] may have done to it what nobody saw.
func (l *link) returned() {
	if !l.rested {
		l.session.RawTouched()
	}
	l.rested = false
}
