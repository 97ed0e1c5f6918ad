package sqlguard

import (
	"context"
	"database/sql/driver"
	"io"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// queryer is a connection whose driver queries a text without preparing it.
type queryer struct{ c *conn }

var _ driver.QueryerContext = queryer{}

// QueryContext runs a text within its bounds; the rows of RETURNING stream, and the
// verdict comes at their end.
func (q queryer) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	c := q.c
	if c.session.Broken() {
		return nil, driver.ErrBadConn
	}
	if c.session.IsRead(text) {
		rows, err := c.bare.query(ctx, text, args)
		c.querySkips.note(len(args), err)
		return rows, err
	}
	if c.querySkips.always(len(args)) {
		return nil, driver.ErrSkip
	}
	return c.judgedQuery(ctx, text, &sender[driver.Rows, *rows]{
		original: func(ctx context.Context) (driver.Rows, error) {
			rows, err := c.bare.query(ctx, text, args)
			c.querySkips.note(len(args), err)
			return rows, err
		},
		form: engine.Rows,
		args: args,
		rewritten: func(ctx context.Context, text string, _ bool) (*rows, error) {
			return c.bufferWithTypes(sessionConn{c.bare}.queryOrPrepare(ctx, text, args))
		},
	})
}

// judgedQuery is judgedExec for a statement that returns rows.
func (c *conn) judgedQuery(ctx context.Context, text string, send *sender[driver.Rows, *rows]) (driver.Rows, error) {
	flight, err := c.start(ctx, text, send.args, send.form)
	if err != nil {
		return nil, err
	}
	switch {
	case flight == nil:
		return send.original(ctx)
	case flight.NoOp():
		return noRows{}, flight.End(ctx, 0, nil)
	}
	for text := flight.Text(); text != ""; text = flight.Text() {
		held, err := send.rewritten(flight.Context(), text, false)
		again, err := flight.Answer(ctx, held.bufferedLen(), err)
		if err != nil {
			return nil, err
		}
		if !again {
			return held, nil
		}
	}
	own := send.original
	if text, complete := flight.EarlyStopText(); text != "" && !complete && c.bare.queryer != nil {
		own = func(ctx context.Context) (driver.Rows, error) { return c.bare.query(ctx, text, send.args) }
	}
	base, err := own(flight.Context())
	if err == driver.ErrSkip {
		return nil, skipped(ctx, flight)
	}
	if err != nil {
		return nil, flight.End(ctx, -1, err)
	}
	if flight.Streams() || c.observing {
		return c.stream(ctx, base, flight), nil
	}
	if err := flight.End(ctx, -1, nil); err != nil {
		_ = base.Close() // err says why
		return nil, err
	}
	return base, nil
}

// noRows are the rows of a statement that had nothing to do.
type noRows struct{}

func (noRows) Columns() []string         { return nil }
func (noRows) Next([]driver.Value) error { return io.EOF }
func (noRows) Close() error              { return nil }
