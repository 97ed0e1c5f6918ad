package adverse

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// A session that has met a table does not query the catalogue for each statement to know
// what the table fires: it has the server prove that nothing has changed.

// invalidatingChanges are changes after which a DELETE of one row of t would delete rows
// of child, or could not be rolled back.
var invalidatingChanges = []struct {
	name  string
	texts []string
}{
	{"a trigger", []string{destructiveTrigger("t")}},
	{"a trigger, and all definitions read anew", []string{destructiveTrigger("t"), "FLUSH TABLES"}},
	{"a trigger in place of a harmless one", []string{
		"CREATE TRIGGER harmless BEFORE UPDATE ON t FOR EACH ROW SET @a = 1", "DROP TRIGGER harmless", destructiveTrigger("t"),
	}},
	{"another table of that name", []string{
		"CREATE TABLE u LIKE t", "INSERT INTO u SELECT * FROM t", destructiveTrigger("u"), "RENAME TABLE t TO old, u TO t",
	}},
	{"the table made anew", []string{
		"CREATE TABLE old AS SELECT * FROM t", "DROP TABLE t", baseSchema[0], "INSERT INTO t SELECT * FROM old", destructiveTrigger("t"),
	}},
	{"a view", []string{"RENAME TABLE t TO old", destructiveTrigger("old"), "CREATE VIEW t AS SELECT * FROM old"}},
	{"an engine that cannot undo", []string{"ALTER TABLE t ENGINE = MyISAM"}},
	{"a foreign key", []string{schemaToggles[3][0]}},
}

func destructiveTrigger(table string) string {
	return "CREATE TRIGGER trg AFTER DELETE ON " + table + " FOR EACH ROW DELETE FROM child"
}

// A sendByID runs a statement on one row of t, in autocommit or in a transaction.
type sendByID func(ctx context.Context, c *sql.Conn, id int) error

var deleteWays = sendWays("DELETE FROM t WHERE id = ?")

func sendWays(text string) map[string]sendByID {
	return map[string]sendByID{
		"autocommit": func(ctx context.Context, c *sql.Conn, id int) error {
			_, err := c.ExecContext(ctx, text, id)
			return err
		},
		"in a transaction": func(ctx context.Context, c *sql.Conn, id int) error {
			tx, err := c.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			if _, err = tx.ExecContext(ctx, text, id); err != nil {
				_ = tx.Rollback()
				return err
			}
			return tx.Commit()
		},
	}
}

// untilTrusted runs statements until the catalogue is not queried any more. The server
// shows that: it writes the answers of the catalogue to disk.
func untilTrusted(t *testing.T, c *sql.Conn, send sendByID) {
	t.Helper()
	untilCounterStops(t, c, "Created_tmp_disk_tables", send)
}

// untilCounterStops runs statements until one leaves the server's counter unchanged.
func untilCounterStops(t *testing.T, c *sql.Conn, counter string, send sendByID) {
	t.Helper()
	ctx := dbguard.AtMost(t.Context(), 1)
	count := func() (n int) {
		var name string
		require.NoError(t, c.QueryRowContext(t.Context(), "SHOW SESSION STATUS LIKE '"+counter+"'").Scan(&name, &n))
		return n
	}
	asking := count()
	count()
	asking = count() - asking // what two queries of the counter add
	for begin := time.Now(); time.Since(begin) < 5*time.Second; {
		before := count()
		require.NoError(t, send(ctx, c, -1))
		if count() == before+asking/2 {
			return
		}
	}
	t.Fatal("the catalogue is asked each time")
}

func TestSchemaChangeInvalidatesProof(t *testing.T) {
	for way, send := range deleteWays {
		for _, d := range invalidatingChanges {
			t.Run(d.name+", "+way, func(t *testing.T) {
				each(t, onMySQL, func(t *testing.T, f *fixture) {
					c := f.conn(t)
					untilTrusted(t, c, send)
					f.execBare(t, d.texts...)
					for range 3 {
						require.ErrorIs(t, send(dbguard.AtMost(t.Context(), 1), c, 1), dbguard.ErrRefused)
						assert.Equal(t, 5, f.count(t, "child"))
						assert.Equal(t, 9, f.count(t, "t"))
					}
				})
			})
		}
	}
}

// After a change that does not matter to the statement, it is let through, and in the end
// by the proof alone again.
func TestProofIsRestored(t *testing.T) {
	for way, send := range deleteWays {
		for i, change := range []string{
			"FLUSH TABLES", "ALTER TABLE t ADD x INT", "OPTIMIZE TABLE t", "ANALYZE TABLE t",
			"CREATE TRIGGER other BEFORE UPDATE ON t FOR EACH ROW DELETE FROM child",
		} {
			t.Run(fmt.Sprintf("%d %s", i, way), func(t *testing.T) {
				each(t, onMySQL, func(t *testing.T, f *fixture) {
					c := f.conn(t)
					untilTrusted(t, c, send)
					f.execBare(t, change)
					require.NoError(t, send(dbguard.AtMost(t.Context(), 1), c, 1))
					assert.Equal(t, 8, f.count(t, "t"))
					for range 100 { // until the one round trip is tried again
						require.NoError(t, send(dbguard.AtMost(t.Context(), 1), c, -1))
					}
					untilTrusted(t, c, send)
				})
			})
		}
	}
}

// A temporary table is another table, and so is the one that its DROP uncovers.
func TestTemporaryTableShadowsProvedTable(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		c, send := f.conn(t), deleteWays["autocommit"]
		untilTrusted(t, c, send)
		exec(t, c, "CREATE TEMPORARY TABLE t AS SELECT 1 AS id")
		require.NoError(t, send(dbguard.AtMost(t.Context(), 1), c, 1))
		assert.Equal(t, 9, f.count(t, "t"))
		exec(t, c, "DROP TEMPORARY TABLE t")
		f.execBare(t, destructiveTrigger("t"))
		require.ErrorIs(t, send(dbguard.AtMost(t.Context(), 1), c, 1), dbguard.ErrRefused)
		assert.Equal(t, 5, f.count(t, "child"))
	})
}

// A CREATE TRIGGER that waits for the caller's transaction has an older timestamp than
// what that transaction prepares.
func TestTriggerThatWaitedForTransaction(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		c, ctx := f.conn(t), dbguard.AtMost(t.Context(), 1)
		tx, err := c.BeginTx(ctx, nil)
		require.NoError(t, err)
		in := func(text string, args ...any) {
			t.Helper()
			_, err := tx.ExecContext(ctx, text, args...)
			require.NoError(t, err)
		}
		in("UPDATE t SET n = n + 1 WHERE id = ?", -1)
		created := make(chan error, 1)
		go func() {
			_, err := f.bare.ExecContext(t.Context(), destructiveTrigger("t"))
			created <- err
		}()
		time.Sleep(100 * time.Millisecond) // its timestamp is older
		for range 3 {
			in("DELETE FROM t WHERE id = ?", -1)
			in("SAVEPOINT a") // makes the guard query the catalogue again
			time.Sleep(150 * time.Millisecond)
		}
		require.NoError(t, tx.Commit())
		require.NoError(t, <-created)
		for _, send := range deleteWays {
			require.ErrorIs(t, send(ctx, c, 1), dbguard.ErrRefused)
			assert.Equal(t, 5, f.count(t, "child"))
		}
	})
}

// A trigger with a false, older timestamp goes unnoticed for a moment, and not for longer.
func TestTriggerWithOldTimestamp(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		c, send := f.conn(t), deleteWays["autocommit"]
		untilTrusted(t, c, send)
		f.execBare(t, "SET timestamp = 1", destructiveTrigger("t"))
		time.Sleep(1100 * time.Millisecond)
		require.ErrorIs(t, send(dbguard.AtMost(t.Context(), 1), c, 1), dbguard.ErrRefused)
		assert.Equal(t, 5, f.count(t, "child"))
	})
}

// Behind a proxy that shares one server session among many clients, a client meets what
// others have prepared under the same name.
func TestSessionSharedByProxy(t *testing.T) {
	for name, theirs := range map[string]string{
		"as many arguments": "DELETE FROM u WHERE id = ?", "more": "UPDATE u SET n = ? WHERE id = -1",
	} {
		t.Run(name, func(t *testing.T) {
			each(t, onMariaDB, func(t *testing.T, f *fixture) { f.sharedSession(t, theirs) })
		})
	}
}

func (f *fixture) sharedSession(t *testing.T, theirs string) {
	f.execBare(t, "CREATE TABLE u LIKE t", "INSERT INTO u SELECT * FROM t")
	base, err := f.bare.Driver().(driver.DriverContext).OpenConnector(f.DSN)
	require.NoError(t, err)
	shared := &rawConnector{Connector: base}
	guard, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	db := sql.OpenDB(sqlguard.WrapConnector(shared, guard))
	defer db.Close()
	c, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	ctx, send := dbguard.AtMost(t.Context(), 1), deleteWays["autocommit"]
	require.NoError(t, send(ctx, c, -1))
	prepares := f.loggedText(t, "BEGIN NOT ATOMIC PREPARE %", func(db *sql.DB) {
		_, err := db.ExecContext(ctx, theirs, -1)
		require.NoError(t, err)
	})
	_, err = shared.last.(driver.ExecerContext).ExecContext(t.Context(), prepares, nil)
	require.NoError(t, err)
	require.NoError(t, send(ctx, c, 1))
	assert.Equal(t, 8, f.count(t, "t"))
	assert.Equal(t, 9, f.count(t, "u WHERE n = 0"))
}

// A rawConnector keeps the driver's connection, to send over it what the guard does not see.
type rawConnector struct {
	driver.Connector
	last driver.Conn
}

func (b *rawConnector) Connect(ctx context.Context) (_ driver.Conn, err error) {
	b.last, err = b.Connector.Connect(ctx)
	return b.last, err
}

// loggedText is the one text like this pattern that work sends through a guard of its own.
func (f *fixture) loggedText(t *testing.T, like string, work func(db *sql.DB)) (text string) {
	t.Helper()
	guard, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	db := f.Guarded(t, guard)
	defer db.Close()
	f.execBare(t, "SET GLOBAL log_output = 'TABLE'", "TRUNCATE mysql.general_log", "SET GLOBAL general_log = 1")
	work(db)
	f.execBare(t, "SET GLOBAL general_log = 0")
	require.NoError(t, f.bare.QueryRowContext(t.Context(), "SELECT argument FROM mysql.general_log WHERE argument LIKE ?", like).Scan(&text))
	return text
}

// A function or trigger may set old_mode, under which the check would be parsed again.
func TestOldModeSetByCode(t *testing.T) {
	for name, set := range map[string][2]string{
		"a function": {"CREATE FUNCTION f() RETURNS INT BEGIN SET old_mode = ''; RETURN 1; END", "SELECT f()"},
		"a trigger":  {"CREATE TRIGGER sets AFTER INSERT ON child FOR EACH ROW SET old_mode = ''", "INSERT INTO child VALUES (6, 6)"},
	} {
		for i, event := range []string{"DELETE", "UPDATE", "INSERT"} {
			t.Run(name+", "+event, func(t *testing.T) {
				each(t, onMariaDB, func(t *testing.T, f *fixture) {
					f.execBare(t, set[0])
					c := f.conn(t)
					f.learn(t, c, learnedTexts[i])
					exec(t, c, set[1])
					f.execBare(t, "DELETE FROM child WHERE id = 6", "CREATE TRIGGER trg AFTER "+event+" ON t FOR EACH ROW DELETE FROM child")
					for range 3 {
						_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), learnedTexts[i], map[string]int{"INSERT": 100}[event]+1)
						require.ErrorIs(t, err, dbguard.ErrRefused)
						assert.Equal(t, 5, f.count(t, "child"))
					}
				})
			})
		}
	}
}
