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

// A session that has met a table does not ask the catalogue for each statement what
// the table fires: it has the server prove that nothing has changed.

// disproving are changes after which a DELETE of one row of t would take the rows of
// child along, or could not be undone.
var disproving = []struct {
	name  string
	texts []string
}{
	{"a trigger", []string{destroyer("t")}},
	{"a trigger, and all definitions read anew", []string{destroyer("t"), "FLUSH TABLES"}},
	{"a trigger in place of a harmless one", []string{
		"CREATE TRIGGER harmless BEFORE UPDATE ON t FOR EACH ROW SET @a = 1", "DROP TRIGGER harmless", destroyer("t"),
	}},
	{"another table of that name", []string{
		"CREATE TABLE u LIKE t", "INSERT INTO u SELECT * FROM t", destroyer("u"), "RENAME TABLE t TO old, u TO t",
	}},
	{"the table made anew", []string{
		"CREATE TABLE old AS SELECT * FROM t", "DROP TABLE t", made[0], "INSERT INTO t SELECT * FROM old", destroyer("t"),
	}},
	{"a view", []string{"RENAME TABLE t TO old", destroyer("old"), "CREATE VIEW t AS SELECT * FROM old"}},
	{"an engine that cannot undo", []string{"ALTER TABLE t ENGINE = MyISAM"}},
	{"a foreign key", []string{turns[3][0]}},
}

func destroyer(table string) string {
	return "CREATE TRIGGER trg AFTER DELETE ON " + table + " FOR EACH ROW DELETE FROM child"
}

// oneWay runs a statement on one row of t, by itself or in a transaction.
type oneWay func(ctx context.Context, c *sql.Conn, id int) error

var oneWays = waysOf("DELETE FROM t WHERE id = ?")

func waysOf(text string) map[string]oneWay {
	return map[string]oneWay{
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

// trusting runs statements until the catalogue is not asked any more, which the
// server tells: it writes its answers to disk.
func trusting(t *testing.T, c *sql.Conn, send oneWay) {
	t.Helper()
	until(t, c, "Created_tmp_disk_tables", send)
}

// until runs statements until one leaves the server's counter as it is.
func until(t *testing.T, c *sql.Conn, counter string, send oneWay) {
	t.Helper()
	ctx := dbguard.AtMost(t.Context(), 1)
	count := func() (n int) {
		var name string
		require.NoError(t, c.QueryRowContext(t.Context(), "SHOW SESSION STATUS LIKE '"+counter+"'").Scan(&name, &n))
		return n
	}
	asking := count()
	count()
	asking = count() - asking // what the question itself adds, twice
	for begin := time.Now(); time.Since(begin) < 5*time.Second; {
		before := count()
		require.NoError(t, send(ctx, c, -1))
		if count() == before+asking/2 {
			return
		}
	}
	t.Fatal("the catalogue is asked each time")
}

func TestWhatWasProvedIsDisproved(t *testing.T) {
	for way, send := range oneWays {
		for _, d := range disproving {
			t.Run(d.name+", "+way, func(t *testing.T) {
				each(t, onMariaDB, func(t *testing.T, g *ground) {
					c := g.conn(t)
					trusting(t, c, send)
					g.others(t, d.texts...)
					for range 3 {
						require.ErrorIs(t, send(dbguard.AtMost(t.Context(), 1), c, 1), dbguard.ErrRefused)
						assert.Equal(t, 5, g.rows(t, "child"))
						assert.Equal(t, 9, g.rows(t, "t"))
					}
				})
			})
		}
	}
}

// What changes nothing of what a statement does is let through, and in the end by
// the proof alone.
func TestProofsComeBack(t *testing.T) {
	for way, send := range oneWays {
		for i, change := range []string{
			"FLUSH TABLES", "ALTER TABLE t ADD x INT", "OPTIMIZE TABLE t", "ANALYZE TABLE t",
			"CREATE TRIGGER other BEFORE UPDATE ON t FOR EACH ROW DELETE FROM child",
		} {
			t.Run(fmt.Sprintf("%d %s", i, way), func(t *testing.T) {
				each(t, onMariaDB, func(t *testing.T, g *ground) {
					c := g.conn(t)
					trusting(t, c, send)
					g.others(t, change)
					require.NoError(t, send(dbguard.AtMost(t.Context(), 1), c, 1))
					assert.Equal(t, 8, g.rows(t, "t"))
					for range 100 { // until the one round trip is tried again
						require.NoError(t, send(dbguard.AtMost(t.Context(), 1), c, -1))
					}
					trusting(t, c, send)
				})
			})
		}
	}
}

// A temporary table is another one, and so is what it was before.
func TestATemporaryTableIsAnother(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, g *ground) {
		c, send := g.conn(t), oneWays["autocommit"]
		trusting(t, c, send)
		exec(t, c, "CREATE TEMPORARY TABLE t AS SELECT 1 AS id")
		require.NoError(t, send(dbguard.AtMost(t.Context(), 1), c, 1))
		assert.Equal(t, 9, g.rows(t, "t"))
		exec(t, c, "DROP TEMPORARY TABLE t")
		g.others(t, destroyer("t"))
		require.ErrorIs(t, send(dbguard.AtMost(t.Context(), 1), c, 1), dbguard.ErrRefused)
		assert.Equal(t, 5, g.rows(t, "child"))
	})
}

// A CREATE TRIGGER that the caller's transaction keeps waiting is older than what
// that transaction prepares.
func TestATriggerThatHasWaited(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, g *ground) {
		c, ctx := g.conn(t), dbguard.AtMost(t.Context(), 1)
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
			_, err := g.bare.ExecContext(t.Context(), destroyer("t"))
			created <- err
		}()
		time.Sleep(100 * time.Millisecond) // it is older
		for range 3 {
			in("DELETE FROM t WHERE id = ?", -1)
			in("SAVEPOINT a") // has the catalogue asked again
			time.Sleep(150 * time.Millisecond)
		}
		require.NoError(t, tx.Commit())
		require.NoError(t, <-created)
		for _, send := range oneWays {
			require.ErrorIs(t, send(ctx, c, 1), dbguard.ErrRefused)
			assert.Equal(t, 5, g.rows(t, "child"))
		}
	})
}

// A trigger that says that it is older than it is goes unnoticed for a moment, and
// not for longer.
func TestATriggerOfAnotherTime(t *testing.T) {
	each(t, onMariaDB, func(t *testing.T, g *ground) {
		c, send := g.conn(t), oneWays["autocommit"]
		trusting(t, c, send)
		g.others(t, "SET timestamp = 1", destroyer("t"))
		time.Sleep(1100 * time.Millisecond)
		require.ErrorIs(t, send(dbguard.AtMost(t.Context(), 1), c, 1), dbguard.ErrRefused)
		assert.Equal(t, 5, g.rows(t, "child"))
	})
}

// A proxy that gives one of the server's sessions to many clients has them meet what
// others have prepared under the same name.
func TestASessionOfManyClients(t *testing.T) {
	for name, theirs := range map[string]string{
		"as many arguments": "DELETE FROM u WHERE id = ?", "more": "UPDATE u SET n = ? WHERE id = -1",
	} {
		t.Run(name, func(t *testing.T) {
			each(t, onMariaDB, func(t *testing.T, g *ground) { g.shared(t, theirs) })
		})
	}
}

func (g *ground) shared(t *testing.T, theirs string) {
	g.others(t, "CREATE TABLE u LIKE t", "INSERT INTO u SELECT * FROM t")
	base, err := g.bare.Driver().(driver.DriverContext).OpenConnector(g.DSN)
	require.NoError(t, err)
	shared := &behind{Connector: base}
	guard, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	db := sql.OpenDB(sqlguard.WrapConnector(shared, guard))
	defer db.Close()
	c, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	ctx, send := dbguard.AtMost(t.Context(), 1), oneWays["autocommit"]
	require.NoError(t, send(ctx, c, -1))
	prepares := g.logged(t, "BEGIN NOT ATOMIC PREPARE %", func(db *sql.DB) {
		_, err := db.ExecContext(ctx, theirs, -1)
		require.NoError(t, err)
	})
	_, err = shared.last.(driver.ExecerContext).ExecContext(t.Context(), prepares, nil)
	require.NoError(t, err)
	require.NoError(t, send(ctx, c, 1))
	assert.Equal(t, 8, g.rows(t, "t"))
	assert.Equal(t, 9, g.rows(t, "u WHERE n = 0"))
}

// behind keeps the driver's connection, to send over it what the guard does not see.
type behind struct {
	driver.Connector
	last driver.Conn
}

func (b *behind) Connect(ctx context.Context) (_ driver.Conn, err error) {
	b.last, err = b.Connector.Connect(ctx)
	return b.last, err
}

// logged is the one text like this that the work sends through a guard of its own.
func (g *ground) logged(t *testing.T, like string, work func(db *sql.DB)) (text string) {
	t.Helper()
	guard, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	db := g.Guarded(t, guard)
	defer db.Close()
	g.others(t, "SET GLOBAL log_output = 'TABLE'", "TRUNCATE mysql.general_log", "SET GLOBAL general_log = 1")
	work(db)
	g.others(t, "SET GLOBAL general_log = 0")
	require.NoError(t, g.bare.QueryRowContext(t.Context(), "SELECT argument FROM mysql.general_log WHERE argument LIKE ?", like).Scan(&text))
	return text
}
