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
