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
	statements statements
	// vouched says that what the tracer sees next was judged here.
	vouched bool
	// shared says that the caller holds the *pgx.Conn and may do to it, below
	// every tracer, what nobody sees.
	shared bool
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
	l := &link{conn: conn, observing: s.guard.Observing()}
	l.session = engine.NewSession(wire{conn.PgConn()}, engine.Config{
		Guard: s.guard, Dialect: sqlscan.PostgreSQL, Namespace: conn.Config().Database, Gate: s.gate,
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
	defer func() { l.vouched = false }()
	do()
}

// start judges a text that may need it, and opens its way.
func (l *link) start(ctx context.Context, text string) (*engine.Flight, error) {
	if l.shared {
		l.session.RawTouched()
	}
	flight, err := l.session.Start(ctx, text, 0)
	l.check()
	return flight, err
}

// end has the verdict fall.
func (l *link) end(ctx context.Context, f *engine.Flight, tag pgconn.CommandTag, err error) error {
	n := int64(-1)
	if err == nil {
		n = tag.RowsAffected()
	}
	err = f.End(ctx, n, err)
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
	l.session.Reset()
	l.check()
	l.shared, l.aside = false, nil
}

// exec runs a statement within its bounds.
func (l *link) exec(ctx context.Context, on runner, sql string, args []any) (tag pgconn.CommandTag, err error) {
	var flight *engine.Flight
	r := request{sql: sql, args: args}
	if !l.mute(ctx) {
		if r, err = l.read(ctx, ofExec, sql, args); err != nil {
			return tag, err
		}
		if !l.session.IsRead(r.text) {
			if flight, err = l.start(ctx, r.text); err != nil {
				return tag, err
			}
		}
	}
	if flight == nil {
		l.vouch(func() { tag, err = on.Exec(ctx, r.sql, r.args...) })
		return tag, err
	}
	l.vouch(func() { tag, err = on.Exec(flight.Context(), r.sql, r.args...) })
	verdict := l.end(ctx, flight, tag, err)
	if err == nil && verdict != nil {
		tag = pgconn.CommandTag{}
	}
	return tag, verdict
}

// query runs a statement that answers with rows, within its bounds. The rows
// are pgx's own where there is nothing to guard.
func (l *link) query(ctx context.Context, on runner, sql string, args []any) (rows pgx.Rows, err error) {
	var flight *engine.Flight
	r := request{sql: sql, args: args}
	if !l.mute(ctx) {
		if r, err = l.read(ctx, ofQuery, sql, args); err != nil {
			return failed(err), err
		}
		if !l.session.IsRead(r.text) {
			if flight, err = l.start(ctx, r.text); err != nil {
				return failed(err), err
			}
		}
	}
	if flight == nil {
		l.vouch(func() { rows, err = on.Query(ctx, r.sql, r.args...) })
		return rows, err
	}
	l.vouch(func() { rows, err = on.Query(flight.Context(), r.sql, r.args...) })
	guarded := &judgedRows{Rows: rows, link: l, ctx: ctx, flight: flight}
	if err != nil {
		guarded.Close()
		return guarded, guarded.Err()
	}
	return guarded, nil
}

// copyFrom inserts rows.
func (l *link) copyFrom(ctx context.Context, on runner, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (n int64, err error) {
	var flight *engine.Flight
	if !l.mute(ctx) {
		if flight, err = l.start(ctx, copyText(table, columns)); err != nil {
			return 0, err
		}
	}
	if flight != nil {
		ctx = flight.Context()
	}
	l.vouch(func() { n, err = on.CopyFrom(ctx, table, columns, src) })
	if flight == nil {
		return n, err
	}
	if verdict := flight.End(ctx, n, err); verdict != nil {
		l.check()
		return 0, verdict
	}
	return n, nil
}

// copyText is what pgx makes of the arguments of CopyFrom.
func copyText(table pgx.Identifier, columns []string) string {
	text := "copy " + table.Sanitize()
	sep := " ( "
	for _, c := range columns {
		text += sep + pgx.Identifier{c}.Sanitize()
		sep = ", "
	}
	return text + " ) from stdin binary;"
}

// queryRow is query for the first row.
func (l *link) queryRow(ctx context.Context, on runner, sql string, args []any) pgx.Row {
	rows, _ := l.query(ctx, on, sql, args) // told by Scan
	return row{rows}
}
