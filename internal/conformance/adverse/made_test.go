package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

var onPostgres = []target.Engine{target.Postgres}

// emptying are functions that empty and drop what they should not, and a table whose
// trigger does.
var emptying = []string{
	"CREATE FUNCTION wipe() RETURNS INT LANGUAGE plpgsql AS 'BEGIN TRUNCATE child; RETURN 1; END'",
	"CREATE FUNCTION scrap() RETURNS INT LANGUAGE plpgsql AS 'BEGIN DROP TABLE child; RETURN 1; END'",
	"CREATE FUNCTION wiped() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN TRUNCATE child; RETURN NEW; END'",
	"CREATE TABLE set_off (id INT)",
	"CREATE TRIGGER wipes AFTER INSERT ON set_off FOR EACH ROW EXECUTE FUNCTION wiped()",
}

// A text that makes something is not thereby free to lose something else.
func TestWhatIsLostWhileSomethingIsMade(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, g *ground) {
		g.others(t, emptying...)
		for _, text := range []string{
			"CREATE TABLE z (id INT); SELECT wipe()", "CREATE TABLE z (id INT); SELECT scrap()", "CREATE TABLE z AS SELECT wipe()",
			"CREATE TABLE z AS SELECT scrap()", "SELECT wipe() INTO z", "CREATE MATERIALIZED VIEW z AS SELECT wipe()",
			"CREATE INDEX z ON t (n); SELECT wipe()", "CREATE VIEW z AS SELECT 1; SELECT scrap()", "COMMENT ON TABLE t IS 'z'; SELECT wipe()",
			"CREATE TABLE z (id INT); INSERT INTO set_off VALUES (1)",
		} {
			_, err := g.db.ExecContext(dbguard.AtMost(t.Context(), 100), text)
			assert.ErrorIs(t, err, dbguard.RuleOpaque, text)
			require.Equal(t, 5, g.rows(t, "child"), text)
		}
		g.works(t)
	})
}

// A migration makes tables and fills them, in one text.
func TestWhatIsMadeIsFilled(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, g *ground) {
		g.others(t, "CREATE FUNCTION counts() RETURNS INT LANGUAGE plpgsql AS 'BEGIN UPDATE t SET n = 1 WHERE id = 1; RETURN 1; END'")
		for _, text := range []string{
			"CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b (id SERIAL PRIMARY KEY, a INT REFERENCES a, v TEXT UNIQUE); INSERT INTO a VALUES (1)",
			"CREATE TABLE c (v INT); INSERT INTO c VALUES (1), (2); CREATE INDEX ON c (v); CREATE VIEW d AS SELECT * FROM c",
			"CREATE TABLE e (v INT PRIMARY KEY) PARTITION BY RANGE (v); CREATE TABLE e1 PARTITION OF e FOR VALUES FROM (0) TO (9); INSERT INTO e VALUES (1)",
			"CREATE INDEX ON t (n); INSERT INTO t VALUES (50, 1)", "CREATE VIEW f AS SELECT * FROM t; GRANT SELECT ON f TO PUBLIC; INSERT INTO t VALUES (51, 1)",
			"CREATE TYPE p AS (v INT); INSERT INTO t VALUES (52, 1)", "CREATE OR REPLACE VIEW f AS SELECT * FROM t; INSERT INTO t VALUES (53, 1)",
		} {
			_, err := g.db.ExecContext(t.Context(), text)
			assert.NoError(t, err, text)
		}
		exec(t, g.db, "CREATE TABLE l AS SELECT counts()")
		assert.Equal(t, 1, g.rows(t, "a"))
		assert.Equal(t, 1, g.rows(t, "e"))
		g.works(t)
	})
}

// A text that ends its own transaction may fill what it makes, as that sets nothing off.
func TestWhatIsMadeIsFilledAndCommitted(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, g *ground) {
		g.others(t, emptying...)
		g.others(t, "CREATE DOMAIN wiped_int AS INT CHECK (VALUE = wipe())")
		for _, text := range []string{
			"BEGIN; CREATE TABLE a (v INT PRIMARY KEY); INSERT INTO a VALUES (1); COMMIT",
			"BEGIN; CREATE TABLE public.b (v INT DEFAULT length('b'), w NUMERIC(9, 2)); CREATE INDEX ON b (v); INSERT INTO public.b VALUES (1); INSERT INTO a VALUES (2); COMMIT",
		} {
			_, err := g.db.ExecContext(t.Context(), text)
			require.NoError(t, err, text)
		}
		assert.Equal(t, 2, g.rows(t, "a"))
		assert.Equal(t, 1, g.rows(t, "b"))
		for _, text := range []string{
			"BEGIN; CREATE TABLE c (v INT, w INT DEFAULT wipe()); INSERT INTO c VALUES (1); COMMIT",
			"BEGIN; CREATE TABLE c (v INT CHECK (v = wipe())); INSERT INTO c VALUES (1); COMMIT",
			"BEGIN; CREATE TABLE c (v wiped_int); INSERT INTO c VALUES (1); COMMIT",
			"BEGIN; CREATE TABLE c (v INT); CREATE TRIGGER wipes AFTER INSERT ON c FOR EACH ROW EXECUTE FUNCTION wiped(); INSERT INTO c VALUES (1); COMMIT",
			"BEGIN; CREATE TABLE c (v INT); CREATE RULE wipes AS ON INSERT TO c DO ALSO SELECT wipe(); INSERT INTO c VALUES (1); COMMIT",
			"BEGIN; CREATE TABLE IF NOT EXISTS set_off (id INT); INSERT INTO set_off VALUES (1); COMMIT",
			"BEGIN; CREATE TABLE c (v INT); SET search_path = elsewhere; INSERT INTO c VALUES (1); COMMIT",
		} {
			_, err := g.db.ExecContext(t.Context(), text)
			assert.ErrorIs(t, err, dbguard.ErrRefused, text)
			require.Equal(t, 5, g.rows(t, "child"), text)
		}
		g.works(t)
	})
}

// What a CREATE TABLE … AS has made is known from then on.
func TestATableMadeOfAQuery(t *testing.T) {
	each(t, everywhere, func(t *testing.T, g *ground) {
		exec(t, g.db, "UPDATE t SET n = 1 WHERE id = 1", "CREATE TABLE made_of AS SELECT * FROM t WHERE id < 3",
			"UPDATE made_of SET n = 5 WHERE n = 1", "DELETE FROM made_of WHERE n = 5")
		assert.Equal(t, 1, g.rows(t, "made_of"))
	})
}
