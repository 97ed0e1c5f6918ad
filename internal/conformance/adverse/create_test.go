package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

var onPostgres = []target.Engine{target.Postgres}

// destructiveFunctions truncate or drop child; set_off has a trigger that truncates it.
var destructiveFunctions = []string{
	"CREATE FUNCTION wipe() RETURNS INT LANGUAGE plpgsql AS 'BEGIN TRUNCATE public.child; RETURN 1; END'",
	"CREATE FUNCTION scrap() RETURNS INT LANGUAGE plpgsql AS 'BEGIN DROP TABLE public.child; RETURN 1; END'",
	"CREATE FUNCTION wiped() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN TRUNCATE public.child; RETURN NEW; END'",
	"CREATE TABLE set_off (id INT)",
	"CREATE TRIGGER wipes AFTER INSERT ON set_off FOR EACH ROW EXECUTE FUNCTION wiped()",
}

// A text that creates something may not therefore destroy something else.
func TestCreateWithDestructiveFunction(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, f *fixture) {
		f.execBare(t, destructiveFunctions...)
		for _, text := range []string{
			"CREATE TABLE z (id INT); SELECT wipe()", "CREATE TABLE z (id INT); SELECT scrap()", "CREATE TABLE z AS SELECT wipe()",
			"CREATE TABLE z AS SELECT scrap()", "SELECT wipe() INTO z", "CREATE MATERIALIZED VIEW z AS SELECT wipe()",
			"CREATE INDEX z ON t (n); SELECT wipe()", "CREATE VIEW z AS SELECT 1; SELECT scrap()", "COMMENT ON TABLE t IS 'z'; SELECT wipe()",
			"CREATE TABLE z (id INT); INSERT INTO set_off VALUES (1)",
		} {
			_, err := f.db.ExecContext(dbguard.AtMost(t.Context(), 100), text)
			assert.ErrorIs(t, err, dbguard.RuleOpaque, text)
			require.Equal(t, 5, f.count(t, "child"), text)
		}
		f.assertWorks(t)
	})
}

// A migration creates tables and fills them in one text.
func TestCreateAndFill(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, f *fixture) {
		f.execBare(t, "CREATE FUNCTION counts() RETURNS INT LANGUAGE plpgsql AS 'BEGIN UPDATE t SET n = 1 WHERE id = 1; RETURN 1; END'")
		for _, text := range []string{
			"CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b (id SERIAL PRIMARY KEY, a INT REFERENCES a, v TEXT UNIQUE); INSERT INTO a VALUES (1)",
			"CREATE TABLE c (v INT); INSERT INTO c VALUES (1), (2); CREATE INDEX ON c (v); CREATE VIEW d AS SELECT * FROM c",
			"CREATE TABLE e (v INT PRIMARY KEY) PARTITION BY RANGE (v); CREATE TABLE e1 PARTITION OF e FOR VALUES FROM (0) TO (9); INSERT INTO e VALUES (1)",
			"CREATE INDEX ON t (n); INSERT INTO t VALUES (50, 1)", "CREATE VIEW f AS SELECT * FROM t; GRANT SELECT ON f TO PUBLIC; INSERT INTO t VALUES (51, 1)",
			"CREATE TYPE p AS (v INT); INSERT INTO t VALUES (52, 1)", "CREATE OR REPLACE VIEW f AS SELECT * FROM t; INSERT INTO t VALUES (53, 1)",
		} {
			_, err := f.db.ExecContext(t.Context(), text)
			assert.NoError(t, err, text)
		}
		exec(t, f.db, "CREATE TABLE l AS SELECT counts()")
		assert.Equal(t, 1, f.count(t, "a"))
		assert.Equal(t, 1, f.count(t, "e"))
		f.assertWorks(t)
	})
}

// A text that ends its own transaction may fill what it creates, if that fires nothing.
func TestCreateFillAndCommit(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, f *fixture) {
		f.execBare(t, destructiveFunctions...)
		f.execBare(t, "CREATE DOMAIN wiped_int AS INT CHECK (VALUE = wipe())")
		for _, text := range []string{
			"BEGIN; CREATE TABLE a (v INT PRIMARY KEY); INSERT INTO a VALUES (1); COMMIT",
			"BEGIN; CREATE TABLE public.b (v INT DEFAULT length('b'), w NUMERIC(9, 2)); CREATE INDEX ON b (v); INSERT INTO public.b VALUES (1); INSERT INTO a VALUES (2); COMMIT",
		} {
			_, err := f.db.ExecContext(t.Context(), text)
			require.NoError(t, err, text)
		}
		assert.Equal(t, 2, f.count(t, "a"))
		assert.Equal(t, 1, f.count(t, "b"))
		for _, text := range []string{
			"BEGIN; CREATE TABLE c (v INT, w INT DEFAULT wipe()); INSERT INTO c VALUES (1); COMMIT",
			"BEGIN; CREATE TABLE c (v INT CHECK (v = wipe())); INSERT INTO c VALUES (1); COMMIT",
			"BEGIN; CREATE TABLE c (v wiped_int); INSERT INTO c VALUES (1); COMMIT",
			"BEGIN; CREATE TABLE c (v INT); CREATE TRIGGER wipes AFTER INSERT ON c FOR EACH ROW EXECUTE FUNCTION wiped(); INSERT INTO c VALUES (1); COMMIT",
			"BEGIN; CREATE TABLE c (v INT); CREATE RULE wipes AS ON INSERT TO c DO ALSO SELECT wipe(); INSERT INTO c VALUES (1); COMMIT",
			"BEGIN; CREATE TABLE IF NOT EXISTS set_off (id INT); INSERT INTO set_off VALUES (1); COMMIT",
			"BEGIN; CREATE TABLE c (v INT); SET search_path = elsewhere; INSERT INTO c VALUES (1); COMMIT",
		} {
			_, err := f.db.ExecContext(t.Context(), text)
			assert.ErrorIs(t, err, dbguard.ErrRefused, text)
			require.Equal(t, 5, f.count(t, "child"), text)
		}
		f.assertWorks(t)
	})
}

// The table that CREATE TABLE … AS creates is known from then on.
func TestCreateTableAs(t *testing.T) {
	each(t, everywhere, func(t *testing.T, f *fixture) {
		exec(t, f.db, "UPDATE t SET n = 1 WHERE id = 1", "CREATE TABLE made_of AS SELECT * FROM t WHERE id < 3",
			"UPDATE made_of SET n = 5 WHERE n = 1", "DELETE FROM made_of WHERE n = 5")
		assert.Equal(t, 1, f.count(t, "made_of"))
	})
}
