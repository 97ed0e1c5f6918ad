package adverse

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// The server returns names in the session's character set. Names that it cannot
// represent cannot be looked up.
func TestNamesOutsideSessionCharset(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t,
			"CREATE TABLE `таблица` AS SELECT * FROM t",
			"CREATE TRIGGER g AFTER UPDATE ON `таблица` FOR EACH ROW DELETE FROM child",
			"CREATE TRIGGER h AFTER INSERT ON `таблица` FOR EACH ROW DELETE FROM child",
			"CREATE VIEW seen AS SELECT * FROM `таблица`",
			"CREATE TRIGGER i AFTER UPDATE ON t FOR EACH ROW UPDATE `таблица` SET n = 1 WHERE id = NEW.id",
			"CREATE FUNCTION `функция`() RETURNS INT BEGIN DELETE FROM child; RETURN 1; END",
			"CREATE TRIGGER j BEFORE DELETE ON t FOR EACH ROW SET @a = функция()",
			"CREATE VIEW calls AS SELECT `функция`() AS n",
		)
		db := f.openGuarded(t, f.DSN+"&charset=latin1")
		for _, text := range []string{
			"UPDATE seen SET n = 5 WHERE id = 1", "INSERT INTO seen VALUES (50, 1)", "UPDATE t SET n = 5 WHERE id = 1",
			"DELETE FROM t WHERE id = 1", "SELECT n FROM calls",
		} {
			_, err := db.ExecContext(dbguard.AtMost(t.Context(), 2), text)
			require.ErrorIs(t, err, dbguard.Uncountable, text)
			assert.Equal(t, 5, f.count(t, "child"), text)
		}
	})
}

// A name with a question mark is like any other.
func TestNameWithQuestionMark(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, "RENAME TABLE t TO `t?`", "CREATE VIEW t AS SELECT * FROM `t?`")
		exec(t, f.db, "UPDATE t SET n = 5 WHERE id = 1")
		assert.Equal(t, 1, f.count(t, "`t?` WHERE n = 5"))
	})
}

// The guard cannot read results in multibyte character sets: it says so, and what to do.
func TestMultibyteResultCharset(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, "CREATE FUNCTION f() RETURNS INT "+wipeBody, "CREATE VIEW w AS SELECT f() AS a")
		for _, charset := range []string{"utf16", "ucs2", "utf32", "utf16le"} {
			fresh := f.openGuarded(t, f.DSN+"&character_set_results="+charset)
			used := f.openGuarded(t, f.DSN)
			exec(t, used, "DELETE FROM t WHERE id = 99", "SET character_set_results = "+charset)
			for name, db := range map[string]interface {
				ExecContext(context.Context, string, ...any) (sql.Result, error)
			}{"fresh": fresh, "used": used} {
				for _, text := range []string{"DELETE FROM t WHERE id < 3", "DELETE FROM t WHERE id = 1 OR n IN (SELECT 1)", "UPDATE t SET n = '\\\\' WHERE id = 1"} {
					_, err := db.ExecContext(dbguard.AtMost(t.Context(), 2), text)
					require.ErrorContains(t, err, "SET character_set_results = utf8mb4", name)
				}
			}
			_, err := fresh.ExecContext(dbguard.AtMost(t.Context(), 1), "SELECT a FROM w")
			require.ErrorContains(t, err, "SET character_set_results = utf8mb4")
			assert.Equal(t, 14, f.count(t, "t")+f.count(t, "child"))
			exec(t, fresh, "SET character_set_results = utf8mb4", "DELETE FROM t WHERE id = 99")
		}
	})
}
