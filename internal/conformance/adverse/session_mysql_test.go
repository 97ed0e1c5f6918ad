package adverse

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

const wipeBody = "MODIFIES SQL DATA BEGIN DELETE FROM child WHERE r = 1; RETURN 0; END"

// Under EMPTY_STRING_IS_NULL a comparison with an empty string is NULL.
func TestGeneratedKeyUnderEmptyStringIsNull(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, f *fixture) {
		f.execBare(t, "CREATE TABLE p (id INT PRIMARY KEY, a INT, g INT AS (a * 10) STORED, KEY (g))", "INSERT INTO p (id, a) VALUES (1, 1), (2, 2)",
			"CREATE TABLE kid (id INT PRIMARY KEY, r INT, FOREIGN KEY (r) REFERENCES p (g) ON UPDATE CASCADE)", "INSERT INTO kid VALUES (1, 10), (2, 10)")
		c, ctx := f.conn(t), dbguard.AtMost(t.Context(), 1)
		exec(t, c, "SET sql_mode = 'EMPTY_STRING_IS_NULL'")
		const text = "UPDATE p SET a = ? WHERE id = ?"
		for i := range 4 { // fills the cache of columns
			_, err := c.ExecContext(ctx, text, 20+i, 2)
			require.NoError(t, err)
			time.Sleep(120 * time.Millisecond)
		}
		_, err := c.ExecContext(ctx, text, 9, 1)
		require.ErrorIs(t, err, dbguard.OverLimit)
		assert.Equal(t, 2, f.count(t, "kid WHERE r = 10"))
	})
}

// In some character sets the second byte of a character may be a backslash or a backtick.
func TestCharactersThatEndInBackslash(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, "CREATE FUNCTION f() RETURNS INT "+wipeBody)
		texts := []string{"SELECT '\x95\x5c', f() -- '", "SELECT '\x95\x5c'; DELETE FROM t -- '", "SELECT 1 AS `\x95\x60`, f() -- `"}
		for _, charset := range []string{"gbk", "sjis", "cp932"} {
			in := f.openGuarded(t, f.DSN+"&charset="+charset)
			for _, text := range texts {
				_, err := in.ExecContext(t.Context(), text)
				require.ErrorIs(t, err, dbguard.Unreadable, charset)
			}
			_, err := f.db.ExecContext(t.Context(), `SELECT 'é\n'`) // makes the guard read the settings
			require.NoError(t, err)
			exec(t, f.db, "SET NAMES "+charset)
			_, err = f.db.ExecContext(t.Context(), texts[0])
			require.ErrorIs(t, err, dbguard.Unreadable, charset)
			exec(t, f.db, "SET NAMES utf8mb4")
		}
		assert.Equal(t, 14, f.count(t, "t")+f.count(t, "child"))
	})
}

// In some character sets, a byte that is a letter elsewhere is white space.
func TestCharsetWhiteSpace(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, "CREATE FUNCTION f() RETURNS INT "+wipeBody, "CREATE VIEW w AS SELECT f() AS a")
		for charset, space := range map[string]string{"latin1": "\xa0", "latin2": "\xa0", "cp866": "\xff"} {
			in := f.openGuarded(t, f.DSN+"&charset="+charset)
			for _, text := range []string{"SELECT f ()", "SELECT a FROM w x", "SELECT 1 FROM w x", "DELETE FROM child WHERE r = 1", "SELECT 1 ; DELETE FROM t"} {
				_, err := in.ExecContext(dbguard.AtMost(t.Context(), 1), strings.ReplaceAll(text, " ", space))
				require.ErrorIs(t, err, dbguard.ErrRefused, text)
			}
		}
		_, err := f.db.ExecContext(t.Context(), "SET NAMES latin1; SELECT f\xa0()")
		require.ErrorIs(t, err, dbguard.Unreadable)
		assert.Equal(t, 14, f.count(t, "t")+f.count(t, "child"))
	})
}

// Under sql_mode MSSQL, brackets quote.
func TestMSSQLBrackets(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, f *fixture) {
		f.execBare(t, "CREATE FUNCTION f() RETURNS INT "+wipeBody)
		exec(t, f.db, "SET sql_mode = 'MSSQL'")
		_, err := f.db.ExecContext(t.Context(), "SELECT 1 AS [ -- ], f()")
		require.ErrorIs(t, err, dbguard.Unreadable)
		assert.Equal(t, 5, f.count(t, "child"))
	})
}

// A stored function may have the name of a built-in one.
func TestFunctionNamedLikeBuiltin(t *testing.T) {
	for name, call := range map[string]string{"mid": "mid (1)", "count": "`count`(1)", "any_value": "any_value(1)"} {
		each(t, onMariaDB, func(t *testing.T, f *fixture) {
			f.execBare(t, "CREATE FUNCTION `"+name+"`(a INT) RETURNS INT "+wipeBody, "CREATE TABLE item (id INT)",
				"CREATE TRIGGER trg AFTER DELETE ON t FOR EACH ROW SET @a = "+call, "CREATE VIEW w AS SELECT "+call+" AS a")
			for _, text := range []string{"SELECT " + call, "INSERT INTO item VALUES (" + call + ")", "DELETE FROM t WHERE id = 1", "SELECT a FROM w"} {
				_, err := f.db.ExecContext(dbguard.AtMost(t.Context(), 4), text)
				require.ErrorIs(t, err, dbguard.OverLimit, text)
			}
			_, err := f.db.ExecContext(t.Context(), "SELECT MID('abc', 2), COUNT(*) FROM item")
			require.NoError(t, err)
			assert.Equal(t, 5, f.count(t, "child"))
		})
	}
}

// A text of several statements may drop a temporary table that shadows another table.
func TestTextThatDropsTemporaryTable(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		c := f.conn(t)
		exec(t, c, "CREATE TEMPORARY TABLE t (id INT)", "CREATE TEMPORARY TABLE mine (id INT)")
		for _, text := range []string{
			"DROP TABLE t; DROP TABLE t", "DROP TEMPORARY TABLE t; DROP TABLE t", "DROP TEMPORARY TABLE t; TRUNCATE TABLE t",
			"ALTER TABLE t RENAME TO z; DROP TABLE t",
		} {
			_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), text)
			require.ErrorIs(t, err, dbguard.ErrRefused, text)
		}
		_, err := c.ExecContext(dbguard.Allow(t.Context(), "test", dbguard.AlterTable("child")), "RENAME TABLE child TO x; DROP TABLE IF EXISTS x")
		require.ErrorIs(t, err, dbguard.ErrRefused)
		assert.Equal(t, 14, f.count(t, "t")+f.count(t, "child"))
		exec(t, c, "TRUNCATE mine; DROP TABLE mine", "DROP TABLE IF EXISTS x; CREATE TABLE x (id INT)")
	})
}

// Which triggers an account sees may depend on its role.
func TestSetRoleHidesTriggers(t *testing.T) {
	for fires, text := range map[string]string{"DELETE": "DELETE FROM t WHERE id = 1", "INSERT": "INSERT INTO t VALUES (50, 0)"} {
		each(t, onMySQL, func(t *testing.T, f *fixture) {
			f.execBare(t, "CREATE ROLE seer", "GRANT TRIGGER ON *.* TO seer")
			defer f.execBare(t, "DROP ROLE seer")
			f.execBare(t, "CREATE TRIGGER trg AFTER "+fires+" ON t FOR EACH ROW DELETE FROM child WHERE r = 1")
			db := f.openGuarded(t, f.createUser(t, "SELECT, INSERT, UPDATE, DELETE ON "+strings.Split(strings.Split(f.DSN, "/")[1], "?")[0]+".*", "seer"))
			c, err := db.Conn(t.Context())
			require.NoError(t, err)
			t.Cleanup(func() { _ = c.Close() })
			exec(t, c, "SET ROLE seer", "UPDATE t SET n = 1 WHERE id = 9", "SET ROLE NONE")
			_, err = c.ExecContext(dbguard.AtMost(t.Context(), 1), text)
			require.ErrorIs(t, err, dbguard.OverLimit)
			assert.Equal(t, 5, f.count(t, "child"))
		})
	}
}

// A user variable keeps its value when the rest is rolled back.
func TestUserVariablesAreSetOnce(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t (id) ON UPDATE CASCADE ON DELETE CASCADE")
		c, ctx := f.conn(t), dbguard.AtMost(t.Context(), 9)
		exec(t, c, "SET @i = 0")
		_, err := c.ExecContext(ctx, "UPDATE t SET n = (@i := @i + 1) WHERE id < 4 ORDER BY id")
		require.NoError(t, err)
		assert.Equal(t, 3, f.count(t, "t WHERE n = id AND id < 4"))
	})
}

// || is OR, or concatenates.
func TestPipesAsConcat(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		exec(t, f.db, "SET sql_mode = PIPES_AS_CONCAT", "DELETE FROM t WHERE id = 1||2 OR id = 1")
		assert.Equal(t, 8, f.count(t, "t"))
	})
}

// The server counts nowhere what a function does within SHOW STATUS.
func TestShowStatusWithFunction(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		const where = " WHERE f() = 0 AND Variable_name = 'Uptime'"
		f.execBare(t, "CREATE FUNCTION f() RETURNS INT "+wipeBody, "CREATE PROCEDURE p() BEGIN SHOW STATUS"+where+"; END")
		for _, text := range []string{"/* x */ SHOW STATUS" + where, "SHOW/**/STATUS" + where, "SHOW SESSION STATUS" + where, "CALL p()"} {
			_, err := f.db.ExecContext(dbguard.AtMost(t.Context(), 9), text)
			require.ErrorIs(t, err, dbguard.ErrRefused, text)
		}
		assert.Equal(t, 5, f.count(t, "child"))
	})
}

// LOCK TABLES ends the transaction, as COMMIT does: a later ROLLBACK refunds nothing.
func TestLockTablesCommitsBudget(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		c, ctx := f.conn(t), dbguard.Budget(t.Context(), 2)
		exec(t, c, "START TRANSACTION")
		_, err := c.ExecContext(ctx, "DELETE FROM t WHERE id = 1")
		require.NoError(t, err)
		exec(t, c, "LOCK TABLES t WRITE, child WRITE", "UNLOCK TABLES", "ROLLBACK")
		require.Zero(t, f.count(t, "t WHERE id = 1"), "it is committed")
		_, err = c.ExecContext(ctx, "DELETE FROM t WHERE id IN (2, 3)")
		require.ErrorIs(t, err, dbguard.OverBudget)
		_, err = c.ExecContext(ctx, "DELETE FROM t WHERE id = 2")
		require.NoError(t, err)
	})
}
