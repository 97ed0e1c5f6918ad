package pgxguard

import (
	"context"
	"fmt"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// wire runs the guard's own statements below pgx, in the simple protocol: no tracer sees them,
// and nothing is cached or prepared.
type wire struct{ *pgconn.PgConn }

var (
	_ engine.Conn     = wire{}
	_ engine.Pipeline = wire{}
)

// Pipelined says that what precedes and follows a statement is sent with it: see sendPipelined.
func (wire) Pipelined() {}

// Exec runs a text without arguments.
func (w wire) Exec(ctx context.Context, text string) (int64, error) {
	results := w.PgConn.Exec(ctx, text)
	var tag pgconn.CommandTag
	for results.NextResult() {
		tag, _ = results.ResultReader().Close() // its error comes with that of results
	}
	return tag.RowsAffected(), w.markClosed(results.Close())
}

// Query runs a text without arguments; all values are text.
func (w wire) Query(ctx context.Context, text string, row func(values []any) error) error {
	results := w.PgConn.Exec(ctx, text)
	var rowErr error
	for results.NextResult() {
		reader := results.ResultReader()
		values := make([]any, len(reader.FieldDescriptions()))
		for reader.NextRow() {
			if rowErr != nil {
				continue // read to the end, so that the connection is free
			}
			for i, v := range reader.Values() {
				values[i] = nil
				if v != nil {
					values[i] = v
				}
			}
			rowErr = row(values)
		}
	}
	if err := results.Close(); err != nil {
		return w.markClosed(err)
	}
	return rowErr
}

// markClosed marks an error as that of a lost connection if it is closed by now: pgconn's own
// error is only a text.
func (w wire) markClosed(err error) error {
	if err == nil || !w.IsClosed() {
		return err
	}
	return &goneError{err}
}

// goneError is an error after which the connection was closed.
type goneError struct{ cause error }

func (e *goneError) Error() string { return fmt.Sprintf("connection lost: %v", e.cause) }

func (e *goneError) Unwrap() []error { return []error{e.cause, net.ErrClosed} }
