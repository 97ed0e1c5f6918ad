package sqlguard

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"slices"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// rows are those of a judged statement: of RETURNING. They stream to the caller
// and are counted; the verdict falls at their end, before the commit. Rows of
// reads are never wrapped.
//
// Where the caller closes them early the rest is read and counted, as the
// statement has changed those rows too.
type rows struct {
	driver.Rows
	conn     *conn
	ctx      context.Context // of the query: Next and Close are given none
	flight   *engine.Flight
	count    int64
	more     bool     // the driver has another result set
	ahead    bool     // the driver is at the next result set, and the caller is not
	behind   []string // the columns of the caller's, then
	loose    bool     // the flight has ended, the rows are as the driver's
	ended    bool
	verdict  error // what End said, told once in place of io.EOF or by Close
	closeErr error // the driver's, told by Close
	held     [][]driver.Value
	kinds    []columnKind // of the columns, where the driver's rows are closed before the caller's
	advance  func() error // the driver's NextRow, where it has it
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
		r.count = -1 // no RETURNING: the rows tell nothing
	}
	c.streaming = r
	return scanning(r)
}

// Next is the driver's next row; at the end it is the verdict, else io.EOF.
func (r *rows) Next(dest []driver.Value) error {
	switch {
	case r.ended:
		return r.nextHeld(dest)
	case r.ahead:
		return io.EOF
	case r.loose:
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
		return r.tell(r.end(err))
	case r.HasNextResultSet():
		if r.conn.dialect == MySQL && !r.conn.observing {
			return r.lookAhead()
		}
		return io.EOF
	}
	return r.tell(r.end(nil))
}

// lookAhead goes on to the next result set before the caller does: behind the last one
// of a CALL comes an answer without rows, and the caller does not ask for that.
func (r *rows) lookAhead() error {
	r.behind = r.Rows.Columns()
	err := r.Rows.(driver.RowsNextResultSet).NextResultSet()
	r.count = -1
	switch r.ahead = err == nil; err {
	case nil, io.EOF:
		if r.more = r.ahead; r.more {
			return io.EOF
		}
		return r.tell(r.end(nil))
	}
	return r.tell(r.end(err))
}

// Columns are those of the result set that the caller reads.
func (r *rows) Columns() []string {
	if r.ahead {
		return r.behind
	}
	return r.Rows.Columns()
}

// end closes the driver's rows, so that the connection is free, and ends the flight.
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

// tell is an end of rows as Next reports it.
func (r *rows) tell(verdict error) error {
	r.verdict = nil
	if verdict == nil {
		return io.EOF
	}
	return verdict
}

// Close reads and counts what is left, and reports the verdict: QueryRow's Scan
// returns it.
func (r *rows) Close() error {
	switch {
	case r.loose:
		return r.Rows.Close()
	case !r.ended:
		_ = r.end(r.drain()) // kept as the verdict
	}
	err := r.verdict
	if err == nil {
		err = r.closeErr
	}
	r.verdict, r.closeErr, r.held = nil, nil, nil
	return err
}

// drain reads to the end of the last result set.
func (r *rows) drain() error {
	r.ahead = false
	if r.conn.observing {
		r.count = -1 // left unread, as it would be without the guard
		return nil
	}
	skip := r.advance
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

// hold reads the rest into memory, as another statement comes before the caller
// has read it: few drivers allow that, SQLite's do.
func (r *rows) hold() error {
	switch {
	case r.conn.observing: // what is only watched is not waited for
		r.loose, r.conn.streaming = true, nil
		return r.flight.End(r.ctx, -1, nil)
	case r.advance != nil:
		return errStreaming // the row that the driver is to scan would be lost
	}
	r.keepKinds()
	width := len(r.Columns())
	row := make([]driver.Value, width)
	err := r.drainSets(func() error {
		if err := r.Rows.Next(row); err != nil {
			return err
		}
		r.held = append(r.held, keepRow(row))
		return nil
	})
	_ = r.end(err) // kept as the verdict
	return nil
}

func (r *rows) nextHeld(dest []driver.Value) error {
	if len(r.held) == 0 {
		return r.tell(r.verdict)
	}
	copy(dest, r.held[0])
	r.held = r.held[1:]
	return nil
}

// HasNextResultSet is false where the driver knows only one. The driver is
// asked once.
func (r *rows) HasNextResultSet() bool {
	if !r.ended && !r.more {
		next, ok := r.Rows.(driver.RowsNextResultSet)
		r.more = ok && next.HasNextResultSet()
	}
	return r.more
}

// NextResultSet goes on to the next one. What they count in all is unknown.
func (r *rows) NextResultSet() error {
	next, ok := r.Rows.(driver.RowsNextResultSet)
	if !ok || r.ended {
		return r.tell(r.verdict)
	}
	if r.ahead {
		r.ahead, r.more = false, false
		return nil
	}
	r.count, r.more = -1, false
	err := next.NextResultSet()
	switch {
	case err == nil, r.loose:
		return err
	case err == io.EOF:
		return r.tell(r.end(nil))
	}
	return r.tell(r.end(err))
}
