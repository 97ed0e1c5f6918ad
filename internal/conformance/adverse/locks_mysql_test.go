package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Tables that the caller has locked stay locked: what the server then refuses, it refuses.
func TestTablesStayLocked(t *testing.T) {
	for _, lock := range []string{
		"LOCK TABLES t READ", "SET STATEMENT max_statement_time=9 FOR LOCK TABLES t READ", "FLUSH TABLES t WITH READ LOCK", "FLUSH TABLES t FOR EXPORT",
		"SELECT 1; LOCK TABLES t READ", "/*!40000 LOCK TABLES t READ */", "LOCK TABLES t READ; SELECT 1", "UNLOCK TABLES; LOCK TABLES t READ",
	} {
		t.Run(lock, func(t *testing.T) {
			each(t, onMySQL, func(t *testing.T, f *fixture) {
				f.skipMariaDBs(t, lock)
				c, one := f.conn(t), dbguard.AtMost(t.Context(), 1)
				exec(t, c, "DELETE FROM t WHERE id = 9", lock)
				_, err := c.ExecContext(one, "DELETE FROM t WHERE id = 1")
				require.ErrorContains(t, err, "1099")
				_, err = c.ExecContext(one, "DELETE FROM child WHERE id = 1")
				require.ErrorContains(t, err, "1100")
				_, err = c.ExecContext(one, "DELETE FROM t WHERE id = 1")
				require.ErrorContains(t, err, "1099")
				exec(t, c, "UNLOCK TABLES", "DELETE FROM t WHERE id = 1", lock, "BEGIN", "DELETE FROM t WHERE id = 2", "COMMIT", "DELETE FROM child WHERE id = 1")
				assert.Equal(t, 10, f.count(t, "t")+f.count(t, "child"))
			})
		})
	}
}
