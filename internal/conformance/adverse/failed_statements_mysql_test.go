package adverse

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// A statement that fails before it runs takes nothing along of what the caller's
// transaction has done before.
func TestWhatFailsBeforeItRuns(t *testing.T) {
	firsts := map[string]string{
		"INSERT INTO t VALUES (10, 0)": "t WHERE id = 10", "UPDATE t SET n = 7 WHERE id = 1": "t WHERE n = 7", "DELETE FROM child WHERE id = 1": "child HAVING count(*) = 4",
	}
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, "CREATE TABLE hidden (id INT PRIMARY KEY)")
		name := strings.Split(strings.Split(f.DSN, "/")[1], "?")[0]
		in := f.openGuarded(t, f.createUser(t, "ALL ON "+name+".t", "ALL ON "+name+".child", "DELETE ON "+name+".hidden", "TRIGGER ON *.*"))
		for first, kept := range firsts {
			for _, fails := range []string{"DELETE FROM missing WHERE id = 1", "UPDATE missing SET id = 2 WHERE id = 1", "INSERT INTO missing VALUES (1)", "DELETE FROM hidden WHERE id = 1"} {
				tx, err := in.BeginTx(t.Context(), nil)
				require.NoError(t, err)
				exec(t, tx, first)
				_, err = tx.ExecContext(dbguard.AtMost(t.Context(), 1), fails)
				require.Error(t, err)
				require.NotErrorIs(t, err, dbguard.ErrRefused)
				var n int
				require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT count(*) FROM "+kept).Scan(&n))
				assert.NotZero(t, n, "%s; %s", first, fails)
				require.NoError(t, tx.Rollback())
			}
		}
	})
}

// What the guard says in one packet is longer than what the caller says: where that is
// all that fits, it says it otherwise.
func TestATextThatFillsThePacket(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, "ALTER TABLE t ADD s TEXT")
		long := strings.Repeat("x", 9900)
		db := f.openGuarded(t, f.DSN+"&maxAllowedPacket=10000")
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		exec(t, tx, "INSERT INTO t VALUES (10, 0, '')", "INSERT INTO t VALUES (11, 0, '"+long+"')",
			"UPDATE t SET s = '"+long+"' WHERE id = 1", "DELETE FROM t WHERE id = 2 AND s IS NULL OR s = '"+strings.Repeat("''", 2000)+"'")
		require.NoError(t, tx.Commit())
		exec(t, db, "UPDATE t SET s = '"+long+"' WHERE id = 3")
		assert.Equal(t, 10, f.count(t, "t"))
		assert.Equal(t, 3, f.count(t, "t WHERE s LIKE 'xx%'"))
	})
}
