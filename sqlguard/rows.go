package sqlguard

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"slices"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// rows are the rows of a judged statement: of RETURNING. They stream to the caller
// and are counted; the verdict comes at their end, before the commit. Rows of reads
// are never wrapped.
//
// If the caller closes them early the rest is read and counted, since the statement
// has changed those rows too.
type rows struct {
	driver.Rows
	conn        *conn
	ctx         context.Context // of the query: Next and Close are given none
	flight      *engine.Flight
	count       int64
	more        bool     // the driver has another result set
	onNextSet   bool     // the driver is at the next result set, and the caller is not
	setColumns  []string // the columns of the caller's result set, then
	passThrough bool     // the flight has ended, the rows are the driver's
	ended       bool
	verdict     error // of End, returned once instead of io.EOF or by Close
	closeErr    error // the driver's, returned by Close
	buffered    [][]driver.Value
	columnTypes []columnType // if the driver's rows are closed before the caller's
	nextRow     func() error // the driver's NextRow, if it has one
}

var (
	_ driver.Rows                           = (*rows)(nil)
	_ driver.RowsNextResultSet              = (*rows)(nil)
	_ driver.RowsColumnTypeScanType         = (*rows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeLength           = (*rows)(nil)
	_ driver.RowsColumnTypeNullable         = (*rows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*rows)(nil)
)

// stream counts the rows of a flight on their way to the caller.
func (c *conn) stream(ctx context.Context, base driver.Rows, f *engine.Flight) driver.Rows {
	r := &rows{Rows: base, conn: c, ctx: ctx, flight: f}
	if len(base.Columns()) == 0 {
		r.count = -1 // no RETURNING: the rows do not tell
	}
	c.streaming = r
	return withScanner(r)
}

// Next is the driver's next row; at the end it returns the verdict, else io.EOF.
func (r *rows) Next(dest []driver.Value) error {
	switch {
	case r.ended:
		return r.nextBuffered(dest)
	case r.onNextSet:
		return io.EOF
	case r.passThrough:
		return r.Rows.Next(dest)
	}
	return r.counted(r.Rows.Next(dest))
}

// counted follows the driver to the next row or to the end.
func (r *rows) counted(err error) error {
	switch {
	case err == nil:
		if r.count >= 0 {
			r.count++
		}
		return nil
	case err != io.EOF:
		return r.endOfRows(r.end(err))
	case r.HasNextResultSet():
		if r.conn.dialect == MySQL && !r.conn.observing {
			return r.lookAhead()
		}
		return io.EOF
	}
	return r.endOfRows(r.end(nil))
}

// lookAhead goes on to the next result set before the caller does: after the last one
// of a CALL comes a reply without rows, for which the caller does not ask.
func (r *rows) lookAhead() error {
	r.setColumns = r.Rows.Columns()
	err := r.Rows.(driver.RowsNextResultSet).NextResultSet()
	r.count = -1
	switch r.onNextSet = err == nil; err {
	case nil, io.EOF:
		if r.more = r.onNextSet; r.more {
			return io.EOF
		}
		return r.endOfRows(r.end(nil))
	}
	return r.endOfRows(r.end(err))
}

// Columns are those of the result set that the caller reads.
func (r *rows) Columns() []string {
	if r.onNextSet {
		return r.setColumns
	}
	return r.Rows.Columns()
}

// end closes the driver's rows, which frees the connection, and ends the flight.
func (r *rows) end(err error) error {
	r.ended = true
	r.conn.streaming = nil
	r.closeErr = r.Rows.Close()
	if err == nil {
		err = r.closeErr
	}
	n := r.count
	if err != nil {
		n = -1
	}
	r.verdict = r.flight.End(r.ctx, n, err)
	return r.verdict
}

// endOfRows is the end of the rows as Next reports it.
func (r *rows) endOfRows(verdict error) error {
	r.verdict = nil
	if verdict == nil {
		return io.EOF
	}
	return verdict
}

// Close reads and counts the remaining rows, and returns the verdict: QueryRow's Scan
// passes that on.
func (r *rows) Close() error {
	switch {
	case r.passThrough:
		return r.Rows.Close()
	case !r.ended:
		_ = r.end(r.drain()) // kept as the verdict
	}
	err := r.verdict
	if err == nil {
		err = r.closeErr
	}
	r.verdict, r.closeErr, r.buffered = nil, nil, nil
	return err
}

// drain reads to the end of the last result set.
func (r *rows) drain() error {
	r.onNextSet = false
	if r.conn.observing {
		r.count = -1 // left unread, as it would be without the guard
		return nil
	}
	skip := r.nextRow
	if skip == nil {
		var dest []driver.Value
		skip = func() error {
			dest = slices.Grow(dest[:0], len(r.Columns()))[:len(r.Columns())]
			return r.Rows.Next(dest)
		}
	}
	return r.drainSets(skip)
}

func (r *rows) drainSets(skip func() error) error {
	for {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		err := skip()
		switch {
		case err == nil && r.count >= 0:
			r.count++
		case err == io.EOF && r.HasNextResultSet():
			r.count, r.more = -1, false
			err = r.Rows.(driver.RowsNextResultSet).NextResultSet()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

var errStreaming = errors.New("sqlguard: the rows of a bounded statement are still being read on this connection: close them first")

// bufferRest reads the remaining rows into memory when another statement follows
// before the caller has read them: few drivers allow that, SQLite's do.
func (r *rows) bufferRest() error {
	switch {
	case r.conn.observing: // what is only observed is not waited for
		r.passThrough, r.conn.streaming = true, nil
		return r.flight.End(r.ctx, -1, nil)
	case r.nextRow != nil:
		return errStreaming // the row that the driver is to scan would be lost
	}
	r.readColumnTypes()
	width := len(r.Columns())
	row := make([]driver.Value, width)
	err := r.drainSets(func() error {
		if err := r.Rows.Next(row); err != nil {
			return err
		}
		r.buffered = append(r.buffered, copyRow(row))
		return nil
	})
	_ = r.end(err) // kept as the verdict
	return nil
}

func (r *rows) nextBuffered(dest []driver.Value) error {
	if len(r.buffered) == 0 {
		return r.endOfRows(r.verdict)
	}
	copy(dest, r.buffered[0])
	r.buffered = r.buffered[1:]
	return nil
}

// HasNextResultSet is false if the driver supports only one. The driver is asked
// once.
func (r *rows) HasNextResultSet() bool {
	if !r.ended && !r.more {
		next, ok := r.Rows.(driver.RowsNextResultSet)
		r.more = ok && next.HasNextResultSet()
	}
	return r.more
}

// NextResultSet goes on to the next one. The total count is then unknown.
func (r *rows) NextResultSet() error {
	next, ok := r.Rows.(driver.RowsNextResultSet)
	if !ok || r.ended {
		return r.endOfRows(r.verdict)
	}
	if r.onNextSet {
		r.onNextSet, r.more = false, false
		return nil
	}
	r.count, r.more = -1, false
	err := next.NextResultSet()
	switch {
	case err == nil, r.passThrough:
		return err
	case err == io.EOF:
		return r.endOfRows(r.end(nil))
	}
	return r.endOfRows(r.end(err))
}
