package postgres

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// harmless is what a database has that hides nothing.
var harmless = []string{
	"CREATE VIEW plain AS SELECT id, upper(v::text) AS v FROM t WHERE id > 0",
	"CREATE VIEW over AS SELECT * FROM plain JOIN parent USING (id)",
	"CREATE MATERIALIZED VIEW kept_rows AS SELECT * FROM plain",
	"CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
	"CREATE TYPE pair AS (a int, b int)",
	"CREATE TABLE typed (id positive, p pair)",
	"CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
	"CREATE TRIGGER touch BEFORE UPDATE ON typed FOR EACH ROW EXECUTE FUNCTION touch()",
	"CREATE FUNCTION unused() RETURNS int LANGUAGE sql AS 'SELECT 1'",
	"ALTER TABLE typed ENABLE ROW LEVEL SECURITY",
	"CREATE POLICY own ON typed USING (id > 0)",
	"CREATE RULE also AS ON UPDATE TO typed DO ALSO DELETE FROM keeper",
}

// extensions are of those that the server may have, and hide nothing either.
var extensions = []string{"hstore", "citext", "pg_trgm", "ltree", "cube", "earthdistance", "intarray", "isn", "btree_gist", "pg_stat_statements", "pgcrypto"}

func (w *world) extend(t *testing.T) {
	t.Helper()
	var found []string
	for _, name := range extensions {
		var there bool
		require.NoError(t, w.bare.QueryRow("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = $1)", name).Scan(&there))
		if there {
			w.change("CREATE EXTENSION " + name)
			found = append(found, name)
		}
	}
	t.Logf("with %v", found)
}

func TestReadsCostNoTripWhereNothingHides(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for _, text := range harmless {
			w.change(text)
		}
		w.extend(t)
		read(t, w.direct, "SELECT 1")
		read(t, w.db, "SELECT 1") // what is asked once
		for _, text := range []string{
			"SELECT * FROM over", "TABLE plain", "SELECT id + 1 FROM typed", "SELECT 1::positive", "SELECT * FROM kept_rows WHERE id IN (1, 2)",
			"SELECT 'a' LIKE 'b', lower('A')", "EXPLAIN ANALYZE SELECT * FROM plain", "WITH x AS (SELECT * FROM plain) SELECT * FROM x",
		} {
			bare := w.trips(func() { read(t, w.direct, text) })
			assert.Equal(t, bare, w.trips(func() { read(t, w.db, text) }), text)
		}
	})
}

// A word under which code hides is looked up by whoever created it, and by new
// connections.
func TestHiddenCodeIsNoticed(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.change("CREATE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM t; RETURN 1; END'")
		look := func() error {
			var n int
			return w.db.QueryRowContext(atMost(t, 3), "SELECT a FROM w").Scan(&n)
		}
		read(t, w.db, "SELECT 1 FROM t")
		_, err := w.db.Exec("CREATE VIEW w AS SELECT wipe() AS a")
		require.NoError(t, err)
		require.ErrorIs(t, look(), dbguard.OverLimit)
		assert.Equal(t, 20, w.count("t"))

		tx, err := w.db.Begin()
		require.NoError(t, err)
		_, err = tx.Exec("CREATE OR REPLACE VIEW w AS SELECT 1 AS a")
		require.NoError(t, err)
		read(t, tx, "SELECT a FROM w")
		require.NoError(t, tx.Rollback())
		require.ErrorIs(t, look(), dbguard.OverLimit, "it is again what it was")
		assert.Equal(t, 20, w.count("t"))

		_, err = w.db.Exec("CREATE OR REPLACE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 2; END'")
		require.NoError(t, err)
		require.NoError(t, look(), "it is counted, and changes nothing")
	})
}

// Event triggers belong to the database: everything about structure is counted,
// and what cannot run in a transaction runs as it is.
func TestEventTriggers(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.change("CREATE TABLE armed (id INT)")
		w.change("CREATE FUNCTION logs() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM t WHERE EXISTS (SELECT FROM armed); END'")
		w.change("CREATE EVENT TRIGGER logs ON ddl_command_end EXECUTE FUNCTION logs()")
		granted := dbguard.Allow(t.Context(), "test", dbguard.AlterTable("t"), dbguard.DropTable("z"))
		for _, text := range []string{
			"CREATE TABLE z (id INT)", "ALTER TABLE z ADD COLUMN n INT", "CREATE INDEX i ON t (v)", "CREATE INDEX CONCURRENTLY j ON t (v)",
			"ALTER TABLE t ALTER COLUMN v TYPE int8", "DROP TABLE z", "CREATE MATERIALIZED VIEW m AS SELECT * FROM t", "REFRESH MATERIALIZED VIEW m",
			"VACUUM t", "SELECT * INTO z FROM t",
		} {
			_, err := w.db.ExecContext(granted, text)
			require.NoError(t, err, text)
		}
		w.change("INSERT INTO armed VALUES (1)")
		for _, text := range []string{"CREATE TABLE y (id INT)", "DROP TABLE z"} {
			_, err := w.db.ExecContext(dbguard.AtMost(granted, 3), text)
			assert.ErrorIs(t, err, dbguard.OverLimit, text)
			assert.Equal(t, 20, w.count("t"))
		}
	})
}

// read reads all rows.
func read(t *testing.T, on interface {
	Query(text string, args ...any) (*sql.Rows, error)
}, text string,
) {
	t.Helper()
	rows, err := on.Query(text)
	require.NoError(t, err, text)
	for rows.Next() {
	}
	require.NoError(t, rows.Err(), text)
	require.NoError(t, rows.Close())
}

// What is asked about hidden code reads the same where a \ escapes in every literal.
func TestHiddenCodeWhereBackslashesEscape(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.change(`CREATE TABLE file (id INT PRIMARY KEY, data OID); INSERT INTO file SELECT i, lo_from_bytea(0, 'x') FROM generate_series(1, 5) i;
			CREATE FUNCTION unlinks() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM lo_unlink(data) FROM file; RETURN NULL; END';
			CREATE TRIGGER unlinks AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION unlinks()`)
		g, err := dbguard.New(dbguard.Policy{})
		require.NoError(t, err)
		db, err := sqlguard.Open(w.opens, w.dsn+"&standard_conforming_strings=off", g)
		require.NoError(t, err)
		defer db.Close()
		_, err = db.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = 1")
		require.ErrorIs(t, err, dbguard.OverLimit)
	})
}
