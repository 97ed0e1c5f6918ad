package sqlguard

import (
	"context"
	"database/sql/driver"
)

// queryer is a connection whose driver queries a text without preparing it.
type queryer struct{ c *conn }

var _ driver.QueryerContext = queryer{}

// QueryContext runs a text within its bounds; the rows of RETURNING stream, and
// the verdict falls at their end.
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
	return c.judgedQuery(ctx, text, args, func(ctx context.Context) (driver.Rows, error) {
		rows, err := c.bare.query(ctx, text, args)
		c.querySkips.note(len(args), err)
		return rows, err
	})
}

// judgedQuery is judgedExec of what answers with rows.
func (c *conn) judgedQuery(ctx context.Context, text string, args []driver.NamedValue, run func(context.Context) (driver.Rows, error)) (driver.Rows, error) {
	flight, err := c.start(ctx, text, args)
	if err != nil {
		return nil, err
	}
	if flight == nil {
		return run(ctx)
	}
	if text, complete := flight.Instead(); text != "" && !complete && c.bare.queryer != nil {
		run = func(ctx context.Context) (driver.Rows, error) { return c.bare.query(ctx, text, args) }
	}
	base, err := run(flight.Context())
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
