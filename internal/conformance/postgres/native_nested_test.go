package postgres

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

// interveningWork is what happens in a transaction between two statements with a cascade, of
// which the second starts from the counts of the first, if it may.
var interveningWork = map[string]func(ctx context.Context, tx pgx.Tx) error{
	"nothing": func(context.Context, pgx.Tx) error { return nil },
	"a read":  execTexts("SELECT count(*) FROM child"),
	"a change of the same rows": func(ctx context.Context, tx pgx.Tx) error {
		return execTexts("UPDATE child SET id = id + 1000 WHERE parent > 10")(dbguard.AtMost(ctx, 100), tx)
	},
	"a change of others": execTexts("UPDATE t SET v = 0 WHERE id = 1"),
	"a change of all": func(ctx context.Context, tx pgx.Tx) error {
		return execTexts("UPDATE kept SET id = id + 100")(everyRow(ctx), tx)
	},
	"rows that are added":  execTexts("INSERT INTO child VALUES (1000, 19), (1001, 19)"),
	"rows that are copied": copyRows,
	"a batch": func(ctx context.Context, tx pgx.Tx) error {
		return sendBatch("UPDATE t SET v = 0 WHERE id = $1", "SELECT $1::int")(ctx, tx, 1)
	},
	"a savepoint":           execTexts("SAVEPOINT mine", "RELEASE SAVEPOINT mine"),
	"back to a savepoint":   execTexts("SAVEPOINT mine", "UPDATE child SET id = 0 WHERE id = 58", "ROLLBACK TO SAVEPOINT mine"),
	"a cascade, undone":     execAndRollBack("DELETE FROM parent WHERE id = 20"),
	"a table that is made":  execTexts("CREATE TABLE IF NOT EXISTS more (parent INT REFERENCES parent ON DELETE CASCADE)"),
	"a table that is taken": execTexts("LOCK TABLE parent, child IN ACCESS EXCLUSIVE MODE"),
	"constraints at once":   execTexts("SET CONSTRAINTS ALL IMMEDIATE"),
	"the settings anew":     execTexts("SET LOCAL application_name = 'x'", "RESET application_name"),
	"a function that writes": func(ctx context.Context, tx pgx.Tx) error {
		return execTexts("SELECT writes()")(dbguard.AtMost(ctx, 100), tx)
	},
	"one that is refused": func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(dbguard.AtMost(ctx, 0), "DELETE FROM parent WHERE id = 20")
		if !errors.Is(err, dbguard.OverLimit) {
			return fmt.Errorf("not refused: %w", err)
		}
		return nil
	},
}

func execTexts(texts ...string) func(context.Context, pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error {
		for _, text := range texts {
			if _, err := tx.Exec(ctx, text); err != nil {
				return err
			}
		}
		return nil
	}
}

func execAndRollBack(text string) func(context.Context, pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error {
		inner, err := tx.Begin(ctx)
		if err != nil {
			return err
		}
		if _, err := inner.Exec(dbguard.AtMost(ctx, 4), text); err != nil {
			return err
		}
		return inner.Rollback(ctx)
	}
}

func copyRows(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"child"}, []string{"id", "parent"}, pgx.CopyFromRows([][]any{{1000, 19}, {1001, 19}}))
	return err
}

func everyRow(ctx context.Context) context.Context {
	return dbguard.Allow(dbguard.AtMost(ctx, 100), "a test", dbguard.AllRows("kept"))
}

// Whatever comes between them, each statement is counted by itself: four rows, of a parent
// and its three children.
func TestNestedCountsEachStatement(t *testing.T) {
	for name, work := range interveningWork {
		t.Run(name, func(t *testing.T) {
			onNative(t, dbguard.Policy{}, func(t *testing.T, f *fixture, pool *pgxguard.Pool) {
				f.execBare("ALTER TABLE keeper DROP CONSTRAINT keeper_kept_fkey; CREATE FUNCTION writes() RETURNS int LANGUAGE sql AS 'UPDATE child SET id = id + 1000 WHERE parent > 10; SELECT 1'")
				for range 2 { // in a transaction that meets the tables, and one that has met them
					tx, err := pool.Begin(t.Context())
					require.NoError(t, err)
					t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
					one := atMost(t, 1)
					deleteOneByOne(t, tx, 1, 2)
					require.NoError(t, work(one, tx))
					deleteOneByOne(t, tx, 3, 4)
					require.NoError(t, work(one, tx))
					deleteOneByOne(t, tx, 5)
					require.NoError(t, tx.Rollback(t.Context()))
				}
				assert.Equal(t, 20, f.count("parent"))
			})
		})
	}
}

func deleteOneByOne(t *testing.T, tx pgx.Tx, ids ...int) {
	t.Helper()
	const drop = "DELETE FROM parent WHERE id = $1"
	for _, id := range ids {
		_, err := tx.Exec(atMost(t, 4), drop, id)
		require.NoError(t, err)
		_, err = tx.Exec(atMost(t, 3), drop, id+5)
		require.ErrorIs(t, err, dbguard.OverLimit)
		require.ErrorContains(t, err, "1 row of parent and 3 rows of child (ON DELETE CASCADE)")
		_, err = tx.Exec(atMost(t, 4), drop, id+5)
		require.NoError(t, err)
	}
}

// A TRUNCATE of a table that the transaction has locked before is noticed, too.
func TestNestedTruncateOfLockedTable(t *testing.T) {
	onNative(t, dbguard.Policy{}, func(t *testing.T, f *fixture, pool *pgxguard.Pool) {
		f.execBare(`CREATE TABLE w AS SELECT n FROM generate_series(1, 5) n; CREATE TABLE v AS SELECT n FROM generate_series(1, 5) n;
CREATE FUNCTION empties() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF OLD.n > 3 THEN TRUNCATE w; END IF; RETURN OLD; END';
CREATE TRIGGER empties AFTER DELETE ON v FOR EACH ROW EXECUTE FUNCTION empties()`)
		tx, err := pool.Begin(t.Context())
		require.NoError(t, err)
		t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
		_, err = tx.Exec(t.Context(), "LOCK TABLE w")
		require.NoError(t, err)
		for i := 1; i <= 3; i++ {
			_, err = tx.Exec(atMost(t, 1), "DELETE FROM v WHERE n = $1", i)
			require.NoError(t, err)
		}
		_, err = tx.Exec(atMost(t, 1), "DELETE FROM v WHERE n = 4")
		require.ErrorIs(t, err, dbguard.RuleOpaque)
		require.NoError(t, tx.Commit(t.Context()))
		assert.Equal(t, 5, f.count("w"))
		assert.Equal(t, 2, f.count("v"))
	})
}

// A cursor WITH HOLD, whose query runs at the COMMIT, is refused where a trigger opens it.
func TestNestedCursorWithHold(t *testing.T) {
	onNative(t, dbguard.Policy{}, func(t *testing.T, f *fixture, pool *pgxguard.Pool) {
		f.execBare(`CREATE TABLE v AS SELECT n FROM generate_series(1, 5) n;
CREATE FUNCTION clears() RETURNS int LANGUAGE sql AS 'DELETE FROM child; SELECT 1';
CREATE FUNCTION opens() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF OLD.n > 3 THEN EXECUTE ''DECLARE c CURSOR WITH HOLD FOR SELECT clears()''; END IF; RETURN OLD; END';
CREATE TRIGGER opens AFTER DELETE ON v FOR EACH ROW EXECUTE FUNCTION opens()`)
		before := f.count("child")
		_, err := pool.Exec(atMost(t, 1), "DELETE FROM v WHERE n = 5")
		require.ErrorIs(t, err, dbguard.ErrRefused)
		tx, err := pool.Begin(t.Context())
		require.NoError(t, err)
		t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
		_, err = tx.Exec(t.Context(), "DECLARE d CURSOR WITH HOLD FOR SELECT * FROM v")
		require.NoError(t, err)
		for i := 1; i <= 3; i++ {
			_, err = tx.Exec(atMost(t, 1), "DELETE FROM v WHERE n = $1", i)
			require.NoError(t, err)
		}
		_, err = tx.Exec(atMost(t, 1), "DELETE FROM v WHERE n = 4")
		require.ErrorIs(t, err, dbguard.Uncountable)
		require.NoError(t, tx.Commit(t.Context()))
		assert.Equal(t, before, f.count("child"))
		assert.Equal(t, 2, f.count("v"))
	})
}

// The counters of a table that is younger than the snapshot include what was undone.
func TestNestedTableYoungerThanSnapshot(t *testing.T) {
	onNative(t, dbguard.Policy{}, func(t *testing.T, f *fixture, pool *pgxguard.Pool) {
		tx, err := pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
		require.NoError(t, err)
		t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
		_, err = tx.Exec(atMost(t, 4), "DELETE FROM parent WHERE id = 1")
		require.NoError(t, err)
		f.execBare("BEGIN; CREATE TABLE young (id INT); COPY young FROM PROGRAM 'seq 1 5' WITH (FREEZE); COMMIT")
		for i := 1; i <= 3; i++ {
			_, err = tx.Exec(atMost(t, 1), "DELETE FROM young WHERE id >= $1", i)
			require.ErrorIs(t, err, dbguard.OverLimit)
			_, err = tx.Exec(atMost(t, 1), "DELETE FROM young WHERE id = $1", i)
			require.NoError(t, err)
		}
		require.NoError(t, tx.Commit(t.Context()))
		assert.Equal(t, 2, f.count("young"))
	})
}
