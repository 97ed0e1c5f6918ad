package dbguard

import "sync"

// budget is a number of rows that several statements share.
type budget struct {
	mu          sync.Mutex
	total, used int64
}

func newBudget(n int64) *budget { return &budget{total: n} }

func (b *budget) left() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total - b.used
}

// charge takes rows from the budget, or none if they are not there.
func (b *budget) charge(rows int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if rows > b.total-b.used {
		return false
	}
	b.used += rows
	return true
}

func (b *budget) refund(rows int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= rows
}

// chargeAll takes rows from every budget, or from none: then it returns the
// first that cannot pay.
func chargeAll(budgets []*budget, rows int64) *budget {
	for i, b := range budgets {
		if !b.charge(rows) {
			refundAll(budgets[:i], rows)
			return b
		}
	}
	return nil
}

func refundAll(budgets []*budget, rows int64) {
	for _, b := range budgets {
		b.refund(rows)
	}
}
