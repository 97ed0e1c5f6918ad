package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// A text may run a function that it does not name: behind a view, an operator, a
// cast, a domain, a policy. So a session asks once under which words of its
// database functions hide that may write. Nearly every database has none, and then
// nothing more is asked or looked at. Where there are some, a text that holds one
// is treated like one that calls such a function by its name.
//
// What another connection creates later is not noticed, no more than a function
// that it replaces: the session asks again when it changes structure itself.

// hiddenFinder is a backend whose server runs code for words that do not name it.
type hiddenFinder interface {
	// findHidden asks for the words. Neither words nor an error: not now.
	findHidden(ctx context.Context) (*hiddenCode, error)
	// mayRunHidden reports that the text may run hidden code: it holds one of the words. here
	// is what locate has said.
	mayRunHidden(h *hiddenCode, t *sqlscan.Text, here string) bool
	// currentDatabase asks for the database that the text runs in, if that makes a difference.
	currentDatabase(ctx context.Context, t *sqlscan.Text) (here string, err error)
}

// hiddenCode are the words under which code hides that may write.
type hiddenCode struct {
	names   map[string]bool // of relations, types and what takes them, wherever they stand
	fields  map[string]bool // behind a dot
	calls   map[string]bool // before a parenthesis, where the text is not said to call anything
	symbols map[string]bool // operators
	inDDL   map[string]bool // relations, in a text about structure
	anyText bool            // any text
	anyDDL  bool            // any text about structure
}

// isEmpty reports that nothing hides.
func (h *hiddenCode) isEmpty() bool {
	return len(h.names)+len(h.fields)+len(h.calls)+len(h.symbols)+len(h.inDDL) == 0 && !h.anyText && !h.anyDDL
}

func (h *hiddenCode) add(set *map[string]bool, word string) {
	if *set == nil {
		*set = map[string]bool{}
	}
	(*set)[strings.Clone(word)] = true
}

// mayRunHidden reports that the text may run hidden code, for all that is known.
func (s *Session) mayRunHidden(t *sqlscan.Text) bool {
	b, ok := s.backend.(hiddenFinder)
	switch {
	case !ok, s.guard.Observing(), !evaluates(t):
		return false
	case s.hidden == nil:
		return true
	}
	return !s.hidden.isEmpty() && b.mayRunHidden(s.hidden, t, s.currentDB)
}

// findsHiddenCode is mayHide of what is known: it asks.
func (s *Session) findsHiddenCode(ctx context.Context, t *sqlscan.Text) (bool, error) {
	if !s.mayRunHidden(t) {
		return false, nil
	}
	b := s.backend.(hiddenFinder)
	if s.hidden == nil {
		h, err := b.findHidden(ctx)
		if err != nil || h == nil {
			return false, err
		}
		s.hidden = h
	}
	if !s.mayRunHidden(t) {
		return false, nil
	}
	here, err := b.currentDatabase(ctx, t)
	s.currentDB = here
	return s.mayRunHidden(t), err
}

// evaluates reports a text that evaluates anything: all but those that only steer
// transactions and sessions, and that during which nothing can be asked.
func evaluates(t *sqlscan.Text) bool {
	if isCopyFromStdin(t) {
		return false
	}
	for i := range t.Ops {
		switch op := &t.Ops[i]; op.Kind {
		case sqlscan.Begin, sqlscan.Commit, sqlscan.Rollback, sqlscan.Savepoint, sqlscan.Release, sqlscan.RollbackTo:
		case sqlscan.Session:
			// The others must not be preceded by a question: LOCK TABLE and SET
			// TRANSACTION come before the transaction's snapshot.
			how := keyword(t, op)
			if how == "DECLARE" || how == "EXECUTE" || how == "SET" && t.Dialect == sqlscan.MySQL && (containsFold(t.Source, "select") || containsFold(t.Source, "table")) {
				return true // SET @a = (SELECT …)
			}
		default:
			return true
		}
	}
	return hasRead(t)
}

// hasRead reports that a statement of the text reads: it is none of the operations.
func hasRead(t *sqlscan.Text) bool {
	others := map[int32]bool{}
	for i := range t.Ops {
		others[t.Ops[i].Stmt] = true
	}
	return len(others) < t.Statements
}

// hasDDL reports a text about structure.
func hasDDL(t *sqlscan.Text) bool {
	for i := range t.Ops {
		switch op := &t.Ops[i]; op.Kind {
		case sqlscan.Define, sqlscan.CreateDatabase, sqlscan.Drop, sqlscan.DropDatabase, sqlscan.Alter, sqlscan.Maintain, sqlscan.GuardOff:
			return true
		case sqlscan.Insert:
			if how := keyword(t, op); how == "CREATE" || how == "INTO" {
				return true
			}
		}
	}
	return false
}

// noteSchemaChange forgets what hides where the text may change it.
func (s *Session) noteSchemaChange(t *sqlscan.Text) {
	if _, ok := s.backend.(hiddenFinder); !ok {
		return
	}
	forget, nothing := false, s.hidden != nil && s.hidden.isEmpty()
	for i := range t.Ops {
		switch op := &t.Ops[i]; {
		case mayChangeHidden(t, op, nothing):
			forget = true
			s.txChangedSchema = s.txChangedSchema || s.tx != txIdle
		case op.Kind == sqlscan.RollbackTo:
			forget = forget || s.txChangedSchema
			s.forgetTxModes()
		}
	}
	if forget {
		s.schemaChanges++
		s.forgetHidden()
	}
}

// mayChangeHidden reports that the operation may change what hides. Where nothing does,
// what is done to a table or its rows changes nothing about that.
func mayChangeHidden(t *sqlscan.Text, op *sqlscan.Op, nothing bool) bool {
	switch op.Kind {
	case sqlscan.Define, sqlscan.Drop, sqlscan.Alter:
		return !nothing || op.Flags&sqlscan.View != 0
	case sqlscan.Insert:
		return !nothing && hasDDL(t)
	case sqlscan.Opaque:
		return t.Dialect == sqlscan.PostgreSQL && keyword(t, op) == "DO"
	}
	return op.Kind == sqlscan.CreateDatabase || op.Kind == sqlscan.DropDatabase
}

// dropTxCaches notes that a transaction has ended, and with it, maybe, what it had made
// of the structure.
func (s *Session) dropTxCaches() {
	s.forgetTxModes()
	s.txChangedMode = false
	if s.txChangedSchema {
		s.txChangedSchema = false
		s.forgetHidden()
	}
}

// forgetTxModes forgets modes that may be what they were again.
func (s *Session) forgetTxModes() {
	if s.txChangedMode {
		s.forgetModes()
	}
}

// forgetHidden has the server asked again: for the functions that are called by
// their names, too.
func (s *Session) forgetHidden() {
	s.hidden = nil
	s.readings.forgetReads()
	if b, ok := s.backend.(functions); ok {
		b.forgetFunctions()
	}
}
