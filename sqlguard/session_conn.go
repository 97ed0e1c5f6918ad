package sqlguard

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// sessionConn runs the session's own statements on the connection that it guards.
type sessionConn struct{ *bare }

var _ engine.Preparer = sessionConn{}

// noArgs is what database/sql passes for a call without arguments.
var noArgs = []driver.NamedValue{}

// Exec runs a text without arguments; affected is -1 if the driver does not report
// it.
func (h sessionConn) Exec(ctx context.Context, text string) (int64, error) {
	res, err := h.execOrPrepare(ctx, text, noArgs)
	if err != nil {
		return -1, err
	}
	return affected(res), nil
}

// Prepare prepares a statement of the session's.
func (h sessionConn) Prepare(ctx context.Context, text string) (engine.Prepared, error) {
	s, err := h.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	return sessionStmt{newStatement(s)}, nil
}

// WritesArgs has the driver execute a text with an argument, which one that does not write
// it declines.
func (h sessionConn) WritesArgs(ctx context.Context) bool {
	if !h.canExec() {
		return false
	}
	_, err := h.exec(ctx, "DO ?", []driver.NamedValue{{Ordinal: 1, Value: int64(0)}})
	return err != driver.ErrSkip
}

// sessionStmt is a statement that the session has prepared.
type sessionStmt struct{ statement }

func (s sessionStmt) Exec(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.exec(ctx, args)
}

func (h sessionConn) execOrPrepare(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if h.canExec() {
		res, err := h.exec(ctx, text, args)
		if err != driver.ErrSkip {
			return res, err
		}
	}
	s, err := h.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	stmt := newStatement(s)
	return stmt.exec(ctx, args)
}

// Query runs a text without arguments and calls row for each row.
func (h sessionConn) Query(ctx context.Context, text string, row func(values []any) error) (err error) {
	rows, err := h.queryOrPrepare(ctx, text, noArgs)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
	}()
	dest := make([]driver.Value, len(rows.Columns()))
	values := make([]any, len(dest))
	for {
		err := rows.Next(dest)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for i, v := range dest {
			values[i] = v
		}
		if err := row(values); err != nil {
			return err
		}
	}
}

func (h sessionConn) queryOrPrepare(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if h.canQuery() {
		rows, err := h.query(ctx, text, args)
		if err != driver.ErrSkip {
			return rows, err
		}
	}
	s, err := h.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	stmt := newStatement(s)
	rows, err := stmt.query(ctx, args)
	if err != nil {
		_ = s.Close() // err says why
		return nil, err
	}
	return rowsWithStmt{rows, s}, nil
}

// rowsWithStmt closes the statement with its rows.
type rowsWithStmt struct {
	driver.Rows
	stmt driver.Stmt
}

func (r rowsWithStmt) Close() error { return errors.Join(r.Rows.Close(), r.stmt.Close()) }

// ask is the single text that a query returns.
func (b *bare) ask(ctx context.Context, question string) (answer string, err error) {
	err = sessionConn{b}.Query(ctx, question, func(values []any) error {
		if len(values) > 0 {
			answer = engine.AsText(values[0])
		}
		return nil
	})
	return answer, err
}

// affected is the number of rows that a result reports, -1 if it reports none.
func affected(res driver.Result) int64 {
	if res == nil {
		return -1
	}
	n, err := res.RowsAffected()
	if err != nil {
		return -1
	}
	return n
}
