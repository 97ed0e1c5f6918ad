package postgres

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

// orderSchema has orders whose totals a trigger sums up from their lines, and a function that
// inserts orders and lines and changes them.
var orderSchema = []string{
	"CREATE TABLE ord (id INT PRIMARY KEY, total INT DEFAULT 0)",
	"CREATE TABLE line (id INT PRIMARY KEY, ord INT REFERENCES ord ON DELETE CASCADE, n INT DEFAULT 1)",
	"INSERT INTO ord SELECT generate_series(1, 9)",
	"INSERT INTO line SELECT i, i FROM generate_series(1, 9) i",
	`CREATE FUNCTION sums() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		UPDATE ord SET total = total + NEW.n WHERE id = NEW.ord; RETURN NULL; END $$`,
	"CREATE TRIGGER sums AFTER INSERT ON line FOR EACH ROW EXECUTE FUNCTION sums()",
	`CREATE FUNCTION make(o INT) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO ord VALUES (o); INSERT INTO line VALUES (o, o), (o + 1, o), (o + 2, o); UPDATE line SET n = 2 WHERE ord = o; END $$`,
	"CREATE TABLE seen (day INT PRIMARY KEY, n INT DEFAULT 1)",
	"INSERT INTO seen VALUES (0)",
	"CREATE TABLE tag (id INT PRIMARY KEY, n INT DEFAULT 0)",
	"INSERT INTO tag SELECT generate_series(1, 9)",
	"CREATE TABLE log (tag INT, sum INT)",
	"INSERT INTO log VALUES (1, 0)",
	`CREATE FUNCTION logs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO log VALUES (OLD.id); UPDATE log SET sum = 1 WHERE tag = OLD.id AND sum IS NULL; RETURN NULL; END $$`,
	"CREATE TRIGGER logs AFTER UPDATE OR DELETE ON tag FOR EACH ROW EXECUTE FUNCTION logs()",
}

// changesOwnRows are statements that change rows which they have inserted, and how many
// existing rows they change.
var changesOwnRows = []struct {
	text string
	rows int64
}{
	{"SELECT make(100)", 0},
	{"DO $$ BEGIN PERFORM make(100); UPDATE ord SET total = 0 WHERE id IN (1, 2, 100); END $$", 2},
	{"DO $$ BEGIN PERFORM make(100); DELETE FROM ord WHERE id IN (1, 100); END $$", 2},
	{"DO $$ BEGIN INSERT INTO ord SELECT generate_series(20, 29); UPDATE ord SET id = id + 100 WHERE id >= 20; DELETE FROM ord WHERE id > 124; UPDATE ord SET total = 7 WHERE id IN (3, 121); END $$", 1},
	{"DO $$ BEGIN INSERT INTO seen SELECT i % 3 FROM generate_series(0, 20) i WHERE i < 3; INSERT INTO seen SELECT i FROM generate_series(1, 5) i ON CONFLICT (day) DO UPDATE SET n = 2; EXCEPTION WHEN unique_violation THEN UPDATE seen SET n = 3; END $$", 1},
	{"INSERT INTO line VALUES (50, 1), (51, 1), (52, 2)", 2},
	{"UPDATE tag SET n = 1 WHERE id IN (1, 2)", 2},
	{"DELETE FROM tag WHERE id = 3", 1},
}

// undoesOwnRows are the same with a part that is rolled back: the rows which that has
// inserted must not offset rows that are deleted or changed.
var undoesOwnRows = []struct {
	text string
	rows int64
}{
	{"DO $$ BEGIN BEGIN PERFORM make(100); RAISE 'no'; EXCEPTION WHEN raise_exception THEN NULL; END; DELETE FROM line WHERE id < 4; END $$", 3},
	{`DO E'BEGIN BEGIN PERFORM make(100); RAISE ''no''; EX\103EPTION WHEN raise_ex\143eption THEN NULL; END; UPDATE line SET n = 2 WHERE id < 4; END'`, 3},
	{"DO 'BEGIN BEGIN PERFORM make(100); RAISE ''no''; EX'\n'CEPTION WHEN raise_ex'\n'ception THEN NULL; END; DELETE FROM line WHERE id < 4; END'", 3},
	{"SELECT hides()", 3},
	{"SELECT hides_too()", 3},
}

// hiddenHandlers are functions that roll a part back in a text that they build or escape.
var hiddenHandlers = []string{
	`CREATE FUNCTION hides() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN
		EXECUTE 'DO $$ BEGIN BEGIN PERFORM make(100); RAISE ''no''; EX' || 'CEPTION WHEN raise_ex' || 'ception THEN NULL; END; END $$';
		DELETE FROM line WHERE id < 4; END $f$`,
	`CREATE FUNCTION hides_too() RETURNS void LANGUAGE sql AS $f$
		DO E'BEGIN BEGIN PERFORM make(100); RAISE ''no''; EX\103EPTION WHEN raise_ex\143eption THEN NULL; END; END';
		DELETE FROM line WHERE id < 4 $f$`,
}

// Rows that a statement has inserted itself do not count when it changes them, whether the
// server counts, at the end of a transaction of the guard's, or the guard, for an observer.
func TestRowsInsertedByTheStatementNative(t *testing.T) {
	target.Postgres.Since(t, 15, flushes)
	for name, policy := range map[string]dbguard.Policy{"": {}, "heard": {Observers: []dbguard.Observer{observer{}}}} {
		t.Run(name, func(t *testing.T) {
			onNative(t, policy, func(t *testing.T, f *fixture, pool *pgxguard.Pool) {
				for _, text := range orderSchema {
					f.execBare(text)
				}
				for _, x := range changesOwnRows {
					f.assertRowCount(x.text, x.rows, func(ctx context.Context) error { _, err := pool.Exec(ctx, x.text); return err })
				}
				for _, text := range hiddenHandlers {
					f.execBare(text)
				}
				for _, x := range undoesOwnRows {
					f.assertRowCount(x.text, x.rows, func(ctx context.Context) error { _, err := pool.Exec(ctx, x.text); return err })
				}
			})
		})
	}
}

// The same through database/sql.
func TestRowsInsertedByTheStatement(t *testing.T) {
	target.Postgres.Since(t, 15, flushes)
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for _, text := range orderSchema {
			f.execBare(text)
		}
		for _, x := range changesOwnRows {
			f.assertRowCount(x.text, x.rows, func(ctx context.Context) error { _, err := f.db.ExecContext(ctx, x.text); return err })
		}
		for _, text := range hiddenHandlers {
			f.execBare(text)
		}
		for _, x := range undoesOwnRows {
			f.assertRowCount(x.text, x.rows, func(ctx context.Context) error { _, err := f.db.ExecContext(ctx, x.text); return err })
		}
	})
}

// replacedFunctions are ways in which a function is gone, or is another one, when what it has
// rolled back is counted.
var replacedFunctions = map[string]string{
	"dropped":  "DROP FUNCTION undoes()",
	"replaced": "CREATE OR REPLACE FUNCTION undoes() RETURNS void LANGUAGE plpgsql AS 'BEGIN END'",
	"trusted":  "ALTER EXTENSION citext ADD FUNCTION undoes()",
}

func TestRowsUndoneByReplacedFunction(t *testing.T) {
	target.Postgres.Since(t, 15, flushes)
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for _, text := range orderSchema {
			f.execBare(text)
		}
		for name, vanishes := range replacedFunctions {
			f.execBare(`DROP EXTENSION IF EXISTS citext; DROP FUNCTION IF EXISTS undoes(), gone(); CREATE EXTENSION citext;
				CREATE FUNCTION undoes() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM make(100); RAISE 'no'; EXCEPTION WHEN raise_exception THEN NULL; END $$;
				CREATE FUNCTION gone() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM undoes(); DELETE FROM line WHERE id < 4; ` + vanishes + `; END $$`)
			_, err := f.db.Exec("CREATE OR REPLACE VIEW looks AS SELECT 1") // makes the guard look functions up again
			require.NoError(t, err)
			f.assertRowCount("SELECT gone()", 3, func(ctx context.Context) error { _, err := f.db.ExecContext(ctx, "SELECT gone()"); return err })
			t.Log(name)
		}
	})
}

// What a deferred trigger defers once more is not counted: it makes the COMMIT fail.
func TestDeferredTriggerThatDefersAgain(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare(`CREATE TABLE d1 (a INT); CREATE TABLE d2 (a INT);
			CREATE FUNCTION f1() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN SET CONSTRAINTS ALL DEFERRED; INSERT INTO d2 VALUES (1); RETURN NULL; END $$;
			CREATE FUNCTION f2() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM t WHERE id < 5; RETURN NULL; END $$;
			CREATE CONSTRAINT TRIGGER c1 AFTER INSERT ON d1 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f1();
			CREATE CONSTRAINT TRIGGER c2 AFTER INSERT ON d2 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f2()`)
		const text = "INSERT INTO d1 VALUES (1)"
		_, err := f.db.ExecContext(atMost(t, 3), text)
		require.ErrorContains(t, err, "read-only")
		_, err = f.db.ExecContext(dbguard.Budget(t.Context(), 3), text)
		require.ErrorContains(t, err, "read-only")
		tx, err := f.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(atMost(t, 3), text)
		require.NoError(t, err)
		require.ErrorContains(t, tx.Commit(), "read-only")
		require.Equal(t, 20, f.count("t"))
		_, err = f.db.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = 1") // and the connection goes on
		require.NoError(t, err)
	})
}

// What a failed statement has inserted is undone, and stays in the counters: it must not
// offset rows that the next statement changes.
func TestRowsInsertedByFailedStatement(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for _, text := range orderSchema {
			f.execBare(text)
		}
		pool := f.native(dbguard.Policy{}, f.dsn)
		for name, exec := range map[string]func(ctx context.Context, text string) error{
			"database/sql": func(ctx context.Context, text string) error { _, err := f.db.ExecContext(ctx, text); return err },
			"pgx":          func(ctx context.Context, text string) error { _, err := pool.Exec(ctx, text); return err },
		} {
			for _, fails := range []string{
				"INSERT INTO ord SELECT 12 - i FROM generate_series(0, 9) i",
				"INSERT INTO ord SELECT 12 - i FROM generate_series(0, 9) i RETURNING id",
				"UPDATE ord SET id = id + 1 WHERE id < 4",
			} {
				const text = "INSERT INTO line VALUES (50, 1), (51, 1), (52, 2)"
				f.assertRowCount(text, 2, func(ctx context.Context) error {
					require.Error(t, exec(t.Context(), "SELECT 1/0"))
					require.NoError(t, exec(atMost(t, 5), "INSERT INTO line VALUES (60, 9)")) // whose counters are flushed
					require.ErrorContains(t, exec(atMost(t, 5), fails), "duplicate key", name)
					err := exec(ctx, text)
					f.execBare("DELETE FROM line WHERE id = 60; UPDATE ord SET total = 1 WHERE id = 9")
					return err
				})
			}
		}
	})
}

// assertRowCount checks that a statement is refused with a bound that is one less than its
// rows, leaving nothing, and passes with a bound of its rows.
func (f *fixture) assertRowCount(text string, rows int64, run func(context.Context) error) {
	f.t.Helper()
	f.execBare("TRUNCATE ord, line, seen; INSERT INTO ord SELECT generate_series(1, 9); INSERT INTO line SELECT i, i FROM generate_series(1, 9) i; INSERT INTO seen VALUES (0)")
	before := f.orderContents()
	if rows > 0 {
		require.ErrorIs(f.t, run(atMost(f.t, rows-1)), dbguard.OverLimit, text)
		require.Equal(f.t, before, f.orderContents(), text)
	}
	require.NoError(f.t, run(atMost(f.t, rows)), text)
	require.NotEqual(f.t, before, f.orderContents(), text)
}

// orderContents is what the tables hold.
func (f *fixture) orderContents() (all string) {
	f.t.Helper()
	require.NoError(f.t, f.bare.QueryRow("SELECT concat((SELECT json_agg(o ORDER BY id) FROM ord o), (SELECT json_agg(l ORDER BY id) FROM line l), (SELECT json_agg(s ORDER BY day) FROM seen s), (SELECT json_agg(g ORDER BY id) FROM tag g))").Scan(&all))
	return all
}
