package main

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// onServers runs a test on each server, with a bare handle, the server's statements and
// an opener.
func onServers(t *testing.T, test func(*testing.T, *sql.DB, scratchSQL, opener)) {
	t.Run("postgres", func(t *testing.T) {
		open := postgresOpener(t)
		test(t, admin(t, "pgx", postgresEnv), postgresScratch, open)
	})
	for name, env := range map[string]string{"mariadb": mariadbEnv, "mysql": mysqlEnv} {
		t.Run(name, func(t *testing.T) {
			open := mysqlOpener(t, env)
			test(t, admin(t, "mysql", env), mysqlScratch, open)
		})
	}
}

func admin(t *testing.T, driver, env string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, serverDSN(t, env))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func count(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

func exec(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		_, err := db.Exec(s) // no context: that of the test is done when cleanups run
		require.NoError(t, err, s)
	}
}

func TestScratchIsRemoved(t *testing.T) {
	onServers(t, func(t *testing.T, db *sql.DB, q scratchSQL, open opener) {
		e, err := open(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 1, count(t, db, q.exists))
		require.NoError(t, stackerORM().fill(t.Context(), e))
		require.NoError(t, e.close())
		assert.Zero(t, count(t, db, q.exists))
	})
}

func TestScratchOfSomebodyElseIsLeftAlone(t *testing.T) {
	onServers(t, func(t *testing.T, db *sql.DB, q scratchSQL, open opener) {
		exec(t, db, q.create, "CREATE TABLE "+scratchName+".device (id INTEGER)")
		t.Cleanup(func() { exec(t, db, "DROP TABLE "+scratchName+".device", q.drop) })
		_, err := open(t.Context())
		require.ErrorContains(t, err, "that this program did not make")
		assert.Equal(t, 1, count(t, db, q.tables))
	})
}

func TestScratchOfKilledRunIsReplaced(t *testing.T) {
	onServers(t, func(t *testing.T, db *sql.DB, q scratchSQL, open opener) {
		exec(t, db, q.create,
			"CREATE TABLE "+scratchName+"."+markerTable+" (id INTEGER)",
			"CREATE TABLE "+scratchName+".device (id INTEGER)")
		e, err := open(t.Context())
		require.NoError(t, err)
		require.NoError(t, e.close())
		assert.Zero(t, count(t, db, q.exists))
	})
}

func TestScratchWithSomethingElseInItIsKept(t *testing.T) {
	onServers(t, func(t *testing.T, db *sql.DB, q scratchSQL, open opener) {
		e, err := open(t.Context())
		require.NoError(t, err)
		exec(t, db, "CREATE TABLE "+scratchName+".precious (id INTEGER)")
		require.ErrorContains(t, e.close(), "holds tables that this program did not make")
		assert.Equal(t, 1, count(t, db, q.exists))
		assert.Equal(t, 0, count(t, db, "SELECT count(*) FROM "+scratchName+".precious"))

		exec(t, db, "DROP TABLE "+scratchName+".precious")
		e, err = open(t.Context())
		require.NoError(t, err, "it is still known for ours")
		require.NoError(t, e.close())
	})
}

func TestScratchIsOneRunsAtATime(t *testing.T) {
	onServers(t, func(t *testing.T, _ *sql.DB, _ scratchSQL, open opener) {
		e, err := open(t.Context())
		require.NoError(t, err)
		_, err = open(t.Context())
		require.ErrorContains(t, err, "another run is using")
		require.NoError(t, e.close())
		require.Eventually(t, func() bool { // a server gives a lock back a moment after its connection
			e, err = open(t.Context())
			return err == nil
		}, 10*time.Second, 50*time.Millisecond)
		require.NoError(t, e.close())
	})
}

func TestNumbered(t *testing.T) {
	assert.Equal(t, "a = $1 AND b = $2", numbered("a = ? AND b = ?"))
	assert.Equal(t, "a = 1", numbered("a = 1"))
}
