package sqlguard

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"slices"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// A text of the session's may stand in place of the caller's: one that answers
// with the number of rows affected, or with the rows of RETURNING, and that the
// server refuses when it goes beyond its bound. It takes the same arguments.

// sender sends a judged statement with the caller's arguments: as it is
// written, or a text of the session's in its place, of this form.
type sender[T, P any] struct {
	own     func(ctx context.Context) (T, error)
	form    engine.Form
	args    []driver.NamedValue
	inPlace func(ctx context.Context, text string, tagged bool) (P, error)
	drained func(ctx context.Context) (T, error) // own, with its rows read; nil: the driver does that
}

// told is what a text that stands in place of the caller's answers to Exec.
type told struct {
	rows int64
	base driver.Result // the driver's own, if it is an answer to the caller's as well
}

// tagOf is what a command tag tells.
func tagOf(res driver.Result, err error) (told, error) {
	if err != nil {
		return told{rows: -1}, err
	}
	n, err := res.RowsAffected()
	return told{n, res}, err
}

// execInPlace tells the number of rows by the command tag, or as the one value
// of the one row.
func (c *conn) execInPlace(ctx context.Context, text string, args []driver.NamedValue, tagged bool) (told, error) {
	switch {
	case tagged && c.dialect == SQLite:
		return tagOf(c.kept.exec(ctx, c.bare, text, args))
	case tagged:
		return tagOf(c.bare.exec(ctx, text, args))
	}
	return numberIn(helper{c.bare}.queryOrPrepare(ctx, text, args))
}

var errNoNumber = errors.New("sqlguard: the server did not answer with the number of rows")

// numberIn is the one value of the one row.
func numberIn(base driver.Rows, err error) (told, error) {
	r, err := readAll(base, err)
	if err != nil {
		return told{rows: -1}, err
	}
	if len(r.held) == 1 && len(r.held[0]) == 1 {
		if n, ok := r.held[0][0].(int64); ok {
			return told{rows: n}, nil
		}
	}
	return told{rows: -1}, errNoNumber
}

// resultOf is what the caller's Exec answers: the driver's own where it tells a
// last insert id, which is the connection's in SQLite.
func resultOf(t told, err error) (driver.Result, error) {
	if err != nil {
		return nil, err
	}
	if _, err := t.lastInsertID(); err == nil {
		return t.base, nil
	}
	return driver.RowsAffected(t.rows), nil
}

func (t told) lastInsertID() (int64, error) {
	if t.base == nil {
		return 0, errNoNumber
	}
	return t.base.LastInsertId()
}

// keepAll is readAll for the caller, who may ask for the types of the columns.
func (c *conn) keepAll(base driver.Rows, err error) (*rows, error) {
	var kinds []columnKind
	if err == nil {
		r := rows{Rows: base}
		r.keepKinds()
		kinds = r.kinds
	}
	r, err := readAll(base, err)
	r.kinds = kinds
	return r, err
}

// readAll keeps the rows: what the server refuses shows none.
func readAll(base driver.Rows, err error) (*rows, error) {
	r := &rows{Rows: base, ended: true}
	if err != nil {
		return r, err
	}
	row := make([]driver.Value, len(base.Columns()))
	for {
		switch err := base.Next(row); err {
		case nil:
			r.held = append(r.held, keepRow(row))
		case io.EOF:
			return r, base.Close()
		default:
			_ = base.Close() // err says why
			return r, err
		}
	}
}

// len is the number of rows that are kept.
func (r *rows) len() int64 {
	if r == nil {
		return -1
	}
	return int64(len(r.held))
}

// keepRow is a copy of a row that is the driver's until its next one.
func keepRow(row []driver.Value) []driver.Value {
	kept := slices.Clone(row)
	for i, v := range kept {
		if raw, ok := v.([]byte); ok {
			kept[i] = slices.Clone(raw)
		}
	}
	return kept
}
