package adverse

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

func requireNumber(t *testing.T, number uint16, err error) {
	t.Helper()
	var my *mysql.MySQLError
	require.ErrorAs(t, err, &my)
	assert.Equal(t, number, my.Number, my.Message)
}

// What fails is the caller's own error, and the transaction stays as it would unguarded.
func TestErrorsOfLearnedTexts(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		one := dbguard.AtMost(t.Context(), 1)
		c := f.conn(t)
		exec(t, c, "SET innodb_lock_wait_timeout = 1")
		f.learn(t, c, append(learnedTexts, "UPDATE t SET id = ? WHERE id = -1")...)
		other, err := f.bare.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = other.ExecContext(t.Context(), "UPDATE t SET n = 5 WHERE id = 2")
		require.NoError(t, err)

		tx, err := c.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		do := func(text string, args ...any) error {
			_, err := tx.ExecContext(one, text, args...)
			return err
		}
		require.NoError(t, do(learnedTexts[1], 1))
		requireNumber(t, 1062, do(learnedTexts[2], 1))
		requireNumber(t, 1205, do(learnedTexts[0], 2))
		require.ErrorIs(t, do("DELETE FROM t WHERE id > ?", 7), dbguard.OverLimit)
		require.NoError(t, do(learnedTexts[1], 1), "the transaction is of use")
		for id := 3; id < 7; id++ { // the heavier one survives
			_, err = other.ExecContext(t.Context(), "UPDATE t SET n = 5 WHERE id = ?", id)
			require.NoError(t, err)
		}
		blocked := make(chan error, 1)
		go func() {
			_, err := other.ExecContext(t.Context(), "UPDATE t SET n = 5 WHERE id = 1")
			blocked <- err
		}()
		time.Sleep(200 * time.Millisecond)
		requireNumber(t, 1213, do(learnedTexts[0], 2))
		require.NoError(t, <-blocked)
		require.NoError(t, other.Commit())
		_ = tx.Commit()
		require.NoError(t, c.Close())
		assert.Equal(t, 9, f.count(t, "t"))
		assert.Equal(t, 6, f.count(t, "t WHERE n = 5"))
		f.assertWorks(t)
	})
}

// A statement that is killed while it waits for a lock has no effect.
func TestKilledLearnedText(t *testing.T) {
	for _, inTx := range []bool{false, true} {
		for _, how := range []string{"KILL QUERY", "KILL CONNECTION", "cancelled"} {
			t.Run(fmt.Sprint(how, inTx), func(t *testing.T) {
				each(t, onMySQL, func(t *testing.T, f *fixture) { f.killLearned(t, how, inTx) })
			})
		}
	}
}

func (f *fixture) killLearned(t *testing.T, how string, inTx bool) {
	c, err := f.db.Conn(t.Context())
	require.NoError(t, err)
	f.learn(t, c, learnedTexts...)
	var id int64
	require.NoError(t, c.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id))
	second := f.Bare(t)
	defer second.Close()
	other, err := second.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = other.ExecContext(t.Context(), "UPDATE t SET n = 5 WHERE id = 2")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(dbguard.AtMost(t.Context(), 1))
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		if !inTx {
			_, err := c.ExecContext(ctx, learnedTexts[0], 2)
			ended <- err
			return
		}
		tx, err := c.BeginTx(context.WithoutCancel(ctx), nil)
		if err == nil {
			_, err = tx.ExecContext(ctx, learnedTexts[0], 2)
			err = errors.Join(err, tx.Rollback())
		}
		ended <- err
	}()
	time.Sleep(200 * time.Millisecond)
	if how == "cancelled" {
		cancel()
	} else {
		_, err = f.bare.ExecContext(t.Context(), fmt.Sprint(how, " ", id))
		require.NoError(t, err)
	}
	require.Error(t, <-ended)
	require.NoError(t, other.Commit())
	_ = c.Close()
	if how != "cancelled" || inTx { // the driver hangs up, and the server may go on, as it does unguarded
		assert.Equal(t, 9, f.count(t, "t"))
	}
	f.assertWorks(t)
}

// What a text stands for may change without a change of the table.
func TestLearnedTextsInAnotherPlace(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		other := newFixture(t, f.Target)
		var there string
		require.NoError(t, other.bare.QueryRowContext(t.Context(), "SELECT DATABASE()").Scan(&there))
		c, one := f.conn(t), dbguard.AtMost(t.Context(), 1)
		f.learn(t, c, learnedTexts...)
		del := func(id int) error {
			_, err := c.ExecContext(one, learnedTexts[0], id)
			return err
		}
		exec(t, c, "CREATE TEMPORARY TABLE t AS SELECT 1 AS id, 0 AS n UNION ALL SELECT 1, 0")
		require.ErrorIs(t, del(1), dbguard.OverLimit)
		exec(t, c, "DROP TEMPORARY TABLE t")
		require.NoError(t, del(1))
		assert.Equal(t, 8, f.count(t, "t"))
		exec(t, c, "USE "+there)
		other.execBare(t, destructiveTrigger("t"))
		require.ErrorIs(t, del(2), dbguard.ErrRefused)
		other.execBare(t, "DROP TRIGGER trg")
		require.NoError(t, del(2))
		assert.Equal(t, 8, f.count(t, "t"))
		assert.Equal(t, 8, other.count(t, "t"))
		exec(t, c, "SET sql_mode = 'ANSI_QUOTES'")
		other.execBare(t, destructiveTrigger("t"))
		require.ErrorIs(t, del(3), dbguard.ErrRefused)
		exec(t, c, "SET sql_mode = DEFAULT", "LOCK TABLES t WRITE, child WRITE")
		require.ErrorIs(t, del(3), dbguard.ErrRefused)
		exec(t, c, "UNLOCK TABLES")
		exec(t, c, "START TRANSACTION READ ONLY")
		requireNumber(t, 1792, del(3))
		exec(t, c, "ROLLBACK")
		assert.Equal(t, 5, other.count(t, "child"))
		assert.Equal(t, 8, other.count(t, "t"))
	})
}

// Tables of all kinds, each with a text that finds three rows and changes two.
func TestLearnedTextsOnTablesOfAllKinds(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, "CREATE VIEW seen AS SELECT * FROM t",
			"CREATE TABLE parts (id INT PRIMARY KEY, n INT) PARTITION BY HASH (id) PARTITIONS 3", "INSERT INTO parts SELECT * FROM t",
			"CREATE TABLE made (id INT PRIMARY KEY, n INT, m INT AS (n + 1) STORED UNIQUE INVISIBLE, v INT AS (n * 2), KEY (v))", "INSERT INTO made (id, n) SELECT id, -id FROM t",
			"CREATE TABLE stamped (id INT PRIMARY KEY, n INT, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)", "INSERT INTO stamped (id, n) SELECT * FROM t",
			"CREATE TABLE keyed (id INT PRIMARY KEY, n INT, k INT UNIQUE)", "INSERT INTO keyed SELECT id, n, id FROM t",
			"CREATE TABLE follows (id INT PRIMARY KEY, k INT, FOREIGN KEY (k) REFERENCES keyed (k) ON UPDATE CASCADE)", "INSERT INTO follows SELECT id, id FROM t")
		for _, table := range []string{"t", "seen", "parts", "made", "stamped", "keyed"} {
			text, change := "UPDATE "+table+" SET n = ? WHERE id < ?", 7
			if table == "made" {
				text, change = "UPDATE made SET n = n - ? WHERE id < ?", 100
			}
			for round := range 3 {
				_, err := f.db.ExecContext(dbguard.AtMost(t.Context(), 2), text, change+round, 4)
				require.ErrorIs(t, err, dbguard.OverLimit, table)
				res, err := f.db.ExecContext(dbguard.AtMost(t.Context(), 2), text, change+round, 3)
				require.NoError(t, err, table)
				n, err := res.RowsAffected()
				require.NoError(t, err)
				assert.EqualValues(t, 2, n, table)
			}
		}
		for range 2 { // a key that cascades
			_, err := f.db.ExecContext(dbguard.AtMost(t.Context(), 1), "UPDATE keyed SET k = k + ? WHERE id = ?", 100, 9)
			require.ErrorIs(t, err, dbguard.OverLimit)
		}
		_, err := f.db.ExecContext(dbguard.AtMost(t.Context(), 2), "UPDATE keyed SET k = k + ? WHERE id = ?", 100, 9)
		require.NoError(t, err)
		assert.Equal(t, 1, f.count(t, "follows WHERE k = 109"))
	})
}

func TestBudgetsAndExactlyOfLearnedTexts(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.learn(t, f.db, learnedTexts...)
		budget := dbguard.Budget(t.Context(), 2)
		tx, err := f.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(budget, "UPDATE t SET n = n + 1 WHERE id < ?", 3)
		require.NoError(t, err)
		_, err = tx.ExecContext(budget, learnedTexts[0], 1)
		require.ErrorIs(t, err, dbguard.OverBudget)
		require.NoError(t, tx.Rollback())
		_, err = f.db.ExecContext(budget, "DELETE FROM t WHERE id < ?", 3)
		require.NoError(t, err, "it was refunded")
		_, err = f.db.ExecContext(dbguard.Exactly(t.Context(), 1), learnedTexts[0], 1)
		require.ErrorIs(t, err, dbguard.UnderLimit)
		_, err = f.db.ExecContext(dbguard.Exactly(t.Context(), 1), learnedTexts[0], 3)
		require.NoError(t, err)
		_, err = f.db.ExecContext(dbguard.Exactly(t.Context(), 2), "DELETE FROM t WHERE id < ?", 5)
		require.ErrorIs(t, err, dbguard.UnderLimit)
		_, err = f.db.ExecContext(dbguard.Exactly(t.Context(), 2), "DELETE FROM t WHERE id < ?", 6)
		require.NoError(t, err)
		assert.Equal(t, 4, f.count(t, "t"))
	})
}

// Without autocommit another transaction begins by itself, in which the table is not open.
func TestLearnedTextInAnotherTransaction(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		c := f.conn(t)
		exec(t, c, "SET autocommit = 0")
		update := func() error {
			_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), learnedTexts[1], 1)
			return err
		}
		for range 15 {
			require.NoError(t, update())
		}
		f.loseToDeadlock(t, c)
		f.execBare(t, "CREATE TRIGGER trg AFTER UPDATE ON t FOR EACH ROW DELETE FROM child")
		var n int
		require.NoError(t, c.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM child").Scan(&n))
		require.ErrorIs(t, update(), dbguard.OverLimit)
		exec(t, c, "COMMIT")
		assert.Equal(t, 5, f.count(t, "child"))
	})
}
