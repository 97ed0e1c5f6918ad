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

// turns are changes of the schema and back, by each of which a statement on one
// row of t would take the rows of child along, or could not be undone.
var turns = [][2]string{
	{"CREATE TRIGGER trg AFTER DELETE ON t FOR EACH ROW UPDATE child SET hits = hits + 1", "DROP TRIGGER trg"},
	{"CREATE TRIGGER trg BEFORE INSERT ON t FOR EACH ROW UPDATE child SET hits = hits + 1", "DROP TRIGGER trg"},
	{"CREATE TRIGGER trg AFTER UPDATE ON t FOR EACH ROW UPDATE child SET hits = hits + 1", "DROP TRIGGER trg"},
	{"ALTER TABLE child ADD CONSTRAINT fk FOREIGN KEY (r) REFERENCES t (id) ON DELETE CASCADE", "ALTER TABLE child DROP FOREIGN KEY fk"},
	{"ALTER TABLE t ENGINE = MyISAM", "ALTER TABLE t ENGINE = InnoDB"},
}

// TestTheSchemaNeverHoldsStill sends statements on one row each while somebody
// else turns the schema to and fro. No statement is let through that changed a row
// of child, and none that is refused has changed one, whichever of the two came
// first each time.
func TestTheSchemaNeverHoldsStill(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	for name, rest := range map[string]time.Duration{"never": time.Nanosecond, "long enough to be trusted": 600 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			each(t, onMariaDB, func(t *testing.T, g *ground) { g.neverStill(t, rest) })
		})
	}
}

func (g *ground) neverStill(t *testing.T, rest time.Duration) {
	g.others(t, "ALTER TABLE child ADD hits INT NOT NULL DEFAULT 0, ADD KEY (r)", "DELETE FROM t",
		"INSERT INTO t SELECT seq, 0 FROM seq_1_to_100", "UPDATE child SET r = id")
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var others sync.WaitGroup
	others.Go(func() { turnAround(ctx, t, g, rest) })
	sent := map[string]int{}
	for begin := time.Now(); ctx.Err() == nil && (time.Since(begin) < 6*time.Second || sent["passed"]*sent["refused"] == 0); {
		sent[g.oneRow(t)]++
	}
	stop()
	others.Wait()
	t.Log(sent)
	assert.Zero(t, g.rows(t, "child WHERE hits > 0"), "changed by a trigger")
	assert.Equal(t, 5, g.rows(t, "child"), "deleted by a cascade")
	assert.Positive(t, sent["passed"])
	assert.Positive(t, sent["refused"])
}

// TestAKeyThatComesWhileAStatementWaits adds a foreign key when a DELETE has opened
// its table and waits for a row. To drop it before the DELETE is through is more than
// the server can bear: it may lead the statement along a key that is gone, and crash.
func TestAKeyThatComesWhileAStatementWaits(t *testing.T) {
	const one = "DELETE FROM t WHERE id = 1"
	for name, send := range map[string]func(ctx context.Context, g *ground) error{
		"in one round trip": func(ctx context.Context, g *ground) error {
			_, err := g.db.ExecContext(ctx, one)
			return err
		},
		"the ordinary way": func(ctx context.Context, g *ground) error {
			_, err := g.db.ExecContext(ctx, "DELETE IGNORE FROM t WHERE id = 1")
			return err
		},
		"in a transaction": func(ctx context.Context, g *ground) error {
			tx, err := g.db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, one)
			return errors.Join(err, tx.Commit())
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, onMariaDB, func(t *testing.T, g *ground) { g.keyComes(t, send) })
		})
	}
}

func (g *ground) keyComes(t *testing.T, send func(context.Context, *ground) error) {
	g.others(t, "ALTER TABLE child ADD KEY (r)", "UPDATE child SET r = id")
	db := g.Bare(t)
	defer db.Close()
	holder, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = holder.Rollback() }()
	_, err = holder.ExecContext(t.Context(), "SELECT n FROM t WHERE id = 1 FOR UPDATE")
	require.NoError(t, err)
	sent := make(chan error, 1)
	go func() { sent <- send(dbguard.AtMost(t.Context(), 1), g) }()
	require.Eventually(t, func() bool {
		return g.rows(t, "information_schema.PROCESSLIST WHERE DB = DATABASE() AND COMMAND IN ('Query', 'Execute') AND TIME_MS > 50") > 0
	}, 5*time.Second, 20*time.Millisecond, "it waits for the row")
	g.others(t, "SET foreign_key_checks = 0", turns[3][0])
	require.NoError(t, holder.Rollback())
	require.ErrorIs(t, <-sent, dbguard.ErrRefused)
	assert.Equal(t, 5, g.rows(t, "child"))
	assert.Equal(t, 9, g.rows(t, "t"))
}

// turnAround turns the schema and back, with a rest after each of them.
func turnAround(ctx context.Context, t *testing.T, g *ground, rest time.Duration) {
	db := g.Bare(t)
	defer db.Close()
	c, err := db.Conn(context.WithoutCancel(ctx))
	require.NoError(t, err)
	defer c.Close()
	_, err = c.ExecContext(context.WithoutCancel(ctx), "SET foreign_key_checks = 0, lock_wait_timeout = 2, innodb_lock_wait_timeout = 1") // in place, and waits for no row
	require.NoError(t, err)
	for ctx.Err() == nil {
		for _, text := range turns[rand.N(len(turns))] {
			for _, err = c.ExecContext(context.WithoutCancel(ctx), text); err != nil; _, err = c.ExecContext(context.WithoutCancel(ctx), text) {
				if !assert.Regexp(t, "^Error (1205|1213) ", err.Error(), text) { // its turn to wait, or to give way
					return
				}
			}
			time.Sleep(rand.N(4 * time.Millisecond))
		}
		time.Sleep(rand.N(rest))
	}
}

// oneRow sends a statement on one row, by itself or as one of a few in a
// transaction, and returns what became of it.
func (g *ground) oneRow(t *testing.T) string {
	ctx := dbguard.AtMost(t.Context(), 1)
	if rand.N(2) == 0 {
		return g.verdict(t, g.one(ctx, g.db, 0))
	}
	tx, err := g.db.BeginTx(ctx, nil)
	require.NoError(t, err)
	for i := range 4 {
		if err = g.one(ctx, tx, i); err != nil {
			break
		}
	}
	if end := tx.Commit(); err == nil {
		err = end
	}
	return g.verdict(t, err)
}

func (g *ground) one(ctx context.Context, on interface {
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

func (g *ground) verdict(t *testing.T, err error) string {
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
