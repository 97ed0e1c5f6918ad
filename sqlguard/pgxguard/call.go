package pgxguard

import (
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
	tag, done, err := l.reword(ctx, flight, r, func(ctx context.Context, text string, args []any) (pgconn.CommandTag, error) {
		return on.Exec(ctx, text, args...)
	})
	if done || err != nil {
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
	r, flight, err := l.launch(ctx, ofQuery, engine.Rows, sql, args)
	switch {
	case err != nil:
		return failed(err), err
	case flight == nil:
		l.vouch(func() { rows, err = on.Query(ctx, r.sql, r.args...) })
		return rows, err
	case flight.Moot():
		return tagRows{failedRows{}, pgconn.NewCommandTag(flight.Command())}, flight.End(ctx, 0, nil)
	}
	var held *heldRows
	tag, done, err := l.reword(ctx, flight, r, func(ctx context.Context, text string, args []any) (tag pgconn.CommandTag, err error) {
		held, err = l.hold(on.Query(ctx, text, args...))
		return held.tag, err
	})
	switch {
	case err != nil:
		return failed(err), err
	case done:
		held.tag = tag
		return held, nil
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
	f, err = l.start(ctx, r.text, form)
	return r, f, err
}

// reword sends the session's words in place of the caller's, if it has any. The
// user's tracer is told of the caller's, once, whatever comes of the session's.
// Not done are those of which nothing has come: the caller's own are to be sent.
func (l *link) reword(ctx context.Context, f *engine.Flight, r request,
	send func(ctx context.Context, text string, args []any) (pgconn.CommandTag, error),
) (tag pgconn.CommandTag, done bool, err error) {
	text := f.Text()
	if text == "" {
		return tag, false, nil
	}
	told := l.next.queryStart(f.Context(), l.conn, pgx.TraceQueryStartData{SQL: r.sql, Args: r.args})
	for ; text != ""; text = f.Text() {
		l.quietly(func() { tag, err = send(told, text, r.inPlace(l)) })
		var again bool
		if again, err = f.Answer(ctx, affected(tag, err), err); !again {
			l.check()
			tag = tagged(f, tag, err)
			l.next.queryEnd(told, l.conn, pgx.TraceQueryEndData{CommandTag: tag, Err: err})
			return tag, true, err
		}
	}
	l.told = told
	return tag, false, nil
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
func tagged(f *engine.Flight, tag pgconn.CommandTag, err error) pgconn.CommandTag {
	if err != nil {
		return pgconn.CommandTag{}
	}
	return pgconn.NewCommandTag(f.Command() + " " + strconv.FormatInt(tag.RowsAffected(), 10))
}
