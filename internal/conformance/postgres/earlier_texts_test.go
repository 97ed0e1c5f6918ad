package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

// pruner is a function that deletes 15 rows of kept, and a trigger function that calls it.
const pruner = `CREATE FUNCTION prune(k INT) RETURNS INT LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.kept WHERE id > 5; RETURN k; END';
 CREATE FUNCTION prunes() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM public.prune(1); RETURN NULL; END'`

const (
	deferredTrigger = `CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION prunes()`
	openCursor      = `DECLARE c REFCURSOR := 'c'; BEGIN OPEN c FOR SELECT prune(1); `
	otherSchema     = `CREATE SCHEMA s; CREATE TABLE s.t (id INT PRIMARY KEY, v INT); INSERT INTO s.t VALUES (3, 3); CREATE TRIGGER g AFTER DELETE ON s.t FOR EACH ROW EXECUTE FUNCTION prunes()`
	deleteFirst     = "DELETE FROM t WHERE id = 1"
	deleteSecond    = "DELETE FROM t WHERE id = 2"
	deleteThird     = "DELETE FROM t WHERE id = 3"
)

// sideEffects are transactions whose last text does more than it may, because of what an
// earlier one has left behind.
var sideEffects = map[string]struct {
	setup string
	texts []string
}{
	"SET CONSTRAINTS":             {deferredTrigger, []string{"INSERT INTO t VALUES (100, 1)", "SET CONSTRAINTS ALL IMMEDIATE"}},
	"SET CONSTRAINTS of one":      {deferredTrigger, []string{"INSERT INTO t VALUES (100, 1)", "SET CONSTRAINTS late IMMEDIATE"}},
	"COMMIT AND CHAIN":            {deferredTrigger, []string{"INSERT INTO t VALUES (100, 1)", "COMMIT AND CHAIN"}},
	"a cursor of a function":      {`CREATE FUNCTION f() RETURNS REFCURSOR LANGUAGE plpgsql AS $$ ` + openCursor + `RETURN c; END $$`, []string{"SELECT f()", "FETCH ALL FROM c"}},
	"a cursor of a DO":            {"", []string{`DO $$ ` + openCursor + `END $$`, "MOVE ALL FROM c"}},
	"a cursor of a procedure":     {`CREATE PROCEDURE f() LANGUAGE plpgsql AS $$ ` + openCursor + `END $$`, []string{"CALL f()", "FETCH ALL FROM c"}},
	"a cursor of a trigger":       {`CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ ` + openCursor + `RETURN NULL; END $$; CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()`, []string{"INSERT INTO t VALUES (100, 1)", "FETCH ALL FROM c"}},
	"a setting by a name made up": {otherSchema, []string{deleteFirst, deleteSecond, "SELECT set_config('search' || '_path', 's, public', true)", deleteThird}},
	"a setting by a quoted name":  {otherSchema, []string{deleteFirst, deleteSecond, `SELECT pg_catalog . "set_config" ($$search_path$$, 's, public', true)`, deleteThird}},
	"a setting that was set before": {otherSchema, []string{
		"SELECT set_config('search_path', 's, public', true)", "SELECT set_config('search_path', 'public', true)", deleteFirst, deleteSecond,
		"SELECT set_config('search_path', 's, public', true)", deleteThird,
	}},
	"the path by its other name": {otherSchema, []string{deleteFirst, deleteSecond, "SET SCHEMA 's'", deleteThird}},
	"the view of all settings":   {otherSchema, []string{deleteFirst, deleteSecond, "UPDATE pg_settings SET setting = 's, public' WHERE name = 'search_path'", deleteThird}},
	"a setting by a trigger": {otherSchema + `; CREATE TABLE log (id INT); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('search_path', 's, public', true); RETURN NULL; END $$;
 CREATE TRIGGER g AFTER INSERT ON log FOR EACH ROW EXECUTE FUNCTION f()`, []string{deleteFirst, deleteSecond, "INSERT INTO log VALUES (1)", deleteThird}},
	"a trigger by a trigger": {`CREATE TABLE log (id INT); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  CREATE TRIGGER g AFTER INSERT OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION prunes(); RETURN NULL; END $$;
 CREATE TRIGGER g AFTER INSERT ON log FOR EACH ROW EXECUTE FUNCTION f()`, []string{deleteFirst, deleteSecond, "INSERT INTO log VALUES (1)", deleteThird}},
	"a trigger of its own": {"", []string{"INSERT INTO t VALUES (100, 1)", "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION prunes()", "INSERT INTO t VALUES (101, 1)"}},
}

func TestSideEffectsOfEarlierTexts(t *testing.T) {
	for name, tc := range sideEffects {
		t.Run(name, func(t *testing.T) {
			onEachDriver(t, func(t *testing.T, f *fixture) {
				f.execBare(pruner + ";" + tc.setup)
				for _, bound := range []int64{1, 20} {
					tx, err := f.db.Begin()
					require.NoError(t, err)
					last := len(tc.texts) - 1
					for _, text := range tc.texts[:last] {
						ctx := atMost(t, bound)
						if strings.Contains(text, "||") { // might be a protection
							ctx = dbguard.Allow(ctx, "a test", dbguard.Opaque())
						}
						_, err = tx.ExecContext(ctx, text)
						require.NoError(t, err, text)
					}
					_, err = tx.ExecContext(atMost(t, bound), tc.texts[last])
					if bound == 1 {
						require.ErrorIs(t, err, dbguard.ErrRefused)
					} else {
						require.NoError(t, err)
					}
					_ = tx.Rollback()
				}
			})
		})
	}
}

// A refused SET CONSTRAINTS leaves the transaction as it was.
func TestSetConstraintsRefused(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare(pruner + ";" + deferredTrigger)
		tx, err := f.db.Begin()
		require.NoError(t, err)
		_, err = tx.ExecContext(atMost(t, 1), "INSERT INTO t VALUES (100, 1)")
		require.NoError(t, err)
		_, err = tx.ExecContext(context.Background(), "SET CONSTRAINTS late IMMEDIATE")
		require.ErrorIs(t, err, dbguard.OverLimit)
		require.NoError(t, tx.QueryRow("SELECT FROM t WHERE id = 100").Scan())
		require.ErrorIs(t, tx.Commit(), dbguard.OverLimit)
		assert.Equal(t, 20, f.count("kept"))
		assert.Equal(t, 20, f.count("t"))
	})
}

// Tables that a transaction's own texts change are looked up again: to run the transaction
// again would not help.
func TestDDLOfTheTransaction(t *testing.T) {
	const harmless = `CREATE FUNCTION h() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v = 4; RETURN NEW; END'`
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare(harmless)
		for i, text := range []string{
			"CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION h()",
			"ALTER TABLE t ENABLE ROW LEVEL SECURITY",
			"CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO keeper VALUES (2)",
			"DO $$ BEGIN CREATE TRIGGER d BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION h(); END $$",
		} {
			tx, err := f.db.Begin()
			require.NoError(t, err)
			for _, text := range []string{"INSERT INTO t VALUES (100, 1)", text, "INSERT INTO t VALUES (101, 1)"} {
				_, err = tx.ExecContext(atMost(t, 9), text)
				require.NoError(t, err, "%d: %s", i, text)
			}
			require.NoError(t, tx.Rollback())
		}
	})
}

// What dblink runs on a server is committed there. A text that is visible and only reads may
// pass.
func TestDblink(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare("CREATE EXTENSION dblink")
		var here string
		const settings = "SELECT format('host=127.0.0.1 port=%s dbname=%s user=%s', current_setting('port'), current_database(), current_user)"
		require.NoError(t, f.bare.QueryRow(settings).Scan(&here))
		for _, text := range []string{
			"SELECT dblink_exec($1, 'DELETE FROM t')",
			"SELECT public.dblink_send_query($1, 'DELETE FROM t')",
			"SELECT * FROM dblink($1, 'DELETE FROM t RETURNING id') AS r (id int)",
			"SELECT * FROM dblink($1, 'SELECT 1; ' || 'DELETE FROM t RETURNING id') AS r (id int)",
			"INSERT INTO t SELECT id + 100, 0 FROM dblink($1, $$DELETE FROM t RETURNING id$$) AS r (id int)",
		} {
			_, err := f.db.ExecContext(atMost(t, 1), text, here)
			require.ErrorIs(t, err, dbguard.Uncountable, text)
		}
		assert.Equal(t, 20, f.count("t"))
		var n int
		const reads = "SELECT count(*) FROM dblink($1, 'SELECT id FROM t') AS r (id int)"
		require.NoError(t, f.db.QueryRow(reads, here).Scan(&n), "without a bound")
		assert.Equal(t, 20, n)
	})
}

// chained are texts that end a transaction and begin the next one at once.
var chained = []string{"COMMIT AND CHAIN", "ROLLBACK AND CHAIN"}

// What the one before it has changed is not charged to a statement of the next one.
func TestCountsOfTheOneBefore(t *testing.T) {
	const adds = "INSERT INTO child SELECT 100 + id, 2 FROM kept"
	for _, chain := range chained {
		onEachDriver(t, func(t *testing.T, f *fixture) {
			tx, err := f.db.Begin()
			require.NoError(t, err)
			defer tx.Rollback()
			for _, text := range []string{"DELETE FROM parent WHERE id = 1", chain} {
				_, err = tx.ExecContext(atMost(t, 4), text)
				require.NoError(t, err, text)
			}
			_, err = tx.Exec(adds)
			require.NoError(t, err, chain)
		})
		onNative(t, dbguard.Policy{}, func(t *testing.T, _ *fixture, pool *pgxguard.Pool) {
			tx, err := pool.Begin(t.Context())
			require.NoError(t, err)
			defer tx.Rollback(context.WithoutCancel(t.Context()))
			for range 3 { // the first is how the connection meets them
				for _, text := range []string{adds, "DELETE FROM child WHERE parent IN (SELECT 2)"} {
					_, err = tx.Exec(atMost(t, 100), text)
					require.NoError(t, err, text)
				}
			}
			_, err = tx.Exec(t.Context(), chain)
			require.NoError(t, err)
			_, err = tx.Exec(t.Context(), adds)
			require.NoError(t, err, chain)
		})
	}
}
