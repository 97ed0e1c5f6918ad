package adverse

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// An application's account sees less of the catalogue than the owner does: triggers
// only with the TRIGGER privilege, InnoDB's dictionary only with PROCESS. What it
// cannot see must count all the same.
func TestAccountWithoutCataloguePrivileges(t *testing.T) {
	const rows = "SELECT, INSERT, UPDATE, DELETE ON *"
	accounts := []struct {
		name   string
		rights []string
	}{
		{"rows", []string{rows}},
		{"rows and triggers", []string{rows, "TRIGGER ON *"}},
		{"rows and the dictionary", []string{rows, "PROCESS ON *.*"}},
		{"all of the database", []string{"ALL PRIVILEGES ON *"}},
	}
	hidden := []struct {
		name, text string
		setup      []string
	}{
		{"cascade", "DELETE FROM t WHERE id = 1", []string{"ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t(id) ON DELETE CASCADE"}},
		{"set null", "DELETE FROM t WHERE id = 1", []string{"ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t(id) ON DELETE SET NULL"}},
		{"cascade of an UPDATE", "UPDATE t SET id = 100 WHERE id = 1", []string{"ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t(id) ON UPDATE CASCADE"}},
		{"cascade behind a view", "DELETE FROM v WHERE id = 1", []string{
			"ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t(id) ON DELETE CASCADE", "CREATE VIEW v AS SELECT id FROM t",
		}},
		{"cascade of a joined DELETE", "DELETE x FROM t x JOIN t y ON x.id = y.id WHERE y.id = 1", []string{
			"ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t(id) ON DELETE CASCADE",
		}},
		{"trigger", "DELETE FROM t WHERE id = 1", []string{"CREATE TRIGGER trg AFTER DELETE ON t FOR EACH ROW DELETE FROM child WHERE r = OLD.id"}},
	}
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		for _, a := range accounts {
			for _, h := range hidden {
				t.Run(a.name+"/"+h.name, func(t *testing.T) {
					f := newFixture(t, f.Target)
					f.execBare(t, h.setup...)
					db := f.openGuarded(t, f.createUser(t, a.rights...))
					for range 2 { // cold, then with what is cached
						_, err := db.ExecContext(dbguard.AtMost(t.Context(), 1), h.text)
						assert.ErrorIs(t, err, dbguard.ErrRefused)
						assert.Equal(t, 9, f.count(t, "t"))
						assert.Equal(t, 5, f.count(t, "child WHERE r = 1"))
					}
					// Six rows. Where the undo log has to serve, a key that changes counts twice.
					_, err := db.ExecContext(dbguard.AtMost(t.Context(), 7), h.text)
					if !errors.Is(err, dbguard.Uncountable) {
						assert.NoError(t, err)
					}
				})
			}
		}
	})
}

// limitedAccounts see no foreign keys of tables in other databases; the last one does.
var limitedAccounts = []struct {
	name   string
	rights []string
}{
	{"all of the database", []string{"ALL PRIVILEGES ON *"}},
	{"rows", []string{dmlOn + "*"}},
	{"rows and triggers", []string{dmlOn + "*", "TRIGGER ON *"}},
	{"tables", []string{dmlOn + "t", dmlOn + "lone", dmlOn + "parent", dmlOn + "child", "TRIGGER ON *"}},
	{"the dictionary", []string{dmlOn + "t", dmlOn + "lone", dmlOn + "parent", dmlOn + "child", "PROCESS ON *.*"}},
}

const dmlOn = "SELECT, INSERT, UPDATE, DELETE ON "

// The server shows an account no foreign keys of tables on which it has no privilege,
// and enforces them all the same.
func TestAccountThatCannotSeeForeignKeys(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		far := f.childInOtherDatabase(t)
		f.execBare(t, "CREATE TABLE lone (id INT PRIMARY KEY, n INT NOT NULL)", "INSERT INTO lone SELECT * FROM t",
			"CREATE TABLE parent (id INT PRIMARY KEY, n INT NOT NULL)", "INSERT INTO parent SELECT * FROM t",
			"ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE")
		for _, a := range limitedAccounts {
			t.Run(a.name, func(t *testing.T) {
				db := f.openGuarded(t, f.createUser(t, a.rights...))
				for range 3 { // cold, then with what is cached
					assertUnseenKeysCount(t, f.Engine, inAutocommit(t, db))
					assertUnseenKeysCount(t, f.Engine, inRolledBackTx(t, db))
					f.execBare(t, "INSERT IGNORE INTO parent VALUES (2, 0)")
				}
				assert.Equal(t, 3, f.count(t, far+" WHERE r = 1"))
				assert.Equal(t, 5, f.count(t, "child WHERE r = 1"))
			})
		}
	})
}

// childInOtherDatabase creates a table in another database, whose three rows refer to
// row 1 of t.
func (f *fixture) childInOtherDatabase(t *testing.T) (name string) {
	t.Helper()
	var here string
	require.NoError(t, f.bare.QueryRow("SELECT DATABASE()").Scan(&here))
	far := here + "_far"
	t.Cleanup(func() { _, _ = f.bare.Exec("DROP DATABASE " + far) })
	name = far + ".hidden"
	f.execBare(t, "CREATE DATABASE "+far, "CREATE TABLE "+name+" (r INT, FOREIGN KEY (r) REFERENCES "+here+".t (id) ON DELETE CASCADE ON UPDATE CASCADE)",
		"INSERT INTO "+name+" VALUES (1), (1), (1)")
	return name
}

type sendFunc func(text string, args ...any) error

func inAutocommit(t *testing.T, db *sql.DB) sendFunc {
	return func(text string, args ...any) error {
		_, err := db.ExecContext(dbguard.AtMost(t.Context(), 1), text, args...)
		return err
	}
}

// inRolledBackTx sends in a transaction that is rolled back.
func inRolledBackTx(t *testing.T, db *sql.DB) sendFunc {
	return func(text string, args ...any) error {
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer tx.Rollback()
		_, err = tx.ExecContext(dbguard.AtMost(t.Context(), 1), text, args...)
		return err
	}
}

func assertUnseenKeysCount(t *testing.T, e target.Engine, send sendFunc) {
	t.Helper()
	if e == target.MariaDB { // MySQL does not follow keys that are the same afterwards
		require.ErrorIs(t, send("REPLACE INTO t VALUES (?, 5)", 1), dbguard.ErrRefused)
	}
	require.ErrorIs(t, send("DELETE FROM t WHERE id = 1"), dbguard.ErrRefused)
	require.ErrorIs(t, send("DELETE FROM t WHERE id = ?", 1), dbguard.ErrRefused)
	require.ErrorIs(t, send("UPDATE t SET id = id + 100 WHERE id = ?", 1), dbguard.ErrRefused)
	require.ErrorIs(t, send("DELETE x FROM t x JOIN lone l ON x.id = l.id WHERE l.id = 1"), dbguard.ErrRefused)
	require.ErrorIs(t, send("INSERT INTO t VALUES (1, 0) ON DUPLICATE KEY UPDATE id = 200"), dbguard.ErrRefused)
	require.ErrorIs(t, send("DELETE FROM parent WHERE id = 1"), dbguard.OverLimit)
	require.NoError(t, send("REPLACE INTO lone VALUES (?, 5)", 1))
	require.NoError(t, send("UPDATE t SET n = n + 1 WHERE id = ?", 1))
	require.NoError(t, send("DELETE FROM lone WHERE id = ?", -1))
	require.NoError(t, send("UPDATE lone SET n = n + 1, id = id WHERE id = ?", 1))
	require.NoError(t, send("DELETE FROM parent WHERE id = 2 AND id IN (SELECT id FROM lone)"))
}

// The server decides what an account may not do, and the guard needs no privilege
// beyond those of the statement.
func TestAccountWithFewPrivileges(t *testing.T) {
	statements := []string{
		"INSERT INTO t VALUES (20, 0)", "INSERT INTO t (id) SELECT 1", "DELETE FROM t WHERE id = 2", "UPDATE t SET n = 3 WHERE id = 3",
		"UPDATE t SET n = n + 1 WHERE id = 3", "INSERT INTO child VALUES (20, 0)",
	}
	rights := []string{
		"INSERT", "INSERT, DELETE", "UPDATE, DELETE", "SELECT (id), DELETE, UPDATE (n)",
		"SELECT (n), UPDATE, DELETE, INSERT (id, n)", "SELECT, INSERT, UPDATE, DELETE",
	}
	each(t, onServers, func(t *testing.T, f *fixture) {
		for _, granted := range rights {
			for _, sees := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, triggers %t", granted, sees), func(t *testing.T) {
					f := newFixture(t, f.Target)
					all := []string{granted + " ON t"}
					if sees {
						all = append(all, "TRIGGER ON "+target.Of(map[target.Engine]string{target.Postgres: "t", target.MariaDB: "*"}, f.Engine))
					}
					dsn := f.createUser(t, all...)
					bare, err := sql.Open(f.Driver, dsn)
					require.NoError(t, err)
					defer bare.Close()
					db := f.openGuarded(t, dsn)
					for _, text := range statements {
						want := f.runEveryWay(t, bare, text)
						assert.Equal(t, want, f.runEveryWay(t, db, text), text)
					}
				})
			}
		}
	})
}

// runEveryWay reports how a text ends in a transaction, cold and cached, and in
// autocommit. It restores the rows.
func (f *fixture) runEveryWay(t *testing.T, db *sql.DB, text string) (outcome string) {
	t.Helper()
	ctx := dbguard.AtMost(t.Context(), 1)
	for range 2 {
		tx, err := db.BeginTx(ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(ctx, text)
		outcome += fmt.Sprintf("in a transaction: %v\n", err)
		require.NoError(t, tx.Rollback())
	}
	_, err := db.ExecContext(ctx, text)
	outcome += fmt.Sprintf("by itself: %v, %d rows, %d of them as they were", err, f.count(t, "t"), f.count(t, "t WHERE n = 0"))
	f.execBare(t, "DELETE FROM t", baseSchema[1])
	return outcome
}

// An account that may read the database mysql is shown the privileges of all accounts, and of
// the grants whose patterns match a database only one applies.
func TestPrivilegesThatAreNotInForce(t *testing.T) {
	for name, rights := range map[string][]string{
		"of others":            {"SELECT, INSERT, UPDATE, DELETE ON *.*"},
		"of others, with keys": {"SELECT, INSERT, UPDATE, DELETE ON *.*", "PROCESS ON *.*"},
		"of a wider pattern":   {dmlOn + "*", "TRIGGER ON `%`.*", "PROCESS ON *.*"},
	} {
		for _, text := range []string{"DELETE FROM t WHERE id = ?", "UPDATE t SET n = n + 1 WHERE id = ?", "INSERT INTO t (n, id) VALUES (0, ?)"} {
			t.Run(name+" "+text, func(t *testing.T) {
				each(t, onMySQL, func(t *testing.T, f *fixture) {
					f.execBare(t, "CREATE TRIGGER trg AFTER "+text[:6]+" ON t FOR EACH ROW DELETE FROM child")
					id := 1
					if text[:6] == "INSERT" {
						id = 100
					}
					db := f.openGuarded(t, f.createUser(t, rights...))
					for range 2 {
						_, err := db.ExecContext(dbguard.AtMost(t.Context(), 1), text, id)
						require.ErrorIs(t, err, dbguard.ErrRefused)
					}
					assert.Equal(t, 5, f.count(t, "child"))
					assert.Equal(t, 9, f.count(t, "t WHERE n = 0"))
				})
			})
		}
	}
}
