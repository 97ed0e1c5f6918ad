package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// A deferred trigger fires at the COMMIT. In a transaction of the caller's, the statement that
// caused it has been answered long before; and the trigger cannot be fired earlier, because
// deferred constraints need hold only at the end. So deferred triggers are fired and counted
// right before the caller's COMMIT, which would do it next anyway. Which statement a row is
// due to cannot be known: together they may change as many rows as their bounds have left.

// deferredTriggers is what statements of the caller's transaction left to its COMMIT.
type deferredTriggers struct {
	any       bool
	rowsLeft  int64 // what is left of their bounds
	unbounded bool  // one of them has none
}

// noteDeferred notes that a statement, with rows counted, changed a table that has a deferrable
// trigger.
func (p *postgres) noteDeferred(limit, rows int64) {
	p.deferred.any = true
	p.deferred.rowsLeft += max(limit-rows, 0)
	p.deferred.unbounded = p.deferred.unbounded || limit < 0
}

// nothingDeferred is true of an ordinary or partitioned table if the COMMIT is left with
// nothing but what the server would refuse anyway: the guard's own COMMIT comes while the
// transaction is still read-only, and there even the check of a foreign key fails.
func nothingDeferred(x *target, w strategy) string {
	late := ` AND g.tgdeferrable AND g.tgfoid NOT IN ` + harmlessTriggers + `)`
	if w == ownTx {
		late = ` AND g.tginitdeferred)`
	}
	return `
 AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = ` + plannedRegclass(x) + ` AND c.relkind IN ('r', 'p'))
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = ` + plannedRegclass(x) + late + `
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_trigger g ON g.tgrelid = i.inhrelid` + late
}

// BeforeCommit fires and counts the deferred triggers of the caller's transaction. On an
// error the adapter rolls back instead, as the server would, and returns the error. Triggers
// that these defer in turn make the COMMIT fail if they write.
func (s *Session) BeforeCommit(ctx context.Context) error {
	fired, err := s.runDeferred(ctx)
	if fired && err == nil {
		_, err = s.conn.Exec(ctx, "SET TRANSACTION READ ONLY")
	}
	return err
}

// runDeferred does that without SET TRANSACTION READ ONLY, which COMMIT AND CHAIN would pass on.
func (s *Session) runDeferred(ctx context.Context) (fired bool, _ error) {
	p, ok := s.backend.(*postgres)
	if !ok || !p.deferred.any || p.deferred.unbounded || s.txLost || s.guard.Observing() {
		return false, nil
	}
	bound := p.deferred.rowsLeft
	p.deferred = deferredTriggers{}
	_, err := s.countDeferred(ctx, p, bound, "COMMIT", setConstraintsImmediate)
	return true, err
}

// countDeferred fires deferred triggers by text, and counts what they change.
func (s *Session) countDeferred(ctx context.Context, p *postgres, bound int64, name, text string) (rows int64, err error) {
	op, err := s.guard.Begin(dbguard.AtMost(ctx, bound), dbguard.Op{
		System: p.system(), Namespace: s.namespace, Name: name, Summary: name, Text: name, Statements: 1,
		Acts: []dbguard.Act{{Verb: dbguard.Ask, Note: "triggers that were deferred"}},
	}, s.ledger)
	if err != nil {
		return 0, err
	}
	f := &Flight{s: s, st: &statement{op: dbguard.Op{Acts: []dbguard.Act{{Verb: dbguard.Insert}}}}, op: op, ctx: ctx, strategy: inCallerTx}
	c := &postgresCounter{p: p, f: f}
	if _, err = c.baseline(ctx); err == nil {
		_, err = p.conn.Exec(ctx, text)
	}
	if err != nil {
		return 0, op.End(dbguard.EffectUndone, err)
	}
	count, err := c.count(ctx, -1)
	if err != nil {
		count = dbguard.Count{Rows: -1}
	}
	if op.Settle(count) != nil {
		return 0, op.End(dbguard.EffectUndone, err)
	}
	return count.Rows, op.End(dbguard.EffectApplied, nil)
}

// beforeSetConstraints runs the caller's SET CONSTRAINTS … IMMEDIATE under a savepoint, because
// it fires deferred triggers before the COMMIT. Sent again by the caller it does nothing.
func (s *Session) beforeSetConstraints(ctx context.Context) error {
	p, ok := s.backend.(*postgres)
	if !ok || !p.deferred.any || p.deferred.unbounded || s.txLost || s.guard.Observing() || !isSetConstraintsImmediate(&s.text.Text) {
		return nil
	}
	if err := s.exec(ctx, underSavepoint.open); err != nil {
		return hideBadConn(err)
	}
	rows, err := s.countDeferred(ctx, p, p.deferred.rowsLeft, "SET CONSTRAINTS", strings.Clone(trimTrailing(&s.text.Text)))
	switch {
	case err == nil:
		p.deferred.rowsLeft -= rows
		return hideBadConn(s.exec(ctx, underSavepoint.keep))
	case errors.Is(err, dbguard.ErrRefused):
		if s.exec(ctx, underSavepoint.undo) != nil {
			s.broken = true
		}
		return err
	}
	return hideBadConn(err)
}

// isSetConstraintsImmediate reports SET CONSTRAINTS … IMMEDIATE.
func isSetConstraintsImmediate(t *sqlscan.Text) bool {
	n, last := 0, ""
	for word := range words(t, 0, int32(len(t.Source))) {
		last = strings.ToLower(word)
		if n++; n <= 2 && last != []string{"set", "constraints"}[n-1] {
			return false
		}
	}
	return t.Statements == 1 && last == "immediate"
}

// runDeferredBefore fires and counts the deferred triggers that a text would fire.
func (s *Session) runDeferredBefore(ctx context.Context, st *statement) error {
	if err := s.beforeCommitText(ctx, st); err != nil {
		return err
	}
	return s.beforeSetConstraints(ctx)
}

// beforeCommitText is BeforeCommit for a COMMIT that the caller sends as a text.
func (s *Session) beforeCommitText(ctx context.Context, st *statement) error {
	if s.dialect != sqlscan.PostgreSQL || len(st.kinds) != 1 || st.kinds[0] != sqlscan.Commit { // with AND CHAIN it begins another one at once
		return nil
	}
	_, err := s.runDeferred(ctx)
	if err != nil {
		_, undo := s.conn.Exec(ctx, "ROLLBACK")
		err = hideBadConn(err)
		_ = s.rolledBack(ctx, undo)
	}
	return err
}
