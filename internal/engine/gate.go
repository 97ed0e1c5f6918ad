package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// checkGate refuses a text while the server's gate is closed: one that changes
// anything or, where the gate says so, one that only reads. Transaction control and
// session settings pass: work in progress must be able to end.
func (s *Session) checkGate(ctx context.Context, t *sqlscan.Text) error {
	reads, writes := access(t)
	if !reads && !writes {
		return nil
	}
	reasons := s.gate.Refuses(!writes)
	if reasons == nil {
		return nil
	}
	name := "SELECT" // or another read, which has no operations
	if len(t.Ops) > 0 {
		name = keyword(t, &t.Ops[0])
	}
	op, err := s.guard.Begin(ctx, dbguard.Op{
		System: s.backend.system(), Namespace: s.namespace, Name: name, Summary: name, Statements: t.Statements,
		Acts: []dbguard.Act{{Verb: dbguard.Unready, Note: strings.Join(reasons, "; ")}},
	}, nil)
	if err != nil {
		return err
	}
	return op.End(dbguard.EffectNone, nil) // a warning only
}

// access says what a text does to rows and structure.
func access(t *sqlscan.Text) (reads, writes bool) {
	reads = t.Statements > 0 && len(t.Ops) == 0
	for i := range t.Ops {
		switch t.Ops[i].Kind {
		case sqlscan.Read:
			reads = true
		case sqlscan.Session, sqlscan.Prepare, sqlscan.Begin, sqlscan.Commit, sqlscan.Rollback,
			sqlscan.Savepoint, sqlscan.Release, sqlscan.RollbackTo:
		default:
			writes = true
		}
	}
	return reads, writes
}
