package adverse

import (
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// Rows that the server counts although they did not change are not held against the caller.
func TestUnchangedRowsAreNotCounted(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t,
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
			f.execBare(t, "UPDATE "+table+" SET n = 1", "UPDATE "+table+" SET n = 0 WHERE id = 3")
			text := "UPDATE " + table + " SET n = ? WHERE id < 9"
			_, err := f.db.ExecContext(dbguard.AtMost(t.Context(), 0), text, 1)
			require.ErrorIs(t, err, dbguard.OverLimit, table)
			res, err := f.db.ExecContext(dbguard.AtMost(t.Context(), 1), text, 1)
			require.NoError(t, err, "of eight rows only one had another value in %s", table)
			n, err := res.RowsAffected()
			require.NoError(t, err)
			assert.EqualValues(t, 1, n)
			_, err = f.db.ExecContext(dbguard.AtMost(t.Context(), 1), text, 2)
			require.ErrorIs(t, err, dbguard.OverLimit, table)
			assert.Zero(t, f.count(t, table+" WHERE n = 2"))
		}
		for _, text := range []string{"DO pure(1)", "SET @a = pure(1)", "CREATE TABLE made AS SELECT pure(1) AS n"} {
			_, err := f.db.ExecContext(t.Context(), text)
			require.NoError(t, err, text)
		}
		for _, text := range []string{"DO destroys()", "SET @a = destroys()", "CREATE TABLE ruined AS SELECT destroys() AS n"} {
			_, err := f.db.ExecContext(dbguard.AtMost(t.Context(), 4), text)
			require.ErrorIs(t, err, dbguard.ErrRefused, text)
			assert.Equal(t, 5, f.count(t, "child"), text)
		}
	})
}

// The guard's prepared compound statements run in the database they were prepared in.
func TestPreparedCompoundsAndUse(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		other := newFixture(t, f.Target)
		c := f.conn(t)
		var here, there string
		require.NoError(t, c.QueryRowContext(t.Context(), "SELECT DATABASE()").Scan(&here))
		require.NoError(t, other.bare.QueryRowContext(t.Context(), "SELECT DATABASE()").Scan(&there))
		send := func(id int) {
			t.Helper()
			for _, text := range []string{"DELETE FROM t WHERE id = ?", "INSERT INTO t VALUES (? + 100, 0)"} {
				_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), text, id)
				require.NoError(t, err, text)
			}
		}
		send(1)
		exec(t, c, "USE "+there)
		send(2)
		require.NoError(t, c.Raw(func(conn any) error {
			raw, err := sqlguard.Raw(dbguard.Allow(t.Context(), "tested", dbguard.Opaque()), conn, "to go behind the guard's back")
			if err == nil {
				_, err = raw.(driver.ExecerContext).ExecContext(t.Context(), "USE "+here, nil)
			}
			return err
		}))
		send(3)
		assert.Equal(t, 2, f.count(t, "t WHERE id IN (101, 103)"))
		assert.Equal(t, 7, f.count(t, "t WHERE id < 100"))
		assert.Equal(t, 1, other.count(t, "t WHERE id = 102"))
		assert.Equal(t, 8, other.count(t, "t WHERE id < 100"))
	})
}
