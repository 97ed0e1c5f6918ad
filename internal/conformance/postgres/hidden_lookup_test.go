package postgres

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// harmless is a schema in which no code that writes is hidden.
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

// extensions are some that the server may have, and hide nothing either.
var extensions = []string{"hstore", "citext", "pg_trgm", "ltree", "cube", "earthdistance", "intarray", "isn", "btree_gist", "pg_stat_statements", "pgcrypto"}

func (f *fixture) extend(t *testing.T) {
	t.Helper()
	var found []string
	for _, name := range extensions {
		var there bool
		require.NoError(t, f.bare.QueryRow("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = $1)", name).Scan(&there))
		if there {
			f.execBare("CREATE EXTENSION " + name)
			found = append(found, name)
		}
	}
	t.Logf("with %v", found)
}

func TestReadsTakeNoExtraRoundTrip(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for _, text := range harmless {
			f.execBare(text)
		}
		f.extend(t)
		read(t, f.direct, "SELECT 1")
		read(t, f.db, "SELECT 1") // what is asked once
		for _, text := range []string{
			"SELECT * FROM over", "TABLE plain", "SELECT id + 1 FROM typed", "SELECT 1::positive", "SELECT * FROM kept_rows WHERE id IN (1, 2)",
			"SELECT 'a' LIKE 'b', lower('A')", "EXPLAIN ANALYZE SELECT * FROM plain", "WITH x AS (SELECT * FROM plain) SELECT * FROM x",
		} {
			bare := f.trips(func() { read(t, f.direct, text) })
			assert.Equal(t, bare, f.trips(func() { read(t, f.db, text) }), text)
		}
	})
}

// Objects that hide code are looked up by the connection that has created them, and by new
// connections.
func TestHiddenCodeIsNoticed(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare("CREATE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM t; RETURN 1; END'")
		look := func() error {
			var n int
			return f.db.QueryRowContext(atMost(t, 3), "SELECT a FROM w").Scan(&n)
		}
		read(t, f.db, "SELECT 1 FROM t")
		_, err := f.db.Exec("CREATE VIEW w AS SELECT wipe() AS a")
		require.NoError(t, err)
		require.ErrorIs(t, look(), dbguard.OverLimit)
		assert.Equal(t, 20, f.count("t"))

		tx, err := f.db.Begin()
		require.NoError(t, err)
		_, err = tx.Exec("CREATE OR REPLACE VIEW w AS SELECT 1 AS a")
		require.NoError(t, err)
		read(t, tx, "SELECT a FROM w")
		require.NoError(t, tx.Rollback())
		require.ErrorIs(t, look(), dbguard.OverLimit, "it is again what it was")
		assert.Equal(t, 20, f.count("t"))

		_, err = f.db.Exec("CREATE OR REPLACE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 2; END'")
		require.NoError(t, err)
		require.NoError(t, look(), "it is counted, and changes nothing")
	})
}

// Event triggers belong to the database: all DDL is counted, and what cannot run in a
// transaction runs unchanged.
func TestEventTriggers(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare("CREATE TABLE armed (id INT)")
		f.execBare("CREATE FUNCTION logs() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM t WHERE EXISTS (SELECT FROM armed); END'")
		f.execBare("CREATE EVENT TRIGGER logs ON ddl_command_end EXECUTE FUNCTION logs()")
		granted := dbguard.Allow(t.Context(), "test", dbguard.AlterTable("t"), dbguard.DropTable("z"))
		for _, text := range []string{
			"CREATE TABLE z (id INT)", "ALTER TABLE z ADD COLUMN n INT", "CREATE INDEX i ON t (v)", "CREATE INDEX CONCURRENTLY j ON t (v)",
			"ALTER TABLE t ALTER COLUMN v TYPE int8", "DROP TABLE z", "CREATE MATERIALIZED VIEW m AS SELECT * FROM t", "REFRESH MATERIALIZED VIEW m",
			"VACUUM t", "SELECT * INTO z FROM t",
		} {
			_, err := f.db.ExecContext(granted, text)
			require.NoError(t, err, text)
		}
		f.execBare("INSERT INTO armed VALUES (1)")
		for _, text := range []string{"CREATE TABLE y (id INT)", "DROP TABLE z"} {
			_, err := f.db.ExecContext(dbguard.AtMost(granted, 3), text)
			assert.ErrorIs(t, err, dbguard.OverLimit, text)
			assert.Equal(t, 20, f.count("t"))
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
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare(`CREATE TABLE file (id INT PRIMARY KEY, data OID); INSERT INTO file SELECT i, lo_from_bytea(0, 'x') FROM generate_series(1, 5) i;
			CREATE FUNCTION unlinks() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM lo_unlink(data) FROM file; RETURN NULL; END';
			CREATE TRIGGER unlinks AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION unlinks()`)
		g, err := dbguard.New(dbguard.Policy{})
		require.NoError(t, err)
		db, err := sqlguard.Open(f.driverName, f.dsn+"&standard_conforming_strings=off", g)
		require.NoError(t, err)
		defer db.Close()
		_, err = db.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = 1")
		require.ErrorIs(t, err, dbguard.OverLimit)
	})
}
