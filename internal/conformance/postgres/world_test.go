// Package postgres holds the PostgreSQL engine to what it promises beyond the
// other engines: one round trip, an early stop, and a count of everything that
// hides behind a statement, whatever another connection does to the schema.
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

func TestMain(m *testing.M) { servers.Main(m) }

// world is a database with one guarded connection and one that is not.
type world struct {
	t       *testing.T
	driver  string
	opens   string  // the name by which database/sql knows it
	db      *sql.DB // guarded, through a proxy
	direct  *sql.DB // bare, through the proxy
	bare    *sql.DB // somebody else
	network *network.Proxy
	dsn     string // through it
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

func onBoth(t *testing.T, test func(*testing.T, *world)) {
	for _, tg := range target.All() {
		if tg.Engine != target.Postgres {
			continue
		}
		t.Run(tg.Name, func(t *testing.T) {
			d := tg.Database(t)
			w := &world{t: t, driver: tg.Name, opens: tg.Driver, bare: d.Bare(t)}
			t.Cleanup(func() { w.bare.Close() })
			for _, text := range setup {
				w.change(text)
			}
			g, err := dbguard.New(dbguard.Policy{})
			require.NoError(t, err)
			proxy, dsn := network.Through(t, d.DSN, 0)
			w.network, w.dsn = proxy, dsn
			w.db, err = sqlguard.Open(tg.Driver, dsn, g)
			require.NoError(t, err)
			t.Cleanup(func() { w.db.Close() })
			w.db.SetMaxOpenConns(1)
			w.direct, err = sql.Open(tg.Driver, dsn)
			require.NoError(t, err)
			t.Cleanup(func() { w.direct.Close() })
			w.direct.SetMaxOpenConns(1)
			test(t, w)
		})
	}
}

// change runs a text on somebody else's connection.
func (w *world) change(text string) {
	w.t.Helper()
	_, err := w.bare.Exec(text)
	require.NoError(w.t, err, text)
}

func (w *world) count(table string) (n int) {
	w.t.Helper()
	require.NoError(w.t, w.bare.QueryRow("SELECT count(*) FROM "+table).Scan(&n))
	return n
}

// trips counts what fn sends.
func (w *world) trips(fn func()) int64 {
	before := w.network.Trips()
	fn()
	return w.network.Trips() - before
}

func atMost(t *testing.T, n int64) context.Context { return dbguard.AtMost(t.Context(), n) }
