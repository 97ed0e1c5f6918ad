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

// An account of an application sees less of the catalogue than the owner does:
// no trigger without the privilege TRIGGER, InnoDB's dictionary only with
// PROCESS. What it cannot see must not escape it.
func TestAnAccountThatSeesLittle(t *testing.T) {
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
	each(t, onMariaDB, func(t *testing.T, g *ground) {
		for _, a := range accounts {
			for _, h := range hidden {
				t.Run(a.name+"/"+h.name, func(t *testing.T) {
					g := newGround(t, g.Target)
					g.others(t, h.setup...)
					db := g.guardedAt(t, g.account(t, a.rights...))
					for range 2 { // at first sight, and with what was learnt
						_, err := db.ExecContext(dbguard.AtMost(t.Context(), 1), h.text)
						assert.ErrorIs(t, err, dbguard.ErrRefused)
						assert.Equal(t, 9, g.rows(t, "t"))
						assert.Equal(t, 5, g.rows(t, "child WHERE r = 1"))
					}
					// Six rows; InnoDB's log, where it has to serve, counts a key that changes twice.
					_, err := db.ExecContext(dbguard.AtMost(t.Context(), 7), h.text)
					if !errors.Is(err, dbguard.Uncountable) {
						assert.NoError(t, err)
					}
				})
			}
		}
	})
}

// unseen are accounts that see no foreign key of a table elsewhere; the last one does.
var unseen = []struct {
	name   string
	rights []string
}{
	{"all of the database", []string{"ALL PRIVILEGES ON *"}},
	{"rows", []string{ofRows + "*"}},
	{"rows and triggers", []string{ofRows + "*", "TRIGGER ON *"}},
	{"tables", []string{ofRows + "t", ofRows + "lone", ofRows + "parent", ofRows + "child", "TRIGGER ON *"}},
	{"the dictionary", []string{ofRows + "t", ofRows + "lone", ofRows + "parent", ofRows + "child", "PROCESS ON *.*"}},
}

const ofRows = "SELECT, INSERT, UPDATE, DELETE ON "

// Foreign keys of tables on which an account has no privilege are shown to it nowhere,
// and followed all the same.
func TestAnAccountThatDoesNotSeeTheKeys(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, g *ground) {
		far := g.farChild(t)
		g.others(t, "CREATE TABLE lone (id INT PRIMARY KEY, n INT NOT NULL)", "INSERT INTO lone SELECT * FROM t",
			"CREATE TABLE parent (id INT PRIMARY KEY, n INT NOT NULL)", "INSERT INTO parent SELECT * FROM t",
			"ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE")
		for _, a := range unseen {
			t.Run(a.name, func(t *testing.T) {
				db := g.guardedAt(t, g.account(t, a.rights...))
				for range 3 { // at first sight, and with what was learnt
					followsUnseen(t, alone(t, db))
					followsUnseen(t, within(t, db))
					g.others(t, "INSERT IGNORE INTO parent VALUES (2, 0)")
				}
				assert.Equal(t, 3, g.rows(t, far+" WHERE r = 1"))
				assert.Equal(t, 5, g.rows(t, "child WHERE r = 1"))
			})
		}
	})
}

// farChild makes a table in another database, whose three rows belong to t's row 1.
func (g *ground) farChild(t *testing.T) (name string) {
	t.Helper()
	var here string
	require.NoError(t, g.bare.QueryRow("SELECT DATABASE()").Scan(&here))
	far := here + "_far"
	t.Cleanup(func() { _, _ = g.bare.Exec("DROP DATABASE " + far) })
	name = far + ".hidden"
	g.others(t, "CREATE DATABASE "+far, "CREATE TABLE "+name+" (r INT, FOREIGN KEY (r) REFERENCES "+here+".t (id) ON DELETE CASCADE ON UPDATE CASCADE)",
		"INSERT INTO "+name+" VALUES (1), (1), (1)")
	return name
}

type sending func(text string, args ...any) error

func alone(t *testing.T, db *sql.DB) sending {
	return func(text string, args ...any) error {
		_, err := db.ExecContext(dbguard.AtMost(t.Context(), 1), text, args...)
		return err
	}
}

// within sends in a transaction that is rolled back.
func within(t *testing.T, db *sql.DB) sending {
	return func(text string, args ...any) error {
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer tx.Rollback()
		_, err = tx.ExecContext(dbguard.AtMost(t.Context(), 1), text, args...)
		return err
	}
}

func followsUnseen(t *testing.T, send sending) {
	t.Helper()
	require.ErrorIs(t, send("DELETE FROM t WHERE id = 1"), dbguard.ErrRefused)
	require.ErrorIs(t, send("DELETE FROM t WHERE id = ?", 1), dbguard.ErrRefused)
	require.ErrorIs(t, send("UPDATE t SET id = id + 100 WHERE id = ?", 1), dbguard.ErrRefused)
	require.ErrorIs(t, send("DELETE x FROM t x JOIN lone l ON x.id = l.id WHERE l.id = 1"), dbguard.ErrRefused)
	require.ErrorIs(t, send("REPLACE INTO t VALUES (?, 5)", 1), dbguard.ErrRefused)
	require.ErrorIs(t, send("INSERT INTO t VALUES (1, 0) ON DUPLICATE KEY UPDATE id = 200"), dbguard.ErrRefused)
	require.ErrorIs(t, send("DELETE FROM parent WHERE id = 1"), dbguard.OverLimit)
	require.NoError(t, send("REPLACE INTO lone VALUES (?, 5)", 1))
	require.NoError(t, send("UPDATE t SET n = n + 1 WHERE id = ?", 1))
	require.NoError(t, send("DELETE FROM lone WHERE id = ?", -1))
	require.NoError(t, send("UPDATE lone SET n = n + 1, id = id WHERE id = ?", 1))
	require.NoError(t, send("DELETE FROM parent WHERE id = 2 AND id IN (SELECT id FROM lone)"))
}

// What an account may not do is for the server to say, and what it may do needs no
// right but those of the statement.
func TestAnAccountThatMayDoLittle(t *testing.T) {
	statements := []string{
		"INSERT INTO t VALUES (20, 0)", "INSERT INTO t (id) SELECT 1", "DELETE FROM t WHERE id = 2", "UPDATE t SET n = 3 WHERE id = 3",
		"UPDATE t SET n = n + 1 WHERE id = 3", "INSERT INTO child VALUES (20, 0)",
	}
	rights := []string{
		"INSERT", "INSERT, DELETE", "UPDATE, DELETE", "SELECT (id), DELETE, UPDATE (n)",
		"SELECT (n), UPDATE, DELETE, INSERT (id, n)", "SELECT, INSERT, UPDATE, DELETE",
	}
	each(t, onServers, func(t *testing.T, g *ground) {
		for _, granted := range rights {
			for _, sees := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, triggers %t", granted, sees), func(t *testing.T) {
					g := newGround(t, g.Target)
					all := []string{granted + " ON t"}
					if sees {
						all = append(all, "TRIGGER ON "+map[target.Engine]string{target.Postgres: "t", target.MariaDB: "*"}[g.Engine])
					}
					dsn := g.account(t, all...)
					bare, err := sql.Open(g.Driver, dsn)
					require.NoError(t, err)
					defer bare.Close()
					db := g.guardedAt(t, dsn)
					for _, text := range statements {
						want := g.tried(t, bare, text)
						assert.Equal(t, want, g.tried(t, db, text), text)
					}
				})
			}
		}
	})
}

// tried is what becomes of a text in a transaction, at first sight and with what was
// learnt, and by itself; it is put right again.
func (g *ground) tried(t *testing.T, db *sql.DB, text string) (outcome string) {
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
	outcome += fmt.Sprintf("by itself: %v, %d rows, %d of them as they were", err, g.rows(t, "t"), g.rows(t, "t WHERE n = 0"))
	g.others(t, "DELETE FROM t", made[1])
	return outcome
}
