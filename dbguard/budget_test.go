package dbguard

import (
	"sync"
	"testing"
)

// Two budgets are charged together or not at all, and nobody is refused for rows
// that another goroutine tried to charge in vain.
func TestFailedChargesAreNotSeen(t *testing.T) {
	outer, spent := newBudget(10), newBudget(0)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if chargeAll([]*budget{outer, spent}, 10, false) {
					t.Error("a spent budget paid")
				}
			}
		}
	})
	for range 5000 {
		if !chargeAll([]*budget{outer}, 10, false) {
			t.Fatal("refused though nobody holds a row")
		}
		if left := outer.remaining(); left != 0 {
			t.Fatalf("%d left of a budget that is spent", left)
		}
		outer.refund(10)
	}
	close(stop)
	wg.Wait()
}

func TestForcedChargesLeaveNothing(t *testing.T) {
	b := newBudget(2)
	if !chargeAll([]*budget{b}, 5, true) || b.remaining() != 0 {
		t.Errorf("%d left after 5 of 2 were taken", b.remaining())
	}
	b.refund(5)
	if b.remaining() != 2 {
		t.Errorf("%d left after all was given back, want 2", b.remaining())
	}
}
