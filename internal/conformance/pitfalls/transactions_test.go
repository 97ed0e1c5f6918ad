// Package pitfalls tests the ways in which a guard that runs statements in transactions of
// its own was seen to do harm, or to be bypassed.
package pitfalls

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

func TestMain(m *testing.M) { servers.Main(m) }

const (
	oneRow   = "UPDATE item SET v = v + 1 WHERE id = 1"
	tenRows  = "UPDATE item SET v = v + 1000 WHERE id > 10 AND id <= 20"
	deletion = "DELETE FROM item WHERE id > 10 AND id <= 20"
)

func run(t *testing.T, conn *sql.Conn, text string) {
	t.Helper()
	_, err := conn.ExecContext(dbguard.AtMost(t.Context(), 1), text)
	require.NoError(t, err, text)
}

func refused(t *testing.T, conn *sql.Conn, text string) {
	t.Helper()
	_, err := conn.ExecContext(dbguard.AtMost(t.Context(), 1), text)
	require.ErrorIs(t, err, dbguard.ErrRefused, text)
}

// begins are the ways to open a transaction by text.
var begins = map[target.Engine][]string{
	target.SQLite:   {"BEGIN", "begin immediate transaction", "/* ours */ BEGIN EXCLUSIVE;", "SAVEPOINT mine"},
	target.Postgres: {"BEGIN", "START TRANSACTION ISOLATION LEVEL SERIALIZABLE", "-- ours\nbegin work;"},
	target.MariaDB:  {"BEGIN", "START TRANSACTION WITH CONSISTENT SNAPSHOT", "SET autocommit=0", "/*! BEGIN */", "SET SESSION autocommit = OFF"},
}

// A transaction that the caller opened by text is the caller's: a COMMIT of the guard's would
// keep its changes, and a ROLLBACK would lose them.
func TestATransactionOpenedByTextIsTheCallers(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, begin := range target.Of(begins, s.Engine) {
			t.Run(begin, func(t *testing.T) {
				conn := s.Conn(t)
				defer conn.Close()
				run(t, conn, begin)
				run(t, conn, oneRow)
				refused(t, conn, tenRows)
				run(t, conn, oneRow)
				if s.Engine != target.SQLite { // where other connections wait for the writer
					assert.Equal(t, stage.Untouched, s.Item(t), "nothing is committed yet")
				}
				run(t, conn, "ROLLBACK")
				assert.Equal(t, stage.Untouched, s.Item(t), "the caller's ROLLBACK undoes everything")

				if begin != "SET autocommit=0" && begin != "SET SESSION autocommit = OFF" {
					run(t, conn, begin)
				}
				run(t, conn, oneRow)
				refused(t, conn, tenRows)
				run(t, conn, "COMMIT")
				assert.Equal(t, "50 rows, sum 1", s.Item(t), "the caller's COMMIT keeps what was within its bound")
				if s.Engine.InMySQLFamily() {
					run(t, conn, "SET autocommit=1")
				}
				run(t, conn, "UPDATE item SET v = 0 WHERE id = 1")
				assert.Equal(t, stage.Untouched, s.Item(t), "and then nobody's transaction is open")
			})
		}
	})
}

// COMMIT AND CHAIN leaves a transaction open.
func TestAChainedTransactionIsTheCallers(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		conn := s.Conn(t)
		run(t, conn, "BEGIN")
		run(t, conn, oneRow)
		run(t, conn, "COMMIT AND CHAIN")
		run(t, conn, oneRow)
		refused(t, conn, deletion)
		run(t, conn, "ROLLBACK AND CHAIN")
		run(t, conn, oneRow)
		run(t, conn, "ROLLBACK")
		assert.Equal(t, "50 rows, sum 1", s.Item(t))
	}, target.Postgres, target.MariaDB, target.MySQL)
}

// The same, opened by the calls that return rows.
func TestATransactionOpenedThroughQuery(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		conn := s.Conn(t)
		rows, err := conn.QueryContext(t.Context(), "BEGIN")
		require.NoError(t, err)
		for rows.Next() {
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
		run(t, conn, oneRow)
		refused(t, conn, deletion)
		run(t, conn, "ROLLBACK")
		assert.Equal(t, stage.Untouched, s.Item(t))
	})
}

func TestATransactionOpenedByAPreparedStatement(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		conn := s.Conn(t)
		stmt, err := conn.PrepareContext(t.Context(), "BEGIN")
		if err != nil && s.Engine == target.MySQL {
			t.Skip(err)
		}
		require.NoError(t, err)
		_, err = stmt.ExecContext(t.Context())
		require.NoError(t, err)
		require.NoError(t, stmt.Close())
		run(t, conn, oneRow)
		refused(t, conn, deletion)
		run(t, conn, "ROLLBACK")
		assert.Equal(t, stage.Untouched, s.Item(t))
	})
}

// The pool hands out a connection on which a transaction was left open, where the driver
// does not check for that.
func TestATransactionLeftOpen(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		conn := s.Conn(t)
		run(t, conn, "BEGIN")
		require.NoError(t, conn.Close())
		conn = s.Conn(t)
		run(t, conn, oneRow)
		refused(t, conn, deletion)
		_, err := conn.ExecContext(t.Context(), "ROLLBACK")
		_ = err // "no transaction is active", where the pool or its driver ended it
		assert.Contains(t, []string{stage.Untouched, "50 rows, sum 1"}, s.Item(t))
	})
}

// What a refusal undid does not count for the next statement: PostgreSQL's counters still
// include what was rolled back to a savepoint.
func TestTheNextStatementIsCountedAfresh(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		ctx := t.Context()
		tx, err := s.DB.BeginTx(ctx, nil)
		require.NoError(t, err)
		for range 3 {
			_, err = tx.ExecContext(dbguard.AtMost(ctx, 9), tenRows)
			assert.ErrorIs(t, err, dbguard.OverLimit)
			_, err = tx.ExecContext(dbguard.AtMost(ctx, 1), oneRow)
			assert.NoError(t, err)
		}
		_, err = tx.ExecContext(dbguard.AtMost(ctx, 10), deletion)
		assert.NoError(t, err)
		require.NoError(t, tx.Commit())
		assert.Equal(t, "40 rows, sum 3", s.Item(t))
	})
}

// A savepoint of the caller's may have our name, where savepoints of one name nest. In
// MariaDB the second replaces the first.
func TestTheCallersSavepoints(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, name := range []string{"mine", "dbguard"} {
			if s.Engine.InMySQLFamily() && name == "dbguard" {
				continue
			}
			t.Run(name, func(t *testing.T) {
				conn := s.Conn(t)
				defer conn.Close()
				run(t, conn, "BEGIN")
				run(t, conn, oneRow)
				run(t, conn, "SAVEPOINT "+name)
				run(t, conn, oneRow)
				refused(t, conn, tenRows)
				run(t, conn, oneRow)
				run(t, conn, "ROLLBACK TO SAVEPOINT "+name)
				run(t, conn, oneRow)
				run(t, conn, "COMMIT")
				assert.Equal(t, "50 rows, sum 2", s.Item(t))
				run(t, conn, "UPDATE item SET v = 0 WHERE id = 1")
			})
		}
	})
}

// Statements that cannot run in a transaction run as they do without a guard.
func TestStatementsThatRunOutsideTransactionsOnly(t *testing.T) {
	texts := map[target.Engine][]string{
		target.SQLite:   {"VACUUM", "PRAGMA journal_mode = WAL", "REINDEX", "ANALYZE"},
		target.Postgres: {"VACUUM item", "VACUUM (ANALYZE)", "CREATE INDEX CONCURRENTLY i ON item (v)", "REINDEX TABLE CONCURRENTLY item"},
		target.MariaDB:  {"OPTIMIZE TABLE item", "ANALYZE TABLE item", "FLUSH TABLES"},
	}
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, text := range target.Of(texts, s.Engine) {
			_, err := s.DB.ExecContext(t.Context(), text)
			assert.NoError(t, err, text)
		}
		s.AssertWorks(t)
	})
}

func TestDatabasesAreMadeOutsideTransactions(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		const name = servers.NamePrefix + "pitfall" // of a test: snapshots of other packages leave it out
		ctx := dbguard.Allow(t.Context(), "the test makes it", dbguard.CreateDatabase(name), dbguard.DropDatabase(name))
		for _, text := range []string{"CREATE DATABASE " + name, "DROP DATABASE " + name} {
			_, err := s.DB.ExecContext(t.Context(), text)
			assert.ErrorIs(t, err, dbguard.ErrRefused, text)
			_, err = s.DB.ExecContext(ctx, text)
			assert.NoError(t, err, text)
		}
	}, target.Postgres, target.MariaDB, target.MySQL)
}

func TestAProcedureThatCommits(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		s.Exec(t, "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN UPDATE item SET v = 1 WHERE id = 1; COMMIT; END $$")
		_, err := s.DB.ExecContext(dbguard.AtMost(t.Context(), 1), "CALL p()")
		assert.ErrorIs(t, err, dbguard.ErrRefused)
		assert.Equal(t, stage.Untouched, s.Item(t))
		_, err = s.DB.ExecContext(dbguard.Allow(dbguard.AtMost(t.Context(), 1), "a bound all the same", dbguard.Opaque()), "CALL p()")
		assert.Error(t, err, "it cannot be kept")
		assert.Equal(t, stage.Untouched, s.Item(t))
		_, err = s.DB.ExecContext(dbguard.Allow(t.Context(), "read by the test", dbguard.Opaque()), "CALL p()")
		assert.NoError(t, err)
		assert.Equal(t, "50 rows, sum 1", s.Item(t))
		s.AssertWorks(t)
	}, target.Postgres)
}

// beginWithUpdate opens a transaction and writes one row in it.
func beginWithUpdate(ctx context.Context, t *testing.T, s *stage.Stage) *sql.Tx {
	t.Helper()
	tx, err := s.DB.BeginTx(ctx, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	_, err = tx.ExecContext(dbguard.AtMost(ctx, 1), oneRow)
	require.NoError(t, err)
	return tx
}

// What was open on a connection that is closed or lost is undone, and costs no budget.
func TestABudgetOfAConnectionThatIsGone(t *testing.T) {
	const most = "DELETE FROM item WHERE id <= 8"
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		db := s.Open(t, s.DSN)
		defer db.Close()
		ctx := dbguard.Budget(t.Context(), 10)
		for range 2 {
			conn, err := db.Conn(t.Context())
			require.NoError(t, err)
			for _, text := range []string{"BEGIN", most} {
				_, err = conn.ExecContext(ctx, text)
				require.NoError(t, err, text)
			}
			_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // database/sql closes it
			_ = conn.Close()
		}
		_, err := s.DB.ExecContext(ctx, most)
		require.NoError(t, err)
		_, err = s.DB.ExecContext(ctx, "DELETE FROM item WHERE id <= 16")
		require.ErrorIs(t, err, dbguard.OverBudget)
	})
}
