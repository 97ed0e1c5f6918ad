package sqlguard_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// register makes a fake driver known under the test's own name.
func register(t *testing.T, f *fake) (name string) {
	t.Helper()
	sql.Register(t.Name(), fakeDriver{f})
	return t.Name()
}

func newGuard(t testing.TB, p dbguard.Policy) *dbguard.Guard {
	t.Helper()
	g, err := dbguard.New(p)
	require.NoError(t, err)
	return g
}

func TestOpenWrongly(t *testing.T) {
	g := newGuard(t, dbguard.Policy{})
	name := register(t, &fake{})
	base := sql.OpenDB(&fake{})
	t.Cleanup(func() { base.Close() })
	_, err := sqlguard.Open(name, "", nil)
	assert.EqualError(t, err, "dbguard: the Guard is nil: make one with dbguard.New")
	_, err = sqlguard.OpenX(name, "", nil)
	assert.EqualError(t, err, "dbguard: the Guard is nil: make one with dbguard.New")
	_, err = sqlguard.Open("nosuch", "", g)
	assert.EqualError(t, err, `sql: unknown driver "nosuch" (forgotten import?)`)
	_, err = sqlguard.Open(name, "", g, sqlguard.WithDialect(0))
	assert.EqualError(t, err, "sqlguard: WithDialect(0) is none of PostgreSQL, MySQL, SQLite and ClickHouse")
	_, err = sqlguard.Open(name, "", g, nil)
	assert.EqualError(t, err, "sqlguard: a nil Option")

	assert.EqualError(t, sqlguard.Register("x", fakeDriver{}, nil), "dbguard: the Guard is nil: make one with dbguard.New")
	assert.EqualError(t, sqlguard.Register("x", nil, g), "sqlguard: the driver is nil")
	assert.EqualError(t, sqlguard.Register(name, fakeDriver{}, g),
		`sqlguard: Register: a driver "TestOpenWrongly" is registered already: choose another name`)
}

func TestConnectWrongly(t *testing.T) {
	g := newGuard(t, dbguard.Policy{})
	for _, c := range []struct {
		why  string
		conn driver.Connector
		want string
	}{
		{"no guard", sqlguard.WrapConnector(&fake{}, nil), "dbguard: the Guard is nil: make one with dbguard.New"},
		{"no connector", sqlguard.WrapConnector(nil, g), "sqlguard: WrapConnector of a nil driver.Connector"},
		{
			"a wrong option", sqlguard.WrapConnector(&fake{}, g, sqlguard.WithDialect(9)),
			"sqlguard: WithDialect(9) is none of PostgreSQL, MySQL, SQLite and ClickHouse",
		},
		{"no dialect", sqlguard.WrapConnector(&fake{fail: func(call, _ string) error {
			if call == "query" {
				return errors.New("no such function")
			}
			return nil
		}}, g), `sqlguard: cannot tell which SQL the server of driver sqlguard_test.fakeDriver speaks` +
			` (SELECT version() answered "", no such function): say so with sqlguard.WithDialect`},
	} {
		t.Run(c.why, func(t *testing.T) {
			db := sql.OpenDB(c.conn)
			defer db.Close()
			assert.EqualError(t, db.PingContext(context.Background()), c.want)
		})
	}
}

func TestConnectionIsClosedIfItCannotBeGuarded(t *testing.T) {
	f := &fake{version: "-"}
	db := sql.OpenDB(sqlguard.WrapConnector(f, newGuard(t, dbguard.Policy{})))
	defer db.Close()
	assert.ErrorContains(t, db.PingContext(context.Background()), `answered "0"`)
	assert.Equal(t, "1 close", f.log()[len(f.log())-1])
}

func TestServerIsAskedOnce(t *testing.T) {
	f := &fake{version: "PostgreSQL 15.18"}
	db := sql.OpenDB(sqlguard.WrapConnector(f, newGuard(t, dbguard.Policy{})))
	defer db.Close()
	for range 2 {
		c, err := db.Conn(context.Background())
		require.NoError(t, err)
		defer c.Close()
	}
	asked := 0
	for _, call := range f.log() {
		if call == `1 query "SELECT version()" []` || call == `2 query "SELECT version()" []` {
			asked++
		}
	}
	assert.Equal(t, 1, asked)
	assert.Equal(t, 2, f.conns)
}

func TestTwoGuards(t *testing.T) {
	g := newGuard(t, dbguard.Policy{})
	require.NoError(t, sqlguard.Register("twoguards", fakeDriver{&fake{}}, g, sqlguard.WithDialect(sqlguard.SQLite)))
	_, err := sqlguard.Open("twoguards", ":memory:", g)
	assert.EqualError(t, err, "sqlguard: the driver is guarded already: open it with sql.Open")
}

func TestRegisterGuards(t *testing.T) {
	f := &fake{changed: 1}
	g := newGuard(t, dbguard.Policy{})
	require.NoError(t, sqlguard.Register("registered", fakeDriver{f}, g, sqlguard.WithDialect(sqlguard.PostgreSQL)))
	db, err := sql.Open("registered", "the dsn")
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(context.Background(), "DELETE FROM app WHERE id = 1")
	assert.ErrorIs(t, err, dbguard.Unbounded)
	assert.Contains(t, f.log(), "open the dsn")

	c, err := db.Driver().Open("another")
	require.NoError(t, err)
	defer c.Close()
	_, err = c.(driver.ExecerContext).ExecContext(context.Background(), "DELETE FROM app WHERE id = 1", nil)
	assert.ErrorIs(t, err, dbguard.Unbounded, "a connection opened by the driver itself")
}

func TestOpenX(t *testing.T) {
	f := &fake{sets: [][][]driver.Value{{{int64(1), "one"}}}}
	db, err := sqlguard.OpenX(register(t, f), "dsn", newGuard(t, dbguard.Policy{}), sqlguard.WithDialect(sqlguard.PostgreSQL))
	require.NoError(t, err)
	defer db.Close()
	assert.Equal(t, t.Name(), db.DriverName())
	var rows []struct {
		A int
		B string
	}
	require.NoError(t, db.Select(&rows, "SELECT a, b FROM app"))
	assert.Len(t, rows, 1)
	_, err = db.NamedExec("DELETE FROM app WHERE id = :id", map[string]any{"id": 1})
	assert.ErrorIs(t, err, dbguard.Unbounded)
	assert.ErrorContains(t, err, "open_test.go:", "the application's line, past sqlx")
}

func TestBaseConnectorIsClosed(t *testing.T) {
	db := sql.OpenDB(sqlguard.WrapConnector(closingFake{&fake{}}, newGuard(t, dbguard.Policy{})))
	assert.EqualError(t, db.Close(), "connector close")
}
