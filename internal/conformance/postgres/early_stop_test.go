package postgres

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// assertRefusedWithoutWAL wants a refusal that writes next to nothing to the WAL. Other suites
// write to the same server: the lowest of several runs counts.
func (f *fixture) assertRefusedWithoutWAL(text string, run func() error) {
	f.t.Helper()
	least := int64(math.MaxInt64)
	for try := 0; try < 30 && least >= 100_000; try++ {
		before := f.wal()
		require.ErrorIs(f.t, run(), dbguard.OverLimit, text)
		least = min(least, f.wal()-before)
	}
	assert.Less(f.t, least, int64(100_000), text)
}

// A runaway statement is stopped early, not run and rolled back.
func TestEarlyStop(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare("CREATE TABLE big AS SELECT i AS id, i AS v FROM generate_series(1, 200000) i")
		f.execBare("CREATE TABLE tail (id INT)")
		f.execBare("CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO tail VALUES (OLD.id); RETURN NULL; END'")
		for _, setup := range []string{"", "CREATE TRIGGER late AFTER DELETE OR UPDATE ON big FOR EACH ROW EXECUTE FUNCTION audit()"} {
			if setup != "" {
				f.execBare(setup)
			}
			for _, text := range []string{"DELETE FROM big WHERE id > 0", "UPDATE big SET v = v + 1 WHERE id > 0", "DELETE FROM big"} {
				ctx := dbguard.Allow(atMost(t, 100), "all are meant", dbguard.AllRows("big"))
				for range 2 {
					f.assertRefusedWithoutWAL(text, func() error {
						_, err := f.db.ExecContext(ctx, text)
						return err
					})
				}
				tx, err := f.db.BeginTx(t.Context(), nil)
				require.NoError(t, err)
				f.assertRefusedWithoutWAL(text, func() error {
					_, err := tx.ExecContext(ctx, text)
					return err
				})
				_, err = tx.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = 1")
				require.NoError(t, err, "the transaction goes on")
				require.NoError(t, tx.Rollback())
			}
		}
		assert.Equal(t, 200000, f.count("big"))
		assert.Equal(t, 20, f.count("t"))
	})
}

// A legitimate change of many rows, and one that is more than was meant.
func TestBulk(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare("CREATE TABLE big AS SELECT i AS id, i AS v FROM generate_series(1, 60000) i")
		stmt, err := f.db.PrepareContext(t.Context(), "UPDATE big b SET v = -1 WHERE b.id <= $1 -- these")
		require.NoError(t, err)
		defer stmt.Close()
		for _, n := range []int64{10_000, 20_000} {
			res, err := stmt.ExecContext(atMost(t, n), n)
			require.NoError(t, err)
			affected, err := res.RowsAffected()
			require.NoError(t, err)
			assert.Equal(t, n, affected)
		}
		f.assertRefusedWithoutWAL("bulk", func() error {
			_, err := stmt.ExecContext(atMost(t, 20_000), 20_001)
			return err
		})
		assert.Equal(t, 20_000, f.count("big WHERE v = -1"))
		every := dbguard.Allow(atMost(t, 59_999), "all are meant", dbguard.AllRows("big"))
		_, err = f.db.ExecContext(every, "DELETE FROM big;")
		require.ErrorIs(t, err, dbguard.OverLimit)
		tx, err := f.db.Begin()
		require.NoError(t, err)
		_, err = tx.ExecContext(every, "DELETE FROM big")
		require.ErrorIs(t, err, dbguard.OverLimit)
		_, err = tx.ExecContext(atMost(t, 40_000), "DELETE FROM big WHERE v > 0")
		require.NoError(t, err)
		require.NoError(t, tx.Commit())
		assert.Equal(t, 20_000, f.count("big"))
		_, err = f.db.ExecContext(dbguard.AtMost(every, 20_000), "DELETE FROM big")
		require.NoError(t, err)
		assert.Zero(t, f.count("big"))
	})
}

// wal is how much has been written to the WAL so far.
func (f *fixture) wal() (n int64) {
	f.t.Helper()
	require.NoError(f.t, f.bare.QueryRow("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&n))
	return n
}
