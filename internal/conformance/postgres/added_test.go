package postgres

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

// shop has orders whose lines write their sum, and what comes of a part that is undone.
var shop = []string{
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

// addedToo are statements that change rows which they have added, and the rows that were
// there before of those that they change.
var addedToo = []struct {
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

// undoneToo are the same with a part that is undone: what that has added does not stand
// for rows that are deleted or changed.
var undoneToo = []struct {
	text string
	rows int64
}{
	{"DO $$ BEGIN BEGIN PERFORM make(100); RAISE 'no'; EXCEPTION WHEN raise_exception THEN NULL; END; DELETE FROM line WHERE id < 4; END $$", 3},
	{`DO E'BEGIN BEGIN PERFORM make(100); RAISE ''no''; EX\103EPTION WHEN raise_ex\143eption THEN NULL; END; UPDATE line SET n = 2 WHERE id < 4; END'`, 3},
	{"DO 'BEGIN BEGIN PERFORM make(100); RAISE ''no''; EX'\n'CEPTION WHEN raise_ex'\n'ception THEN NULL; END; DELETE FROM line WHERE id < 4; END'", 3},
	{"SELECT hides()", 3},
	{"SELECT hides_too()", 3},
}

// hiding are functions that undo a part in a text of their own.
var hiding = []string{
	`CREATE FUNCTION hides() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN
		EXECUTE 'DO $$ BEGIN BEGIN PERFORM make(100); RAISE ''no''; EX' || 'CEPTION WHEN raise_ex' || 'ception THEN NULL; END; END $$';
		DELETE FROM line WHERE id < 4; END $f$`,
	`CREATE FUNCTION hides_too() RETURNS void LANGUAGE sql AS $f$
		DO E'BEGIN BEGIN PERFORM make(100); RAISE ''no''; EX\103EPTION WHEN raise_ex\143eption THEN NULL; END; END';
		DELETE FROM line WHERE id < 4 $f$`,
}

// Rows that a statement has added itself are not among those that it changes, whoever
// counts: the server at the end of a transaction of the guard's, or the guard because
// somebody listens.
func TestRowsOfItsOwn(t *testing.T) {
	for name, policy := range map[string]dbguard.Policy{"": {}, "heard": {Observers: []dbguard.Observer{listener{}}}} {
		t.Run(name, func(t *testing.T) {
			onNative(t, policy, func(t *testing.T, w *world, pool *pgxguard.Pool) {
				for _, text := range shop {
					w.change(text)
				}
				for _, x := range addedToo {
					w.changes(x.text, x.rows, func(ctx context.Context) error { _, err := pool.Exec(ctx, x.text); return err })
				}
				for _, text := range hiding {
					w.change(text)
				}
				for _, x := range undoneToo {
					w.changes(x.text, x.rows, func(ctx context.Context) error { _, err := pool.Exec(ctx, x.text); return err })
				}
			})
		})
	}
}

// The same through database/sql.
func TestRowsOfItsOwnStandard(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for _, text := range shop {
			w.change(text)
		}
		for _, x := range addedToo {
			w.changes(x.text, x.rows, func(ctx context.Context) error { _, err := w.db.ExecContext(ctx, x.text); return err })
		}
		for _, text := range hiding {
			w.change(text)
		}
		for _, x := range undoneToo {
			w.changes(x.text, x.rows, func(ctx context.Context) error { _, err := w.db.ExecContext(ctx, x.text); return err })
		}
	})
}

// vanishing are functions that are gone, or are others, when their undone part is counted.
var vanishing = map[string]string{
	"dropped":  "DROP FUNCTION undoes()",
	"replaced": "CREATE OR REPLACE FUNCTION undoes() RETURNS void LANGUAGE plpgsql AS 'BEGIN END'",
	"trusted":  "ALTER EXTENSION citext ADD FUNCTION undoes()",
}

func TestRowsOfWhatIsGone(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for _, text := range shop {
			w.change(text)
		}
		for name, vanishes := range vanishing {
			w.change(`DROP EXTENSION IF EXISTS citext; DROP FUNCTION IF EXISTS undoes(), gone(); CREATE EXTENSION citext;
				CREATE FUNCTION undoes() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM make(100); RAISE 'no'; EXCEPTION WHEN raise_exception THEN NULL; END $$;
				CREATE FUNCTION gone() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM undoes(); DELETE FROM line WHERE id < 4; ` + vanishes + `; END $$`)
			_, err := w.db.Exec("CREATE OR REPLACE VIEW looks AS SELECT 1") // and again at what there is
			require.NoError(t, err)
			w.changes("SELECT gone()", 3, func(ctx context.Context) error { _, err := w.db.ExecContext(ctx, "SELECT gone()"); return err })
			t.Log(name)
		}
	})
}

// What is put off once more, when what was put off is done, is not counted: it has the
// COMMIT fail.
func TestPutOffOnceMore(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.change(`CREATE TABLE d1 (a INT); CREATE TABLE d2 (a INT);
			CREATE FUNCTION f1() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN SET CONSTRAINTS ALL DEFERRED; INSERT INTO d2 VALUES (1); RETURN NULL; END $$;
			CREATE FUNCTION f2() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM t WHERE id < 5; RETURN NULL; END $$;
			CREATE CONSTRAINT TRIGGER c1 AFTER INSERT ON d1 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f1();
			CREATE CONSTRAINT TRIGGER c2 AFTER INSERT ON d2 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f2()`)
		const text = "INSERT INTO d1 VALUES (1)"
		_, err := w.db.ExecContext(atMost(t, 3), text)
		require.ErrorContains(t, err, "read-only")
		_, err = w.db.ExecContext(dbguard.Budget(t.Context(), 3), text)
		require.ErrorContains(t, err, "read-only")
		tx, err := w.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(atMost(t, 3), text)
		require.NoError(t, err)
		require.ErrorContains(t, tx.Commit(), "read-only")
		require.Equal(t, 20, w.count("t"))
		_, err = w.db.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = 1") // and the connection goes on
		require.NoError(t, err)
	})
}

// What a statement has added that failed is undone, and stays in the counters: it does
// not stand for rows that the next one changes.
func TestRowsOfOneThatFailed(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for _, text := range shop {
			w.change(text)
		}
		pool := w.native(dbguard.Policy{}, w.dsn)
		for name, exec := range map[string]func(ctx context.Context, text string) error{
			"database/sql": func(ctx context.Context, text string) error { _, err := w.db.ExecContext(ctx, text); return err },
			"pgx":          func(ctx context.Context, text string) error { _, err := pool.Exec(ctx, text); return err },
		} {
			for _, fails := range []string{
				"INSERT INTO ord SELECT 12 - i FROM generate_series(0, 9) i",
				"INSERT INTO ord SELECT 12 - i FROM generate_series(0, 9) i RETURNING id",
				"UPDATE ord SET id = id + 1 WHERE id < 4",
			} {
				const text = "INSERT INTO line VALUES (50, 1), (51, 1), (52, 2)"
				w.changes(text, 2, func(ctx context.Context) error {
					require.Error(t, exec(t.Context(), "SELECT 1/0"))
					require.NoError(t, exec(atMost(t, 5), "INSERT INTO line VALUES (60, 9)")) // whose counters are flushed
					require.ErrorContains(t, exec(atMost(t, 5), fails), "duplicate key", name)
					err := exec(ctx, text)
					w.change("DELETE FROM line WHERE id = 60; UPDATE ord SET total = 1 WHERE id = 9")
					return err
				})
			}
		}
	})
}

// changes asks for a statement to be refused with less than its rows for a bound, leaving
// nothing, and to pass with them.
func (w *world) changes(text string, rows int64, run func(context.Context) error) {
	w.t.Helper()
	w.change("TRUNCATE ord, line, seen; INSERT INTO ord SELECT generate_series(1, 9); INSERT INTO line SELECT i, i FROM generate_series(1, 9) i; INSERT INTO seen VALUES (0)")
	before := w.stock()
	if rows > 0 {
		require.ErrorIs(w.t, run(atMost(w.t, rows-1)), dbguard.OverLimit, text)
		require.Equal(w.t, before, w.stock(), text)
	}
	require.NoError(w.t, run(atMost(w.t, rows)), text)
	require.NotEqual(w.t, before, w.stock(), text)
}

// stock is what the shop holds.
func (w *world) stock() (all string) {
	w.t.Helper()
	require.NoError(w.t, w.bare.QueryRow("SELECT concat((SELECT json_agg(o ORDER BY id) FROM ord o), (SELECT json_agg(l ORDER BY id) FROM line l), (SELECT json_agg(s ORDER BY day) FROM seen s), (SELECT json_agg(g ORDER BY id) FROM tag g))").Scan(&all))
	return all
}
