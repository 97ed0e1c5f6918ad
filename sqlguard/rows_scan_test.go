package sqlguard

import (
	"context"
	"database/sql/driver"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/engine"
)

// scanner is a driver's rows as they are since Go 1.27: it scans by itself.
type scanner struct {
	left    int
	scanned []int
	closed  bool
	driver.Rows
}

func (s *scanner) Columns() []string         { return []string{"a"} }
func (s *scanner) Next([]driver.Value) error { panic("Next of a driver that has NextRow") }
func (s *scanner) Close() error              { s.closed = true; return nil }

func (s *scanner) NextRow() error {
	if s.left == 0 {
		return io.EOF
	}
	s.left--
	return nil
}

func (s *scanner) ScanColumn(scanCtx string, index int, dest any) error {
	s.scanned = append(s.scanned, index)
	*dest.(*string) = scanCtx
	return nil
}

// connExec is a connection that takes every text. Its server speaks like
// PostgreSQL, and counts only what it answers.
type connExec struct{ driver.Conn }

func (connExec) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &versionRows{}, nil
}

type versionRows struct {
	driver.Rows
	read bool
}

func (*versionRows) Columns() []string { return []string{"version"} }
func (*versionRows) Close() error      { return nil }

func (r *versionRows) Next(dest []driver.Value) error {
	if r.read {
		return io.EOF
	}
	dest[0], r.read = "CockroachDB CCL v24.1.0", true
	return nil
}

func (connExec) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(0), nil
}

func flyingRows(t *testing.T, base *scanner, bound int64) *scannedRows[string] {
	t.Helper()
	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	b := newBare(connExec{})
	c := &conn{bare: b, guard: g, session: engine.NewSession(sessionConn{b}, engine.Config{Guard: g, Dialect: PostgreSQL})}
	ctx := dbguard.AtMost(context.Background(), bound)
	f, err := c.session.Start(ctx, "DELETE FROM app WHERE id = 1 RETURNING a", engine.AsWritten)
	require.NoError(t, err)
	require.NotNil(t, f)
	return newScannedRows[string](c.stream(ctx, base, f).(*rows), base)
}

func TestScannedRowsAreCounted(t *testing.T) {
	base := &scanner{left: 2}
	r := flyingRows(t, base, 1)
	require.NoError(t, r.NextRow())
	var dest string
	require.NoError(t, r.ScanColumn("the context", 3, &dest))
	assert.Equal(t, "the context", dest)
	assert.Equal(t, []int{3}, base.scanned)
	require.NoError(t, r.NextRow())
	assert.ErrorIs(t, r.NextRow(), dbguard.OverLimit)
	assert.True(t, base.closed)
	assert.Equal(t, io.EOF, r.NextRow(), "told once")
}

func TestScannedRowsClosedEarly(t *testing.T) {
	for bound, want := range map[int64]error{1: dbguard.OverLimit, 2: nil} {
		base := &scanner{left: 2}
		r := flyingRows(t, base, bound)
		require.NoError(t, r.NextRow())
		assert.ErrorIs(t, r.Close(), want)
		assert.Zero(t, base.left, "the rest was counted")
	}
}

func TestScannedRowsCannotWait(t *testing.T) {
	r := flyingRows(t, &scanner{left: 2}, 2)
	require.NoError(t, r.NextRow())
	_, err := r.conn.start(context.Background(), "INSERT INTO app VALUES (1)", nil, engine.Rows)
	assert.Equal(t, errStreaming, err)
	assert.NoError(t, r.NextRow(), "they can be read on")
}
