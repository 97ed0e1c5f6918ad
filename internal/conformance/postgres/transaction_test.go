package postgres

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

func TestRoundTrips(t *testing.T) {
	target.Postgres.Since(t, 15, flushes)
	tests := []struct {
		name, text string
		limit      int64
		want       int64 // once the connection is warm and the counters are flushed
		rows       int64
	}{
		{"a change", "UPDATE t SET v = v + 1 WHERE id = $1", 1, 1, 1},
		{"a plain table", "DELETE FROM t WHERE id = $1", 1, 1, 1},
		{"a cascade", "DELETE FROM parent WHERE id = $1", 9, 3, 1},
	}
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for _, tc := range tests {
			stmt, err := f.db.PrepareContext(t.Context(), tc.text)
			require.NoError(t, err)
			for i := 1; i <= 6; i++ {
				n := f.trips(func() {
					res, err := stmt.ExecContext(atMost(t, tc.limit), i)
					require.NoError(t, err)
					affected, err := res.RowsAffected()
					require.NoError(t, err)
					assert.Equal(t, tc.rows, affected)
				})
				if i > 3 {
					assert.Equal(t, tc.want, n, "%s, number %d", tc.name, i)
				}
			}
			require.NoError(t, stmt.Close())
		}
		assert.Equal(t, 14, f.count("t"))
		assert.Equal(t, 14, f.count("parent"))
		assert.Equal(t, 42, f.count("child"))
	})
}

func TestRoundTripsInTransaction(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for _, text := range []string{"UPDATE t SET v = v + 1 WHERE id = $1", "DELETE FROM public.t AS x WHERE x.id = $1 -- one"} {
			tx, err := f.db.Begin()
			require.NoError(t, err)
			stmt, err := tx.PrepareContext(t.Context(), text)
			require.NoError(t, err)
			for i := 1; i <= 5; i++ {
				n := f.trips(func() {
					res, err := stmt.ExecContext(atMost(t, 1), i)
					require.NoError(t, err)
					affected, err := res.RowsAffected()
					require.NoError(t, err)
					assert.EqualValues(t, 1, affected)
				})
				if i > 2 {
					assert.EqualValues(t, 1, n, "%s, number %d", text, i)
				}
			}
			_, err = tx.ExecContext(atMost(t, 2), "UPDATE t SET v = 0 WHERE id > 10")
			require.ErrorIs(t, err, dbguard.OverLimit)
			res, err := tx.ExecContext(atMost(t, 10), "UPDATE t SET v = 0 WHERE id > 10")
			require.NoError(t, err, "the transaction goes on")
			affected, err := res.RowsAffected()
			require.NoError(t, err)
			assert.EqualValues(t, 10, affected)
			require.NoError(t, tx.Commit())
		}
		assert.Equal(t, 15, f.count("t"))
		assert.Equal(t, 10, f.count("t WHERE v = 0"))
	})
}

// Two transactions want the same row: the second looks at it again.
func TestConcurrentChanges(t *testing.T) {
	for _, level := range []sql.IsolationLevel{sql.LevelReadCommitted, sql.LevelRepeatableRead} {
		t.Run(level.String(), func(t *testing.T) {
			onEachDriver(t, func(t *testing.T, f *fixture) {
				tx, err := f.db.BeginTx(t.Context(), &sql.TxOptions{Isolation: level})
				require.NoError(t, err)
				_, err = tx.ExecContext(atMost(t, 1), "UPDATE t SET v = v + 1 WHERE id = 2")
				require.NoError(t, err)
				other, err := f.bare.Begin()
				require.NoError(t, err)
				_, err = other.Exec("UPDATE t SET v = 100 WHERE id = 1")
				require.NoError(t, err)
				done := make(chan error)
				go func() {
					_, err := tx.ExecContext(atMost(t, 1), "UPDATE t SET v = v + 1 WHERE id = 1")
					done <- err
				}()
				time.Sleep(100 * time.Millisecond)
				require.NoError(t, other.Commit())
				if err = <-done; level == sql.LevelRepeatableRead {
					var coded interface{ SQLState() string }
					require.ErrorAs(t, err, &coded)
					assert.Equal(t, "40001", coded.SQLState())
					require.NoError(t, tx.Rollback())
					return
				}
				require.NoError(t, err)
				require.NoError(t, tx.Commit())
				assert.Equal(t, 1, f.count("t WHERE v = 101"), "on top of the other's change")
			})
		})
	}
}

func TestTransactions(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		tx, err := f.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		del := func(text string, n int64, args ...any) error {
			_, err := tx.ExecContext(atMost(t, n), text, args...)
			return err
		}
		require.NoError(t, del("DELETE FROM t WHERE id = $1", 1, 1))
		require.ErrorIs(t, del("DELETE FROM t WHERE id > $1", 1, 1), dbguard.OverLimit)
		require.NoError(t, del("DELETE FROM t WHERE id = $1", 1, 2), "the transaction goes on")
		require.ErrorIs(t, del("DELETE FROM parent WHERE id = $1", 3, 1), dbguard.OverLimit)
		require.NoError(t, del("DELETE FROM parent WHERE id = $1", 4, 1))
		require.ErrorIs(t, del("DELETE FROM parent WHERE id = $1", 3, 2), dbguard.OverLimit)
		_, err = tx.Exec("INSERT INTO t VALUES (100, 100)")
		require.NoError(t, err, "and writes")
		_, err = tx.Exec("SAVEPOINT mine")
		require.NoError(t, err)
		require.NoError(t, del("DELETE FROM t WHERE id IN (3, 4, 5)", 3))
		_, err = tx.Exec("ROLLBACK TO SAVEPOINT mine")
		require.NoError(t, err)
		require.NoError(t, del("DELETE FROM parent WHERE id = $1", 4, 2))
		require.NoError(t, del("DELETE FROM t WHERE id = $1", 1, 3))
		require.NoError(t, tx.Commit())
		assert.Equal(t, 18, f.count("t"))
		assert.Equal(t, 18, f.count("parent"))
		assert.Equal(t, 54, f.count("child"))
	})
}

// A budget is charged before the COMMIT, for what that would do, too.
func TestBudgetsAndDeferredTriggers(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare(`CREATE TABLE log (n INT); INSERT INTO log VALUES (1), (2);
			CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM log; RETURN NULL; END';
			CREATE CONSTRAINT TRIGGER late AFTER DELETE OR INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()`)
		for _, text := range []string{"DELETE FROM t WHERE id = 1", "DELETE FROM t WHERE id = (SELECT 1)"} {
			_, err := f.db.ExecContext(dbguard.Budget(t.Context(), 2), text)
			require.ErrorIs(t, err, dbguard.OverBudget)
			require.Equal(t, 20, f.count("t"))
		}
		_, err := f.db.ExecContext(dbguard.Budget(t.Context(), 1), "INSERT INTO t VALUES (100, 1)")
		require.ErrorIs(t, err, dbguard.OverBudget)
		_, err = f.db.ExecContext(dbguard.Budget(t.Context(), 3), "DELETE FROM t WHERE id = 1")
		require.NoError(t, err)
		require.Zero(t, f.count("log"))
		_, err = f.db.ExecContext(dbguard.Budget(t.Context(), 0), "INSERT INTO t VALUES (100, 1)")
		require.NoError(t, err, "there is nothing left to delete")
	})
}

// The check of a deferred foreign key runs at the COMMIT. It must not get in the way of a
// statement under a budget, which commits after it is charged.
func TestBudgetsAndDeferredKeys(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare(`CREATE TABLE kid (r INT REFERENCES t DEFERRABLE INITIALLY DEFERRED); INSERT INTO kid VALUES (1)`)
		ctx := dbguard.Budget(t.Context(), 4)
		for _, text := range []string{"DELETE FROM t WHERE id = 20", "DELETE FROM t WHERE id > 18", "UPDATE kid SET r = 2 WHERE r = 1"} {
			_, err := f.db.ExecContext(ctx, text)
			require.NoError(t, err, text)
		}
		require.Equal(t, 18, f.count("t"))
		_, err := f.db.ExecContext(ctx, "DELETE FROM t WHERE id = 2")
		require.ErrorContains(t, err, "23503")
		_, err = f.db.ExecContext(ctx, "DELETE FROM t WHERE id = 3")
		require.NoError(t, err, "what failed is given back")
	})
}

// What was deferred to the COMMIT is counted before it, against what is left of the bounds of
// the transaction's statements.
func TestDeferredTriggers(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare(`CREATE TABLE log (n INT); INSERT INTO log VALUES (1), (2);
			CREATE TABLE counter (n INT); INSERT INTO counter VALUES (0);
			CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM log; UPDATE counter SET n = n + 1; RETURN OLD; END';
			CREATE CONSTRAINT TRIGGER late AFTER DELETE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f();
			CREATE TABLE loop (id INT PRIMARY KEY, next INT REFERENCES loop DEFERRABLE INITIALLY DEFERRED)`)
		begin := func() *sql.Tx {
			tx, err := f.db.Begin()
			require.NoError(t, err)
			return tx
		}
		tx := begin()
		_, err := tx.ExecContext(atMost(t, 3), "DELETE FROM t WHERE id = 1")
		require.NoError(t, err)
		err = tx.Commit()
		require.ErrorIs(t, err, dbguard.OverLimit)
		assert.ErrorContains(t, err, "2 rows of log")
		assert.Equal(t, 20, f.count("t"), "rolled back")
		assert.Equal(t, 2, f.count("log"))

		tx = begin()
		_, err = tx.ExecContext(atMost(t, 3), "DELETE FROM t WHERE id = 1")
		require.NoError(t, err)
		_, err = tx.ExecContext(atMost(t, 3), "DELETE FROM t WHERE id = 2")
		require.NoError(t, err)
		require.NoError(t, tx.Commit(), "two rows of log, two changes of counter, four more than the statements'")
		assert.Equal(t, 18, f.count("t"))

		conn, err := f.db.Conn(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		f.execBare("INSERT INTO log VALUES (1)")
		for _, text := range []string{"BEGIN", "DELETE FROM t WHERE id = 3"} {
			_, err = conn.ExecContext(atMost(t, 1), text)
			require.NoError(t, err)
		}
		_, err = conn.ExecContext(t.Context(), "COMMIT")
		require.ErrorIs(t, err, dbguard.OverLimit)
		_, err = conn.ExecContext(atMost(t, 3), "DELETE FROM t WHERE id = 3")
		require.NoError(t, err, "no transaction is open any more")
		assert.Equal(t, 17, f.count("t"))
		require.NoError(t, conn.Close())

		tx = begin()
		_, err = tx.Exec("INSERT INTO loop VALUES (1, 2)")
		require.NoError(t, err)
		_, err = tx.Exec("INSERT INTO loop VALUES (2, 1)")
		require.NoError(t, err)
		require.NoError(t, tx.Commit(), "a deferred constraint holds at the end alone")
		tx = begin()
		_, err = tx.Exec("INSERT INTO loop VALUES (3, 4)")
		require.NoError(t, err)
		assert.ErrorContains(t, tx.Commit(), "23503")
	})
}
