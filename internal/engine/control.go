package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// txState is what the session knows of the caller's transaction. One that the guard
// opens for a single statement is the flight's business and not recorded here.
type txState uint8

const (
	txIdle    txState = iota // none is open
	txCaller                 // the caller opened one, by whatever means: the guard never commits it
	txUnknown                // the server must be asked
)

// control is what a text does to the transaction.
type control uint8

const (
	controlNone             control = iota
	controlBegin                    // opens the caller's
	controlCommit                   // COMMIT
	controlRollback                 // ROLLBACK
	controlUnknown                  // cannot be told beforehand: ask afterwards
	controlSelfContained            // opens its own and closes it
	controlRollbackAndChain         // rolls back, and another transaction may be open at once
	controlRelease                  // RELEASE in SQLite: a COMMIT if it is the outermost savepoint
)

// readControl finds out what a text does to the transaction. closed reports that none
// is open and the text opens one and closes it again.
func (s *Session) readControl(t *sqlscan.Text, st *statement) (closed bool) {
	first, last, n := -1, -1, 0
	for i := range t.Ops {
		if isControl(&t.Ops[i], s.dialect) {
			if first < 0 {
				first = i
			}
			last = i
			n++
		}
	}
	switch {
	case n == 0:
		return false
	case t.Statements == 1:
		st.control = s.controlOf(t, &t.Ops[first])
		return false
	}
	begin, end := &t.Ops[first], &t.Ops[last]
	if n == 2 && isSavepointBlock(t, begin, end) {
		st.control = controlSelfContained
		return false
	}
	closed = n == 2 && s.tx == txIdle && begin.Kind == sqlscan.Begin && begin.Stmt == 0 &&
		(end.Kind == sqlscan.Commit || end.Kind == sqlscan.Rollback) && int(end.Stmt) == t.Statements-1 &&
		!chained(t, end)
	st.control = controlUnknown
	if closed {
		st.control = controlSelfContained
	}
	return closed
}

// isSavepointBlock reports SQLite's SAVEPOINT a; …; RELEASE a, which leaves an
// enclosing transaction open.
func isSavepointBlock(t *sqlscan.Text, begin, end *sqlscan.Op) bool {
	return begin.Kind == sqlscan.Savepoint && begin.Stmt == 0 && end.Kind == sqlscan.Release &&
		int(end.Stmt) == t.Statements-1 && strings.EqualFold(t.Name(begin.Object), t.Name(end.Object))
}

// isControl reports that the operation opens or ends a transaction.
func isControl(op *sqlscan.Op, d sqlscan.Dialect) bool {
	switch op.Kind {
	case sqlscan.Begin, sqlscan.Commit, sqlscan.Rollback:
		return true
	case sqlscan.Savepoint, sqlscan.Release:
		return d == sqlscan.SQLite // where both can open and end a transaction
	}
	return false
}

// controlOf is what a single transaction control statement does.
func (s *Session) controlOf(t *sqlscan.Text, op *sqlscan.Op) control {
	switch how := keyword(t, op); {
	case op.Kind == sqlscan.Rollback && (chained(t, op) || how == "XA"): // no transaction outlives XA ROLLBACK
		return controlRollbackAndChain
	case chained(t, op), how == "SET", how == "XA":
		return controlUnknown
	}
	switch op.Kind {
	case sqlscan.Begin, sqlscan.Savepoint:
		return controlBegin
	case sqlscan.Commit:
		if wire, ok := s.conn.(Wire); ok && wire.TxStatus() == 'E' && op.Object.Start == op.Object.End {
			return controlRollback // COMMIT of an aborted transaction rolls back
		}
		return controlCommit
	case sqlscan.Release:
		return controlRelease
	}
	return controlRollback
}

// chained reports COMMIT AND CHAIN and COMMIT RELEASE: the next transaction is open
// at once, or the connection is closed.
func chained(t *sqlscan.Text, op *sqlscan.Op) bool {
	for word := range words(t, op.At.End, int32(len(t.Source))) {
		if containsFold(word, "chain") || containsFold(word, "release") && t.Dialect == sqlscan.MySQL {
			return true
		}
	}
	return false
}

// endsTransaction reports a transaction control statement inside a longer text, where
// it would end a transaction unnoticed.
func (st *statement) endsTransaction(s *Session, op *sqlscan.Op) bool {
	if st.op.Statements == 1 || st.control == controlSelfContained {
		return false
	}
	switch op.Kind {
	case sqlscan.Commit, sqlscan.Rollback:
		return true
	case sqlscan.Release:
		return s.dialect == sqlscan.SQLite
	case sqlscan.Begin:
		return s.dialect == sqlscan.MySQL && s.tx != txIdle // BEGIN commits the open transaction
	}
	return false
}

// findState asks the server what the verdict or the strategy depends on: its version
// and, where that is unknown, whether a transaction is open.
func (s *Session) findState(ctx context.Context, t *sqlscan.Text, calls bool) error {
	if s.guard.Observing() || !calls && !dependsOnState(t) {
		return nil
	}
	if err := s.backend.detectServer(ctx); err != nil {
		return err
	}
	if wire, ok := s.conn.(Wire); ok {
		s.syncTxStatus(ctx, wire.TxStatus())
	}
	if s.tx != txUnknown {
		return nil
	}
	state, err := s.backend.state(ctx)
	if err != nil {
		return err
	}
	s.tx = state
	if state == txCaller && s.ledger == nil {
		s.ledger = s.guard.NewLedger()
	}
	return nil
}

func dependsOnState(t *sqlscan.Text) bool {
	for i := range t.Ops {
		switch t.Ops[i].Kind {
		case sqlscan.Insert, sqlscan.Upsert, sqlscan.Replace, sqlscan.Update, sqlscan.Delete, sqlscan.Merge, sqlscan.Opaque:
			return true
		case sqlscan.Begin, sqlscan.Commit, sqlscan.Rollback:
			if t.Statements > 1 {
				return true
			}
		}
	}
	return false
}

// TxBegan tells the session that BeginTx has succeeded, or a text that does the same.
// isolated says that an isolation level was given.
func (s *Session) TxBegan(isolated bool) {
	s.dropTxCaches()
	s.endLedger(context.Background(), s.backend.txBegan(isolated), nil)
	s.tx, s.txLost, s.txBegins = txCaller, false, true
	s.ledger = s.guard.NewLedger()
}

// TxEnded tells the session that the driver's Commit or Rollback returned err, and
// returns the error for the caller: err itself, unless that would hide that the
// outcome is unknown or that the transaction was already gone.
func (s *Session) TxEnded(ctx context.Context, committed bool, err error) error {
	if s.flight != nil { // its rows were never closed: there was no verdict
		s.broken = true
	}
	if !committed {
		return s.rolledBack(ctx, err)
	}
	return s.committed(ctx, err)
}

func (s *Session) rolledBack(ctx context.Context, err error) error {
	if err != nil && s.connectionLost(err) {
		s.broken = true // the server rolls back on its own
	}
	s.txLost = false
	if s.noteTxEnd(); err != nil {
		s.tx = txUnknown
	}
	return s.endLedger(ctx, dbguard.EffectUndone, err)
}

func (s *Session) committed(ctx context.Context, err error) error {
	gone := s.txLost
	s.txLost = false
	s.noteTxEnd()
	switch {
	case gone:
		s.tx = txUnknown
		if err == nil {
			err = errTxLost
		}
		return s.endLedger(ctx, dbguard.EffectUndone, hideBadConn(err))
	case err == nil:
		return s.endLedger(ctx, dbguard.EffectApplied, nil)
	case s.connectionLost(err):
		s.tx, s.broken = txUnknown, true
		return s.endLedger(ctx, dbguard.EffectUnknown, err)
	case s.stillOpen(ctx): // it was refused
		s.tx = txCaller
		return err
	}
	s.tx = txUnknown
	return s.endLedger(ctx, dbguard.EffectUndone, err)
}

// txProber is a backend of an engine that may refuse a COMMIT but keep the
// transaction open, and may end the transaction when a statement fails.
type txProber interface {
	// inTransaction queries whether a transaction is open.
	inTransaction(ctx context.Context) (bool, error)
}

// stillOpen reports that the caller's transaction is still open after an error.
func (s *Session) stillOpen(ctx context.Context) bool {
	b, ok := s.backend.(txProber)
	if !ok {
		return false
	}
	open, err := b.inTransaction(ctx)
	return open || err != nil
}

// noteStatementError checks whether a failed statement has ended the transaction, as
// OR ROLLBACK does in SQLite.
func (s *Session) noteStatementError(ctx context.Context) {
	if _, ok := s.backend.(txProber); ok && s.tx == txCaller && !s.stillOpen(ctx) {
		s.noteTxEnd()
		s.tx = txUnknown
		s.endLedger(ctx, dbguard.EffectUndone, nil)
	}
}

// Closed tells the session that the connection is closed: an open transaction is
// undone.
func (s *Session) Closed() {
	if s.tx == txCaller {
		s.endLedger(context.Background(), dbguard.EffectUndone, nil)
		s.tx = txUnknown
	}
}

// noteTxEnd notes that the caller's transaction has ended.
func (s *Session) noteTxEnd() {
	s.dropTxCaches()
	s.tx = s.backend.txEnded()
}

// endLedger closes the ledger of the caller's transaction. While the outcome is
// unknown, the error must not be one that makes database/sql run the statement again.
func (s *Session) endLedger(ctx context.Context, effect dbguard.Effect, err error) error {
	ledger := s.ledger
	s.ledger = nil
	if ledger == nil {
		return err
	}
	told := err
	if effect == dbguard.EffectUnknown {
		told = hideBadConn(err)
	}
	if seen := ledger.End(ctx, effect, told); seen != told {
		return seen
	}
	return err
}
