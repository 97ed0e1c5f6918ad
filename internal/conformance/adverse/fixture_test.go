// Package adverse tests the guard under adverse conditions: others change the schema
// between two statements, and the caller's own statements and settings begin, end and
// restrict transactions.
package adverse

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"regexp"
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

// A fixture is a database with two tables: t with ids 1 to 9, and child, whose five rows
// have r = 1, so far without a foreign key.
type fixture struct {
	*target.Database
	db   *sql.DB // guarded, one connection
	bare *sql.DB // another session, without a guard
}

var baseSchema = []string{
	"CREATE TABLE t (id INT PRIMARY KEY, n INT NOT NULL)",
	"INSERT INTO t VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0)",
	"CREATE TABLE child (id INT PRIMARY KEY, r INT)",
	"INSERT INTO child VALUES (1, 1), (2, 1), (3, 1), (4, 1), (5, 1)",
}

// each runs the test on every target of the engines.
func each(t *testing.T, engines []target.Engine, test func(t *testing.T, f *fixture)) {
	for _, tg := range target.All() {
		if slices.Contains(engines, tg.Engine) {
			t.Run(tg.String(), func(t *testing.T) { test(t, newFixture(t, tg)) })
		}
	}
}

func newFixture(t *testing.T, tg target.Target) *fixture {
	t.Helper()
	f := &fixture{Database: tg.Database(t)}
	f.bare = f.Bare(t)
	if f.Engine == target.MySQL { // foreign keys to any index, as on MariaDB
		f.execBare(t, "SET restrict_fk_on_non_standard_key = OFF")
	}
	f.execBare(t, baseSchema...)
	t.Cleanup(func() { assert.NoError(t, f.bare.Close()) })
	f.db = f.openGuarded(t, f.DSN)
	return f
}

// openGuarded opens the same database with one guarded connection, if need be through a
// proxy or as another user.
func (f *fixture) openGuarded(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	guard, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	db, err := sqlguard.Open(f.Driver, dsn, guard)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// createUser creates a user with these privileges, such as SELECT ON t, and returns the
// DSN to connect as that user.
func (f *fixture) createUser(t *testing.T, rights ...string) (dsn string) {
	t.Helper()
	user, owner, drop := fmt.Sprintf("little_%d", rand.IntN(1e9)), "root@", "DROP USER "
	f.execBare(t, "CREATE USER "+user)
	if f.Engine == target.Postgres {
		owner, drop = "postgres@", "DROP OWNED BY "+user+"; DROP USER "
	}
	t.Cleanup(func() {
		_, err := f.bare.Exec(drop + user)
		assert.NoError(t, err)
	})
	for _, right := range rights {
		f.execBare(t, "GRANT "+right+" TO "+user)
	}
	return strings.Replace(f.DSN, owner, user+"@", 1)
}

// mariadbOwn matches what MySQL has not.
var mariadbOwn = regexp.MustCompile(`RETURNING|SET STATEMENT|EXECUTE IMMEDIATE|NOT ATOMIC|SEQUENCE|seq_1_to|SYSTEM VERSIONING|Aria|EMPTY_STRING`)

// execBare runs statements on the connection without a guard.
func (f *fixture) execBare(t *testing.T, texts ...string) {
	t.Helper()
	f.skipMariaDBs(t, texts...)
	for _, text := range texts {
		_, err := f.bare.ExecContext(t.Context(), text)
		require.NoError(t, err, text)
	}
}

// skipMariaDBs skips the test if MySQL has not what a text takes.
func (f *fixture) skipMariaDBs(t *testing.T, texts ...string) {
	t.Helper()
	if own := mariadbOwn.FindString(strings.Join(texts, " ")); f.Engine == target.MySQL && own != "" {
		t.Skip(own + " is MariaDB's own")
	}
}

// count counts rows, as other sessions see them.
func (f *fixture) count(t *testing.T, what string) (n int) {
	t.Helper()
	require.NoError(t, f.bare.QueryRowContext(context.WithoutCancel(t.Context()), "SELECT count(*) FROM "+what).Scan(&n))
	return n
}

// conn is the one guarded connection.
func (f *fixture) conn(t *testing.T) *sql.Conn {
	t.Helper()
	c, err := f.db.Conn(t.Context())
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

// assertWorks checks that the pool works and that no transaction is left open in it.
func (f *fixture) assertWorks(t *testing.T) {
	t.Helper()
	_, err := f.db.ExecContext(dbguard.AtMost(t.Context(), 1), "UPDATE t SET n = n + 100 WHERE id = 9")
	require.NoError(t, err)
	assert.Equal(t, 1, f.count(t, "t WHERE id = 9 AND n >= 100"), "a change is committed")
}

var (
	everywhere = target.Engines
	onServers  = []target.Engine{target.Postgres, target.MariaDB, target.MySQL}
	onMySQL    = target.MySQLFamily
	onMariaDB  = []target.Engine{target.MariaDB}
)
