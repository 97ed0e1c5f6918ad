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
func (g *connGuard) exec(ctx context.Context, on runner, sql string, args []any) (tag pgconn.CommandTag, err error) {
	r, flight, err := g.launch(ctx, ofExec, engine.Tagged, sql, args)
	switch {
	case err != nil:
		return tag, err
	case flight == nil:
		g.asJudged(func() { tag, err = on.Exec(ctx, r.sql, r.args...) })
		return tag, err
	case flight.NoOp():
		return pgconn.NewCommandTag(flight.CommandTag()), flight.End(ctx, 0, nil)
	}
	tag, done, err := g.sendReworded(ctx, flight, r, sendPlan{
		on:         on,
		alone:      on.Exec,
		inBatch:    func(results pgx.BatchResults) (pgconn.CommandTag, error) { return results.Exec() },
		ownTextToo: true,
	})
	if done || err != nil {
		return tag, err
	}
	g.asJudged(func() { tag, err = on.Exec(flight.Context(), r.sql, r.args...) })
	if err == nil {
		g.noteSent(r.text)
	}
	verdict := g.end(ctx, flight, tag, err)
	if err == nil && verdict != nil {
		tag = pgconn.CommandTag{}
	}
	return tag, verdict
}

// query runs a statement that answers with rows, within its bounds. Where there is nothing to
// guard the rows are pgx's own.
func (g *connGuard) query(ctx context.Context, on runner, sql string, args []any) (rows pgx.Rows, err error) {
	r, flight, err := g.launch(ctx, ofQuery, engine.RowsIfAny, sql, args)
	switch {
	case err != nil:
		return failed(err), err
	case flight == nil:
		g.asJudged(func() { rows, err = on.Query(ctx, r.sql, r.args...) })
		return rows, err
	case flight.NoOp():
		return noRows{failedRows{}, pgconn.NewCommandTag(flight.CommandTag())}, flight.End(ctx, 0, nil)
	}
	buffered := &bufferedRows{conn: g.conn}
	tag, done, err := g.sendReworded(ctx, flight, r, sendPlan{
		on: on,
		alone: func(ctx context.Context, text string, args ...any) (tag pgconn.CommandTag, err error) {
			buffered, err = g.buffer(on.Query(ctx, text, args...))
			return buffered.tag, err
		},
		inBatch: func(results pgx.BatchResults) (tag pgconn.CommandTag, err error) {
			buffered, err = g.buffer(results.Query())
			return buffered.tag, err
		},
	})
	switch {
	case err != nil:
		return failed(err), err
	case done:
		return buffered.withTag(tag, flight.AnswerForm()), nil
	}
	g.asJudged(func() { rows, err = on.Query(flight.Context(), r.sql, r.args...) })
	guarded := &judgedRows{Rows: rows, guard: g, ctx: ctx, flight: flight}
	if err != nil {
		guarded.Close()
		return guarded, guarded.Err()
	}
	return guarded, nil
}

// queryRow is query for the first row.
func (g *connGuard) queryRow(ctx context.Context, on runner, sql string, args []any) pgx.Row {
	rows, _ := g.query(ctx, on, sql, args) // Scan returns the error
	return row{rows}
}

// launch judges a call and opens its way. There is no flight where there is nothing to guard,
// or where pgx is to refuse the call.
func (g *connGuard) launch(ctx context.Context, takes options, form engine.Form, sql string, args []any) (r request, f *engine.Flight, err error) {
	if g.pgxRefuses(ctx) {
		return request{sql: sql, args: args}, nil, nil
	}
	r, err = g.read(ctx, takes, sql, args)
	if err != nil || g.session.IsRead(r.text) {
		return r, nil, err
	}
	f, err = g.start(ctx, r.text, func(ctx context.Context, text string) (*engine.Flight, error) {
		return g.session.Start(ctx, text, form, r.arguments()...)
	})
	return r, f, err
}

// sendPlan is how a statement is sent.
type sendPlan struct {
	on         runner
	alone      func(ctx context.Context, text string, args ...any) (pgconn.CommandTag, error)
	inBatch    func(pgx.BatchResults) (pgconn.CommandTag, error) // reads its result there
	ownTextToo bool                                              // the caller's own text may go in a batch
}

// sendReworded sends the session's rewritten text, if there is one, or the caller's, with what
// has to precede and follow it. The user's tracer is told of the caller's text, once, whatever
// is sent. If not done, the caller of sendReworded sends the caller's text by itself: the
// transaction or savepoint around it is open.
func (g *connGuard) sendReworded(ctx context.Context, f *engine.Flight, r request, s sendPlan) (tag pgconn.CommandTag, done bool, err error) {
	var traceCtx context.Context
	for again := true; again; {
		text := f.Text()
		own := text == ""
		pipelined := g.canPipeline(f, r, text) && (!own || s.ownTextToo && !r.byName)
		if !pipelined {
			if err = f.SendHeld(ctx); err != nil {
				break
			}
			if own {
				g.tracedCtx = traceCtx
				return tag, false, nil
			}
		}
		if traceCtx == nil {
			traceCtx = g.userTracer.queryStart(f.Context(), g.conn, pgx.TraceQueryStartData{SQL: r.sql, Args: r.args})
		}
		g.asInternal(func() { tag, err = g.send(traceCtx, f, r, text, pipelined, s) })
		if own {
			again, err = false, f.End(ctx, affected(tag, err), err)
		} else {
			again, err = f.Answer(ctx, affected(tag, err), err)
			tag = tagged(f, tag)
		}
	}
	if g.closeIfBroken(); err != nil {
		tag = pgconn.CommandTag{}
	}
	if traceCtx != nil {
		g.userTracer.queryEnd(traceCtx, g.conn, pgx.TraceQueryEndData{CommandTag: tag, Err: err})
	}
	return tag, true, err
}

// send sends a text, the caller's if it is empty. The tag that it returns has the number of rows.
func (g *connGuard) send(ctx context.Context, f *engine.Flight, r request, text string, pipelined bool, s sendPlan) (tag pgconn.CommandTag, err error) {
	counts := text != "" && f.AnswerForm() == engine.Counted
	inBatch, args := s.inBatch, r.rewrittenArgs(g)
	if counts {
		inBatch = func(results pgx.BatchResults) (pgconn.CommandTag, error) { return countTag(g.buffer(results.Query())) }
	}
	switch {
	case pipelined:
		return g.sendPipelined(ctx, f, cmp.Or(text, r.text), r.values, inBatch)
	case counts && len(args) == 0:
		tag, err = countTag(g.buffer(s.on.Query(ctx, text, g.noArgsMode())))
	case counts:
		tag, err = countTag(g.buffer(s.on.Query(ctx, text, args...)))
	default:
		tag, err = s.alone(ctx, text, args...)
	}
	if err == nil {
		g.noteSent(text)
	}
	return tag, err
}

// noArgsMode is the mode of a query without arguments: that of Exec, unless pgx refuses the
// simple protocol because it could not quote arguments.
func (g *connGuard) noArgsMode() pgx.QueryExecMode {
	pg := g.conn.PgConn()
	if pg.ParameterStatus("standard_conforming_strings") == "on" && pg.ParameterStatus("client_encoding") == "UTF8" {
		return pgx.QueryExecModeSimpleProtocol
	}
	return pgx.QueryExecModeDescribeExec
}

// affected is the number of rows that the server reported, -1 for an error.
func affected(tag pgconn.CommandTag, err error) int64 {
	if err != nil {
		return -1
	}
	return tag.RowsAffected()
}

// tagged is the command tag of the caller's statement, of as many rows: that of the rewritten
// text is a SELECT's.
func tagged(f *engine.Flight, tag pgconn.CommandTag) pgconn.CommandTag {
	return pgconn.NewCommandTag(f.CommandTag() + " " + strconv.FormatInt(tag.RowsAffected(), 10))
}
