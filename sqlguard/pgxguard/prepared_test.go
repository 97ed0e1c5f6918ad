package pgxguard_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

// replacements are ways to reuse a name that pgx knows for another statement.
var replacements = map[string]func(t *testing.T, c *pgxguard.Conn, call func(context.Context) error) error{
	"texts": func(t *testing.T, c *pgxguard.Conn, call func(context.Context) error) error {
		for _, text := range []string{"DEALLOCATE q", "PREPARE q AS DELETE FROM users"} {
			_, err := c.Exec(t.Context(), text)
			require.NoError(t, err)
		}
		return call(t.Context())
	},
	"one text past the handle": func(t *testing.T, c *pgxguard.Conn, call func(context.Context) error) error {
		_, err := c.Conn().Exec(t.Context(), "DISCARD PLANS; DEALLOCATE ALL; PREPARE q AS DELETE FROM users")
		require.NoError(t, err)
		return call(t.Context())
	},
	"code": func(t *testing.T, c *pgxguard.Conn, call func(context.Context) error) error {
		_, err := c.Exec(atMost(t, 0), "DO $$BEGIN EXECUTE 'DEALLOCATE q'; EXECUTE 'PREPARE q AS DELETE FROM users'; END$$")
		require.NoError(t, err)
		return call(t.Context())
	},
	"batch": func(t *testing.T, c *pgxguard.Conn, _ func(context.Context) error) error {
		return c.SendBatch(t.Context(), batch("DEALLOCATE q", "PREPARE q AS DELETE FROM users", "q")).Close()
	},
	"batch past the handle": func(t *testing.T, c *pgxguard.Conn, _ func(context.Context) error) error {
		return c.Conn().SendBatch(t.Context(), batch("DEALLOCATE q", "PREPARE q AS DELETE FROM users", "q")).Close()
	},
}

func TestNameReplaced(t *testing.T) {
	for how, do := range replacements {
		for _, past := range []bool{false, true} {
			r := newRig(t)
			c, err := r.Acquire(t.Context())
			require.NoError(t, err)
			_, err = c.Conn().Prepare(t.Context(), "q", "SELECT 1")
			require.NoError(t, err)
			call := func(ctx context.Context) error {
				if past {
					_, err := c.Conn().Exec(ctx, "q")
					return err
				}
				_, err := c.Exec(ctx, "q")
				return err
			}
			require.NoError(t, call(t.Context()))
			require.ErrorIs(t, do(t, c, call), dbguard.ErrRefused, "%s %v", how, past)
			assert.Equal(t, 5, r.count("users"), "%s %v", how, past)
			c.Release()
		}
	}
}

// A replaced statement is counted like any code that is elsewhere; one that was not replaced is
// called as ever.
func TestReplacedNameCounts(t *testing.T) {
	r := newRig(t)
	_, err := r.bare.Exec(t.Context(), "DROP TABLE posts")
	require.NoError(t, err)
	c, err := r.Acquire(t.Context())
	require.NoError(t, err)
	defer c.Release()
	for _, name := range []string{"q", "other"} {
		_, err = c.Conn().Prepare(t.Context(), name, "SELECT $1::int")
		require.NoError(t, err)
	}
	for _, text := range []string{"DEALLOCATE q", "PREPARE q (int) AS DELETE FROM users WHERE id <= $1"} {
		_, err = c.Exec(t.Context(), text)
		require.NoError(t, err)
	}
	_, err = c.Exec(atMost(t, 1), "q", 2)
	require.ErrorIs(t, err, dbguard.OverLimit)
	_, err = c.Exec(atMost(t, 2), "q", 2)
	require.NoError(t, err)
	assert.Equal(t, 3, r.count("users"))
	var n int
	require.NoError(t, c.QueryRow(t.Context(), "other", 7).Scan(&n))
	assert.Equal(t, 7, n)
	_, err = c.Exec(t.Context(), "DEALLOCATE other")
	require.NoError(t, err)
	_, err = c.Exec(t.Context(), "other", 7)
	require.True(t, pgErr("26000").matches(err), "%v", err)
}

// The names that pgx gives to its own prepared statements may not be used by others.
func TestNameOfPgx(t *testing.T) {
	r := newRig(t)
	c, err := r.Acquire(t.Context())
	require.NoError(t, err)
	defer c.Release()
	_, err = c.Conn().Prepare(t.Context(), "SELECT 2", "SELECT 2")
	require.NoError(t, err)
	rows, err := c.Query(t.Context(), "SELECT name FROM pg_prepared_statements")
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Len(t, names, 2, "of a text that is its own name, and of the cache")
	for _, name := range names {
		_, err = c.Exec(t.Context(), "DEALLOCATE "+name)
		require.NoError(t, err)
		_, err = c.Exec(t.Context(), "PREPARE "+name+" AS DELETE FROM users")
		require.ErrorIs(t, err, dbguard.ErrRefused)
	}
}
