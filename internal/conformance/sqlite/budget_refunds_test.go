package sqlite

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

const deferredKey = "CREATE TABLE kid (r INT REFERENCES item DEFERRABLE INITIALLY DEFERRED)"

// A budget is refunded for what was undone, in whatever way, and for nothing else. Each text
// that begins with ! fails; left is what is left of 10 rows.
func TestBudgetRefunds(t *testing.T) {
	const three = "DELETE FROM item WHERE id IN (SELECT id FROM item LIMIT 3)"
	tests := []struct {
		name  string
		texts []string
		left  int64
	}{
		{"OR ROLLBACK, noticed by the next BEGIN", []string{"BEGIN", three, "!INSERT OR ROLLBACK INTO item VALUES (50, 1)", "BEGIN", "ROLLBACK"}, 10},
		{"OR ROLLBACK, noticed by COMMIT", []string{"BEGIN", three, "!INSERT OR ROLLBACK INTO item VALUES (50, 1)", "!COMMIT"}, 10},
		{"what is done after OR ROLLBACK", []string{"BEGIN", three, "!INSERT OR ROLLBACK INTO item VALUES (50, 1)", three, "!ROLLBACK"}, 7},
		{"UPDATE OR ROLLBACK by a key", []string{"BEGIN", three, "!UPDATE OR ROLLBACK item SET v = NULL WHERE id = 50", three, "!ROLLBACK"}, 7},
		{"RAISE(ROLLBACK)", []string{"BEGIN", three, "!UPDATE log SET n = 2 WHERE n = 1", three, "!COMMIT"}, 7},
		{"a failed COMMIT, then ROLLBACK", []string{"BEGIN", three, "INSERT INTO kid VALUES (99)", "!COMMIT", "ROLLBACK"}, 10},
		{"a failed COMMIT, then another", []string{"BEGIN", three, "INSERT INTO kid VALUES (99)", "!COMMIT", "DELETE FROM kid WHERE r = 99", "COMMIT"}, 6},
		{"a failed BEGIN, then ROLLBACK", []string{"BEGIN", three, "!BEGIN", "ROLLBACK"}, 10},
		{"a failed BEGIN, then COMMIT", []string{"BEGIN", three, "!BEGIN", "COMMIT"}, 7},
		{"a statement that fails and ends nothing", []string{"BEGIN", three, "!INSERT INTO item VALUES (50, 1)", "COMMIT"}, 7},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stage.Each(t, func(t *testing.T, s *stage.Stage) {
				conn := budgetConn(t, s)
				ctx := dbguard.Budget(t.Context(), 10)
				for _, text := range tt.texts {
					if text[0] == '!' {
						_, err := conn.ExecContext(ctx, text[1:])
						require.Error(t, err, text)
						require.NotErrorIs(t, err, dbguard.ErrRefused, text)
						continue
					}
					_, err := conn.ExecContext(ctx, text)
					require.NoError(t, err, text)
				}
				assertBudgetLeft(ctx, t, conn, tt.left)
			}, target.SQLite)
		})
	}
}

// The same by the calls of database/sql.
func TestBudgetAfterFailedCommit(t *testing.T) {
	for _, last := range []string{"INSERT OR ROLLBACK INTO item VALUES (50, 1)", "INSERT INTO kid VALUES (99)"} {
		t.Run(last, func(t *testing.T) {
			stage.Each(t, func(t *testing.T, s *stage.Stage) {
				conn := budgetConn(t, s)
				ctx := dbguard.Budget(t.Context(), 10)
				tx, err := conn.BeginTx(ctx, nil)
				require.NoError(t, err)
				_, err = tx.ExecContext(ctx, "DELETE FROM item WHERE id <= 3")
				require.NoError(t, err)
				_, _ = tx.ExecContext(ctx, last)
				require.Error(t, tx.Commit())
				assertBudgetLeft(ctx, t, conn, 10)
			}, target.SQLite)
		})
	}
}

func budgetConn(t *testing.T, s *stage.Stage) *sql.Conn {
	t.Helper()
	s.Exec(t, deferredKey+"; CREATE TABLE log (n INT); INSERT INTO log VALUES (1)")
	s.Exec(t, "CREATE TRIGGER r BEFORE UPDATE ON log BEGIN SELECT RAISE(ROLLBACK, 'no'); END")
	conn := s.Conn(t)
	_, err := conn.ExecContext(t.Context(), "PRAGMA foreign_keys = ON")
	require.NoError(t, err)
	return conn
}

// assertBudgetLeft finds out what is left of the context's budget.
func assertBudgetLeft(ctx context.Context, t *testing.T, conn *sql.Conn, want int64) {
	t.Helper()
	var left int64
	for ; left < 20; left++ {
		if _, err := conn.ExecContext(ctx, "DELETE FROM item WHERE id = (SELECT min(id) FROM item)"); err != nil {
			require.ErrorIs(t, err, dbguard.OverBudget)
			break
		}
	}
	assert.Equal(t, want, left, "left of the budget")
}
