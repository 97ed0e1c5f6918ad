package sqlguard

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// helper runs the guard's own statements on the connection that it guards.
type helper struct{ *bare }

var _ engine.Conn = helper{}

// noArgs is what database/sql passes for a call without arguments.
var noArgs = []driver.NamedValue{}

// Exec runs a text without arguments; affected is -1 if the driver cannot say.
func (h helper) Exec(ctx context.Context, text string) (int64, error) {
	res, err := h.execOrPrepare(ctx, text, noArgs)
	if err != nil {
		return -1, err
	}
	return affected(res), nil
}

func (h helper) execOrPrepare(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
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

// Query runs a text without arguments and shows its rows one by one.
func (h helper) Query(ctx context.Context, text string, row func(values []any) error) (err error) {
	rows, done, err := h.queryOrPrepare(ctx, text)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := done(); err == nil {
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

func (h helper) queryOrPrepare(ctx context.Context, text string) (driver.Rows, func() error, error) {
	if h.canQuery() {
		rows, err := h.query(ctx, text, noArgs)
		if err == nil {
			return rows, rows.Close, nil
		}
		if err != driver.ErrSkip {
			return nil, nil, err
		}
	}
	s, err := h.prepare(ctx, text)
	if err != nil {
		return nil, nil, err
	}
	stmt := newStatement(s)
	rows, err := stmt.query(ctx, noArgs)
	if err != nil {
		_ = s.Close() // err says why
		return nil, nil, err
	}
	return rows, func() error {
		defer s.Close()
		return rows.Close()
	}, nil
}

// ask is the single text that a query answers.
func (b *bare) ask(ctx context.Context, text string) (answer string, err error) {
	err = helper{b}.Query(ctx, text, func(values []any) error {
		if len(values) == 0 {
			return nil
		}
		if raw, ok := values[0].([]byte); ok {
			answer = string(raw)
			return nil
		}
		answer = fmt.Sprint(values[0])
		return nil
	})
	return answer, err
}

// affected is the number of rows that a result reports, -1 if it does not.
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
