package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// A read may stand behind what only steers the session or the transaction.
func TestAViewThatCallsBehindOtherStatements(t *testing.T) {
	each(t, onServers, func(t *testing.T, g *ground) {
		set := "SET @a = 1"
		if g.Engine == target.Postgres {
			set = "SET statement_timeout = 100000"
			g.others(t, "CREATE FUNCTION f() RETURNS INT LANGUAGE sql AS 'DELETE FROM child; SELECT 1'")
		} else {
			g.others(t, "CREATE FUNCTION f() RETURNS INT "+wipe)
		}
		g.others(t, "CREATE VIEW v AS SELECT f() AS a")
		c := g.conn(t)
		for _, text := range []string{
			set + "; SELECT * FROM v", "BEGIN; SELECT * FROM v; COMMIT", "BEGIN; SELECT * FROM v; ROLLBACK", "START TRANSACTION; SELECT * FROM v", "SELECT 1; SELECT * FROM v",
			"BEGIN; SELECT f(); COMMIT", "START TRANSACTION; SELECT f()",
		} {
			_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), text)
			require.ErrorIs(t, err, dbguard.ErrRefused, text)
			assert.Equal(t, 5, g.rows(t, "child"), text)
			_, err = c.ExecContext(t.Context(), "ROLLBACK")
			require.NoError(t, err)
		}
		_, err := c.ExecContext(t.Context(), "BEGIN; SELECT id FROM t; COMMIT")
		require.NoError(t, err)
	})
}
