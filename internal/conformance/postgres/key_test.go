package postgres

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// What a transaction has looked up once for a table is not looked up again for a row that is
// named by a key, as the count of round trips shows.
func TestKeysInATransaction(t *testing.T) {
	texts := []string{
		"DELETE FROM t WHERE id = $1", "UPDATE t SET v = v + 1 WHERE id = $1", "UPDATE t SET v = 0 WHERE id = $1 RETURNING v",
	}
	onEachDriver(t, func(t *testing.T, f *fixture) {
		run := func(db *sql.DB, text string, seen bool) (trips int64) {
			tx, err := db.Begin()
			require.NoError(t, err)
			defer tx.Rollback()
			stmt, err := tx.PrepareContext(atMost(t, 1), text)
			require.NoError(t, err)
			if seen {
				for id := range 2 { // the second is prepared
					_, err = stmt.ExecContext(atMost(t, 1), 1+id)
					require.NoError(t, err)
				}
			}
			return f.trips(func() {
				for i := range 5 {
					res, err := stmt.ExecContext(atMost(t, 1), 10+i)
					require.NoError(t, err)
					n, err := res.RowsAffected()
					require.NoError(t, err)
					require.EqualValues(t, 1, n)
				}
			})
		}
		for _, text := range texts {
			assert.Equal(t, run(f.direct, text, true), run(f.db, text, true), text)
		}
	})
}

// notByKey are statements that stay bounded, whatever their transaction has seen: each
// changes more than one row of t, whose ids are 1 to 20.
var notByKey = []string{
	"DELETE FROM t WHERE id = 1 OR id = 2", "DELETE FROM t WHERE id >= 18", "DELETE FROM t WHERE v = 7",
	"UPDATE t SET v = 0 WHERE v = 7 AND w = 7", "UPDATE t SET v = 0 WHERE NOT id = 1", "DELETE FROM t WHERE u = 1",
	"UPDATE t SET v = 1 WHERE f = 1", "DELETE FROM t WHERE p = 3 AND v = 7", "DELETE FROM t WHERE name = 'a'",
	"DELETE FROM t WHERE id = id", "DELETE FROM t WHERE u = 1 RETURNING id",
}

// Whether a condition names a single row is not guessed.
func TestConditionsThatAreNoKey(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare(`ALTER TABLE t ADD w INT DEFAULT 7, ADD u INT DEFAULT 1, ADD f FLOAT DEFAULT 1, ADD p INT DEFAULT 3, ADD name TEXT DEFAULT 'a';
			UPDATE t SET v = 7;
			CREATE UNIQUE INDEX ON t (w, id); CREATE UNIQUE INDEX ON t (u) WHERE id < 2; CREATE UNIQUE INDEX ON t ((f + id)); CREATE UNIQUE INDEX ON t (p, name, id)`)
		tx, err := f.db.Begin()
		require.NoError(t, err)
		defer tx.Rollback()
		for _, text := range []string{"DELETE FROM t WHERE id = 20", "UPDATE t SET v = 7 WHERE id = 18"} {
			_, err = tx.ExecContext(atMost(t, 1), text)
			require.NoError(t, err)
		}
		for _, text := range notByKey {
			_, err = tx.ExecContext(atMost(t, 1), text)
			require.ErrorIs(t, err, dbguard.OverLimit, text)
		}
		_, err = tx.ExecContext(atMost(t, 0), "DELETE FROM t WHERE id = 1")
		require.ErrorIs(t, err, dbguard.OverLimit)
		_, err = tx.ExecContext(dbguard.Exactly(t.Context(), 1), "DELETE FROM t WHERE id = 99")
		require.ErrorIs(t, err, dbguard.UnderLimit)
		_, err = tx.ExecContext(dbguard.Exactly(t.Context(), 1), "DELETE FROM t WHERE id = 1")
		require.NoError(t, err)
		require.NoError(t, tx.Commit())
		assert.Equal(t, 18, f.count("t"))
	})
}

// A key that was dropped, or belongs to another column now, is noticed before anything
// relies on it.
func TestKeysThatChange(t *testing.T) {
	for name, change := range map[string]string{
		"dropped":    "ALTER TABLE t DROP CONSTRAINT t_pkey; UPDATE t SET id = 1",
		"renamed":    "ALTER TABLE t RENAME id TO was; ALTER TABLE t RENAME v TO id; UPDATE t SET id = 1",
		"deferrable": "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD UNIQUE (id, v) DEFERRABLE; UPDATE t SET id = 1",
	} {
		t.Run(name, func(t *testing.T) {
			onEachDriver(t, func(t *testing.T, f *fixture) {
				twice := func() error {
					tx, err := f.db.Begin()
					require.NoError(t, err)
					defer tx.Rollback()
					if _, err = tx.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = 50"); err == nil {
						_, err = tx.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = 1")
					}
					return err
				}
				require.NoError(t, twice())
				f.execBare(change)
				require.ErrorIs(t, twice(), dbguard.OverLimit)
				require.Equal(t, 20, f.count("t"))
			})
		})
	}
}

// A name may come to mean another table within the transaction.
func TestKeysOfAnotherTable(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare("CREATE SCHEMA other; CREATE TABLE other.t AS SELECT 1 AS id, i AS v FROM generate_series(1, 5) i")
		for _, turn := range []string{
			"SET LOCAL search_path TO other", "SELECT set_config('search_path', 'other', true)", "ALTER TABLE t RENAME TO was; ALTER TABLE other.t SET SCHEMA public",
		} {
			tx, err := f.db.Begin()
			require.NoError(t, err)
			for _, text := range []string{"DELETE FROM t WHERE id = 1", "DELETE FROM t WHERE id = 2"} {
				_, err = tx.ExecContext(atMost(t, 1), text)
				require.NoError(t, err)
			}
			_, err = tx.ExecContext(dbguard.Allow(t.Context(), "a test", dbguard.AlterTable("t"), dbguard.AlterTable("other.t"), dbguard.Opaque()), turn)
			require.NoError(t, err)
			_, err = tx.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = 1")
			require.ErrorIs(t, err, dbguard.OverLimit, turn)
			require.NoError(t, tx.Rollback())
		}
	})
}

// So it may where the account becomes another one, whose name is in the search_path.
func TestKeysOfAnotherAccount(t *testing.T) {
	const role = "dbguard_test_account"
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare("DROP ROLE IF EXISTS " + role + "; CREATE ROLE " + role + "; CREATE SCHEMA AUTHORIZATION " + role)
		defer f.execBare("DROP OWNED BY " + role + "; DROP ROLE " + role)
		f.execBare("CREATE TABLE " + role + ".t AS SELECT i AS id, i AS v FROM generate_series(1, 5) i; ALTER TABLE " + role + ".t OWNER TO " + role + `;
			CREATE FUNCTION empties() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM t WHERE id > 3; RETURN NULL; END';
			CREATE TRIGGER empties AFTER INSERT OR DELETE ON ` + role + ".t FOR EACH ROW WHEN (pg_trigger_depth() < 1) EXECUTE FUNCTION empties()")
		for _, turn := range []string{"SET LOCAL ROLE " + role, "SELECT set_config('role', '" + role + "', true)", "SET LOCAL SESSION AUTHORIZATION " + role} {
			for _, last := range []string{"DELETE FROM t WHERE id = 3", "INSERT INTO t VALUES (102, 1)"} {
				tx, err := f.db.Begin()
				require.NoError(t, err)
				for _, text := range []string{"DELETE FROM t WHERE id = 1", "DELETE FROM t WHERE id = 2", "INSERT INTO t VALUES (101, 1)", turn} {
					_, err = tx.ExecContext(atMost(t, 1), text)
					require.NoError(t, err, text)
				}
				_, err = tx.ExecContext(atMost(t, 1), last)
				require.ErrorIs(t, err, dbguard.OverLimit, "%s; %s", turn, last)
				require.NoError(t, tx.Rollback())
			}
			_, err := f.db.ExecContext(atMost(t, 1), "BEGIN; "+turn+"; INSERT INTO t VALUES (102, 1); COMMIT")
			require.ErrorIs(t, err, dbguard.Uncountable, turn)
		}
		_, err := f.db.Exec("BEGIN; CREATE TABLE member (id INT, role TEXT); INSERT INTO member (id, role) VALUES (1, 'role'); INSERT INTO t VALUES (102, 1); COMMIT")
		require.NoError(t, err)
		assert.Equal(t, 5, f.count(role+".t"))
	})
}

// A table may be given children while the transaction holds its lock. They have keys and
// triggers of their own.
func TestChildrenOfSeenTable(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare("CREATE TABLE heir (LIKE t); INSERT INTO heir SELECT 2, i FROM generate_series(1, 5) i")
		tx, err := f.db.Begin()
		require.NoError(t, err)
		defer tx.Rollback()
		_, err = tx.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = 1")
		require.NoError(t, err)
		f.execBare("ALTER TABLE heir INHERIT t")
		for _, text := range []string{"DELETE FROM t WHERE id = 2", "DELETE FROM t WHERE v = 3"} {
			_, err = tx.ExecContext(atMost(t, 1), text)
			require.NoError(t, err)
		}
		_, err = tx.ExecContext(atMost(t, 1), "UPDATE t SET v = 0 WHERE v = 4")
		require.ErrorIs(t, err, dbguard.OverLimit, "an UPDATE has not seen it before")
		require.NoError(t, tx.Commit())
		assert.Equal(t, 17, f.count("ONLY t"))
		assert.Equal(t, 5, f.count("heir"))
	})
}

// Locks that were taken since a savepoint are released with it, and what was seen is
// forgotten.
func TestKeysAndSavepoints(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		tx, err := f.db.Begin()
		require.NoError(t, err)
		defer tx.Rollback()
		for _, text := range []string{"SAVEPOINT a", "DELETE FROM t WHERE id = 1", "ROLLBACK TO a"} {
			_, err = tx.ExecContext(atMost(t, 1), text)
			require.NoError(t, err)
		}
		f.execBare("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM kept WHERE id > 1; RETURN OLD; END'; CREATE TRIGGER g AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()")
		_, err = tx.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = 1")
		require.Error(t, err)
		_ = tx.Rollback()
		assert.Equal(t, 20, f.count("t"))
		assert.Equal(t, 20, f.count("kept"))
	})
}

// A float equals several large integers: a condition with a float is counted.
func TestFloatsAreNoKeys(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare("CREATE TABLE big (id BIGINT PRIMARY KEY); INSERT INTO big SELECT 9007199254740992 + i FROM generate_series(0, 3) i")
		tx, err := f.db.Begin()
		require.NoError(t, err)
		defer tx.Rollback()
		_, err = tx.ExecContext(atMost(t, 1), "DELETE FROM big WHERE id = $1", 1)
		require.NoError(t, err)
		_, err = tx.ExecContext(atMost(t, 1), "DELETE FROM big WHERE id = $1::float8", float64(9007199254740992))
		require.ErrorIs(t, err, dbguard.OverLimit)
		_, err = tx.ExecContext(context.WithoutCancel(atMost(t, 1)), "DELETE FROM big WHERE id = 9007199254740992")
		require.NoError(t, err)
	})
}
