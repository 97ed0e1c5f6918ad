package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// A table that the transaction has locked can be truncated, dropped or altered by a
// function.
func TestLockedTableChangedByFunction(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, f *fixture) {
		f.execBare(t,
			"CREATE TABLE w (n INT, o INT)", "INSERT INTO w SELECT generate_series(1, 5)",
			"CREATE FUNCTION tw() RETURNS INT LANGUAGE plpgsql AS 'BEGIN TRUNCATE w; RETURN 1; END'",
			"CREATE FUNCTION dw() RETURNS INT LANGUAGE plpgsql AS 'BEGIN DROP TABLE w; RETURN 1; END'",
			"CREATE FUNCTION aw() RETURNS INT LANGUAGE plpgsql AS 'BEGIN ALTER TABLE w DROP COLUMN o; RETURN 1; END'",
			"CREATE FUNCTION cw() RETURNS INT LANGUAGE plpgsql AS 'BEGIN PERFORM 1 FROM w; UPDATE t SET n = 7 WHERE id = 7; RETURN 1; END'",
			"CREATE FUNCTION ttw() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN TRUNCATE w; RETURN OLD; END'",
			"CREATE TABLE trips (id INT PRIMARY KEY)", "INSERT INTO trips VALUES (1), (2)",
			"CREATE TRIGGER empties AFTER INSERT OR DELETE ON trips FOR EACH ROW EXECUTE FUNCTION ttw()",
		)
		for _, lock := range []string{"LOCK TABLE w", "ALTER TABLE w ADD COLUMN z INT"} {
			for _, text := range []string{
				"SELECT tw()", "DO $$ BEGIN TRUNCATE w; END $$", "SELECT dw()", "SELECT aw()", "INSERT INTO trips VALUES (3)", "DELETE FROM trips WHERE id = 1",
				"DELETE FROM t WHERE id = tw()",
			} {
				tx, err := f.db.BeginTx(t.Context(), nil)
				require.NoError(t, err)
				ctx := dbguard.AtMost(t.Context(), 100)
				_, err = tx.ExecContext(ctx, lock)
				require.NoError(t, err, lock)
				exec(t, tx, "SELECT cw()", "UPDATE t SET n = 6 WHERE id = 6", "SELECT cw()")
				_, err = tx.ExecContext(ctx, text)
				assert.ErrorIs(t, err, dbguard.RuleOpaque, "%s; %s", lock, text)
				require.NoError(t, tx.Commit())
				require.Equal(t, 5, f.count(t, "w WHERE o IS NULL"), "%s; %s", lock, text)
				f.execBare(t, "ALTER TABLE w DROP COLUMN IF EXISTS z")
			}
		}
		f.assertWorks(t)
	})
}

// A DDL text may run code that destroys something else.
func TestDDLWithDestructiveFunction(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, f *fixture) {
		f.execBare(t, destructiveFunctions...)
		f.execBare(t,
			"CREATE TABLE u AS SELECT 1 AS n", "CREATE TABLE keyed (id INT REFERENCES t)", "CREATE TABLE p (v INT) PARTITION BY RANGE (v)",
			"CREATE FUNCTION cut() RETURNS INT LANGUAGE plpgsql AS 'BEGIN ALTER TABLE child ADD COLUMN IF NOT EXISTS more INT; RETURN 1; END'",
			"CREATE FUNCTION narrow() RETURNS INT LANGUAGE plpgsql AS 'BEGIN ALTER TABLE child DROP COLUMN r; RETURN 1; END'",
			"CREATE VIEW behind AS SELECT wipe()", "CREATE MATERIALIZED VIEW filled AS SELECT 1 AS n",
			"CREATE FUNCTION unfill() RETURNS INT LANGUAGE plpgsql AS 'BEGIN DROP MATERIALIZED VIEW filled; RETURN 1; END'",
		)
		for _, text := range []string{
			"ALTER TABLE u ADD COLUMN z INT DEFAULT wipe()", "ALTER TABLE u ADD COLUMN z INT DEFAULT scrap()", "ALTER TABLE u ADD COLUMN z INT DEFAULT cut()", "ALTER TABLE u ADD COLUMN z INT DEFAULT narrow()",
			"ALTER TABLE u ADD COLUMN z INT; SELECT wipe()", "COMMENT ON TABLE child IS 'z'; SELECT wipe()", "CREATE INDEX ON child (r); SELECT wipe()",
			"ALTER TABLE u ADD COLUMN z INT; INSERT INTO set_off VALUES (1)", "CREATE TABLE z PARTITION OF p DEFAULT; SELECT wipe()",
			"ALTER TABLE u ADD COLUMN z INT DEFAULT unfill()", "ALTER TABLE u ADD COLUMN z INT; SELECT * FROM behind",
			"ALTER TABLE keyed DROP CONSTRAINT keyed_id_fkey; SELECT wipe()",
		} {
			ctx := dbguard.Allow(dbguard.AtMost(t.Context(), 100), "test", dbguard.AlterTable("keyed"))
			_, err := f.db.ExecContext(ctx, text)
			assert.Error(t, err, text)
			tx, err := f.db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			_, err = tx.ExecContext(ctx, text)
			assert.Error(t, err, text)
			_ = tx.Commit()
			require.Equal(t, 5, f.count(t, "child WHERE r = 1"), text)
			require.Equal(t, 1, f.count(t, "filled"), text)
			require.Equal(t, 0, f.count(t, "information_schema.columns WHERE column_name IN ('more', 'z')"), text)
		}
		f.assertWorks(t)
	})
}

// A migration locks more than it changes, and may call functions that destroy nothing.
func TestHarmlessMigration(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, f *fixture) {
		f.execBare(t, destructiveFunctions...)
		f.execBare(t,
			"CREATE FUNCTION looks() RETURNS INT LANGUAGE plpgsql AS 'BEGIN PERFORM 1 FROM public.child; UPDATE public.t SET n = 1 WHERE id = 1; RETURN 1; END'",
			"CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE keyed (id INT REFERENCES a)", "CREATE SCHEMA gone", "CREATE TABLE gone.g (id INT)",
			"CREATE TABLE p (v INT) PARTITION BY RANGE (v)", "CREATE TABLE rest PARTITION OF p DEFAULT", "CREATE TABLE heir () INHERITS (a)",
			"CREATE MATERIALIZED VIEW filled AS SELECT looks() AS n", "CREATE TABLE s (id SERIAL)", "CREATE TYPE ty AS ENUM ('a')", "CREATE TABLE typed (n INT, v ty)", "CREATE DOMAIN looked AS INT CHECK (VALUE > looks())", "CREATE FUNCTION tick() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN PERFORM looks(); RETURN NEW; END'",
		)
		ctx := dbguard.Allow(dbguard.AtMost(t.Context(), 1), "test", dbguard.DropDatabase("gone"), dbguard.DropTable("s"), dbguard.DropTable("ty"), dbguard.DropTable("looked"), dbguard.AlterTable("keyed"), dbguard.AlterTable("typed"))
		for _, text := range []string{
			"ALTER TABLE a ADD COLUMN v INT; INSERT INTO a VALUES (1, 2)", "ALTER TABLE a ADD COLUMN w INT DEFAULT looks()",
			"CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (looks() + 8)", "REFRESH MATERIALIZED VIEW filled",
			"CREATE TRIGGER ticks AFTER INSERT ON s FOR EACH ROW EXECUTE FUNCTION tick(); CREATE VIEW looking AS SELECT looks()",
			"CREATE RULE also AS ON DELETE TO s DO ALSO SELECT looks()", "CREATE TABLE b AS SELECT looks() AS n",
		} {
			_, err := f.db.ExecContext(ctx, text)
			assert.NoError(t, err, text)
		}
		tx, err := f.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		for _, text := range []string{
			"ALTER TABLE keyed DROP CONSTRAINT keyed_id_fkey", "ALTER TABLE a ADD COLUMN y INT DEFAULT looks()", "DROP SCHEMA gone CASCADE", "DROP TABLE s", "ALTER TABLE typed ADD COLUMN o looked", "DROP TYPE ty CASCADE", "DROP DOMAIN looked CASCADE", "CREATE TABLE d AS SELECT looks()",
			"ALTER TABLE a ADD COLUMN x INT; INSERT INTO a (id, w, y) VALUES (2, 1, 1)", "CREATE TABLE c AS SELECT looks()",
		} {
			_, err := tx.ExecContext(ctx, text)
			assert.NoError(t, err, text)
		}
		require.NoError(t, tx.Commit())
	})
}

// A cursor WITH HOLD runs its query at the COMMIT, whoever opened it.
func TestCursorWithHoldOpenedByCode(t *testing.T) {
	const declare, opened = "EXECUTE ''DECLARE c CURSOR WITH HOLD FOR SELECT clears()''", "DECLARE d CURSOR WITH HOLD FOR SELECT * FROM t"
	each(t, onPostgres, func(t *testing.T, f *fixture) {
		f.execBare(t,
			"CREATE FUNCTION clears() RETURNS INT LANGUAGE plpgsql AS 'BEGIN DELETE FROM child; RETURN 1; END'",
			"CREATE FUNCTION calls() RETURNS INT LANGUAGE plpgsql AS 'BEGIN UPDATE t SET n = 1 WHERE id = 1; RETURN 1; END'",
			"CREATE TABLE trips (id INT)", "INSERT INTO trips VALUES (1), (2), (3)",
		)
		tries := func(texts ...string) {
			for _, text := range texts {
				_, err := f.db.ExecContext(dbguard.AtMost(t.Context(), 1), text)
				assert.ErrorIs(t, err, dbguard.Uncountable, text)
				require.Equal(t, 5, f.count(t, "child"), text)
				tx, err := f.db.BeginTx(t.Context(), nil)
				require.NoError(t, err)
				exec(t, tx, "UPDATE t SET n = 2 WHERE id = 2", opened, "SELECT calls()", "DO $$ BEGIN PERFORM 1; END $$")
				_, err = tx.ExecContext(dbguard.AtMost(t.Context(), 1), text)
				assert.ErrorIs(t, err, dbguard.Uncountable, text)
				exec(t, tx, "SELECT calls()")
				require.NoError(t, tx.Commit())
				require.Equal(t, 5, f.count(t, "child"), text)
				exec(t, f.db, "SELECT calls()", "CLOSE d")
			}
		}
		tries("DO $$ BEGIN EXECUTE 'DECLARE c CURSOR WITH HO' || 'LD FOR SELECT clears()'; END $$")
		f.execBare(t, "CREATE FUNCTION opens() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN "+declare+"; RETURN OLD; END'",
			"CREATE TRIGGER opens AFTER DELETE ON trips FOR EACH ROW EXECUTE FUNCTION opens()",
			"CREATE FUNCTION opened() RETURNS INT LANGUAGE plpgsql AS 'BEGIN "+declare+"; RETURN 1; END'")
		require.NoError(t, f.db.Close())
		f.db = f.openGuarded(t, f.DSN) // a new one, that has not looked up yet what functions there are
		tries("SELECT opened()", "DELETE FROM trips WHERE id = 1", "UPDATE t SET n = opened() WHERE id = 3")
		f.assertWorks(t)
	})
}
