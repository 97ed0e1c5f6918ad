package engine

import (
	"context"
	"time"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// strategy is how a statement is run.
type strategy uint8

const (
	tracked     strategy = iota // transaction control: not judged, but its outcome matters
	asIs                        // unprotected: it cannot be undone, or need not be
	selfBounded                 // in a rewrite that enforces the bound by itself
	ownTx                       // in a transaction of the guard's
	inCallerTx                  // under a savepoint in the caller's transaction
)

// chooseStrategy picks the strategy of a judged statement.
func (s *Session) chooseStrategy(st *statement, op *dbguard.Operation) strategy {
	switch {
	case s.guard.Observing(), !op.NeedsUndo(), !st.changesRows():
		return asIs
	case st.control != controlNone, st.commits, s.dialect == sqlscan.ClickHouse:
		return asIs // a transaction of the guard's would not survive it
	case s.tx == txIdle:
		return ownTx
	}
	return inCallerTx
}

// frame is what is sent before and after a statement.
type frame struct {
	open []string
	keep []string
	undo []string
	// fail is sent instead of undo if the statement itself failed and the caller's
	// transaction must stay in the state in which the failure left it.
	fail []string
}

// savepoint is the guard's. Savepoints of the same name nest or replace each other,
// so only one is open at a time.
const savepoint = "dbguard_undo_statement"

var (
	ownTransaction = transaction("BEGIN", "COMMIT", "ROLLBACK")
	underSavepoint = frame{
		open: []string{"SAVEPOINT " + savepoint},
		keep: []string{"RELEASE SAVEPOINT " + savepoint},
		undo: []string{"ROLLBACK TO SAVEPOINT " + savepoint, "RELEASE SAVEPOINT " + savepoint},
		fail: []string{"ROLLBACK TO SAVEPOINT " + savepoint, "RELEASE SAVEPOINT " + savepoint},
	}
)

// transaction is a frame that opens one.
func transaction(begin, commit, rollback string) frame {
	undo := []string{rollback}
	return frame{open: []string{begin}, keep: []string{commit}, undo: undo, fail: undo}
}

// grace is how long the session continues after the caller's context has ended, so
// that a statement can be undone and a COMMIT confirmed.
const grace = 5 * time.Second

// outlive is a context that ends a grace period after its parent.
func outlive(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() {
		timer := time.AfterFunc(grace, cancel)
		context.AfterFunc(ctx, func() { timer.Stop() })
	})
	return ctx, func() { stop(); cancel() }
}

// exec sends the texts one after the other, and stops at the first error.
func (s *Session) exec(ctx context.Context, texts []string) error {
	for _, text := range texts {
		if _, err := s.conn.Exec(ctx, text); err != nil {
			return err
		}
	}
	return nil
}
