package sqlguard

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"slices"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// The session may rewrite the caller's text: as one that returns the number of
// affected rows, or the rows of RETURNING, and that the server refuses when it
// exceeds its bound. It takes the same arguments.

// sender sends a judged statement with the caller's arguments: as it is written, or
// rewritten by the session for this form.
type sender[T, P any] struct {
	original  func(ctx context.Context) (T, error)
	form      engine.Form
	args      []driver.NamedValue
	rewritten func(ctx context.Context, text string, tagged bool) (P, error)
	drained   func(ctx context.Context) (T, error) // original, with its rows read; nil if the driver reads them
}

// execOutcome is what a rewritten text returns to Exec.
type execOutcome struct {
	rows int64
	base driver.Result // the driver's, if it is valid for the caller's text, too
}

// tagOutcome is the outcome in a command tag.
func tagOutcome(res driver.Result, err error) (execOutcome, error) {
	if err != nil {
		return execOutcome{rows: -1}, err
	}
	n, err := res.RowsAffected()
	return execOutcome{n, res}, err
}

// execRewrite runs a rewritten text whose number of rows is in the command tag, or a
// single value in a single row.
func (c *conn) execRewrite(ctx context.Context, text string, args []driver.NamedValue, tagged bool) (execOutcome, error) {
	switch {
	case tagged && c.dialect == SQLite:
		return tagOutcome(c.rewrites.exec(ctx, c.bare, text, args))
	case tagged:
		return tagOutcome(c.bare.exec(ctx, text, args))
	}
	return numberOutcome(sessionConn{c.bare}.queryOrPrepare(ctx, text, args))
}

var errNoNumber = errors.New("sqlguard: the server did not answer with the number of rows")

// numberOutcome is the single value in a single row.
func numberOutcome(base driver.Rows, err error) (execOutcome, error) {
	r, err := bufferRows(base, err)
	if err != nil {
		return execOutcome{rows: -1}, err
	}
	if len(r.buffered) == 1 && len(r.buffered[0]) == 1 {
		if n, ok := r.buffered[0][0].(int64); ok {
			return execOutcome{rows: n}, nil
		}
	}
	return execOutcome{rows: -1}, errNoNumber
}

// resultOf is what the caller's Exec returns: the driver's own result if it has a
// last insert id, which belongs to the connection in SQLite.
func resultOf(t execOutcome, err error) (driver.Result, error) {
	if err != nil {
		return nil, err
	}
	if _, err := t.lastInsertID(); err == nil {
		return t.base, nil
	}
	return driver.RowsAffected(t.rows), nil
}

func (t execOutcome) lastInsertID() (int64, error) {
	if t.base == nil {
		return 0, errNoNumber
	}
	return t.base.LastInsertId()
}

// bufferWithTypes is bufferRows for a caller who may ask for the column types.
func (c *conn) bufferWithTypes(base driver.Rows, err error) (*rows, error) {
	var kinds []columnType
	if err == nil {
		r := rows{Rows: base}
		r.readColumnTypes()
		kinds = r.columnTypes
	}
	r, err := bufferRows(base, err)
	r.columnTypes = kinds
	return r, err
}

// bufferRows buffers the rows: if the server refuses the statement, the caller sees
// none.
func bufferRows(base driver.Rows, err error) (*rows, error) {
	r := &rows{Rows: base, ended: true}
	if err != nil {
		return r, err
	}
	row := make([]driver.Value, len(base.Columns()))
	for {
		switch err := base.Next(row); err {
		case nil:
			r.buffered = append(r.buffered, copyRow(row))
		case io.EOF:
			return r, base.Close()
		default:
			_ = base.Close() // err says why
			return r, err
		}
	}
}

// bufferedLen is the number of rows that are buffered.
func (r *rows) bufferedLen() int64 {
	if r == nil {
		return -1
	}
	return int64(len(r.buffered))
}

// copyRow copies a row, which is the driver's until its next one.
func copyRow(row []driver.Value) []driver.Value {
	kept := slices.Clone(row)
	for i, v := range kept {
		if raw, ok := v.([]byte); ok {
			kept[i] = slices.Clone(raw)
		}
	}
	return kept
}
