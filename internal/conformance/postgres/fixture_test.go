// Package postgres tests what the PostgreSQL engine promises beyond the others: one round
// trip, an early stop, and a count of everything that is hidden behind a statement, whatever
// another connection does to the schema.
package postgres

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/network"
	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// flushes says what version 15 brought: counters that are flushed on demand.
const flushes = "the counters hold earlier transactions, and are only compared"

func TestMain(m *testing.M) { servers.Main(m) }

// A fixture is a database with a guarded connection and two without a guard.
type fixture struct {
	t          *testing.T
	driver     string
	driverName string  // registered with database/sql
	db         *sql.DB // guarded, through a proxy
	direct     *sql.DB // bare, through the proxy
	bare       *sql.DB // another session, not through the proxy
	proxy      *network.Proxy
	dsn        string // through it
}

// setup is the schema that every test starts from.
var setup = []string{
	"CREATE TABLE t (id INT PRIMARY KEY, v INT)",
	"INSERT INTO t SELECT i, i FROM generate_series(1, 20) i",
	"CREATE TABLE parent (id INT PRIMARY KEY)",
	"INSERT INTO parent SELECT generate_series(1, 20)",
	"CREATE TABLE child (id INT, parent INT REFERENCES parent ON DELETE CASCADE)",
	"INSERT INTO child SELECT i, 1 + i % 20 FROM generate_series(1, 60) i",
	"CREATE TABLE kept (id INT PRIMARY KEY)",
	"INSERT INTO kept SELECT generate_series(1, 20)",
	"CREATE TABLE keeper (kept INT REFERENCES kept)",
	"INSERT INTO keeper VALUES (1)",
}

func onEachDriver(t *testing.T, test func(*testing.T, *fixture)) {
	for _, tg := range target.All() {
		if tg.Engine != target.Postgres {
			continue
		}
		t.Run(tg.Name, func(t *testing.T) {
			d := tg.Database(t)
			f := &fixture{t: t, driver: tg.Name, driverName: tg.Driver, bare: d.Bare(t)}
			t.Cleanup(func() { f.bare.Close() })
			for _, text := range setup {
				f.execBare(text)
			}
			g, err := dbguard.New(dbguard.Policy{})
			require.NoError(t, err)
			proxy, dsn := network.Through(t, d.DSN, 0)
			f.proxy, f.dsn = proxy, dsn
			f.db, err = sqlguard.Open(tg.Driver, dsn, g)
			require.NoError(t, err)
			t.Cleanup(func() { f.db.Close() })
			f.db.SetMaxOpenConns(1)
			f.direct, err = sql.Open(tg.Driver, dsn)
			require.NoError(t, err)
			t.Cleanup(func() { f.direct.Close() })
			f.direct.SetMaxOpenConns(1)
			test(t, f)
		})
	}
}

// execBare runs a text on the session without a guard.
func (f *fixture) execBare(text string) {
	f.t.Helper()
	_, err := f.bare.Exec(text)
	require.NoError(f.t, err, text)
}

func (f *fixture) count(table string) (n int) {
	f.t.Helper()
	require.NoError(f.t, f.bare.QueryRow("SELECT count(*) FROM "+table).Scan(&n))
	return n
}

// trips counts the round trips of fn.
func (f *fixture) trips(fn func()) int64 {
	before := f.proxy.Trips()
	fn()
	return f.proxy.Trips() - before
}

func atMost(t *testing.T, n int64) context.Context { return dbguard.AtMost(t.Context(), n) }
