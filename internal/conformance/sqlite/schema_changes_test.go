package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

func TestMain(m *testing.M) { servers.Main(m) }

const (
	insert = "INSERT INTO item (v) VALUES (0)"
	trap   = "TRIGGER trap AFTER INSERT ON item BEGIN DELETE FROM item WHERE id <= 10; END"
)

// triggerAppears are texts after which an INSERT meets a trigger. Those beginning with > are
// another session's.
var triggerAppears = []struct {
	name  string
	texts []string
	fails int // index of the text that fails, as it should; -1 for none
}{
	{"a trigger of its own", []string{"BEGIN", insert, insert, "CREATE " + trap}, -1},
	{"a trigger of temp", []string{"BEGIN", insert, insert, "CREATE TEMP " + trap}, -1},
	{"a trigger, taken back and made anew", []string{
		"BEGIN", insert, "SAVEPOINT a", "CREATE TRIGGER g AFTER INSERT ON item BEGIN SELECT 1; END", insert, "ROLLBACK TO a",
		insert, "CREATE " + trap,
	}, -1},
	{"somebody else's, after the transaction", []string{"BEGIN", insert, insert, "COMMIT", ">CREATE " + trap}, -1},
	{"somebody else's, before the next transaction", []string{"BEGIN", insert, insert, "COMMIT", ">CREATE " + trap, "BEGIN"}, -1},
	{"somebody else's, after a savepoint that was the transaction", []string{"SAVEPOINT a", insert, insert, "RELEASE a", ">CREATE " + trap}, -1},
	{"somebody else's, after a rollback that nobody asked for", []string{
		"BEGIN", insert, insert, "INSERT OR ROLLBACK INTO item VALUES (1, 1)", ">CREATE " + trap,
	}, 3},
	{"somebody else's, after such a rollback in a read", []string{
		"BEGIN", insert, insert, "INSERT OR ROLLBACK INTO item VALUES (1, 1)", ">CREATE " + trap, "BEGIN",
	}, 3},
}

// What a transaction has seen of the schema under its lock holds until it ends,
// the schema changes, or the transaction turns out to be gone.
func TestSchemaSeenByTransaction(t *testing.T) {
	for _, tt := range triggerAppears {
		t.Run(tt.name, func(t *testing.T) {
			stage.Each(t, func(t *testing.T, s *stage.Stage) {
				conn := s.Conn(t)
				for i, text := range tt.texts {
					if text[0] == '>' {
						s.Exec(t, text[1:])
						continue
					}
					_, err := conn.ExecContext(t.Context(), text)
					require.Equal(t, i == tt.fails, err != nil, "%s: %v", text, err)
				}
				var before, after int
				require.NoError(t, conn.QueryRowContext(t.Context(), "SELECT count(*) FROM item").Scan(&before))
				_, err := conn.ExecContext(t.Context(), insert)
				require.ErrorIs(t, err, dbguard.Unbounded)
				require.NoError(t, conn.QueryRowContext(t.Context(), "SELECT count(*) FROM item").Scan(&after))
				assert.Equal(t, before, after)
				_, _ = conn.ExecContext(t.Context(), "ROLLBACK") // where one is open
				require.NoError(t, conn.Close())
			}, target.SQLite)
		})
	}
}

// A statement on a row that is named by its key is sent unchanged until the schema changes.
func TestKeyedStatementAfterSchemaChange(t *testing.T) {
	for _, change := range [][]string{
		{"CREATE TRIGGER g AFTER DELETE ON item BEGIN DELETE FROM item WHERE id > 10; END"},
		{"CREATE TABLE child (r INT REFERENCES item ON DELETE CASCADE)", "INSERT INTO child SELECT 5 FROM item"},
		{"ALTER TABLE item RENAME TO old", "CREATE TABLE item (id INT, v INT)", "INSERT INTO item SELECT 5, 0 FROM old"},
	} {
		for _, inTx := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, in a transaction %t", change[0], inTx), func(t *testing.T) {
				stage.Each(t, func(t *testing.T, s *stage.Stage) {
					ctx := dbguard.AtMost(t.Context(), 1)
					for id := range 4 {
						_, err := s.DB.ExecContext(ctx, "DELETE FROM item WHERE id = ?", id+1)
						require.NoError(t, err)
					}
					for _, text := range change {
						s.Exec(t, text)
					}
					before := s.Int(t, "SELECT count(*) FROM item")
					tx, err := s.DB.BeginTx(ctx, nil)
					require.NoError(t, err)
					do := tx.ExecContext
					if !inTx {
						require.NoError(t, tx.Rollback())
						do = s.DB.ExecContext
					}
					_, err = do(ctx, "DELETE FROM item WHERE id = ?", 5)
					require.ErrorIs(t, err, dbguard.OverLimit)
					_, err = do(ctx, "UPDATE item SET v = 1 WHERE id = 6")
					require.NoError(t, err)
					if inTx {
						require.NoError(t, tx.Commit())
					}
					assert.Equal(t, before, s.Int(t, "SELECT count(*) FROM item"))
				}, target.SQLite)
			})
		}
	}
}

// A transaction that waits for another's lock goes on waiting, as it would without a guard: the
// guard reads nothing before the statement writes.
func TestATransactionWaitsForTheLock(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for range 2 { // cold, then with what is cached
			other, err := s.Bare.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			_, err = other.ExecContext(t.Context(), "UPDATE item SET v = v + 1 WHERE id = 9")
			require.NoError(t, err)
			done := make(chan error)
			go func() { done <- inTransaction(t, s.DB, "UPDATE item SET v = v + 1 WHERE v = 0 AND id < 3", insert) }()
			select {
			case err := <-done:
				require.NoError(t, err, "it did not wait")
			case <-time.After(100 * time.Millisecond):
			}
			require.NoError(t, other.Commit())
			require.NoError(t, <-done)
			s.Exec(t, "UPDATE item SET v = 0")
		}
	}, target.SQLite)
}

func inTransaction(t *testing.T, db *sql.DB, texts ...string) error {
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, text := range texts {
		if _, err := tx.ExecContext(dbguard.AtMost(t.Context(), 2), text); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// ATTACH of an existing file creates none, wherever its name stands. The rows of the schema
// table are not like others, whatever LIKE takes for the same letter.
func TestAttachAndPragma(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		s.Exec(t, "CREATE TABLE child (p INT REFERENCES item ON DELETE CASCADE)")
		s.Exec(t, "INSERT INTO child VALUES (1), (1)")
		ctx := dbguard.AtMost(t.Context(), 1)
		conn := s.Conn(t)
		exec := func(ctx context.Context, text string, args ...any) error {
			_, err := conn.ExecContext(ctx, text, args...)
			return err
		}
		require.NoError(t, exec(ctx, "ATTACH ? AS a", ":memory:"))
		there := filepath.Join(s.Dir(), "there.db")
		require.NoError(t, os.WriteFile(there, nil, 0o600))
		require.NoError(t, exec(ctx, "ATTACH DATABASE ? AS b", there))
		require.ErrorIs(t, exec(ctx, "ATTACH ? AS c", filepath.Join(s.Dir(), "none.db")), dbguard.ImplicitCreate)
		require.ErrorIs(t, exec(ctx, "ATTACH ? || '2' AS c", there), dbguard.ImplicitCreate)
		require.NoError(t, exec(ctx, "PRAGMA case_sensitive_like = 1"))
		require.ErrorIs(t, exec(ctx, "DELETE FROM item WHERE id = 1"), dbguard.OverLimit)
		require.NoError(t, exec(dbguard.Allow(ctx, "a repair", dbguard.Opaque()), "PRAGMA writable_schema = 1"))
		require.ErrorIs(t, exec(ctx, "DELETE FROM sqlite_master WHERE name = 'item'"), dbguard.Uncountable)
		require.NoError(t, exec(ctx, "DROP TRIGGER IF EXISTS item"))
		_, err := conn.QueryContext(ctx, "CREATE TEMP TABLE item (a); DROP TABLE item")
		require.ErrorIs(t, err, dbguard.Drop)
		require.NoError(t, conn.Close())
	}, target.SQLite)
}
