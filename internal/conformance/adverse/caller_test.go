package adverse

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

const (
	one  = "UPDATE t SET n = n + 1 WHERE id = 1"
	many = "UPDATE t SET n = n + 1 WHERE id > 1"
)

// over sends a statement that is over its bound.
func over(t *testing.T, h *sql.Conn) {
	t.Helper()
	_, err := h.ExecContext(dbguard.AtMost(t.Context(), 2), many)
	require.ErrorIs(t, err, dbguard.OverLimit)
}

func TestTransactionByText(t *testing.T) {
	for _, end := range []struct {
		text string
		left int
	}{{"COMMIT", 1}, {"ROLLBACK", 0}} {
		t.Run(end.text, func(t *testing.T) {
			each(t, everywhere, func(t *testing.T, g *ground) {
				c := g.conn(t)
				exec(t, c, "BEGIN", one)
				over(t, c)
				assert.Zero(t, g.rows(t, "t WHERE n > 0"), "nothing of the caller's is committed by the guard")
				exec(t, c, end.text)
				assert.Equal(t, end.left, g.rows(t, "t WHERE n > 0"))
				require.NoError(t, c.Close())
				g.works(t)
			})
		})
	}
}

func TestSavepointByText(t *testing.T) {
	each(t, everywhere, func(t *testing.T, g *ground) {
		c := g.conn(t)
		exec(t, c, "BEGIN", one, "SAVEPOINT mine", "UPDATE t SET n = 5 WHERE id = 2")
		over(t, c)
		exec(t, c, "ROLLBACK TO SAVEPOINT mine", "UPDATE t SET n = 6 WHERE id = 3", "RELEASE SAVEPOINT mine", "COMMIT")
		assert.Equal(t, 1, g.rows(t, "t WHERE id = 1 AND n = 1"))
		assert.Equal(t, 1, g.rows(t, "t WHERE id = 2 AND n = 0"), "gone with the caller's savepoint")
		assert.Equal(t, 1, g.rows(t, "t WHERE id = 3 AND n = 6"))
		require.NoError(t, c.Close())
		g.works(t)
	})
}

// Savepoints replace each other by their names in MariaDB.
func TestSavepointsOfOtherNames(t *testing.T) {
	for _, name := range []string{"dbguard", "sp", "s1", "dbguard_0"} {
		t.Run(name, func(t *testing.T) {
			each(t, everywhere, func(t *testing.T, g *ground) {
				c := g.conn(t)
				exec(t, c, "BEGIN", one, "SAVEPOINT "+name, "UPDATE t SET n = 5 WHERE id = 2", "UPDATE t SET n = 5 WHERE id = 3")
				over(t, c)
				exec(t, c, "UPDATE t SET n = 5 WHERE id = 4", "ROLLBACK TO SAVEPOINT "+name, "UPDATE t SET n = 5 WHERE id = 5")
				exec(t, c, "ROLLBACK TO SAVEPOINT "+name, "RELEASE SAVEPOINT "+name, "COMMIT")
				assert.Equal(t, 1, g.rows(t, "t WHERE n > 0"))
				require.NoError(t, c.Close())
				g.works(t)
			})
		})
	}
}

func TestAutocommitOff(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, g *ground) {
		c := g.conn(t)
		exec(t, c, "SET autocommit = 0", one)
		over(t, c)
		assert.Zero(t, g.rows(t, "t WHERE n > 0"), "nothing of the caller's is committed by the guard")
		exec(t, c, "ROLLBACK", "UPDATE t SET n = 3 WHERE id = 3", "COMMIT", "SET autocommit = 1")
		assert.Equal(t, 1, g.rows(t, "t WHERE n = 3"))
		assert.Equal(t, 1, g.rows(t, "t WHERE n > 0"))
		require.NoError(t, c.Close())
		g.works(t)
	})
}

// A read-only transaction refuses writes by itself, and the guard's manner of
// counting must neither lift that nor hide the server's own error.
func TestReadOnly(t *testing.T) {
	each(t, onServers, func(t *testing.T, g *ground) {
		c := g.conn(t)
		exec(t, c, map[target.Engine]string{
			target.Postgres: "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
			target.MariaDB:  "SET SESSION TRANSACTION READ ONLY",
		}[g.Engine])
		_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), one)
		require.Error(t, err)
		assert.NotErrorIs(t, err, dbguard.ErrRefused, "it is the server that refuses")
		assert.Zero(t, g.rows(t, "t WHERE n > 0"))
		exec(t, c, map[target.Engine]string{
			target.Postgres: "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
			target.MariaDB:  "SET SESSION TRANSACTION READ WRITE",
		}[g.Engine])
		require.NoError(t, c.Close())
		g.works(t)
	})
}

func TestReadOnlyTransactionByText(t *testing.T) {
	each(t, onServers, func(t *testing.T, g *ground) {
		c := g.conn(t)
		exec(t, c, "START TRANSACTION READ ONLY")
		_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), one)
		require.Error(t, err)
		exec(t, c, "ROLLBACK")
		assert.Zero(t, g.rows(t, "t WHERE n > 0"))
		require.NoError(t, c.Close())
		g.works(t)
	})
}

// slow takes longer than any limit here: each row waits.
var slow = map[target.Engine]string{
	target.Postgres: "UPDATE t SET n = n + 1 WHERE id < 5 AND pg_sleep(1) IS NOT NULL",
	target.MariaDB:  "UPDATE t SET n = n + 1 WHERE id < 5 AND SLEEP(1) = 0",
}

func TestStatementTimeout(t *testing.T) {
	each(t, onServers, func(t *testing.T, g *ground) {
		c := g.conn(t)
		exec(t, c, map[target.Engine]string{
			target.Postgres: "SET statement_timeout = '150ms'",
			target.MariaDB:  "SET max_statement_time = 0.15",
		}[g.Engine])
		_, err := c.ExecContext(dbguard.AtMost(t.Context(), 5), slow[g.Engine])
		require.Error(t, err)
		assert.NotErrorIs(t, err, dbguard.ErrRefused, "it is the server that gives up")
		assert.Zero(t, g.rows(t, "t WHERE n > 0"))
		exec(t, c, one) // the connection is as good as before
		assert.Equal(t, 1, g.rows(t, "t WHERE n > 0"))
		exec(t, c, map[target.Engine]string{
			target.Postgres: "SET statement_timeout = 0",
			target.MariaDB:  "SET max_statement_time = 0",
		}[g.Engine])
		require.NoError(t, c.Close())
		g.works(t)
	})
}

func TestLockTimeout(t *testing.T) {
	each(t, everywhere, func(t *testing.T, g *ground) {
		other, err := g.bare.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = other.ExecContext(t.Context(), "UPDATE t SET n = 7 WHERE id = 1")
		require.NoError(t, err)
		c := g.conn(t)
		exec(t, c, map[target.Engine]string{
			target.SQLite:   "PRAGMA busy_timeout = 100",
			target.Postgres: "SET lock_timeout = '100ms'",
			target.MariaDB:  "SET innodb_lock_wait_timeout = 1",
		}[g.Engine])
		_, err = c.ExecContext(dbguard.AtMost(t.Context(), 1), one)
		require.Error(t, err)
		assert.NotErrorIs(t, err, dbguard.ErrRefused, "it is the server that gives up")
		require.NoError(t, other.Commit())
		exec(t, c, one)
		assert.Equal(t, 1, g.rows(t, "t WHERE id = 1 AND n = 8"), "once, and on top of the other's")
		require.NoError(t, c.Close())
		g.works(t)
	})
}

func TestCancelled(t *testing.T) {
	each(t, onServers, func(t *testing.T, g *ground) {
		ctx, cancel := context.WithTimeout(dbguard.AtMost(t.Context(), 5), 150*time.Millisecond)
		defer cancel()
		_, err := g.db.ExecContext(ctx, slow[g.Engine])
		require.Error(t, err)
		var v *dbguard.Violation
		if errors.As(err, &v) {
			require.Equal(t, dbguard.Unconfirmed, v.Rule)
		}
		assert.Zero(t, g.rows(t, "t WHERE n > 0"))
		g.works(t)
		assert.Equal(t, 1, g.rows(t, "t WHERE n > 0"), "not run later, either")
	})
}

func TestCancelledBeforeItBegins(t *testing.T) {
	each(t, everywhere, func(t *testing.T, g *ground) {
		require.NoError(t, g.db.PingContext(t.Context()))
		ctx, cancel := context.WithCancel(dbguard.AtMost(t.Context(), 5))
		cancel()
		_, err := g.db.ExecContext(ctx, one)
		require.ErrorIs(t, err, context.Canceled)
		assert.Zero(t, g.rows(t, "t WHERE n > 0"))
		g.works(t)
	})
}

func TestCancelledTransaction(t *testing.T) {
	each(t, everywhere, func(t *testing.T, g *ground) {
		ctx, cancel := context.WithCancel(dbguard.AtMost(t.Context(), 5))
		defer cancel()
		tx, err := g.db.BeginTx(ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(ctx, one)
		require.NoError(t, err)
		cancel()
		require.Error(t, tx.Commit())
		require.Eventually(t, func() bool { return g.db.Stats().InUse == 0 }, 5*time.Second, 5*time.Millisecond)
		assert.Zero(t, g.rows(t, "t WHERE n > 0"))
		g.works(t)
	})
}
