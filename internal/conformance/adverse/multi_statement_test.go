package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// A read may follow statements that only control the session or the transaction.
func TestViewThatCallsFunctionBehindOtherStatements(t *testing.T) {
	each(t, onServers, func(t *testing.T, f *fixture) {
		set := "SET @a = 1"
		if f.Engine == target.Postgres {
			set = "SET statement_timeout = 100000"
			f.execBare(t, "CREATE FUNCTION f() RETURNS INT LANGUAGE sql AS 'DELETE FROM child; SELECT 1'")
		} else {
			f.execBare(t, "CREATE FUNCTION f() RETURNS INT "+wipeBody)
		}
		f.execBare(t, "CREATE VIEW v AS SELECT f() AS a")
		c := f.conn(t)
		for _, text := range []string{
			set + "; SELECT * FROM v", "BEGIN; SELECT * FROM v; COMMIT", "BEGIN; SELECT * FROM v; ROLLBACK", "START TRANSACTION; SELECT * FROM v", "SELECT 1; SELECT * FROM v",
			"BEGIN; SELECT f(); COMMIT", "START TRANSACTION; SELECT f()",
		} {
			_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), text)
			require.ErrorIs(t, err, dbguard.ErrRefused, text)
			assert.Equal(t, 5, f.count(t, "child"), text)
			_, err = c.ExecContext(t.Context(), "ROLLBACK")
			require.NoError(t, err)
		}
		_, err := c.ExecContext(t.Context(), "BEGIN; SELECT id FROM t; COMMIT")
		require.NoError(t, err)
	})
}
