package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// Two databases of a server may have views of the same name.
func TestSameViewNameInTwoDatabases(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		var mine string
		require.NoError(t, f.bare.QueryRow("SELECT DATABASE()").Scan(&mine))
		other := mine + "_2"
		f.execBare(t, "CREATE DATABASE "+other)
		t.Cleanup(func() { _, err := f.bare.Exec("DROP DATABASE " + other); assert.NoError(t, err) })
		wipes := "INT MODIFIES SQL DATA BEGIN DELETE FROM child; RETURN 0; END"
		f.execBare(t, "CREATE FUNCTION f() RETURNS "+wipes, "CREATE VIEW "+other+".v AS SELECT "+mine+".f() AS a", "CREATE VIEW v AS SELECT * FROM t",
			"CREATE TABLE item (id INT)", "CREATE TRIGGER trg BEFORE INSERT ON item FOR EACH ROW SET @a = (SELECT MAX(id) FROM v)",
			"CREATE TABLE "+other+".item (id INT)", "CREATE TRIGGER "+other+".trg BEFORE INSERT ON "+other+".item FOR EACH ROW SET @a = (SELECT MAX(a) FROM v)")
		c, one := f.conn(t), dbguard.AtMost(t.Context(), 1)
		calls := func(text string, args ...any) {
			t.Helper()
			_, err := c.ExecContext(one, text, args...)
			require.ErrorIs(t, err, dbguard.OverLimit, text)
			assert.Equal(t, 5, f.count(t, "child"), text)
		}
		kept, err := c.PrepareContext(t.Context(), "SELECT * FROM v")
		require.NoError(t, err)
		require.NoError(t, kept.Close())
		f.execBare(t, "CREATE TABLE "+other+".log (n INT) ENGINE=MyISAM", "CREATE FUNCTION "+other+".g() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM "+other+".log; RETURN 0; END",
			"CREATE VIEW "+other+".w AS SELECT "+other+".g() AS a", "CREATE VIEW w AS SELECT * FROM t")
		for _, text := range []string{"SELECT * FROM v", "SELECT * FROM w", "SELECT * FROM " + mine + ".v", "UPDATE w SET n = 2 WHERE id = 1"} {
			_, err := c.ExecContext(one, text)
			require.NoError(t, err, text)
		}
		exec(t, c, "UPDATE v SET n = 1 WHERE id = 1", "INSERT INTO item VALUES (1)")
		for _, text := range []string{
			"SELECT * FROM " + other + ".v", "SELECT * FROM `" + other + "` . `v`", "SELECT * FROM v, " + other + ".v AS w", "INSERT INTO " + other + ".item VALUES (1)",
			"USE " + other + "; SELECT * FROM v",
		} {
			calls(text)
			exec(t, c, "USE "+mine)
		}
		var id, n int
		require.NoError(t, c.QueryRowContext(t.Context(), "SELECT * FROM v WHERE id = ?", 1).Scan(&id, &n))
		exec(t, c, "USE "+other)
		calls("SELECT * FROM v")
		require.ErrorIs(t, c.QueryRowContext(one, "SELECT * FROM v WHERE a >= ?", 0).Scan(&id), dbguard.OverLimit)
		calls("INSERT INTO item VALUES (1)")
		exec(t, c, "SELECT * FROM "+mine+".v")

		kept, err = c.PrepareContext(t.Context(), "SELECT * FROM v")
		require.NoError(t, err)
		exec(t, c, "USE "+mine)
		require.ErrorIs(t, kept.QueryRowContext(t.Context()).Scan(&id), dbguard.ErrRefused)
		assert.Equal(t, 5, f.count(t, "child"))
	})
}

// A statement keeps the database that it was prepared in.
func TestPreparedStatementKeepsItsDatabase(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		var mine string
		require.NoError(t, f.bare.QueryRow("SELECT DATABASE()").Scan(&mine))
		other := mine + "_2"
		f.execBare(t, "CREATE DATABASE "+other, "CREATE TABLE "+other+".t AS SELECT * FROM t")
		t.Cleanup(func() { _, err := f.bare.Exec("DROP DATABASE " + other); assert.NoError(t, err) })
		c, one := f.conn(t), dbguard.AtMost(t.Context(), 1)
		exec(t, c, "SELECT 1")
		for _, text := range []string{"UPDATE t SET n = n + 1 WHERE id = ?", "DELETE FROM t WHERE id = ?", "UPDATE t SET n = n + 1 WHERE id = ? ORDER BY id", "INSERT INTO t VALUES (?, 5) ON DUPLICATE KEY UPDATE n = 5"} {
			kept, err := c.PrepareContext(t.Context(), text)
			require.NoError(t, err)
			for _, use := range []string{"USE " + other, "SET STATEMENT max_statement_time = 9 FOR USE " + mine + "; USE " + other, "SELECT 1; USE " + other} {
				if f.Engine == target.MySQL && mariadbOwn.MatchString(use) {
					continue
				}
				exec(t, c, use)
				_, err = kept.ExecContext(one, 1)
				require.ErrorIs(t, err, dbguard.Uncountable, text)
				exec(t, c, "UPDATE t SET n = 0 WHERE id = 1")
				exec(t, c, "USE "+mine)
			}
			_, err = kept.ExecContext(one, 2)
			require.NoError(t, err, text)
			exec(t, c, "USE "+other)
			_, err = kept.ExecContext(dbguard.Allow(one, "test", dbguard.Opaque()), 3)
			require.NoError(t, err, text)
			exec(t, c, "UPDATE t SET n = 0 WHERE id = 1", "USE "+mine)
			require.NoError(t, kept.Close())
		}
		assert.Equal(t, 9, f.count(t, other+".t WHERE n = 0"))
		assert.Equal(t, 7, f.count(t, "t WHERE n = 0"))
	})
}
