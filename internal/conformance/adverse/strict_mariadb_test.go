package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// What the server counts in its own way is not held against the caller.
func TestWhatChangesNothingIsNotCounted(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, g *ground) {
		g.others(t,
			"CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY)",
			"CREATE TABLE logged (id INT PRIMARY KEY, n INT)", "INSERT INTO logged SELECT * FROM t",
			"CREATE TRIGGER logs AFTER UPDATE ON logged FOR EACH ROW INSERT INTO log VALUES ()",
			"CREATE TABLE parts (id INT PRIMARY KEY, n INT) PARTITION BY HASH (id) PARTITIONS 3", "INSERT INTO parts SELECT * FROM t",
			"CREATE TABLE loggedparts (id INT PRIMARY KEY, n INT) PARTITION BY HASH (id) PARTITIONS 3", "INSERT INTO loggedparts SELECT * FROM t",
			"CREATE TRIGGER logsparts AFTER UPDATE ON loggedparts FOR EACH ROW INSERT INTO log VALUES ()",
			"CREATE FUNCTION pure(n INT) RETURNS INT DETERMINISTIC RETURN n + 1",
			"CREATE FUNCTION destroys() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM child; RETURN 1; END",
		)
		for _, table := range []string{"t", "logged", "parts", "loggedparts"} {
			g.others(t, "UPDATE "+table+" SET n = 1", "UPDATE "+table+" SET n = 0 WHERE id = 3")
			text := "UPDATE " + table + " SET n = ? WHERE id < 9"
			_, err := g.db.ExecContext(dbguard.AtMost(t.Context(), 0), text, 1)
			require.ErrorIs(t, err, dbguard.OverLimit, table)
			res, err := g.db.ExecContext(dbguard.AtMost(t.Context(), 1), text, 1)
			require.NoError(t, err, "of eight rows only one had another value in %s", table)
			n, err := res.RowsAffected()
			require.NoError(t, err)
			assert.EqualValues(t, 1, n)
			_, err = g.db.ExecContext(dbguard.AtMost(t.Context(), 1), text, 2)
			require.ErrorIs(t, err, dbguard.OverLimit, table)
			assert.Zero(t, g.rows(t, table+" WHERE n = 2"))
		}
		for _, text := range []string{"DO pure(1)", "SET @a = pure(1)", "CREATE TABLE made AS SELECT pure(1) AS n"} {
			_, err := g.db.ExecContext(t.Context(), text)
			require.NoError(t, err, text)
		}
		for _, text := range []string{"DO destroys()", "SET @a = destroys()", "CREATE TABLE ruined AS SELECT destroys() AS n"} {
			_, err := g.db.ExecContext(dbguard.AtMost(t.Context(), 4), text)
			require.ErrorIs(t, err, dbguard.ErrRefused, text)
			assert.Equal(t, 5, g.rows(t, "child"), text)
		}
	})
}
