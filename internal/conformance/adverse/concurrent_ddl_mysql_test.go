package adverse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// schemaToggles are schema changes, each with its inverse. With any of them, a statement
// on one row of t would change rows of child, or could not be rolled back.
var schemaToggles = [][2]string{
	{"CREATE TRIGGER trg AFTER DELETE ON t FOR EACH ROW UPDATE child SET hits = hits + 1", "DROP TRIGGER trg"},
	{"CREATE TRIGGER trg BEFORE INSERT ON t FOR EACH ROW UPDATE child SET hits = hits + 1", "DROP TRIGGER trg"},
	{"CREATE TRIGGER trg AFTER UPDATE ON t FOR EACH ROW UPDATE child SET hits = hits + 1", "DROP TRIGGER trg"},
	{"ALTER TABLE child ADD CONSTRAINT fk FOREIGN KEY (r) REFERENCES t (id) ON DELETE CASCADE", "ALTER TABLE child DROP FOREIGN KEY fk"},
	{"ALTER TABLE t ENGINE = MyISAM", "ALTER TABLE t ENGINE = InnoDB"},
}

// TestConcurrentSchemaChanges sends statements on one row each while another session
// changes the schema and changes it back. No statement that passes has changed a row of
// child, nor has one that was refused, whichever of the two came first.
func TestConcurrentSchemaChanges(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	for name, rest := range map[string]time.Duration{"never": time.Nanosecond, "long enough to be trusted": 600 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			each(t, onMySQL, func(t *testing.T, f *fixture) { f.concurrentSchemaChanges(t, rest) })
		})
	}
}

func (f *fixture) concurrentSchemaChanges(t *testing.T, rest time.Duration) {
	f.execBare(t, "ALTER TABLE child ADD hits INT NOT NULL DEFAULT 0, ADD KEY (r)", "DELETE FROM t",
		"INSERT INTO t WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 100) SELECT n, 0 FROM s", "UPDATE child SET r = id")
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var others sync.WaitGroup
	others.Go(func() { toggleSchema(ctx, t, f, rest) })
	sent := map[string]int{}
	for begin := time.Now(); ctx.Err() == nil && (time.Since(begin) < 6*time.Second || sent["passed"]*sent["refused"] == 0); {
		sent[f.sendOneRow(t)]++
	}
	stop()
	others.Wait()
	t.Log(sent)
	assert.Zero(t, f.count(t, "child WHERE hits > 0"), "changed by a trigger")
	assert.Equal(t, 5, f.count(t, "child"), "deleted by a cascade")
	assert.Positive(t, sent["passed"])
	assert.Positive(t, sent["refused"])
}

// TestForeignKeyAddedWhileStatementWaits adds a foreign key when a DELETE has opened its
// table and waits for a row. The key is not dropped before the DELETE has ended: the
// server may follow a key that is gone, and crash. On MySQL, to add a key waits for the DELETE.
func TestForeignKeyAddedWhileStatementWaits(t *testing.T) {
	const one = "DELETE FROM t WHERE id = 1"
	for name, send := range map[string]func(ctx context.Context, f *fixture) error{
		"in one round trip": func(ctx context.Context, f *fixture) error {
			_, err := f.db.ExecContext(ctx, one)
			return err
		},
		"the ordinary way": func(ctx context.Context, f *fixture) error {
			_, err := f.db.ExecContext(ctx, "DELETE IGNORE FROM t WHERE id = 1")
			return err
		},
		"in a transaction": func(ctx context.Context, f *fixture) error {
			tx, err := f.db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, one)
			return errors.Join(err, tx.Commit())
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, onMariaDB, func(t *testing.T, f *fixture) { f.keyAddedWhileWaiting(t, send) })
		})
	}
}

func (f *fixture) keyAddedWhileWaiting(t *testing.T, send func(context.Context, *fixture) error) {
	f.execBare(t, "ALTER TABLE child ADD KEY (r)", "UPDATE child SET r = id")
	db := f.Bare(t)
	defer db.Close()
	holder, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = holder.Rollback() }()
	_, err = holder.ExecContext(t.Context(), "SELECT n FROM t WHERE id = 1 FOR UPDATE")
	require.NoError(t, err)
	sent := make(chan error, 1)
	go func() { sent <- send(dbguard.AtMost(t.Context(), 1), f) }()
	require.Eventually(t, func() bool {
		return f.count(t, "information_schema.PROCESSLIST WHERE DB = DATABASE() AND COMMAND IN ('Query', 'Execute') AND TIME_MS > 50") > 0
	}, 5*time.Second, 20*time.Millisecond, "it waits for the row")
	f.execBare(t, "SET foreign_key_checks = 0", schemaToggles[3][0])
	require.NoError(t, holder.Rollback())
	require.ErrorIs(t, <-sent, dbguard.ErrRefused)
	assert.Equal(t, 5, f.count(t, "child"))
	assert.Equal(t, 9, f.count(t, "t"))
}

// toggleSchema applies a change and its inverse, again and again, with a rest between.
func toggleSchema(ctx context.Context, t *testing.T, f *fixture, rest time.Duration) {
	db := f.Bare(t)
	defer db.Close()
	c, err := db.Conn(context.WithoutCancel(ctx))
	require.NoError(t, err)
	defer c.Close()
	_, err = c.ExecContext(context.WithoutCancel(ctx), "SET foreign_key_checks = 0, lock_wait_timeout = 2, innodb_lock_wait_timeout = 1") // ALTER in place, and do not wait long for locks
	require.NoError(t, err)
	for ctx.Err() == nil {
		for _, text := range schemaToggles[rand.N(len(schemaToggles))] {
			for _, err = c.ExecContext(context.WithoutCancel(ctx), text); err != nil; _, err = c.ExecContext(context.WithoutCancel(ctx), text) {
				if !assert.Regexp(t, "^Error (1205|1213) ", err.Error(), text) { // lock wait timeout, or deadlock
					return
				}
			}
			time.Sleep(rand.N(4 * time.Millisecond))
		}
		time.Sleep(rand.N(rest))
	}
}

// sendOneRow sends a statement on one row, in autocommit or as one of a few in a
// transaction, and returns how it ended.
func (f *fixture) sendOneRow(t *testing.T) string {
	ctx := dbguard.AtMost(t.Context(), 1)
	if rand.N(2) == 0 {
		return f.verdict(t, f.execOneRow(ctx, f.db, 0))
	}
	tx, err := f.db.BeginTx(ctx, nil)
	require.NoError(t, err)
	for i := range 4 {
		if err = f.execOneRow(ctx, tx, i); err != nil {
			break
		}
	}
	if end := tx.Commit(); err == nil {
		err = end
	}
	return f.verdict(t, err)
}

func (f *fixture) execOneRow(ctx context.Context, on interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, i int,
) error {
	id := 1 + rand.N(20)
	text := []string{
		"DELETE FROM t WHERE id = ?", "UPDATE t SET n = n + 1 WHERE id = ?",
		fmt.Sprintf("INSERT IGNORE INTO t VALUES (?, %d)", i), "INSERT INTO t VALUES (?, 0)",
	}[rand.N(4)]
	_, err := on.ExecContext(ctx, text, id)
	return err
}

func (f *fixture) verdict(t *testing.T, err error) string {
	switch {
	case err == nil:
		return "passed"
	case errors.Is(err, dbguard.ErrRefused):
		return "refused"
	}
	message := err.Error()
	for _, known := range []string{"1062", "1020", "1146", "1213", "1205", "1412"} {
		if strings.HasPrefix(message, "Error "+known) {
			return known
		}
	}
	assert.NoError(t, err)
	return message
}
