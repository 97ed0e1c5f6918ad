package sqlguard

import (
	"context"
	"database/sql/driver"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// execer is a connection whose driver executes a text without preparing it.
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
	if res, done, err := c.execFast(ctx, text, args); done {
		return res, err
	}
	if c.execSkips.always(len(args)) {
		return nil, driver.ErrSkip
	}
	return c.judgedExec(ctx, text, &sender[driver.Result, execOutcome]{
		original: func(ctx context.Context) (driver.Result, error) {
			res, err := c.bare.exec(ctx, text, args)
			c.execSkips.note(len(args), err)
			return res, err
		},
		form: engine.Tagged,
		args: args,
		rewritten: func(ctx context.Context, text string, tagged bool) (execOutcome, error) {
			return c.execRewrite(ctx, text, args, tagged)
		},
	})
}

// execFast has the engine run the statement, if it has a shorter way than the
// driver's. If not, done is false and nothing has happened.
func (c *conn) execFast(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, bool, error) {
	if err := c.finishStreaming(); err != nil {
		return nil, true, err
	}
	res, done, err := c.session.Exec(ctx, text, args)
	if err != nil || !done {
		return nil, done, err
	}
	return givenResult{res.RowsAffected, res.LastInsertID}, true, nil
}

// judgedExec runs, once, what is not a read: a text or a prepared statement.
func (c *conn) judgedExec(ctx context.Context, text string, send *sender[driver.Result, execOutcome]) (driver.Result, error) {
	flight, err := c.start(ctx, text, send.args, send.form)
	if err != nil {
		return nil, err
	}
	switch {
	case flight == nil:
		return send.original(ctx)
	case flight.NoOp():
		if err := flight.End(ctx, 0, nil); err != nil {
			return nil, err
		}
		return c.noOpResult(ctx)
	}
	own := send.original
	if send.drained != nil && !c.observing && flight.LeavesRows() {
		own = send.drained
	}
	if t, done, err := execRewrites(ctx, flight, send); done {
		return resultOf(t, err)
	}
	if text, complete := flight.EarlyStopText(); text != "" {
		own = c.execEarlyStop(flight, text, complete, send.args)
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

// execRewrites runs the session's rewrite of the statement, and further ones as long
// as it asks for that.
func execRewrites(ctx context.Context, f *engine.Flight, send *sender[driver.Result, execOutcome]) (_ execOutcome, done bool, _ error) {
	for text := f.Text(); text != ""; text = f.Text() {
		t, err := send.rewritten(f.Context(), text, f.AnswerForm() == engine.Tagged)
		if err == driver.ErrSkip {
			return execOutcome{}, true, skipped(ctx, f)
		}
		if again, err := f.Answer(ctx, t.rows, err); !again {
			return t, true, err
		}
	}
	return execOutcome{}, false, nil
}

// execEarlyStop sends a text that does what the caller's does, but stops early. The
// arguments may be complete in it.
func (c *conn) execEarlyStop(f *engine.Flight, text string, complete bool, args []driver.NamedValue) func(context.Context) (driver.Result, error) {
	return func(ctx context.Context) (driver.Result, error) {
		switch {
		case complete:
			args = noArgs
		case c.dialect == SQLite && !f.LeavesRows():
			return c.rewrites.exec(ctx, c.bare, text, args)
		}
		return sessionConn{c.bare}.execOrPrepare(ctx, text, args)
	}
}

// noOpResult is the result of a statement that found nothing to do.
func (c *conn) noOpResult(ctx context.Context) (driver.Result, error) {
	switch c.dialect {
	case SQLite:
		return c.lastResult(ctx)
	case PostgreSQL:
		return driver.RowsAffected(0), nil // PostgreSQL has no last insert id
	}
	return givenResult{}, nil
}

// skipped closes a flight that the driver declined: database/sql will prepare the
// same statement. It returns ErrSkip itself, since database/sql compares it.
func skipped(ctx context.Context, f *engine.Flight) error {
	if err := f.Skip(ctx); err != nil {
		return err
	}
	return driver.ErrSkip
}

// skipRecord records whether the driver declines every text with arguments, as
// go-sql-driver/mysql does: then nothing need be opened and closed to find that out.
// A driver that has ever accepted one decides case by case, and is asked.
type skipRecord struct{ declined, taken bool }

func (s *skipRecord) always(args int) bool { return args > 0 && s.declined && !s.taken }

func (s *skipRecord) note(args int, err error) {
	switch {
	case args == 0:
	case err == driver.ErrSkip:
		s.declined = true
	case err == nil:
		s.taken = true
	}
}
