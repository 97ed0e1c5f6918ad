package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// A trigger that is deferred fires at the COMMIT. In a transaction of the
// caller's that is when the statement has long been answered: it cannot be had
// earlier, as constraints are deferred in order to hold at the end alone. So
// right before the caller's COMMIT what was put off is done, which the COMMIT
// itself would do next, and counted. Which statement a row is due to nobody can
// tell: together they may change as many more as their bounds have left.

// putOff is what statements of the caller's transaction left to its COMMIT.
type putOff struct {
	any  bool
	left int64 // what is left of their bounds
	free bool  // one of them has none
}

// putsOff notes that a statement, of which so many rows were counted, changed a
// table that has a deferred trigger.
func (p *postgres) putsOff(limit, rows int64) {
	p.later.any = true
	p.later.left += max(limit-rows, 0)
	p.later.free = p.later.free || limit < 0
}

// nothingDeferred is true of an ordinary table, or a partitioned one, if nothing
// that the server does not refuse at once is left to the COMMIT. One of our own comes
// while the transaction is read-only still, where the check of a foreign key fails, too.
func nothingDeferred(x *target, w strategy) string {
	late := ` AND g.tgdeferrable AND g.tgfoid NOT IN ` + harmlessTriggers + `)`
	if w == ownTx {
		late = ` AND g.tginitdeferred)`
	}
	return `
 AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = ` + regclass(x) + ` AND c.relkind IN ('r', 'p'))
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = ` + regclass(x) + late + `
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_trigger g ON g.tgrelid = i.inhrelid` + late
}

// Committing has what was put off to the COMMIT of the caller's transaction done
// and counted. On an error the door rolls back instead, as the server would, and
// returns it. What is put off once more, behind that, has the COMMIT fail where it would write.
func (s *Session) Committing(ctx context.Context) error {
	some, err := s.committing(ctx)
	if some && err == nil {
		_, err = s.conn.Exec(ctx, "SET TRANSACTION READ ONLY")
	}
	return err
}

// committing is that without the last: a COMMIT AND CHAIN would hand it on.
func (s *Session) committing(ctx context.Context) (some bool, _ error) {
	p, ok := s.backend.(*postgres)
	if !ok || !p.later.any || p.later.free || s.txLost || s.guard.Observing() {
		return false, nil
	}
	bound := p.later.left
	p.later = putOff{}
	_, err := s.fire(ctx, p, bound, "COMMIT", constraintsNow)
	return true, err
}

// fire has the text do what was put off, and counts it.
func (s *Session) fire(ctx context.Context, p *postgres, bound int64, name, text string) (rows int64, err error) {
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

// firesNow is for a SET CONSTRAINTS of the caller's, by which what was put off is done
// before the COMMIT. It does it under a savepoint; that it is sent again does nothing.
func (s *Session) firesNow(ctx context.Context) error {
	p, ok := s.backend.(*postgres)
	if !ok || !p.later.any || p.later.free || s.txLost || s.guard.Observing() || !isImmediate(&s.text.Text) {
		return nil
	}
	if err := s.exec(ctx, underSavepoint.open); err != nil {
		return hideBadConn(err)
	}
	rows, err := s.fire(ctx, p, p.later.left, "SET CONSTRAINTS", strings.Clone(withoutEnd(&s.text.Text)))
	switch {
	case err == nil:
		p.later.left -= rows
		return hideBadConn(s.exec(ctx, underSavepoint.keep))
	case errors.Is(err, dbguard.ErrRefused):
		if s.exec(ctx, underSavepoint.undo) != nil {
			s.broken = true
		}
		return err
	}
	return hideBadConn(err)
}

// isImmediate reports SET CONSTRAINTS … IMMEDIATE.
func isImmediate(t *sqlscan.Text) bool {
	n, last := 0, ""
	for word := range words(t, 0, int32(len(t.Source))) {
		last = strings.ToLower(word)
		if n++; n <= 2 && last != []string{"set", "constraints"}[n-1] {
			return false
		}
	}
	return t.Statements == 1 && last == "immediate"
}

// ends has done and counted what a text has done that was put off.
func (s *Session) ends(ctx context.Context, st *statement) error {
	if err := s.endsTx(ctx, st); err != nil {
		return err
	}
	return s.firesNow(ctx)
}

// endsTx is Committing for a COMMIT that the caller sends as a text.
func (s *Session) endsTx(ctx context.Context, st *statement) error {
	if s.dialect != sqlscan.PostgreSQL || len(st.kinds) != 1 || st.kinds[0] != sqlscan.Commit { // which may begin another one at once
		return nil
	}
	_, err := s.committing(ctx)
	if err != nil {
		_, undo := s.conn.Exec(ctx, "ROLLBACK")
		err = hideBadConn(err)
		_ = s.rolledBack(ctx, undo)
	}
	return err
}
