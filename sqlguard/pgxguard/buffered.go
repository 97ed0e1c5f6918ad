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

// bufferedRows are those of RETURNING where a rewritten text was sent: all of them are read
// before the caller sees the first, since the server may refuse even at the last.
type bufferedRows struct {
	conn      *pgx.Conn
	fields    []pgconn.FieldDescription
	remaining [][][]byte
	values    [][]byte // of the row that is being read
	tag       pgconn.CommandTag
	closed    bool
	err       error // of reading one
}

// buffer reads all rows of a query.
func (g *connGuard) buffer(rows pgx.Rows, err error) (*bufferedRows, error) {
	h := &bufferedRows{conn: g.conn}
	if err != nil {
		return h, err
	}
	defer rows.Close()
	for rows.Next() {
		h.remaining = append(h.remaining, cloneRow(rows.RawValues()))
	}
	rows.Close()
	if rows.Err() == nil {
		h.fields, h.tag = slices.Clone(rows.FieldDescriptions()), rows.CommandTag()
	}
	return h, rows.Err()
}

// withTag are the rows of the caller's statement, with this tag: none, if the rewritten text
// only told their number.
func (r *bufferedRows) withTag(tag pgconn.CommandTag, tells engine.Form) *bufferedRows {
	r.tag = tag
	if tells != engine.Rows {
		r.remaining, r.fields = nil, nil
	}
	return r
}

var errNoCount = errors.New("pgxguard: the server did not answer with the number of rows")

// countTag is a tag with the number of rows in the only value of the only row.
func countTag(r *bufferedRows, err error) (pgconn.CommandTag, error) {
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	var n int64
	if !r.Next() || r.Scan(&n) != nil {
		return pgconn.CommandTag{}, errNoCount
	}
	return pgconn.NewCommandTag("SELECT " + strconv.FormatInt(n, 10)), nil
}

// cloneRow is a row that stays valid when the next one is read.
func cloneRow(row [][]byte) [][]byte {
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

func (r *bufferedRows) Conn() *pgx.Conn                              { return r.conn }
func (r *bufferedRows) TypeMap() *pgtype.Map                         { return r.conn.TypeMap() }
func (r *bufferedRows) FieldDescriptions() []pgconn.FieldDescription { return r.fields }
func (r *bufferedRows) CommandTag() pgconn.CommandTag                { return r.tag }
func (r *bufferedRows) RawValues() [][]byte                          { return r.values }
func (r *bufferedRows) Err() error                                   { return r.err }
func (r *bufferedRows) Close()                                       { r.closed, r.remaining, r.values = true, nil, nil }

// Next is the next of the rows.
func (r *bufferedRows) Next() bool {
	if r.closed || len(r.remaining) == 0 {
		r.Close()
		return false
	}
	r.values, r.remaining = r.remaining[0], r.remaining[1:]
	return true
}

// fail closes the rows if one cannot be read, as pgx does.
func (r *bufferedRows) fail(err error) error {
	if err != nil && r.err == nil {
		r.err = err
		r.Close()
	}
	return err
}

// Scan is pgx's.
func (r *bufferedRows) Scan(dest ...any) error {
	if len(dest) == 1 {
		if s, ok := dest[0].(pgx.RowScanner); ok {
			return r.fail(s.ScanRow(r))
		}
	}
	return r.fail(pgx.ScanRow(r.TypeMap(), r.fields, r.values, dest...))
}

var errRowsClosed = errors.New("rows is closed") // pgx's words

// Values are the values of the row as pgx would have them.
func (r *bufferedRows) Values() ([]any, error) {
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

func (r *bufferedRows) value(f *pgconn.FieldDescription, raw []byte) (any, error) {
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
