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

// execOverLimit sends a statement that is over its bound.
func execOverLimit(t *testing.T, h *sql.Conn) {
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
			each(t, everywhere, func(t *testing.T, f *fixture) {
				c := f.conn(t)
				exec(t, c, "BEGIN", one)
				execOverLimit(t, c)
				assert.Zero(t, f.count(t, "t WHERE n > 0"), "nothing of the caller's is committed by the guard")
				exec(t, c, end.text)
				assert.Equal(t, end.left, f.count(t, "t WHERE n > 0"))
				require.NoError(t, c.Close())
				f.assertWorks(t)
			})
		})
	}
}

func TestSavepointByText(t *testing.T) {
	each(t, everywhere, func(t *testing.T, f *fixture) {
		c := f.conn(t)
		exec(t, c, "BEGIN", one, "SAVEPOINT mine", "UPDATE t SET n = 5 WHERE id = 2")
		execOverLimit(t, c)
		exec(t, c, "ROLLBACK TO SAVEPOINT mine", "UPDATE t SET n = 6 WHERE id = 3", "RELEASE SAVEPOINT mine", "COMMIT")
		assert.Equal(t, 1, f.count(t, "t WHERE id = 1 AND n = 1"))
		assert.Equal(t, 1, f.count(t, "t WHERE id = 2 AND n = 0"), "gone with the caller's savepoint")
		assert.Equal(t, 1, f.count(t, "t WHERE id = 3 AND n = 6"))
		require.NoError(t, c.Close())
		f.assertWorks(t)
	})
}

// In MariaDB a savepoint replaces an earlier one of the same name.
func TestSavepointsOfOtherNames(t *testing.T) {
	for _, name := range []string{"dbguard", "sp", "s1", "dbguard_0"} {
		t.Run(name, func(t *testing.T) {
			each(t, everywhere, func(t *testing.T, f *fixture) {
				c := f.conn(t)
				exec(t, c, "BEGIN", one, "SAVEPOINT "+name, "UPDATE t SET n = 5 WHERE id = 2", "UPDATE t SET n = 5 WHERE id = 3")
				execOverLimit(t, c)
				exec(t, c, "UPDATE t SET n = 5 WHERE id = 4", "ROLLBACK TO SAVEPOINT "+name, "UPDATE t SET n = 5 WHERE id = 5")
				exec(t, c, "ROLLBACK TO SAVEPOINT "+name, "RELEASE SAVEPOINT "+name, "COMMIT")
				assert.Equal(t, 1, f.count(t, "t WHERE n > 0"))
				require.NoError(t, c.Close())
				f.assertWorks(t)
			})
		})
	}
}

func TestAutocommitOff(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		c := f.conn(t)
		exec(t, c, "SET autocommit = 0", one)
		execOverLimit(t, c)
		assert.Zero(t, f.count(t, "t WHERE n > 0"), "nothing of the caller's is committed by the guard")
		exec(t, c, "ROLLBACK", "UPDATE t SET n = 3 WHERE id = 3", "COMMIT", "SET autocommit = 1")
		assert.Equal(t, 1, f.count(t, "t WHERE n = 3"))
		assert.Equal(t, 1, f.count(t, "t WHERE n > 0"))
		require.NoError(t, c.Close())
		f.assertWorks(t)
	})
}

// The server refuses writes in a read-only transaction. The guard must neither lift that
// nor hide the server's error.
func TestReadOnly(t *testing.T) {
	each(t, onServers, func(t *testing.T, f *fixture) {
		c := f.conn(t)
		exec(t, c, target.Of(map[target.Engine]string{
			target.Postgres: "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
			target.MariaDB:  "SET SESSION TRANSACTION READ ONLY",
		}, f.Engine))
		_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), one)
		require.Error(t, err)
		assert.NotErrorIs(t, err, dbguard.ErrRefused, "it is the server that refuses")
		assert.Zero(t, f.count(t, "t WHERE n > 0"))
		exec(t, c, target.Of(map[target.Engine]string{
			target.Postgres: "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
			target.MariaDB:  "SET SESSION TRANSACTION READ WRITE",
		}, f.Engine))
		require.NoError(t, c.Close())
		f.assertWorks(t)
	})
}

func TestReadOnlyTransactionByText(t *testing.T) {
	each(t, onServers, func(t *testing.T, f *fixture) {
		c := f.conn(t)
		exec(t, c, "START TRANSACTION READ ONLY")
		_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), one)
		require.Error(t, err)
		exec(t, c, "ROLLBACK")
		assert.Zero(t, f.count(t, "t WHERE n > 0"))
		require.NoError(t, c.Close())
		f.assertWorks(t)
	})
}

// slow takes longer than any timeout here: each row waits.
var slow = map[target.Engine]string{
	target.Postgres: "UPDATE t SET n = n + 1 WHERE id < 5 AND pg_sleep(1) IS NOT NULL",
	target.MariaDB:  "UPDATE t SET n = n + 1 WHERE id < 5 AND SLEEP(1) = 0",
}

func TestStatementTimeout(t *testing.T) { // MySQL has one for SELECT alone
	each(t, []target.Engine{target.Postgres, target.MariaDB}, func(t *testing.T, f *fixture) {
		c := f.conn(t)
		exec(t, c, target.Of(map[target.Engine]string{
			target.Postgres: "SET statement_timeout = '150ms'",
			target.MariaDB:  "SET max_statement_time = 0.15",
		}, f.Engine))
		_, err := c.ExecContext(dbguard.AtMost(t.Context(), 5), target.Of(slow, f.Engine))
		require.Error(t, err)
		assert.NotErrorIs(t, err, dbguard.ErrRefused, "it is the server that gives up")
		assert.Zero(t, f.count(t, "t WHERE n > 0"))
		exec(t, c, one) // the connection is as good as before
		assert.Equal(t, 1, f.count(t, "t WHERE n > 0"))
		exec(t, c, target.Of(map[target.Engine]string{
			target.Postgres: "SET statement_timeout = 0",
			target.MariaDB:  "SET max_statement_time = 0",
		}, f.Engine))
		require.NoError(t, c.Close())
		f.assertWorks(t)
	})
}

func TestLockTimeout(t *testing.T) {
	each(t, everywhere, func(t *testing.T, f *fixture) {
		other, err := f.bare.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = other.ExecContext(t.Context(), "UPDATE t SET n = 7 WHERE id = 1")
		require.NoError(t, err)
		c := f.conn(t)
		exec(t, c, target.Of(map[target.Engine]string{
			target.SQLite:   "PRAGMA busy_timeout = 100",
			target.Postgres: "SET lock_timeout = '100ms'",
			target.MariaDB:  "SET innodb_lock_wait_timeout = 1",
		}, f.Engine))
		_, err = c.ExecContext(dbguard.AtMost(t.Context(), 1), one)
		require.Error(t, err)
		assert.NotErrorIs(t, err, dbguard.ErrRefused, "it is the server that gives up")
		require.NoError(t, other.Commit())
		exec(t, c, one)
		assert.Equal(t, 1, f.count(t, "t WHERE id = 1 AND n = 8"), "once, and on top of the other's")
		require.NoError(t, c.Close())
		f.assertWorks(t)
	})
}

func TestCancelled(t *testing.T) {
	each(t, onServers, func(t *testing.T, f *fixture) {
		ctx, cancel := context.WithTimeout(dbguard.AtMost(t.Context(), 5), 150*time.Millisecond)
		defer cancel()
		_, err := f.db.ExecContext(ctx, target.Of(slow, f.Engine))
		require.Error(t, err)
		var v *dbguard.Violation
		if errors.As(err, &v) {
			require.Equal(t, dbguard.Unconfirmed, v.Rule)
		}
		assert.Zero(t, f.count(t, "t WHERE n > 0"))
		f.assertWorks(t)
		assert.Equal(t, 1, f.count(t, "t WHERE n > 0"), "not run later, either")
	})
}

func TestCancelledBeforeItBegins(t *testing.T) {
	each(t, everywhere, func(t *testing.T, f *fixture) {
		require.NoError(t, f.db.PingContext(t.Context()))
		ctx, cancel := context.WithCancel(dbguard.AtMost(t.Context(), 5))
		cancel()
		_, err := f.db.ExecContext(ctx, one)
		require.ErrorIs(t, err, context.Canceled)
		assert.Zero(t, f.count(t, "t WHERE n > 0"))
		f.assertWorks(t)
	})
}

func TestCancelledTransaction(t *testing.T) {
	each(t, everywhere, func(t *testing.T, f *fixture) {
		ctx, cancel := context.WithCancel(dbguard.AtMost(t.Context(), 5))
		defer cancel()
		tx, err := f.db.BeginTx(ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(ctx, one)
		require.NoError(t, err)
		cancel()
		require.Error(t, tx.Commit())
		require.Eventually(t, func() bool { return f.db.Stats().InUse == 0 }, 5*time.Second, 5*time.Millisecond)
		assert.Zero(t, f.count(t, "t WHERE n > 0"))
		f.assertWorks(t)
	})
}
