package dbguard

import "sync"

// budget is a number of rows shared by several statements.
type budget struct {
	mu          sync.Mutex
	total, used int64
}

func newBudget(n int64) *budget { return &budget{total: n} }

// remaining is what may still be spent, never less than 0.
func (b *budget) remaining() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(b.total-b.used, 0)
}

func (b *budget) refund(rows int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= rows
}

// chargeAll takes rows from every budget or, if one of them cannot pay and force is
// not set, from none. All are locked meanwhile, so that nobody sees a charge that is
// taken back. An enclosing budget precedes those within it, so that the locks are
// always taken in the same order.
func chargeAll(budgets []*budget, rows int64, force bool) bool {
	for _, b := range budgets {
		b.mu.Lock()
		defer b.mu.Unlock()
	}
	if !force {
		for _, b := range budgets {
			if rows > b.total-b.used {
				return false
			}
		}
	}
	for _, b := range budgets {
		b.used += rows
	}
	return true
}

func refundAll(budgets []*budget, rows int64) {
	for _, b := range budgets {
		b.refund(rows)
	}
}
