package pgxguard

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/engine"
)

// judgedRows are those of a guarded statement that is sent as written. They stream to the
// caller; the verdict is asked for at their end or when they are closed, before the commit.
// If they are closed early, pgx reads the rest.
type judgedRows struct {
	pgx.Rows
	guard  *connGuard
	ctx    context.Context //nolint:containedctx // Next and Close are given none
	flight *engine.Flight
	ended  bool
	fields []pgconn.FieldDescription // after the end: pgx's are overwritten by what the guard sends
	err    error                     // what there is to tell in place of the rows' own error
}

// FieldDescriptions works after the end, too.
func (r *judgedRows) FieldDescriptions() []pgconn.FieldDescription {
	if r.ended {
		return r.fields
	}
	return r.Rows.FieldDescriptions()
}

// Next is pgx's; at the end it asks for the verdict.
func (r *judgedRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.end()
	return false
}

// Scan closes the rows where it fails, as pgx's own does.
func (r *judgedRows) Scan(dest ...any) error {
	err := r.Rows.Scan(dest...)
	if err != nil {
		r.Close()
	}
	return err
}

// Values closes the rows where it fails, as pgx's own does.
func (r *judgedRows) Values() ([]any, error) {
	values, err := r.Rows.Values()
	if err != nil && !r.ended {
		r.Close()
	}
	return values, err
}

// Close reads the remaining rows and asks for the verdict.
func (r *judgedRows) Close() {
	r.Rows.Close()
	r.end()
}

// Err is the verdict if it is a refusal, else the rows' own error.
func (r *judgedRows) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.Rows.Err()
}

// CommandTag is empty if the statement was refused.
func (r *judgedRows) CommandTag() pgconn.CommandTag {
	if r.err != nil && r.Rows.Err() == nil {
		return pgconn.CommandTag{}
	}
	return r.Rows.CommandTag()
}

// end asks for the verdict, once.
func (r *judgedRows) end() {
	if r.ended {
		return
	}
	r.ended = true
	tag, err := r.Rows.CommandTag(), r.Rows.Err()
	if tag.String() != "" { // else there may be nothing that could be asked
		r.fields = slices.Clone(r.Rows.FieldDescriptions())
	}
	if r.guard.readFailed(tag, err) {
		err = nil
	}
	r.err = r.guard.end(r.ctx, r.flight, tag, err)
}

// readFailed reports that the server has run the statement, and only reading its rows failed on
// this side. Without a guard the statement would stand.
func (g *connGuard) readFailed(tag pgconn.CommandTag, err error) bool {
	var server *pgconn.PgError
	var refusal *dbguard.Violation
	return err != nil && tag.String() != "" && !g.conn.IsClosed() &&
		!errors.As(err, &server) && !errors.As(err, &refusal)
}

// row is the first of rows, as QueryRow hands it out.
type row struct{ pgx.Rows }

// Scan is pgx's, and returns the verdict.
func (r row) Scan(dest ...any) error {
	if err := r.Err(); err != nil {
		return err
	}
	for _, d := range dest {
		if _, ok := d.(*pgtype.DriverBytes); ok {
			r.Close()
			return errDriverBytes
		}
	}
	if !r.Next() {
		if err := r.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	_ = r.Rows.Scan(dest...) // Err returns the error
	r.Close()
	return r.Err()
}

// errDriverBytes has pgx's words.
var errDriverBytes = errors.New("cannot scan into *pgtype.DriverBytes from QueryRow")

// pooledRows return their connection to the pool.
type pooledRows struct {
	pgx.Rows
	conn *Conn
}

// Next returns the connection to the pool at the end.
func (r *pooledRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Scan returns the connection to the pool if it fails.
func (r *pooledRows) Scan(dest ...any) error {
	err := r.Rows.Scan(dest...)
	if err != nil {
		r.Close()
	}
	return err
}

// Values returns the connection to the pool if it fails.
func (r *pooledRows) Values() ([]any, error) {
	values, err := r.Rows.Values()
	if err != nil {
		r.Close()
	}
	return values, err
}

// Close returns the connection to the pool.
func (r *pooledRows) Close() {
	r.Rows.Close()
	r.conn.Release()
}

// pooledRow does the same for a row, even if a Scanner of the caller's panics.
type pooledRow struct {
	row  pgx.Row
	conn *Conn
}

func (r pooledRow) Scan(dest ...any) error {
	defer r.conn.Release()
	return r.row.Scan(dest...)
}

// failedRows are those of a statement that was not sent.
type failedRows struct{ err error }

func failed(err error) pgx.Rows { return failedRows{err} }

func (failedRows) Close()                                       {}
func (r failedRows) Err() error                                 { return r.err }
func (failedRows) CommandTag() pgconn.CommandTag                { return pgconn.CommandTag{} }
func (failedRows) FieldDescriptions() []pgconn.FieldDescription { return nil }
func (failedRows) Next() bool                                   { return false }
func (r failedRows) Scan(...any) error                          { return r.err }
func (r failedRows) Values() ([]any, error)                     { return nil, r.err }
func (failedRows) RawValues() [][]byte                          { return nil }
func (failedRows) Conn() *pgx.Conn                              { return nil }
func (failedRows) TypeMap() *pgtype.Map                         { return nil }
