package pgxguard

import (
	"cmp"
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// exec runs a statement within its bounds.
func (l *link) exec(ctx context.Context, on runner, sql string, args []any) (tag pgconn.CommandTag, err error) {
	r, flight, err := l.launch(ctx, ofExec, engine.Tagged, sql, args)
	switch {
	case err != nil:
		return tag, err
	case flight == nil:
		l.vouch(func() { tag, err = on.Exec(ctx, r.sql, r.args...) })
		return tag, err
	case flight.Moot():
		return pgconn.NewCommandTag(flight.Command()), flight.End(ctx, 0, nil)
	}
	tag, done, err := l.reword(ctx, flight, r, sending{
		on:       on,
		alone:    on.Exec,
		among:    func(results pgx.BatchResults) (pgconn.CommandTag, error) { return results.Exec() },
		verbatim: true,
	})
	if done || err != nil {
		return tag, err
	}
	l.vouch(func() { tag, err = on.Exec(flight.Context(), r.sql, r.args...) })
	if err == nil {
		l.meet(r.text)
	}
	verdict := l.end(ctx, flight, tag, err)
	if err == nil && verdict != nil {
		tag = pgconn.CommandTag{}
	}
	return tag, verdict
}

// query runs a statement that answers with rows, within its bounds. The rows
// are pgx's own where there is nothing to guard.
func (l *link) query(ctx context.Context, on runner, sql string, args []any) (rows pgx.Rows, err error) {
	r, flight, err := l.launch(ctx, ofQuery, engine.RowsIfAny, sql, args)
	switch {
	case err != nil:
		return failed(err), err
	case flight == nil:
		l.vouch(func() { rows, err = on.Query(ctx, r.sql, r.args...) })
		return rows, err
	case flight.Moot():
		return tagRows{failedRows{}, pgconn.NewCommandTag(flight.Command())}, flight.End(ctx, 0, nil)
	}
	held := &heldRows{conn: l.conn}
	tag, done, err := l.reword(ctx, flight, r, sending{
		on: on,
		alone: func(ctx context.Context, text string, args ...any) (tag pgconn.CommandTag, err error) {
			held, err = l.hold(on.Query(ctx, text, args...))
			return held.tag, err
		},
		among: func(results pgx.BatchResults) (tag pgconn.CommandTag, err error) {
			held, err = l.hold(results.Query())
			return held.tag, err
		},
	})
	switch {
	case err != nil:
		return failed(err), err
	case done:
		return held.as(tag, flight.Tells()), nil
	}
	l.vouch(func() { rows, err = on.Query(flight.Context(), r.sql, r.args...) })
	guarded := &judgedRows{Rows: rows, link: l, ctx: ctx, flight: flight}
	if err != nil {
		guarded.Close()
		return guarded, guarded.Err()
	}
	return guarded, nil
}

// queryRow is query for the first row.
func (l *link) queryRow(ctx context.Context, on runner, sql string, args []any) pgx.Row {
	rows, _ := l.query(ctx, on, sql, args) // told by Scan
	return row{rows}
}

// launch judges a call and opens its way. There is no flight where there is
// nothing to guard, or where pgx is to refuse the call.
func (l *link) launch(ctx context.Context, takes options, form engine.Form, sql string, args []any) (r request, f *engine.Flight, err error) {
	if l.mute(ctx) {
		return request{sql: sql, args: args}, nil, nil
	}
	r, err = l.read(ctx, takes, sql, args)
	if err != nil || l.session.IsRead(r.text) {
		return r, nil, err
	}
	f, err = l.start(ctx, r.text, func(ctx context.Context, text string) (*engine.Flight, error) {
		return l.session.Start(ctx, text, form)
	})
	return r, f, err
}

// sending is how a statement is sent.
type sending struct {
	on       runner
	alone    func(ctx context.Context, text string, args ...any) (pgconn.CommandTag, error)
	among    func(pgx.BatchResults) (pgconn.CommandTag, error) // others, whose turn has come
	verbatim bool                                              // so may be the caller's own text
}

// reword sends the session's words in place of the caller's, if it has any, and
// with either what stands around them. The user's tracer is told of the caller's
// words, once, whatever is sent. What is not done is left to the caller of reword:
// its own words, alone, now that their way is open.
func (l *link) reword(ctx context.Context, f *engine.Flight, r request, s sending) (tag pgconn.CommandTag, done bool, err error) {
	var told context.Context
	for again := true; again; {
		text := f.Text()
		own := text == ""
		escorted := l.escorts(f, r, text) && (!own || s.verbatim && !r.named)
		if !escorted {
			if err = f.Depart(ctx); err != nil {
				break
			}
			if own {
				l.told = told
				return tag, false, nil
			}
		}
		if told == nil {
			told = l.next.queryStart(f.Context(), l.conn, pgx.TraceQueryStartData{SQL: r.sql, Args: r.args})
		}
		l.quietly(func() { tag, err = l.send(told, f, r, text, escorted, s) })
		if own {
			again, err = false, f.End(ctx, affected(tag, err), err)
		} else {
			again, err = f.Answer(ctx, affected(tag, err), err)
			tag = tagged(f, tag)
		}
	}
	if l.check(); err != nil {
		tag = pgconn.CommandTag{}
	}
	if told != nil {
		l.next.queryEnd(told, l.conn, pgx.TraceQueryEndData{CommandTag: tag, Err: err})
	}
	return tag, true, err
}

// send sends a text, the caller's if it is empty. What comes of it has the number
// of its rows in its tag.
func (l *link) send(ctx context.Context, f *engine.Flight, r request, text string, escorted bool, s sending) (tag pgconn.CommandTag, err error) {
	counts := text != "" && f.Tells() == engine.Counted
	among, args := s.among, r.inPlace(l)
	if counts {
		among = func(results pgx.BatchResults) (pgconn.CommandTag, error) { return numbered(l.hold(results.Query())) }
	}
	switch {
	case escorted:
		return l.escort(ctx, f, cmp.Or(text, r.text), r.values, among)
	case counts && len(args) == 0:
		tag, err = numbered(l.hold(s.on.Query(ctx, text, l.plainMode())))
	case counts:
		tag, err = numbered(l.hold(s.on.Query(ctx, text, args...)))
	default:
		tag, err = s.alone(ctx, text, args...)
	}
	if err == nil {
		l.meet(text)
	}
	return tag, err
}

// plainMode is how a text without arguments is queried: as Exec does it, but where pgx
// refuses to query so, which has no quoting then.
func (l *link) plainMode() pgx.QueryExecMode {
	pg := l.conn.PgConn()
	if pg.ParameterStatus("standard_conforming_strings") == "on" && pg.ParameterStatus("client_encoding") == "UTF8" {
		return pgx.QueryExecModeSimpleProtocol
	}
	return pgx.QueryExecModeDescribeExec
}

// affected is the number of rows that the server has told, -1 for an error.
func affected(tag pgconn.CommandTag, err error) int64 {
	if err != nil {
		return -1
	}
	return tag.RowsAffected()
}

// tagged is the command tag of the caller's statement: the session's words are
// a SELECT, of as many rows.
func tagged(f *engine.Flight, tag pgconn.CommandTag) pgconn.CommandTag {
	return pgconn.NewCommandTag(f.Command() + " " + strconv.FormatInt(tag.RowsAffected(), 10))
}
