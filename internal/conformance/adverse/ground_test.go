// Package adverse holds the guard to its promise where the ground moves under
// it: others change the schema between two statements, and the caller's own
// texts and settings open, end and forbid things.
package adverse

import (
	"context"
	"database/sql"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/sqlguard"
)

func TestMain(m *testing.M) { servers.Main(m) }

// A ground is a database with two tables: t of ids 1 to 9, and child of five
// rows that belong to t's row 1, though nothing says so yet.
type ground struct {
	*target.Database
	db   *sql.DB // guarded, one connection
	bare *sql.DB // somebody else's
}

var made = []string{
	"CREATE TABLE t (id INT PRIMARY KEY, n INT NOT NULL)",
	"INSERT INTO t VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0)",
	"CREATE TABLE child (id INT PRIMARY KEY, r INT)",
	"INSERT INTO child VALUES (1, 1), (2, 1), (3, 1), (4, 1), (5, 1)",
}

// each runs the test on every target of the engines.
func each(t *testing.T, engines []target.Engine, test func(t *testing.T, g *ground)) {
	for _, tg := range target.All() {
		if slices.Contains(engines, tg.Engine) {
			t.Run(tg.String(), func(t *testing.T) { test(t, newGround(t, tg)) })
		}
	}
}

func newGround(t *testing.T, tg target.Target) *ground {
	t.Helper()
	g := &ground{Database: tg.Database(t)}
	g.bare = g.Bare(t)
	g.others(t, made...)
	guard, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	g.db, err = sqlguard.Open(tg.Driver, g.DSN, guard)
	require.NoError(t, err)
	g.db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		assert.NoError(t, g.db.Close())
		assert.NoError(t, g.bare.Close())
	})
	return g
}

// others runs texts over a connection that is not the guard's.
func (g *ground) others(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		_, err := g.bare.ExecContext(t.Context(), text)
		require.NoError(t, err, text)
	}
}

// rows counts what is there, as others see it.
func (g *ground) rows(t *testing.T, what string) (n int) {
	t.Helper()
	require.NoError(t, g.bare.QueryRowContext(context.WithoutCancel(t.Context()), "SELECT count(*) FROM "+what).Scan(&n))
	return n
}

// conn is the one guarded connection.
func (g *ground) conn(t *testing.T) *sql.Conn {
	t.Helper()
	c, err := g.db.Conn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func exec(t *testing.T, h interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, texts ...string,
) {
	t.Helper()
	for _, text := range texts {
		_, err := h.ExecContext(dbguard.AtMost(t.Context(), 1), text)
		require.NoError(t, err, text)
	}
}

// works proves that the pool is of use and that nothing is left open in it.
func (g *ground) works(t *testing.T) {
	t.Helper()
	_, err := g.db.ExecContext(dbguard.AtMost(t.Context(), 1), "UPDATE t SET n = n + 100 WHERE id = 9")
	require.NoError(t, err)
	assert.Equal(t, 1, g.rows(t, "t WHERE id = 9 AND n >= 100"), "a change is committed")
}

var (
	everywhere = target.Engines
	onServers  = []target.Engine{target.Postgres, target.MariaDB}
	onPostgres = []target.Engine{target.Postgres}
	onMariaDB  = []target.Engine{target.MariaDB}
)
