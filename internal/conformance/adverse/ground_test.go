// Package adverse holds the guard to its promise where the ground moves under
// it: others change the schema between two statements, and the caller's own
// texts and settings open, end and forbid things.
package adverse

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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
	t.Cleanup(func() { assert.NoError(t, g.bare.Close()) })
	g.db = g.guardedAt(t, g.DSN)
	return g
}

// guardedAt is one guarded connection, to the same database, if need be through
// something or as somebody else.
func (g *ground) guardedAt(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	guard, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	db, err := sqlguard.Open(g.Driver, dsn, guard)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// account makes one with these rights, such as SELECT ON t, and says how to be it.
func (g *ground) account(t *testing.T, rights ...string) (dsn string) {
	t.Helper()
	user, owner, drop := fmt.Sprintf("little_%d", rand.IntN(1e9)), "root@", "DROP USER "
	g.others(t, "CREATE USER "+user)
	if g.Engine == target.Postgres {
		owner, drop = "postgres@", "DROP OWNED BY "+user+"; DROP USER "
	}
	t.Cleanup(func() {
		_, err := g.bare.Exec(drop + user)
		assert.NoError(t, err)
	})
	for _, right := range rights {
		g.others(t, "GRANT "+right+" TO "+user)
	}
	return strings.Replace(g.DSN, owner, user+"@", 1)
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
	onMariaDB  = []target.Engine{target.MariaDB}
)
