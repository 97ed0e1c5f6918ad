package adverse

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// sql_select_limit truncates the results of the guard's own queries, too.
func TestSQLSelectLimit(t *testing.T) {
	const cascade = "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t (id) ON DELETE CASCADE"
	for name, setup := range map[string][]string{
		"the second key": {"CREATE TABLE a (id INT PRIMARY KEY, r INT, FOREIGN KEY (r) REFERENCES t (id))", cascade},
		"a key of two columns": {
			"ALTER TABLE t ADD KEY (id, n)", "ALTER TABLE child ADD s INT DEFAULT 0",
			"ALTER TABLE child ADD FOREIGN KEY (r, s) REFERENCES t (id, n) ON DELETE CASCADE",
		},
		"the second trigger": {
			"CREATE TRIGGER a AFTER DELETE ON t FOR EACH ROW SET @a = 1",
			"CREATE TRIGGER b AFTER DELETE ON t FOR EACH ROW UPDATE child SET r = r + 1",
		},
	} {
		for _, set := range []string{"SET sql_select_limit = 1", "SET sql_select_limit = 3", "SET sql_select_limit = 5"} {
			t.Run(name+", "+set, func(t *testing.T) {
				each(t, onMySQL, func(t *testing.T, f *fixture) {
					f.execBare(t, setup...)
					c, ctx := f.conn(t), dbguard.AtMost(t.Context(), 1)
					exec(t, c, set)
					for _, text := range []string{"DELETE FROM t WHERE id = 1", "DELETE IGNORE FROM t WHERE id = 1"} {
						_, err := c.ExecContext(ctx, text)
						require.Error(t, err)
						assert.Equal(t, 9, f.count(t, "t"))
						assert.Equal(t, 5, f.count(t, "child WHERE r = 1"))
					}
				})
			})
		}
	}
}

// Under sql_mode ORACLE, BEGIN opens a block.
func TestOracleMode(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, f *fixture) {
		c, ctx := f.conn(t), dbguard.AtMost(t.Context(), 1)
		exec(t, c, "SET sql_mode = ORACLE")
		for _, text := range []string{
			"DELETE FROM t WHERE id = 3", "DELETE IGNORE FROM t WHERE id = 4", "UPDATE t SET n = 4 WHERE id = 7", "INSERT INTO t VALUES (20, 0)",
		} {
			_, err := c.ExecContext(ctx, text)
			require.NoError(t, err, text)
		}
		_, err := c.ExecContext(ctx, "DELETE FROM t WHERE id > 0")
		require.ErrorIs(t, err, dbguard.ErrRefused)
		assert.Equal(t, 8, f.count(t, "t"))
	})
}

// Under NO_BACKSLASH_ESCAPES a string ends before what a backslash would hide.
func TestNoBackslashEscapes(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, "ALTER TABLE t ADD s VARCHAR(9)", "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t (id) ON UPDATE CASCADE")
		c, ctx := f.conn(t), dbguard.AtMost(t.Context(), 1)
		exec(t, c, "SET sql_mode = NO_BACKSLASH_ESCAPES")
		for _, text := range []string{
			`UPDATE t SET s = '\', id = 100 WHERE id = 1 -- '`,
			`UPDATE t SET s = '\', id = 100 WHERE id = 1`,
			`INSERT INTO t VALUES (1, 0, '') ON DUPLICATE KEY UPDATE s = '\', id = 100 -- '`,
		} {
			_, err := c.ExecContext(ctx, text)
			require.ErrorIs(t, err, dbguard.ErrRefused, text)
			assert.Equal(t, 5, f.count(t, "child WHERE r = 1"))
		}
		_, err := c.ExecContext(ctx, `UPDATE t SET s = '\', id = 100 WHERE id = ? -- '`, 1)
		require.ErrorIs(t, err, dbguard.ErrRefused)
		assert.Equal(t, 5, f.count(t, "child WHERE r = 1"))
	})
}

// A column may be named like a clause, behind a dot even without quotes.
func TestColumnNamedLikeClause(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.linkChildToN(t)
		f.execBare(t, "ALTER TABLE t ADD `order` INT, ADD `limit` INT", addIndex, addForeignKey)
		c, ctx := f.conn(t), dbguard.AtMost(t.Context(), 1)
		const text = "UPDATE t SET t.order = ?, t.n = t.n + 100 WHERE id = ?"
		for range 3 {
			_, err := c.ExecContext(ctx, text, 1, -1)
			require.NoError(t, err)
			time.Sleep(150 * time.Millisecond)
		}
		_, err := c.ExecContext(ctx, text, 2, 1)
		require.ErrorIs(t, err, dbguard.ErrRefused)
		assert.Equal(t, 5, f.count(t, "child WHERE r = 1"))
	})
}

// In connection character sets of two and four bytes the server's literals are other bytes.
func TestWideConnectionCharset(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t (id) ON DELETE CASCADE ON UPDATE CASCADE")
		c := f.conn(t)
		for _, set := range []string{"ucs2", "utf16", "utf16le", "utf32"} {
			exec(t, c, "SET character_set_connection = "+set)
			for _, text := range []string{"DELETE FROM t WHERE id = 1", "UPDATE t SET id = 100 WHERE id = 1"} {
				_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), text)
				require.ErrorIs(t, err, dbguard.OverLimit, set)
			}
			exec(t, c, "UPDATE t SET id = id + 100 WHERE id = 9", "UPDATE t SET id = id - 100 WHERE id = 109")
		}
	})
}

// completion_type is not meant for the guard's own COMMIT and ROLLBACK.
func TestCompletionType(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, f *fixture) {
		c := f.conn(t)
		for i, set := range []string{"CHAIN", "RELEASE"} {
			exec(t, c, "SET completion_type = '"+set+"'", "UPDATE t SET n = n + 1 WHERE id = 1", "DELETE FROM t WHERE id = -1")
			_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), "UPDATE t SET n = n + 1 WHERE id > 0")
			require.ErrorIs(t, err, dbguard.OverLimit)
			_, err = c.ExecContext(dbguard.AtMost(t.Context(), 1), "UPDATE t SET n = n + 1 WHERE id IN (SELECT 2 UNION SELECT 3)")
			require.ErrorIs(t, err, dbguard.OverLimit)
			var open bool
			require.NoError(t, c.QueryRowContext(t.Context(), "SELECT @@in_transaction").Scan(&open))
			assert.False(t, open)
			assert.Equal(t, 1, f.count(t, fmt.Sprintf("t WHERE n = %d", i+1)))
		}
	})
}

// In some modes SHOW CREATE TABLE leaves the engine out.
func TestRowsThatAReplaceAddsUnderAnsi(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, f *fixture) {
		f.execBare(t, "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t (id) ON DELETE CASCADE", "UPDATE child SET r = id")
		c := f.conn(t)
		for i, mode := range []string{"ANSI", "ORACLE", "NO_TABLE_OPTIONS"} {
			exec(t, c, "SET sql_mode = '"+mode+"'")
			text := fmt.Sprintf("REPLACE INTO t VALUES (%d, 7), (%d, 7)", i+1, i+20)
			_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), text)
			require.ErrorIs(t, err, dbguard.OverLimit, mode)
			_, err = c.ExecContext(dbguard.AtMost(t.Context(), 2), text)
			require.NoError(t, err, mode)
		}
	})
}
