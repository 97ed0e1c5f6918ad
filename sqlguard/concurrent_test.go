package sqlguard_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dbguard/dbguard-go/dbguard"
)

// TestConcurrent: a hundred goroutines share a guarded database. What is over
// its bound is refused, what is within is done, and a budget is spent to the row.
func TestConcurrent(t *testing.T) {
	f := &fake{changed: 2}
	db := guarded(t, f, dbguard.Policy{})
	db.SetMaxOpenConns(8)
	budget := dbguard.Budget(context.Background(), 60)
	var done, over, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			ctx := budget
			switch i % 4 {
			case 0:
				ctx = dbguard.AtMost(context.Background(), 1)
			case 1:
				rows, err := db.QueryContext(ctx, "SELECT a FROM app")
				if assert.NoError(t, err) {
					assert.NoError(t, rows.Close())
				}
				return
			}
			_, err := db.ExecContext(ctx, "DELETE FROM app WHERE id = 1")
			switch {
			case err == nil:
				done.Add(1)
			case errors.Is(err, dbguard.OverLimit):
				over.Add(1)
			case errors.Is(err, dbguard.OverBudget):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 25, over.Load())
	assert.EqualValues(t, 30, done.Load(), "60 rows, 2 at a time")
	assert.EqualValues(t, 20, refused.Load())
	commits := 0
	for _, call := range f.log() {
		if strings.Contains(call, `"COMMIT`) {
			commits++
		}
	}
	assert.Equal(t, 30, commits)
}
