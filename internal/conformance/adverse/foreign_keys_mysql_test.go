package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Where clocks are set back, two timestamps have the same literal.
func TestKeyInRepeatedHour(t *testing.T) {
	for _, mode := range []string{"STRICT_ALL_TABLES", "EMPTY_STRING_IS_NULL"} {
		t.Run(mode, func(t *testing.T) { keyInRepeatedHour(t, mode) })
	}
}

func keyInRepeatedHour(t *testing.T, mode string) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.skipMariaDBs(t, mode)
		f.execBare(t, "SET time_zone = '+00:00'",
			"REPLACE INTO mysql.time_zone (Time_zone_id, Use_leap_seconds) VALUES (900, 'N')", "REPLACE INTO mysql.time_zone_name VALUES ('Twice', 900)",
			"REPLACE INTO mysql.time_zone_transition_type VALUES (900, 0, 7200, 1, 'CEST'), (900, 1, 3600, 0, 'CET')",
			"REPLACE INTO mysql.time_zone_transition VALUES (900, -2147483648, 1), (900, 1679792400, 0), (900, 1698541200, 1)")
		for _, text := range []string{"DELETE FROM clock WHERE n = 2", "UPDATE clock SET at = '2024-01-01' WHERE n = 2"} {
			for _, also := range []string{"", ", ('2023-10-29 00:30:00', 1)"} {
				f.execBare(t, "DROP TABLE IF EXISTS hand, clock", "CREATE TABLE clock (at TIMESTAMP PRIMARY KEY, n INT)",
					"CREATE TABLE hand (at TIMESTAMP NULL, FOREIGN KEY (at) REFERENCES clock (at) ON DELETE CASCADE ON UPDATE CASCADE)",
					"INSERT INTO clock VALUES ('2023-10-29 01:30:00', 2), ('2023-10-29 05:00:00', 3)"+also, "INSERT INTO hand VALUES ('2023-10-29 01:30:00'), ('2023-10-29 01:30:00')")
				c := f.conn(t)
				exec(t, c, "SET time_zone = 'Twice'", "SET sql_mode = '"+mode+"'")
				_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), text)
				require.ErrorIs(t, err, dbguard.OverLimit, text+also)
				exec(t, c, "UPDATE clock SET at = '2024-02-01' WHERE n = 3")
				if also != "" {
					exec(t, c, "DELETE FROM clock WHERE n = 1")
				}
				_, err = c.ExecContext(dbguard.AtMost(t.Context(), 4), text) // in the undo log, a primary key that changes counts twice
				require.NoError(t, err, text+also)
				assert.Zero(t, f.count(t, "hand WHERE at = '2023-10-29 01:30:00'"))
				require.NoError(t, c.Close())
			}
		}
	})
}

// A trigger that the statement does not fire hides no foreign key.
func TestAccountThatCannotSeeForeignKeysBesideTrigger(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		far := f.childInOtherDatabase(t)
		f.execBare(t, "CREATE TABLE heard (id INT)", "CREATE TRIGGER trg AFTER INSERT ON t FOR EACH ROW INSERT INTO heard VALUES (1)")
		db := f.openGuarded(t, f.createUser(t, "ALL PRIVILEGES ON *"))
		for _, text := range []string{"DELETE FROM t WHERE id = 1", "UPDATE t SET id = 100 WHERE id = 1"} {
			_, err := db.ExecContext(dbguard.AtMost(t.Context(), 1), text)
			require.ErrorIs(t, err, dbguard.ErrRefused, text) // MySQL counts them
		}
		assert.Equal(t, 3, f.count(t, far+" WHERE r = 1"))
		f.execBare(t, "DROP TABLE "+far)
		exec(t, db, "DELETE FROM t WHERE id = 1", "UPDATE t SET id = 100 WHERE id = 2")
	})
}
