package sqlguard

import (
	"context"
	"database/sql/driver"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// preparing is a connection that counts its statements.
type preparing struct {
	driver.Conn
	prepared, open, direct int
}

type counted struct {
	c    *preparing
	text string
}

func (c *preparing) Prepare(text string) (driver.Stmt, error) {
	c.prepared++
	c.open++
	return &counted{c, text}, nil
}

func (c *preparing) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	c.direct++
	return driver.ResultNoRows, nil
}

func (s *counted) Close() error                            { s.c.open--; return nil }
func (s *counted) NumInput() int                           { return len(s.text) - len("fail") }
func (*counted) Query([]driver.Value) (driver.Rows, error) { return nil, errors.ErrUnsupported }

func (s *counted) Exec([]driver.Value) (driver.Result, error) {
	if s.text == "fail" {
		return nil, errors.ErrUnsupported
	}
	return driver.ResultNoRows, nil
}

func TestKept(t *testing.T) {
	c := &preparing{}
	b := newBare(c)
	var k stmtCache
	run := func(text string, args ...driver.NamedValue) error {
		_, err := k.exec(t.Context(), b, text, args)
		return err
	}
	for range 3 {
		require.NoError(t, run("text"))
	}
	assert.Equal(t, 1, c.prepared)
	require.NoError(t, run("text", driver.NamedValue{Ordinal: 1}))
	assert.Equal(t, 1, c.direct, "the driver says what it thinks of too many arguments")
	require.NoError(t, run("large", driver.NamedValue{Ordinal: 1, Value: make([]byte, 1<<20)}))
	assert.Equal(t, 2, c.direct)
	assert.Equal(t, 1, c.prepared, "and would be held on to")
	require.Error(t, run("fail"))
	assert.Equal(t, 1, c.open, "what has failed is not kept")
	for i := range 3 * maxCachedStmts {
		require.NoError(t, run("tx"+strconv.Itoa(10+i)))
	}
	assert.Equal(t, maxCachedStmts, c.open)
	before := c.prepared
	require.NoError(t, run("text"))
	assert.Equal(t, before+1, c.prepared, "it had made room")
	k.close()
	assert.Zero(t, c.open)
}
