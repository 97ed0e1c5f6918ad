package sqlguard

import (
	"context"
	"database/sql/driver"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// execer is a connection whose driver runs a text without preparing it.
type execer struct{ c *conn }

var _ driver.ExecerContext = execer{}

// ExecContext runs a text within its bounds.
func (e execer) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	c := e.c
	if c.session.Broken() {
		return nil, driver.ErrBadConn
	}
	if c.session.IsRead(text) {
		res, err := c.bare.exec(ctx, text, args)
		c.execSkips.note(len(args), err)
		return res, err
	}
	if res, done, err := c.express(ctx, text, args); done {
		return res, err
	}
	if c.execSkips.always(len(args)) {
		return nil, driver.ErrSkip
	}
	return c.judgedExec(ctx, text, &sender[driver.Result, told]{
		own: func(ctx context.Context) (driver.Result, error) {
			res, err := c.bare.exec(ctx, text, args)
			c.execSkips.note(len(args), err)
			return res, err
		},
		form: engine.Tagged,
		args: args,
		inPlace: func(ctx context.Context, text string, tagged bool) (told, error) {
			return c.execInPlace(ctx, text, args, tagged)
		},
	})
}

// express has the engine run the statement, where it has a way that is shorter
// than the driver's. Nothing has happened if it has not.
func (c *conn) express(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, bool, error) {
	if err := c.settle(); err != nil {
		return nil, true, err
	}
	res, done, err := c.session.Exec(ctx, text, args)
	if err != nil || !done {
		return nil, done, err
	}
	return givenResult{res.RowsAffected, res.LastInsertID}, true, nil
}

// judgedExec runs, once, what is not a read: of a text or of a prepared statement.
func (c *conn) judgedExec(ctx context.Context, text string, send *sender[driver.Result, told]) (driver.Result, error) {
	flight, err := c.start(ctx, text, send.args, send.form)
	if err != nil {
		return nil, err
	}
	switch {
	case flight == nil:
		return send.own(ctx)
	case flight.NoOp():
		if err := flight.End(ctx, 0, nil); err != nil {
			return nil, err
		}
		return c.nothingDone(ctx)
	}
	own := send.own
	if send.drained != nil && !c.observing && flight.LeavesRows() {
		own = send.drained
	}
	if t, done, err := reworded(ctx, flight, send); done {
		return resultOf(t, err)
	}
	if text, complete := flight.EarlyStopText(); text != "" {
		own = c.instead(flight, text, complete, send.args)
	}
	res, err := own(flight.Context())
	if err == driver.ErrSkip {
		return nil, skipped(ctx, flight)
	}
	n := int64(-1)
	if err == nil {
		n = affected(res)
	}
	if err := flight.End(ctx, n, err); err != nil {
		return nil, err
	}
	return res, nil
}

// reworded runs the statement in words of the session's, for as long as it has any.
func reworded(ctx context.Context, f *engine.Flight, send *sender[driver.Result, told]) (_ told, done bool, _ error) {
	for text := f.Text(); text != ""; text = f.Text() {
		t, err := send.inPlace(f.Context(), text, f.AnswerForm() == engine.Tagged)
		if err == driver.ErrSkip {
			return told{}, true, skipped(ctx, f)
		}
		if again, err := f.Answer(ctx, t.rows, err); !again {
			return t, true, err
		}
	}
	return told{}, false, nil
}

// instead sends a text that does what the caller's does, but stops early. It may
// have the arguments in it.
func (c *conn) instead(f *engine.Flight, text string, complete bool, args []driver.NamedValue) func(context.Context) (driver.Result, error) {
	return func(ctx context.Context) (driver.Result, error) {
		switch {
		case complete:
			args = noArgs
		case c.dialect == SQLite && !f.LeavesRows():
			return c.kept.exec(ctx, c.bare, text, args)
		}
		return helper{c.bare}.execOrPrepare(ctx, text, args)
	}
}

// nothingDone is the result of a statement that found nothing to do.
func (c *conn) nothingDone(ctx context.Context) (driver.Result, error) {
	switch c.dialect {
	case SQLite:
		return c.lastResult(ctx)
	case PostgreSQL:
		return driver.RowsAffected(0), nil // there is no last insert id
	}
	return givenResult{}, nil
}

// skipped closes a flight that the driver declined: the same statement comes
// again, prepared. It returns ErrSkip itself, which database/sql compares.
func skipped(ctx context.Context, f *engine.Flight) error {
	if err := f.Skip(ctx); err != nil {
		return err
	}
	return driver.ErrSkip
}

// skips remembers whether the driver declines every text with arguments, as
// go-sql-driver/mysql does: then nothing need be opened and closed to find out.
// One that has ever taken such a text decides from case to case, and is asked.
type skips struct{ declined, taken bool }

func (s *skips) always(args int) bool { return args > 0 && s.declined && !s.taken }

func (s *skips) note(args int, err error) {
	switch {
	case args == 0:
	case err == driver.ErrSkip:
		s.declined = true
	case err == nil:
		s.taken = true
	}
}
