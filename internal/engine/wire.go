package engine

import (
	"context"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Wire is what PostgreSQL's protocol tells a connection without being asked. A
// Conn may have it: then the session never asks whether a transaction is open,
// and is never mistaken about it, whatever is done past the session.
type Wire interface {
	// TxStatus is 'I' where no transaction is open, 'T' in one, 'E' in one that
	// has failed.
	TxStatus() byte
	// ParameterStatus is the value of a setting that the server reports, "" of
	// any other.
	ParameterStatus(name string) string
}

// syncTxStatus takes over what the protocol says of the transaction.
func (s *Session) syncTxStatus(ctx context.Context, status byte) {
	switch open := status != 'I'; {
	case !open && (s.tx == txCaller || s.ledger != nil):
		s.endLedger(ctx, dbguard.EffectApplied, nil) // ended past the session, nobody knows how: nothing is given back
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
