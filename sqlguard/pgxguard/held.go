package pgxguard

import (
	"errors"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// heldRows are those of RETURNING where the session's words were sent: all of
// them are read before the caller sees the first, since the server may refuse
// even then.
type heldRows struct {
	conn   *pgx.Conn
	fields []pgconn.FieldDescription
	left   [][][]byte
	values [][]byte // of the row that is being read
	tag    pgconn.CommandTag
	closed bool
	err    error // of reading one
}

// hold reads the rows of a query to their end.
func (l *link) hold(rows pgx.Rows, err error) (*heldRows, error) {
	h := &heldRows{conn: l.conn}
	if err != nil {
		return h, err
	}
	defer rows.Close()
	for rows.Next() {
		h.left = append(h.left, copyOf(rows.RawValues()))
	}
	rows.Close()
	if rows.Err() == nil {
		h.fields, h.tag = slices.Clone(rows.FieldDescriptions()), rows.CommandTag()
	}
	return h, rows.Err()
}

// as are the rows of the caller's statement, of this tag: none, if the session's
// words only told their number.
func (r *heldRows) as(tag pgconn.CommandTag, tells engine.Form) *heldRows {
	r.tag = tag
	if tells != engine.Rows {
		r.left, r.fields = nil, nil
	}
	return r
}

var errNoNumber = errors.New("pgxguard: the server did not answer with the number of rows")

// numbered is the tag of as many rows as the one value of the one row says.
func numbered(r *heldRows, err error) (pgconn.CommandTag, error) {
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	var n int64
	if !r.Next() || r.Scan(&n) != nil {
		return pgconn.CommandTag{}, errNoNumber
	}
	return pgconn.NewCommandTag("SELECT " + strconv.FormatInt(n, 10)), nil
}

// copyOf is a row that stays when the next one is read.
func copyOf(row [][]byte) [][]byte {
	size := 0
	for _, v := range row {
		size += len(v)
	}
	all, values := make([]byte, 0, size), make([][]byte, len(row))
	for i, v := range row {
		if v != nil {
			all = append(all, v...)
			values[i] = all[len(all)-len(v):]
		}
	}
	return values
}

func (r *heldRows) Conn() *pgx.Conn                              { return r.conn }
func (r *heldRows) TypeMap() *pgtype.Map                         { return r.conn.TypeMap() }
func (r *heldRows) FieldDescriptions() []pgconn.FieldDescription { return r.fields }
func (r *heldRows) CommandTag() pgconn.CommandTag                { return r.tag }
func (r *heldRows) RawValues() [][]byte                          { return r.values }
func (r *heldRows) Err() error                                   { return r.err }
func (r *heldRows) Close()                                       { r.closed, r.left, r.values = true, nil, nil }

// Next is the next of the rows.
func (r *heldRows) Next() bool {
	if r.closed || len(r.left) == 0 {
		r.Close()
		return false
	}
	r.values, r.left = r.left[0], r.left[1:]
	return true
}

// fail closes the rows where one cannot be read, as pgx does.
func (r *heldRows) fail(err error) error {
	if err != nil && r.err == nil {
		r.err = err
		r.Close()
	}
	return err
}

// Scan is pgx's.
func (r *heldRows) Scan(dest ...any) error {
	if len(dest) == 1 {
		if s, ok := dest[0].(pgx.RowScanner); ok {
			return r.fail(s.ScanRow(r))
		}
	}
	return r.fail(pgx.ScanRow(r.TypeMap(), r.fields, r.values, dest...))
}

var errRowsClosed = errors.New("rows is closed") // pgx's words

// Values are the values of the row as pgx would have them.
func (r *heldRows) Values() ([]any, error) {
	if r.closed {
		return nil, errRowsClosed
	}
	values := make([]any, len(r.values))
	for i, raw := range r.values {
		v, err := r.value(&r.fields[i], raw)
		if err != nil {
			return nil, r.fail(err)
		}
		values[i] = v
	}
	return values, nil
}

func (r *heldRows) value(f *pgconn.FieldDescription, raw []byte) (any, error) {
	if raw == nil {
		return nil, nil
	}
	if t, ok := r.TypeMap().TypeForOID(f.DataTypeOID); ok {
		return t.Codec.DecodeValue(r.TypeMap(), f.DataTypeOID, f.Format, raw)
	}
	if f.Format == pgx.TextFormatCode {
		return string(raw), nil
	}
	return slices.Clone(raw), nil
}
