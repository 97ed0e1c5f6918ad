package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// To MySQL information_schema is a table like others: within a transaction it shows triggers
// and keys as of its snapshot. What is added later works all the same.
func TestSchemaChangesAfterTheSnapshot(t *testing.T) {
	for _, tt := range []struct{ name, change, text string }{
		{"a DELETE trigger", "CREATE TRIGGER g AFTER DELETE ON t FOR EACH ROW DELETE FROM child", "DELETE FROM t WHERE id = 9"},
		{"an UPDATE trigger", "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW DELETE FROM child", "UPDATE t SET n = 7 WHERE id = 9"},
		{"an INSERT trigger", "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW DELETE FROM child", "INSERT INTO t VALUES (20, 0)"},
		{"an INSERT trigger, and a query", "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW DELETE FROM child", "INSERT INTO t SELECT id + 20, 0 FROM other"},
		{"a joined DELETE", "CREATE TRIGGER g AFTER DELETE ON t FOR EACH ROW DELETE FROM child", "DELETE x FROM t x JOIN t y ON x.id = y.id WHERE y.id = 9"},
		{"an upsert", "CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW DELETE FROM child", "INSERT INTO t VALUES (9, 1) ON DUPLICATE KEY UPDATE n = 7"},
		{"a key", "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t (id) ON DELETE CASCADE", "DELETE FROM t WHERE id = 1"},
		{"a key in place", "SET foreign_key_checks = 0; ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t (id) ON DELETE CASCADE, ALGORITHM = INPLACE; SET foreign_key_checks = 1", "DELETE FROM t WHERE id = 1"},
		{"a key that an UPDATE follows", "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t (id) ON UPDATE CASCADE", "UPDATE t SET id = 100 WHERE id = 1"},
	} {
		for account, rights := range map[string]string{"root": "", "of few rights": dmlOn + "*"} {
			t.Run(tt.name+", "+account, func(t *testing.T) {
				each(t, onMySQL, func(t *testing.T, f *fixture) {
					db := f.db
					if rights != "" {
						db = f.openGuarded(t, f.createUser(t, rights))
					}
					f.execBare(t, "CREATE TABLE other (id INT)", "INSERT INTO other VALUES (1)", "CREATE INDEX by_r ON child (r)")
					tx, err := db.BeginTx(t.Context(), nil)
					require.NoError(t, err)
					defer tx.Rollback()
					exec(t, tx, "SELECT id FROM other")
					f.execBare(t, tt.change)
					_, err = tx.ExecContext(dbguard.AtMost(t.Context(), 1), tt.text)
					require.Error(t, err, "refused, or the server says that the definition has changed")
					require.NoError(t, tx.Commit())
					assert.Equal(t, 14, f.count(t, "t")+f.count(t, "child"))
				})
			})
		}
	}
}

// Nothing is refused that changes no other rows.
func TestPlainInsertsAfterTheSnapshot(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, "CREATE TRIGGER g AFTER DELETE ON t FOR EACH ROW DELETE FROM child", "CREATE TRIGGER h BEFORE INSERT ON child FOR EACH ROW SET NEW.r = 1")
		tx, err := f.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer tx.Rollback()
		exec(t, tx, "SELECT id FROM t", "INSERT INTO t VALUES (20, 0)", "INSERT INTO t VALUES (21, 0)", "INSERT INTO child VALUES (20, 0)")
		require.NoError(t, tx.Commit())
		assert.Equal(t, 17, f.count(t, "t")+f.count(t, "child"))
	})
}
