package pitfalls

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// returning deletes rows and returns them.
const returning = "DELETE FROM item WHERE id > 10 AND id <= 20 RETURNING id"

// Drivers finish a statement whose rows are not read to the end: the verdict must come all
// the same.
func TestRowsClosedEarly(t *testing.T) {
	early := func(t *testing.T, db *sql.DB, bound int64) error {
		rows, err := db.QueryContext(dbguard.AtMost(t.Context(), bound), returning)
		if err != nil {
			return err
		}
		rows.Next()
		return errors.Join(rows.Close(), rows.Err())
	}
	stage.Each(t, func(t *testing.T, s *stage.Stage) { // MySQL has no RETURNING
		for _, bound := range []int64{1, 9} {
			assert.ErrorIs(t, early(t, s.DB, bound), dbguard.OverLimit)
			assert.Equal(t, stage.Untouched, s.Item(t))
		}
		require.NoError(t, early(t, s.Bare, 0))
		want := s.Item(t)
		s.Exec(t, "DELETE FROM item")
		s.Exec(t, "DROP TABLE item")
		s.Fill(t, "item", "")
		require.NoError(t, early(t, s.DB, 10))
		assert.Equal(t, want, s.Item(t), "within the bound it does what the driver does")
		s.AssertWorks(t)
	}, target.SQLite, target.Postgres, target.MariaDB)
}

// slow adds a condition that takes a minute to a statement.
var slow = map[target.Engine]string{
	target.SQLite:   " AND (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000000000) SELECT count(*) FROM c) > 0",
	target.Postgres: " AND (SELECT pg_sleep(60)) IS NOT NULL",
	target.MariaDB:  " AND SLEEP(60) = 0",
}

// A cancelled statement is rolled back, and nobody inherits its transaction.
func TestATimeout(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		ctx, cancel := context.WithTimeout(dbguard.AtMost(t.Context(), 1), 200*time.Millisecond)
		defer cancel()
		_, err := s.DB.ExecContext(ctx, oneRow+target.Of(slow, s.Engine))
		require.Error(t, err)
		assert.NotErrorIs(t, err, dbguard.ErrRefused, "it was not a verdict")
		awaitUntouched(t, s)
		s.AssertWorks(t)
	})
}

func TestATimeoutInsideATransaction(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		tx := beginWithUpdate(t.Context(), t, s)
		ctx, cancel := context.WithTimeout(dbguard.AtMost(t.Context(), 1), 200*time.Millisecond)
		defer cancel()
		_, err := tx.ExecContext(ctx, oneRow+target.Of(slow, s.Engine))
		require.Error(t, err)
		// The drivers lose the transaction with it. What matters is that nothing of what
		// follows is committed unnoticed.
		_, overErr := tx.ExecContext(dbguard.AtMost(t.Context(), 1), tenRows)
		assert.Error(t, overErr)
		_ = tx.Rollback()
		awaitUntouched(t, s)
		s.AssertWorks(t)
	})
}

// A transaction ends when its context does.
func TestATransactionsContextEnds(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		ctx, cancel := context.WithCancel(t.Context())
		tx := beginWithUpdate(ctx, t, s)
		cancel()
		// Until database/sql has noticed, statements may still be sent.
		_, _ = tx.ExecContext(dbguard.AtMost(t.Context(), 1), oneRow)
		assert.Error(t, tx.Commit())
		awaitUntouched(t, s)
		s.AssertWorks(t)
	})
}

// awaitUntouched gives a server the time to end an abandoned transaction.
func awaitUntouched(t *testing.T, s *stage.Stage) {
	t.Helper()
	assert.Eventually(t, func() bool { return s.DB.Stats().InUse == 0 }, 10*time.Second, time.Millisecond)
	assert.Equal(t, stage.Untouched, s.Item(t))
}

// Some drivers answer Exec with driver.ErrSkip and are then asked to prepare:
// one statement, which must be counted and charged once.
func TestArgumentsAreChargedOnce(t *testing.T) {
	text := map[target.Engine]string{
		target.SQLite: "DELETE FROM item WHERE id = ?", target.MariaDB: "DELETE FROM item WHERE id = ?",
		target.Postgres: "DELETE FROM item WHERE id = $1",
	}
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		ctx := dbguard.Budget(dbguard.AtMost(t.Context(), 1), 2)
		for id := 1; id <= 2; id++ {
			_, err := s.DB.ExecContext(ctx, target.Of(text, s.Engine), id)
			require.NoError(t, err)
		}
		assert.Len(t, s.Rec.Events(), 2)
		_, err := s.DB.ExecContext(ctx, target.Of(text, s.Engine), 3)
		assert.ErrorIs(t, err, dbguard.OverBudget)
		assert.Equal(t, "48 rows, sum 0", s.Item(t))
	})
}

// pgx counts the rows of a SELECT as affected.
func TestReadsAreNotCounted(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, ctx := range []context.Context{t.Context(), dbguard.AtMost(t.Context(), 0), dbguard.Exactly(t.Context(), 0)} {
			_, err := s.DB.ExecContext(ctx, "SELECT * FROM item")
			assert.NoError(t, err)
			rows, err := s.DB.QueryContext(ctx, "SELECT * FROM item")
			require.NoError(t, err)
			n := 0
			for rows.Next() {
				n++
			}
			assert.NoError(t, rows.Err())
			assert.NoError(t, rows.Close())
			assert.Equal(t, stage.Rows, n)
		}
		assert.Empty(t, s.Rec.Events())
	})
}

// PostgreSQL's counters can be turned off.
func TestCountersTurnedOff(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		s.Exec(t, "CREATE TABLE part (id INT PRIMARY KEY, item_id INT REFERENCES item ON DELETE CASCADE)")
		s.Exec(t, "INSERT INTO part SELECT i, 1 FROM generate_series(1, 20) i")
		for _, off := range []string{"SET track_counts = off", "SELECT set_config('track_counts', 'off', false)"} {
			conn := s.Conn(t)
			_, _ = conn.ExecContext(t.Context(), off) // refused is as good
			refused(t, conn, "DELETE FROM item WHERE id = 1")
			require.NoError(t, conn.Close())
			assert.Equal(t, 20, s.Int(t, "SELECT count(*) FROM part"), off)
			assert.Equal(t, stage.Untouched, s.Item(t), off)
		}
		s.Exec(t, "DROP TABLE part")
	}, target.Postgres)
}
