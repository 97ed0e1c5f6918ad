package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// In some encodings a backslash is the second byte of a letter, also of what is a letter in UTF-8.
func TestEncodingsWithBackslashInLetters(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for _, set := range []string{"SET client_encoding = SJIS", "SET NAMES 'gbk'", "SELECT set_config('client_encoding', 'BIG5', false)", "SET CLIENT_ENCODING TO 'gb18030'"} {
			conn, run := f.session()
			run(t.Context(), "SET client_encoding = UTF8")
			run(t.Context(), "SELECT E'é\\''")
			run(t.Context(), set)
			for _, letter := range []string{"\x83", "\xa4", "あ", "与"} {
				_, err := conn.ExecContext(t.Context(), "SELECT E'"+letter+"\\'; DELETE FROM t; --'")
				require.ErrorIs(t, err, dbguard.Unreadable, "%s, %q", set, letter)
			}
			run(t.Context(), "SET client_encoding = UTF8")
			run(t.Context(), "SELECT E'é\\''")
			require.NoError(t, conn.Close())
		}
		require.Equal(t, 20, f.count("t"))
	})
}

// The names behind which code hides are written differently in another encoding.
func TestHiddenNamesInAnotherEncoding(t *testing.T) {
	const view = "SELECT * FROM gr\xf6\xdfe"
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare("CREATE FUNCTION w() RETURNS int LANGUAGE plpgsql AS $$ BEGIN " + wipe + " RETURN 1; END $$")
		f.execBare("CREATE VIEW größe AS SELECT w()")
		conn, run := f.session()
		for _, set := range []string{"SET client_encoding = LATIN1", "SET NAMES 'LATIN1'", "SELECT set_config('client_encoding', 'LATIN1', false)"} {
			run(t.Context(), "RESET client_encoding")
			_, err := conn.ExecContext(t.Context(), "SELECT * FROM größe")
			require.ErrorIs(t, err, dbguard.ErrRefused)
			run(t.Context(), set)
			_, err = conn.ExecContext(t.Context(), view)
			require.ErrorIs(t, err, dbguard.ErrRefused, set)
		}
		run(t.Context(), "RESET ALL")
		run(t.Context(), "BEGIN")
		run(t.Context(), "SET LOCAL client_encoding = LATIN1")
		run(t.Context(), "SELECT * FROM t")
		run(t.Context(), "ROLLBACK")
		_, err := conn.ExecContext(t.Context(), "SELECT * FROM größe")
		require.ErrorIs(t, err, dbguard.ErrRefused)
		require.Equal(t, 20, f.count("t"))
	})
}
