package engine

import (
	"context"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Wire is the state that PostgreSQL's protocol reports unasked. With a Conn that
// implements it the session never has to query whether a transaction is open, and is
// right about it even after texts that bypassed the session.
type Wire interface {
	// TxStatus is 'I' if no transaction is open, 'T' inside one, 'E' inside one that
	// has failed.
	TxStatus() byte
	// ParameterStatus is the value of a setting that the server reports, "" for any
	// other.
	ParameterStatus(name string) string
}

// syncTxStatus adopts the transaction state that the protocol reports.
func (s *Session) syncTxStatus(ctx context.Context, status byte) {
	switch open := status != 'I'; {
	case !open && (s.tx == txCaller || s.ledger != nil):
		s.endLedger(ctx, dbguard.EffectApplied, nil) // ended without the session, outcome unknown: nothing is refunded
		s.noteTxEnd()
	case !open:
		s.tx = txIdle
	case s.tx != txCaller:
		s.tx = txCaller
		if s.ledger == nil {
			s.ledger = s.guard.NewLedger()
		}
	}
}
