// Package load lets many goroutines share a guarded pool.
package load

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
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
	goroutines = 100
	rounds     = 5
	rowsEach   = 10 // of every goroutine, in the table account
)

// TestMixedWork has every goroutine change one row of its own, and try to change all of its
// rows or everybody's, in autocommit and in transactions. In the end every bounded change
// is there and no other.
func TestMixedWork(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		s.Exec(t, "CREATE TABLE account (owner INT, n INT, v INT NOT NULL, PRIMARY KEY (owner, n))")
		for owner := range goroutines {
			values := make([]string, rowsEach)
			for n := range values {
				values[n] = fmt.Sprintf("(%d, %d, 0)", owner, n)
			}
			s.Exec(t, "INSERT INTO account VALUES "+strings.Join(values, ", "))
		}
		w := &work{db: s.DB, rounds: 2} // over one connection: SQLite's writers would wait for each other's locks
		if s.Engine != target.SQLite {
			w.rounds = rounds
			w.db.SetMaxOpenConns(20)
		}
		var all sync.WaitGroup
		for owner := range goroutines {
			all.Go(func() { w.run(t, owner) })
		}
		all.Wait()
		assert.Equal(t, goroutines*rowsEach, s.Int(t, "SELECT count(*) FROM account"), "no row is lost")
		assert.EqualValues(t, w.done.Load(), s.Int(t, "SELECT sum(v) FROM account"), "every bounded change is there, and no other")
		assert.EqualValues(t, goroutines*w.rounds*4, w.refused.Load()+w.victims.Load())
		assert.Positive(t, w.refused.Load())
		t.Logf("%d changes, %d refusals, %d refused ones ended by a deadlock first", w.done.Load(), w.refused.Load(), w.victims.Load())
	})
}

// work counts what has happened to all goroutines.
type work struct {
	db                     *sql.DB
	rounds                 int
	done, refused, victims atomic.Int64
}

func (w *work) run(t *testing.T, owner int) {
	rng := rand.New(rand.NewPCG(1, uint64(owner)))
	for range w.rounds {
		own := fmt.Sprintf("UPDATE account SET v = v + 1 WHERE owner = %d AND n = %d", owner, rng.IntN(rowsEach))
		w.bounded(t, own)
		w.overLimit(t, fmt.Sprintf("UPDATE account SET v = v + 100000 WHERE owner = %d", owner))
		w.overLimit(t, fmt.Sprintf("DELETE FROM account WHERE owner = %d AND n >= 0", owner))
		w.overLimit(t, "UPDATE account SET v = v + 100000 WHERE n = 3")
		w.transaction(t, own, fmt.Sprintf("DELETE FROM account WHERE owner = %d", owner))
	}
}

// bound is enough for the bounded work and for no other.
func bound(t *testing.T) context.Context { return dbguard.AtMost(t.Context(), 1) }

func (w *work) bounded(t *testing.T, text string) {
	for {
		_, err := w.db.ExecContext(bound(t), text)
		if deadlocked(err) {
			time.Sleep(time.Millisecond)
			continue
		}
		if assert.NoError(t, err) {
			w.done.Add(1)
		}
		return
	}
}

func (w *work) overLimit(t *testing.T, text string) {
	_, err := w.db.ExecContext(bound(t), text)
	w.countRefusal(t, err)
}

func (w *work) countRefusal(t *testing.T, err error) {
	switch {
	case errors.Is(err, dbguard.OverLimit):
		w.refused.Add(1)
	case deadlocked(err):
		w.victims.Add(1)
	default:
		assert.Fail(t, "an over-bound statement was not refused", "%v", err)
	}
}

// transaction changes one row, is refused, changes it again, and commits.
func (w *work) transaction(t *testing.T, own, over string) {
	for {
		refusal, err := w.attempt(t, own, over)
		if deadlocked(err) || deadlocked(refusal) {
			time.Sleep(time.Millisecond)
			continue
		}
		if assert.NoError(t, err) {
			w.done.Add(2)
			w.countRefusal(t, refusal)
		}
		return
	}
}

func (w *work) attempt(t *testing.T, own, over string) (refusal, err error) {
	tx, err := w.db.BeginTx(t.Context(), nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(bound(t), own); err != nil {
		return nil, err
	}
	if _, refusal = tx.ExecContext(bound(t), over); deadlocked(refusal) {
		return refusal, nil // the transaction is gone
	}
	if _, err := tx.ExecContext(bound(t), own); err != nil {
		return refusal, err
	}
	return refusal, tx.Commit()
}

// deadlocked reports that the server chose the statement as a victim.
func deadlocked(err error) bool {
	return err != nil && !errors.Is(err, dbguard.ErrRefused) && strings.Contains(strings.ToLower(err.Error()), "deadlock")
}

// TestABudgetIsShared lets goroutines spend one budget: never more than it holds.
func TestABudgetIsShared(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		const budget = 20
		if s.Engine != target.SQLite {
			s.DB.SetMaxOpenConns(10)
		}
		ctx := dbguard.Budget(dbguard.AtMost(t.Context(), 1), budget)
		var all sync.WaitGroup
		var deleted atomic.Int64
		for id := range stage.Rows {
			all.Go(func() {
				_, err := s.DB.ExecContext(ctx, fmt.Sprintf("DELETE FROM item WHERE id = %d", id+1))
				if err == nil {
					deleted.Add(1)
				} else {
					assert.ErrorIs(t, err, dbguard.OverBudget)
				}
			})
		}
		all.Wait()
		assert.EqualValues(t, budget, deleted.Load())
		require.Equal(t, stage.Rows-budget, s.Int(t, "SELECT count(*) FROM item"))
	})
}
