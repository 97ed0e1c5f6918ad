package adverse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/network"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// A session that has met a text sends it as a prepared statement that bounds itself, and
// that fails if its table has changed since. On MariaDB it does so with INSERTs, and with
// UPDATEs of unindexed columns.

var onOnlyMySQL = []target.Engine{target.MySQL}

// learnedTexts are on rows of t, whose id is the last argument.
var learnedTexts = []string{"DELETE FROM t WHERE id = ?", "UPDATE t SET n = n + 1 WHERE id = ?", "INSERT INTO t (n, id) VALUES (0, ?)"}

// learn runs the texts outside of a transaction, on no row, and deletes what is inserted.
func (f *fixture) learn(t *testing.T, c execQuerier, texts ...string) {
	t.Helper()
	f.repeat(func() {
		for _, text := range append(texts, "DELETE FROM t WHERE id = ?") {
			_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), text, -1)
			require.NoError(t, err, text)
		}
	})
}

// repeat does something until a session has met the texts in it.
func (f *fixture) repeat(do func()) {
	do()
	do()
	if f.Engine == target.MariaDB { // it prepares after a while, and trusts the catalogue some time later
		for range 10 {
			do()
		}
		time.Sleep(110 * time.Millisecond)
		do()
		do()
	}
}

func TestLearnedTextsTakeOneRoundTrip(t *testing.T) {
	for _, params := range []string{"", "&interpolateParams=true", "&multiStatements=true&clientFoundRows=true"} {
		t.Run(params, func(t *testing.T) {
			each(t, onMySQL, func(t *testing.T, f *fixture) {
				p, dsn := network.Through(t, f.DSN+params, time.Millisecond)
				var db *sql.DB
				for way, on := range map[string]func(ctx context.Context, text string, id int) error{
					"autocommit": func(ctx context.Context, text string, id int) error {
						_, err := db.ExecContext(ctx, text, id)
						return err
					},
					"in a transaction": func(ctx context.Context, text string, id int) error {
						tx, err := db.BeginTx(ctx, nil)
						require.NoError(t, err)
						_, err = tx.ExecContext(ctx, text, id)
						return errors.Join(err, tx.Commit())
					},
				} {
					db = f.openGuarded(t, dsn)
					for _, text := range learnedTexts {
						f.repeat(func() {
							require.NoError(t, on(dbguard.AtMost(t.Context(), 1), text, 1001), way)
							f.execBare(t, "DELETE FROM t WHERE id = 1001")
						})
						before := p.Trips()
						require.NoError(t, on(dbguard.Exactly(t.Context(), 1), strings.Replace(text, "1001", "1", 1), 1), text)
						want := int64(1)
						if way != "autocommit" {
							want = 3
						}
						assert.Equal(t, want, p.Trips()-before, "%s %s", text, way)
						f.execBare(t, "REPLACE INTO t VALUES (1, 0)", "DELETE FROM t WHERE id = IF(LEFT('"+text[:6]+"', 6) = 'UPDATE', 1, -1)", "INSERT IGNORE INTO t VALUES (1, 0)")
						if strings.HasPrefix(text, "UPDATE") {
							f.execBare(t, "DELETE FROM t WHERE id = 1") // for the INSERT
						}
					}
					f.execBare(t, "REPLACE INTO t VALUES (1, 0)")
				}
			})
		})
	}
}

// A transaction reads the catalogue as of its snapshot, which may be older than a trigger.
func TestTriggerNewerThanSnapshot(t *testing.T) {
	for _, learned := range []bool{true, false} {
		t.Run(fmt.Sprint(learned), func(t *testing.T) {
			each(t, onMySQL, func(t *testing.T, f *fixture) {
				for event, text := range map[string]string{"DELETE": learnedTexts[0], "UPDATE": learnedTexts[1], "INSERT": learnedTexts[2]} {
					c := f.conn(t)
					if learned {
						f.learn(t, c, text)
					}
					tx, err := c.BeginTx(t.Context(), nil)
					require.NoError(t, err)
					var n int
					require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM child").Scan(&n))
					f.execBare(t, "CREATE TRIGGER trg AFTER "+event+" ON t FOR EACH ROW DELETE FROM child")
					id := map[string]int{"DELETE": 1, "UPDATE": 1, "INSERT": 100}[event]
					for range 3 {
						_, err = tx.ExecContext(dbguard.AtMost(t.Context(), 1), text, id)
						require.ErrorIs(t, err, dbguard.ErrRefused, event)
					}
					_, err = tx.ExecContext(dbguard.AtMost(t.Context(), 1), "INSERT INTO child VALUES (?, 2)", 10+len(event)+id)
					require.NoError(t, err, "the transaction is of use")
					require.NoError(t, tx.Commit())
					f.execBare(t, "DROP TRIGGER trg", "DELETE FROM child WHERE r = 2")
					assert.Equal(t, 5, f.count(t, "child"), event)
					assert.Equal(t, 9, f.count(t, "t"), event)
					require.NoError(t, c.Close())
				}
			})
		})
	}
}

// The first text of a transaction is learned within it; what is sent next has a snapshot.
func TestTriggerBetweenTwoTextsOfATransaction(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, "CREATE TABLE u LIKE t")
		tx, err := f.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		one := dbguard.AtMost(t.Context(), 1)
		_, err = tx.ExecContext(one, "DELETE FROM u WHERE id = ?", 1)
		require.NoError(t, err)
		f.execBare(t, destructiveTrigger("t"))
		for range 3 {
			_, err = tx.ExecContext(one, learnedTexts[0], 1)
			require.ErrorIs(t, err, dbguard.ErrRefused)
		}
		require.NoError(t, tx.Commit())
		_, err = f.db.ExecContext(one, learnedTexts[0], 1)
		require.ErrorIs(t, err, dbguard.ErrRefused)
		assert.Equal(t, 5, f.count(t, "child"))
		assert.Equal(t, 9, f.count(t, "t"))
	})
}

// boundCases are on a table whose id 3 has n = 1, and all others 0.
var boundCases = []struct {
	text    string
	args    []any
	bound   int64
	changed int // -1: refused
}{
	{"DELETE FROM t WHERE id <= ?", []any{2}, 2, 2},
	{"DELETE FROM t WHERE id <= ?", []any{3}, 2, -1},
	{"DELETE FROM t WHERE id <= ?", []any{9}, 0, -1},
	{"DELETE FROM t WHERE id > ?", []any{99}, 0, 0},
	{"DELETE FROM t WHERE id > ? ORDER BY id LIMIT 2", []any{0}, 2, 2},
	{"DELETE FROM t WHERE id > ? ORDER BY n DESC, id LIMIT 3", []any{0}, 2, -1},
	{"DELETE FROM t WHERE id > ? LIMIT ?", []any{0, 2}, 2, 2},
	{"DELETE FROM t WHERE id = ? OR n = ?", []any{1, 1}, 2, 2},
	{"DELETE FROM t WHERE id = ? OR n = ?", []any{1, 1}, 1, -1},
	{"UPDATE t SET n = ? WHERE id < ?", []any{1, 4}, 2, 2}, // finds three
	{"UPDATE t SET n = ? WHERE id < ?", []any{1, 5}, 2, -1},
	{"UPDATE t SET n = ? WHERE id = ?", []any{1, 3}, 0, 0},
	{"UPDATE t SET n = n + ? WHERE id IN (?, ?)", []any{2, 1, 2}, 2, 2},
	{"UPDATE t AS x SET x.n = x.n + ? WHERE x.id IN (?, ?)", []any{2, 1, 2}, 1, -1},
	{"UPDATE t SET n = n + ? WHERE id > ? ORDER BY id DESC LIMIT ?", []any{2, 0, 1}, 1, 1},
	{"UPDATE t SET id = id + ? WHERE id > ? ORDER BY id DESC", []any{1, 7}, 2, 2},
	{"DELETE FROM t WHERE id IN (VALUES ROW(1), ROW(?), ROW(77))", []any{2}, 2, 2},
	{"DELETE FROM t WHERE id IN (VALUES ROW(1), ROW(?), ROW(3))", []any{2}, 2, -1},
	{"UPDATE `t` SET n = ? WHERE `id` = ? -- only one", []any{7, 1}, 1, 1},
	{"DELETE FROM t WHERE id = ? /* one */;", []any{1}, 1, 1},
}

func TestBoundsOfLearnedTexts(t *testing.T) {
	for _, setting := range []string{"sql_mode = DEFAULT", "sql_mode = ''", "sql_mode = 'ANSI_QUOTES'", "sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES'", "autocommit = 0", "sql_safe_updates = 1", "SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "NAMES latin1"} {
		t.Run(setting, func(t *testing.T) {
			each(t, onMySQL, func(t *testing.T, f *fixture) {
				c := f.conn(t)
				exec(t, c, "SET "+setting)
				var mode, now string
				require.NoError(t, c.QueryRowContext(t.Context(), "SELECT @@sql_mode").Scan(&mode))
				f.repeat(func() {
					for _, b := range boundCases {
						if f.Engine == target.MariaDB && strings.Contains(b.text, "ROW(") {
							continue
						}
						f.execBare(t, "DELETE FROM t", baseSchema[1], "UPDATE t SET n = 1 WHERE id = 3")
						res, err := c.ExecContext(dbguard.AtMost(t.Context(), b.bound), b.text, b.args...)
						if err == nil {
							n, err := res.RowsAffected()
							require.NoError(t, err)
							assert.EqualValues(t, b.changed, n, b.text)
						} else if setting != "sql_safe_updates = 1" || !strings.Contains(err.Error(), "1175") {
							require.ErrorIs(t, err, dbguard.OverLimit, b.text)
							assert.Equal(t, -1, b.changed, b.text)
						}
						exec(t, c, "COMMIT")
						if err != nil {
							assert.Equal(t, 9, f.count(t, "t WHERE id < 10 AND n = (id = 3)"), b.text)
						}
					}
				})
				require.NoError(t, c.QueryRowContext(t.Context(), "SELECT @@sql_mode").Scan(&now))
				assert.Equal(t, mode, now)
			})
		})
	}
}

// Arguments of all types do what they do without a guard.
func TestArgumentsOfLearnedTexts(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		types := []string{"INT", "BIGINT", "BIGINT UNSIGNED", "BOOL", "DECIMAL(10,2)", "DOUBLE", "VARCHAR(50)", "VARCHAR(50) COLLATE utf8mb4_bin", "BLOB", "JSON", "DATETIME(6)", "TIMESTAMP", "DATE", "TIME", "ENUM('a', 'b')", "BIT(8)", "YEAR"}
		values := []any{int64(1), int64(-1), int64(20200102), uint64(1) << 63, 1.5, 1e300, "12", "12.50", "a", "A ", "日本", "it's", `\`, []byte("a"), []byte{0xff, 0}, true, moment, moment.Truncate(24 * time.Hour), "2020-01-02 03:04:05", `{"a": 1}`, nil}
		texts := []string{"INSERT INTO kinds (id, c) VALUES (1, ?)", "UPDATE kinds SET c = ? WHERE id = 1", "UPDATE kinds SET n = n + 1 WHERE c = ?", "UPDATE kinds SET c = c + ? WHERE id = 1", "DELETE FROM kinds WHERE c = ?"}
		for _, is := range types {
			f.execBare(t, "DROP TABLE IF EXISTS kinds, kinds_bare", "CREATE TABLE kinds (id INT PRIMARY KEY, n INT DEFAULT 0, c "+is+") CHARACTER SET utf8mb4", "CREATE TABLE kinds_bare LIKE kinds")
			for _, v := range values {
				for _, text := range texts {
					got := f.kindsOutcome(t, f.db, text, "kinds", v)
					want := f.kindsOutcome(t, f.bare, strings.Replace(text, "kinds", "kinds_bare", 1), "kinds_bare", v)
					assert.Equal(t, want, got, "%s, %s, %T %v", is, text, v, v)
				}
				f.execBare(t, "DELETE FROM kinds", "DELETE FROM kinds_bare")
			}
		}
	})
}

func (f *fixture) kindsOutcome(t *testing.T, db *sql.DB, text, table string, v any) string {
	t.Helper()
	said := ""
	if res, err := db.ExecContext(dbguard.AtMost(t.Context(), 1), text, v); err != nil {
		said = strings.ReplaceAll(err.Error(), "kinds_bare", "kinds")
	} else {
		n, err := res.RowsAffected()
		require.NoError(t, err)
		said = fmt.Sprint(n)
	}
	var holds sql.NullString
	require.NoError(t, f.bare.QueryRowContext(t.Context(), "SELECT GROUP_CONCAT(CONCAT_WS(' ', id, n, HEX(c), c)) FROM "+table).Scan(&holds))
	return said + ": " + holds.String
}

// A condition that becomes a join counts rows that the join then drops.
func TestSubqueriesWithoutSelect(t *testing.T) {
	each(t, onOnlyMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, "CREATE TABLE few AS SELECT 3 AS i UNION SELECT 4")
		for _, text := range []string{"DELETE FROM t WHERE id IN (TABLE few) AND id < ?", "DELETE FROM t WHERE id IN (VALUES ROW(5), ROW(6)) AND id < ?"} {
			_, err := f.db.ExecContext(dbguard.AtMost(t.Context(), 1), text, 10)
			require.ErrorIs(t, err, dbguard.OverLimit)
			_, err = f.db.ExecContext(dbguard.AtMost(t.Context(), 2), text, 10)
			require.NoError(t, err, text)
		}
		assert.Equal(t, 5, f.count(t, "t"))
	})
}

// changesUnder are changes by another connection after which the texts would delete rows of
// child.
func changesUnder(event string) map[string][]string {
	trigger := func(table string) string {
		return "CREATE TRIGGER trg BEFORE " + event + " ON " + table + " FOR EACH ROW DELETE FROM child"
	}
	return map[string][]string{
		"a trigger": {trigger("t")},
		"a trigger in place of a harmless one": {
			"CREATE TRIGGER harmless BEFORE DELETE ON t FOR EACH ROW SET @a = 1", "DROP TRIGGER harmless", trigger("t"), "FLUSH TABLES",
		},
		"another table of that name": {"CREATE TABLE u LIKE t", "INSERT INTO u SELECT * FROM t", trigger("u"), "RENAME TABLE t TO old, u TO t"},
		"a view":                     {"RENAME TABLE t TO old", trigger("old"), "CREATE VIEW t AS SELECT * FROM old"},
		"the table made anew": {
			"CREATE TABLE old AS SELECT * FROM t", "DROP TABLE t", baseSchema[0], "INSERT INTO t SELECT * FROM old", trigger("t"),
		},
	}
}

func TestSchemaChangeInvalidatesLearnedTexts(t *testing.T) {
	for event, text := range map[string]string{"UPDATE": learnedTexts[1], "INSERT": learnedTexts[2]} {
		for way, send := range sendWays(text) {
			for name, change := range changesUnder(event) {
				t.Run(strings.Join([]string{event, name, way}, ", "), func(t *testing.T) {
					each(t, onMySQL, func(t *testing.T, f *fixture) {
						c, one := f.conn(t), dbguard.AtMost(t.Context(), 1)
						f.repeat(func() {
							require.NoError(t, send(one, c, 100))
							f.execBare(t, "DELETE FROM t WHERE id = 100")
						})
						f.requireAlone(t, c, func() { require.NoError(t, send(one, c, 100)) })
						f.execBare(t, append(change, "DELETE FROM t WHERE id = 100")...)
						for range 3 {
							id := map[string]int{"UPDATE": 1, "INSERT": 100}[event]
							require.ErrorIs(t, send(one, c, id), dbguard.ErrRefused)
							assert.Equal(t, 5, f.count(t, "child"))
							assert.Equal(t, 9, f.count(t, "t WHERE n = 0"))
						}
					})
				})
			}
		}
	}
}

// requireAlone runs a statement that must be sent as the session has prepared it.
func (f *fixture) requireAlone(t *testing.T, c *sql.Conn, do func()) {
	t.Helper()
	executed := func() (n int) {
		var name string
		require.NoError(t, c.QueryRowContext(t.Context(), "SHOW SESSION STATUS LIKE 'Com_stmt_execute'").Scan(&name, &n))
		return n
	}
	before := executed()
	do()
	require.Equal(t, before+1, executed())
}

// On MariaDB an UPDATE of an indexed column needs its foreign keys looked up after it ran.
func TestIndexedUpdateIsNotAlone(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, f *fixture) {
		f.execBare(t, addIndex)
		c := f.conn(t)
		f.repeat(func() { f.learn(t, c, learnedTexts[1]) })
		f.execBare(t, "UPDATE t SET n = id", "UPDATE child SET r = 1", addForeignKey)
		_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), learnedTexts[1], 1)
		require.ErrorIs(t, err, dbguard.OverLimit)
	})
}

// A locking read that ends in a deadlock ends the transaction in which an UPDATE relies on its
// table being open.
func TestLearnedTextInATransactionThatHasEnded(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, f *fixture) {
		c, one := f.conn(t), dbguard.AtMost(t.Context(), 1)
		tx, err := c.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		update := func() error {
			_, err := tx.ExecContext(one, learnedTexts[1], 1)
			return err
		}
		for range 15 {
			require.NoError(t, update())
		}
		f.requireAlone(t, c, func() { require.NoError(t, update()) })
		f.loseToDeadlock(t, tx)
		f.execBare(t, "CREATE TRIGGER trg AFTER UPDATE ON t FOR EACH ROW DELETE FROM child")
		for range 3 {
			require.Error(t, update())
		}
		_ = tx.Rollback()
		assert.Equal(t, 5, f.count(t, "child"))
		assert.Equal(t, 1, f.count(t, "t WHERE id = 1 AND n = 6"))
	})
}

// loseToDeadlock has a locking read end the transaction, which has changed row 1. The other one
// sets its n to 6.
func (f *fixture) loseToDeadlock(t *testing.T, in execQuerier) {
	t.Helper()
	other, err := f.bare.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	for n := range 70 { // the heavier one survives
		_, err = other.ExecContext(t.Context(), "UPDATE t SET n = ? WHERE id = ?", 5+n, 2+n%7)
		require.NoError(t, err)
	}
	blocked := make(chan error, 1)
	go func() {
		_, err := other.ExecContext(t.Context(), "UPDATE t SET n = 6 WHERE id = ?", 1)
		blocked <- err
	}()
	time.Sleep(200 * time.Millisecond)
	var id int
	requireNumber(t, 1213, in.QueryRowContext(t.Context(), "SELECT id FROM t WHERE id = 2 FOR UPDATE").Scan(&id))
	require.NoError(t, <-blocked)
	require.NoError(t, other.Commit())
}
