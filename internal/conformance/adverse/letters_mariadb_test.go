package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// A session is told names in its own character set. Where that lacks their letters,
// what they stand for cannot be followed.
func TestNamesThatTheSessionCannotSpell(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, g *ground) {
		g.others(t,
			"CREATE TABLE `таблица` AS SELECT * FROM t",
			"CREATE TRIGGER g AFTER UPDATE ON `таблица` FOR EACH ROW DELETE FROM child",
			"CREATE TRIGGER h AFTER INSERT ON `таблица` FOR EACH ROW DELETE FROM child",
			"CREATE VIEW seen AS SELECT * FROM `таблица`",
			"CREATE TRIGGER i AFTER UPDATE ON t FOR EACH ROW UPDATE `таблица` SET n = 1 WHERE id = NEW.id",
			"CREATE FUNCTION `функция`() RETURNS INT BEGIN DELETE FROM child; RETURN 1; END",
			"CREATE TRIGGER j BEFORE DELETE ON t FOR EACH ROW SET @a = функция()",
			"CREATE VIEW calls AS SELECT `функция`() AS n",
		)
		db := g.guardedAt(t, g.DSN+"&charset=latin1")
		for _, text := range []string{
			"UPDATE seen SET n = 5 WHERE id = 1", "INSERT INTO seen VALUES (50, 1)", "UPDATE t SET n = 5 WHERE id = 1",
			"DELETE FROM t WHERE id = 1", "SELECT n FROM calls",
		} {
			_, err := db.ExecContext(dbguard.AtMost(t.Context(), 2), text)
			require.ErrorIs(t, err, dbguard.Uncountable, text)
			assert.Equal(t, 5, g.rows(t, "child"), text)
		}
	})
}

// A name that has a question mark is one like any other.
func TestANameWithAQuestionMark(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, g *ground) {
		g.others(t, "RENAME TABLE t TO `t?`", "CREATE VIEW t AS SELECT * FROM `t?`")
		exec(t, g.db, "UPDATE t SET n = 5 WHERE id = 1")
		assert.Equal(t, 1, g.rows(t, "`t?` WHERE n = 5"))
	})
}
