package sqlguard_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dbguard/dbguard-go/dbguard"
)

// ways are those in which an application runs one bounded statement.
var ways = map[string]func(context.Context, *sql.DB) error{
	"exec": func(ctx context.Context, db *sql.DB) error {
		_, err := db.ExecContext(ctx, "DELETE FROM app WHERE id = 1")
		return err
	},
	"query": func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, returning)
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		return errors.Join(rows.Err(), rows.Close())
	},
	"query row": func(ctx context.Context, db *sql.DB) error {
		var a, b any
		return db.QueryRowContext(ctx, returning).Scan(&a, &b)
	},
	"prepared": func(ctx context.Context, db *sql.DB) error {
		s, err := db.PrepareContext(ctx, "DELETE FROM app WHERE id = ?")
		if err != nil {
			return err
		}
		defer s.Close()
		_, err = s.ExecContext(ctx, 1)
		return err
	},
	"in a transaction": func(ctx context.Context, db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, "DELETE FROM app WHERE id = 1"); err != nil {
			return err
		}
		return tx.Commit()
	},
}

// TestNothingRunsTwice lets every single call of the driver fail with
// driver.ErrBadConn, before and after it did its work. However the driver lies,
// the statement must not run again once it has run.
func TestNothingRunsTwice(t *testing.T) {
	for name, run := range ways {
		t.Run(name, func(t *testing.T) {
			for after := range 2 {
				steps := 0
				for step := 1; ; step++ {
					f, ran := badConn(step, after == 1)
					db := guarded(t, f, dbguard.Policy{})
					err := run(dbguard.AtMost(context.Background(), 5), db)
					what := fmt.Sprintf("step %d, after its work %v: %v\n%s", step, after == 1, err, strings.Join(f.log(), "\n"))
					assert.LessOrEqual(t, *ran, 1, what)
					if *ran > 0 && err != nil {
						assert.NotErrorIs(t, err, driver.ErrBadConn, what)
					}
					if !f.failed {
						assert.NoError(t, err)
						assert.Equal(t, 1, *ran)
						steps = step
						break
					}
				}
				assert.Greater(t, steps, 3)
			}
		})
	}
}

// badConn is a driver of which the call of that number fails. ran counts how
// often the application's statement was executed.
func badConn(step int, after bool) (f *fake, ran *int) {
	ran = new(int)
	f = &fake{changed: 1, sets: [][][]driver.Value{{{int64(1), "one"}}}}
	n := 0
	fails := func() error {
		if n++; n == step {
			f.failed = true
			return driver.ErrBadConn
		}
		return nil
	}
	f.fail = func(call, text string) error {
		executes := (call == "exec" || call == "query") && strings.Contains(text, "DELETE FROM app")
		err := fails()
		if executes && (err == nil || after) {
			*ran++
		}
		return err
	}
	return f, ran
}

// TestBrokenConnectionIsDiscarded: the undo of the guard fails. The connection
// may hold an open transaction, so it is not used again.
func TestBrokenConnectionIsDiscarded(t *testing.T) {
	for name, shape := range connShapes {
		t.Run(name, func(t *testing.T) {
			f := &fake{shape: shape, changed: 7, fail: func(_, text string) error {
				if strings.HasPrefix(text, "ROLLBACK") {
					return errDriver
				}
				return nil
			}}
			db := guarded(t, f, dbguard.Policy{})
			ctx := dbguard.AtMost(context.Background(), 1)
			_, err := db.ExecContext(ctx, "DELETE FROM app WHERE id = 1")
			assert.ErrorIs(t, err, dbguard.OverLimit)
			assert.Equal(t, 1, f.conns)
			_, err = db.ExecContext(ctx, "INSERT INTO app VALUES (1)")
			assert.NoError(t, err)
			assert.Equal(t, 2, f.conns, "the insert went to a new one")
		})
	}
}

// TestDriverThatSkips: go-sql-driver/mysql declines every text with arguments.
// The guard finds that out once, not with a transaction each time.
func TestDriverThatSkips(t *testing.T) {
	f := &fake{changed: 1, fail: func(call, text string) error {
		if call == "exec" && strings.Contains(text, "?") {
			return driver.ErrSkip
		}
		return nil
	}}
	f.stmts = func(s *fakeStmt) driver.Stmt { // whose Exec is not that of the connection
		s.fakeConn = &fakeConn{fake: &fake{changed: 1}, id: s.id}
		return modernStmt(s)
	}
	db := guarded(t, f, dbguard.Policy{})
	ctx := dbguard.Budget(context.Background(), 3)
	for range 3 {
		_, err := db.ExecContext(ctx, "DELETE FROM app WHERE id = ?", 1)
		assert.NoError(t, err, "each is charged once")
	}
	_, err := db.ExecContext(ctx, "DELETE FROM app WHERE id = ?", 1)
	assert.ErrorIs(t, err, dbguard.OverBudget)
	begun := 0
	for _, call := range f.log() {
		if strings.Contains(call, `"BEGIN`) {
			begun++
		}
	}
	assert.Equal(t, 5, begun, "one to find out, and one for each")
}
