package postgres

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// wipe deletes five rows of t.
const wipe = "DELETE FROM public.t WHERE id IN (SELECT id FROM public.t LIMIT 5);"

func (f *fixture) session() (*sql.Conn, func(ctx context.Context, text string, args ...any)) {
	f.t.Helper()
	conn, err := f.db.Conn(f.t.Context())
	require.NoError(f.t, err)
	f.t.Cleanup(func() { conn.Close() })
	return conn, func(ctx context.Context, text string, args ...any) {
		f.t.Helper()
		_, err := conn.ExecContext(ctx, text, args...)
		require.NoError(f.t, err, text)
	}
}

// The server decodes and shortens a name before it looks for the function.
func TestNamesOfFunctions(t *testing.T) {
	long := strings.Repeat("f", 63)
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for _, name := range []string{"w", "größe", long} {
			f.execBare("CREATE FUNCTION " + name + "(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN " + wipe + " RETURN 1; END $$")
		}
		for _, call := range []string{
			"w(1)", `U&"\0077" (1)`, `U&"!0077" UESCAPE '!' (1)`, `public.U&"!0077"/**/uescape '!'(1)`, `U&"!0077" UESCAPE E'!' (1)`, `U&"!0077" UESCAPE $$!$$ (1)`,
			`U&"gr\00f6\00dfe"(1)`, long + "(1)", long + "ff(1)", `"` + long + `ä"(1)`,
		} {
			for range 2 { // the second time it is known
				_, err := f.db.ExecContext(t.Context(), "SELECT "+call)
				require.ErrorIs(t, err, dbguard.ErrRefused, call)
			}
		}
		conn, run := f.session()
		run(t.Context(), "SET client_encoding = LATIN1")
		_, err := conn.ExecContext(t.Context(), "SELECT gr\xf6\xdfe(1)")
		require.ErrorIs(t, err, dbguard.ErrRefused)
		require.Equal(t, 20, f.count("t"))
	})
}

// A setting is one by any spelling of its name.
func TestNamesOfSettings(t *testing.T) {
	const allRows = `SELECT '\'' ; DELETE FROM t; --'` // if a backslash escapes
	onEachDriver(t, func(t *testing.T, f *fixture) {
		conn, run := f.session()
		for _, text := range []string{
			"SET standard_conforming_strings = off", `SET U&"standard\005fconforming_strings" = off`, `SET U&"standard!005fconforming_strings" UESCAPE '!' = off`,
			`SELECT U&"set\005fconfig"('standard_conforming_'` + "\n" + `'strings', 'off', false)`, "UPDATE pg_settings SET setting = 'off' WHERE name LIKE 'standard_conforming%'",
		} {
			run(t.Context(), "SET standard_conforming_strings = on")
			run(t.Context(), `SELECT '\'`)
			run(dbguard.Allow(atMost(t, 1), "a test", dbguard.Opaque()), text)
			_, err := conn.ExecContext(t.Context(), allRows)
			require.ErrorIs(t, err, dbguard.Unbounded, text)
		}
		for _, text := range []string{
			"SELECT set_config('session_replication'\n'_role', 'replica', false)", `SELECT U&"set!005fconfig" UESCAPE '!' ('session_replication_role', 'replica', false)`,
		} {
			_, err := conn.ExecContext(t.Context(), text)
			require.ErrorIs(t, err, dbguard.GuardOff, text)
		}
		require.Equal(t, 20, f.count("t"))
	})
}

// aAndB are two tables of one name, of which that in schema a runs code that writes if it is
// given a 1.
const aAndB = `CREATE SCHEMA a; CREATE SCHEMA b;
CREATE FUNCTION w(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF $1 > 0 THEN ` + wipe + ` END IF; RETURN 1; END $$;
CREATE TABLE b.x (id INT PRIMARY KEY, v INT CHECK (abs(v) >= 0)); INSERT INTO b.x SELECT i, 0 FROM generate_series(1, 20) i;
CREATE TABLE a.x (id INT PRIMARY KEY, v INT CHECK (public.w(v) = 1)); INSERT INTO a.x SELECT i, 0 FROM generate_series(1, 20) i`

// What ends a transaction, or a part of it, restores the search_path, and so the table that a
// name means.
func TestSearchPathIsRestored(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare(aAndB)
		conn, run := f.session()
		run(t.Context(), "SET search_path = a")
		id := 0
		for _, text := range []string{"UPDATE x SET v = 1 WHERE id = $1", "INSERT INTO x VALUES ($1 + 100, 1)"} {
			for _, set := range []string{"SET LOCAL search_path = b", "SELECT set_config('search_path', 'b', true)", `SET LOCAL U&"search\005fpath" = b`} {
				for _, ends := range []string{"COMMIT; BEGIN", "ROLLBACK; BEGIN", "ROLLBACK TO s", "COMMIT AND CHAIN"} {
					run(t.Context(), "BEGIN")
					run(t.Context(), "SAVEPOINT s")
					run(t.Context(), set)
					id++
					run(atMost(t, 1), text, id)
					for end := range strings.SplitSeq(ends, "; ") {
						run(t.Context(), end)
					}
					_, err := conn.ExecContext(atMost(t, 1), text, id)
					assert.ErrorIs(t, err, dbguard.OverLimit, "%s, %s, %s", text, set, ends)
					run(t.Context(), "ROLLBACK")
				}
			}
		}
	})
}

// The server keeps the plan of a prepared statement if another table takes its table's name.
func TestTableIsHiddenFromPreparedStatement(t *testing.T) {
	texts := map[string]string{"DELETE FROM x WHERE v = $1": "BEFORE DELETE", "INSERT INTO x VALUES ($1 + 100, 0)": "BEFORE INSERT"}
	hide := map[string]string{"temporary": "CREATE TEMP TABLE x (id INT PRIMARY KEY, v INT)", "in the path": "CREATE TABLE a.x (id INT PRIMARY KEY, v INT)"}
	for text, when := range texts {
		for how, hide := range hide {
			t.Run(when+", "+how, func(t *testing.T) {
				onEachDriver(t, func(t *testing.T, f *fixture) { testHidden(t, f, text, when, hide) })
			})
		}
	}
}

func testHidden(t *testing.T, f *fixture, text, when, hide string) {
	f.execBare("CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE b.x (id INT PRIMARY KEY, v INT); INSERT INTO b.x SELECT i, i FROM generate_series(1, 20) i")
	conn, run := f.session()
	run(t.Context(), "SET search_path = a, b, public")
	run(t.Context(), "CREATE TEMP TABLE first (i INT)") // adds its schema to the path, which the server notices
	stmt, err := conn.PrepareContext(t.Context(), text)
	require.NoError(t, err)
	id := 0
	inTx := func() (err error) {
		run(t.Context(), "BEGIN")
		for range 2 {
			if id++; err == nil {
				_, err = stmt.ExecContext(atMost(t, 1), id)
			}
		}
		run(t.Context(), "COMMIT")
		return err
	}
	for range 2 {
		require.NoError(t, inTx())
	}
	f.execBare("CREATE FUNCTION wipe() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + wipe + " RETURN COALESCE(NEW, OLD); END $$")
	f.execBare("CREATE TRIGGER wipe " + when + " ON b.x FOR EACH ROW EXECUTE FUNCTION wipe()")
	require.Error(t, inTx(), "the plan is made anew")
	run(t.Context(), hide)
	for range 2 {
		_ = inTx() // in whichever of the two tables
		require.Equal(t, 20, f.count("t"))
	}
}
