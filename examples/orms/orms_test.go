package orms

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// user is a row of the table users.
type user struct{ ID int64 }

// database makes an SQLite file with three users and returns its DSN.
func database(t *testing.T) (dsn string, bare *sql.DB) {
	t.Helper()
	dsn = "file:" + filepath.ToSlash(filepath.Join(t.TempDir(), "app.db"))
	bare, err := sql.Open("sqlite", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, bare.Close()) })
	_, err = bare.Exec("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
	require.NoError(t, err)
	_, err = bare.Exec("INSERT INTO users (id) VALUES (1), (2), (3)")
	require.NoError(t, err)
	return dsn, bare
}

func guard(t *testing.T) *dbguard.Guard {
	t.Helper()
	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	return g
}

// check deletes one user, which must pass, and all the others, which must not.
func check(t *testing.T, bare *sql.DB, one, others func(context.Context) error) {
	t.Helper()
	ctx := dbguard.AtMost(t.Context(), 1)
	require.NoError(t, one(ctx))
	require.ErrorIs(t, others(ctx), dbguard.OverLimit)
	require.ErrorIs(t, one(t.Context()), dbguard.Unbounded)
	var left int
	require.NoError(t, bare.QueryRow("SELECT count(*) FROM users").Scan(&left))
	assert.Equal(t, 2, left)
}

func TestGORM(t *testing.T) {
	dsn, bare := database(t)
	db, err := GORM(dsn, guard(t))
	require.NoError(t, err)
	pool, err := db.DB()
	require.NoError(t, err)
	defer pool.Close()
	check(t, bare,
		func(ctx context.Context) error { return db.WithContext(ctx).Delete(&user{}, 1).Error },
		func(ctx context.Context) error { return db.WithContext(ctx).Delete(&user{}, "id > ?", 1).Error })
}

func TestSQLX(t *testing.T) {
	dsn, bare := database(t)
	db, err := SQLX(dsn, guard(t))
	require.NoError(t, err)
	defer db.Close()
	named := func(query string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := db.NamedExecContext(ctx, query, user{ID: 1})
			return err
		}
	}
	check(t, bare, named("DELETE FROM users WHERE id = :id"), named("DELETE FROM users WHERE id > :id"))
}

// A name can be registered only once per process, and tests may run twice.
var registered = sync.OnceValue(func() error {
	g, err := dbguard.New(dbguard.Policy{})
	return errors.Join(err, RegisterDriver(g))
})

func TestRegisterDriver(t *testing.T) {
	dsn, bare := database(t)
	require.NoError(t, registered())
	db, err := sql.Open(GuardedDriver, dsn)
	require.NoError(t, err)
	defer db.Close()
	exec := func(query string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := db.ExecContext(ctx, query, 1)
			return err
		}
	}
	check(t, bare, exec("DELETE FROM users WHERE id = ?"), exec("DELETE FROM users WHERE id > ?"))
}
