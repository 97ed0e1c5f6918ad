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

// judgedRows are those of a guarded statement that is sent as it is written. They
// stream to the caller; the verdict falls when they are at their end or closed, before the
// commit. pgx reads on to the end where they are closed early.
type judgedRows struct {
	pgx.Rows
	link   *link
	ctx    context.Context //nolint:containedctx // Next and Close are given none
	flight *engine.Flight
	ended  bool
	fields []pgconn.FieldDescription // after the end: pgx's are overwritten by what the guard sends
	err    error                     // what there is to tell in place of the rows' own error
}

// FieldDescriptions can be asked for after the end, too.
func (r *judgedRows) FieldDescriptions() []pgconn.FieldDescription {
	if r.ended {
		return r.fields
	}
	return r.Rows.FieldDescriptions()
}

// Next is pgx's next row; the verdict falls at the end.
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

// Close reads what is left and has the verdict fall.
func (r *judgedRows) Close() {
	r.Rows.Close()
	r.end()
}

// Err is the verdict, if it was a refusal, else the rows' own error.
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

// end has the verdict fall, once.
func (r *judgedRows) end() {
	if r.ended {
		return
	}
	r.ended = true
	tag, err := r.Rows.CommandTag(), r.Rows.Err()
	if tag.String() != "" { // else there may be nothing that could be asked
		r.fields = slices.Clone(r.Rows.FieldDescriptions())
	}
	if r.link.unread(tag, err) {
		err = nil
	}
	r.err = r.link.end(r.ctx, r.flight, tag, err)
}

// unread reports that the server did what it was asked, and only the reading
// of its rows went wrong here. Without a guard the statement would stand.
func (l *link) unread(tag pgconn.CommandTag, err error) bool {
	var server *pgconn.PgError
	var refusal *dbguard.Violation
	return err != nil && tag.String() != "" && !l.conn.IsClosed() &&
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
	_ = r.Rows.Scan(dest...) // told by Err
	r.Close()
	return r.Err()
}

// errDriverBytes has pgx's words.
var errDriverBytes = errors.New("cannot scan into *pgtype.DriverBytes from QueryRow")

// pooledRows give their connection back to the pool.
type pooledRows struct {
	pgx.Rows
	conn *Conn
}

// Next gives the connection back at the end.
func (r *pooledRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Scan gives the connection back where it fails.
func (r *pooledRows) Scan(dest ...any) error {
	err := r.Rows.Scan(dest...)
	if err != nil {
		r.Close()
	}
	return err
}

// Values gives the connection back where it fails.
func (r *pooledRows) Values() ([]any, error) {
	values, err := r.Rows.Values()
	if err != nil {
		r.Close()
	}
	return values, err
}

// Close gives the connection back.
func (r *pooledRows) Close() {
	r.Rows.Close()
	r.conn.Release()
}

// pooledRow is the same for a row, also if a Scanner of the caller's panics.
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
