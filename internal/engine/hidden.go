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

// hiding is a backend whose server runs code for words that do not name it.
type hiding interface {
	// hidden asks for the words. Neither words nor an error: not now.
	hidden(ctx context.Context) (*hiddenCode, error)
	// hides reports that the text may run hidden code: it holds one of the words. here
	// is what locate has said.
	hides(h *hiddenCode, t *sqlscan.Text, here string) bool
	// locate asks for the database that the text runs in, if that makes a difference.
	locate(ctx context.Context, t *sqlscan.Text) (here string, err error)
}

// hiddenCode are the words under which code hides that may write.
type hiddenCode struct {
	names   map[string]bool // of relations, types and what takes them, wherever they stand
	fields  map[string]bool // behind a dot
	calls   map[string]bool // before a parenthesis, where the text is not said to call anything
	symbols map[string]bool // operators
	kept    map[string]bool // relations, in a text about structure
	all     bool            // any text
	changes bool            // any text about structure
}

// none reports that nothing hides.
func (h *hiddenCode) none() bool {
	return len(h.names)+len(h.fields)+len(h.calls)+len(h.symbols)+len(h.kept) == 0 && !h.all && !h.changes
}

func (h *hiddenCode) add(set *map[string]bool, word string) {
	if *set == nil {
		*set = map[string]bool{}
	}
	(*set)[strings.Clone(word)] = true
}

// mayHide reports that the text may run hidden code, for all that is known.
func (s *Session) mayHide(t *sqlscan.Text) bool {
	b, ok := s.backend.(hiding)
	switch {
	case !ok, s.guard.Observing(), !runs(t):
		return false
	case s.hidden == nil:
		return true
	}
	return !s.hidden.none() && b.hides(s.hidden, t, s.here)
}

// hides is mayHide of what is known: it asks.
func (s *Session) hides(ctx context.Context, t *sqlscan.Text) (bool, error) {
	if !s.mayHide(t) {
		return false, nil
	}
	b := s.backend.(hiding)
	if s.hidden == nil {
		h, err := b.hidden(ctx)
		if err != nil || h == nil {
			return false, err
		}
		s.hidden = h
	}
	if !s.mayHide(t) {
		return false, nil
	}
	here, err := b.locate(ctx, t)
	s.here = here
	return s.mayHide(t), err
}

// runs reports a text that evaluates anything: all but those that only steer
// transactions and sessions, and that during which nothing can be asked.
func runs(t *sqlscan.Text) bool {
	if takesRows(t) {
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
	return readsToo(t)
}

// readsToo reports that a statement of the text reads: it is none of the operations.
func readsToo(t *sqlscan.Text) bool {
	others := map[int32]bool{}
	for i := range t.Ops {
		others[t.Ops[i].Stmt] = true
	}
	return len(others) < t.Statements
}

// structural reports a text about structure.
func structural(t *sqlscan.Text) bool {
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

// restructured forgets what hides where the text may change it.
func (s *Session) restructured(t *sqlscan.Text) {
	if _, ok := s.backend.(hiding); !ok {
		return
	}
	forget, nothing := false, s.hidden != nil && s.hidden.none()
	for i := range t.Ops {
		switch op := &t.Ops[i]; {
		case reshapes(t, op, nothing):
			forget = true
			s.reshaped = s.reshaped || s.tx != txIdle
		case op.Kind == sqlscan.RollbackTo:
			forget = forget || s.reshaped
			s.resteer()
		}
	}
	if forget {
		s.shifted++
		s.forgetHidden()
	}
}

// reshapes reports that the operation may change what hides. Where nothing does,
// what is done to a table or its rows changes nothing about that.
func reshapes(t *sqlscan.Text, op *sqlscan.Op, nothing bool) bool {
	switch op.Kind {
	case sqlscan.Define, sqlscan.Drop, sqlscan.Alter:
		return !nothing || op.Flags&sqlscan.View != 0
	case sqlscan.Insert:
		return !nothing && structural(t)
	case sqlscan.Opaque:
		return t.Dialect == sqlscan.PostgreSQL && keyword(t, op) == "DO"
	}
	return op.Kind == sqlscan.CreateDatabase || op.Kind == sqlscan.DropDatabase
}

// settled notes that a transaction has ended, and with it, maybe, what it had made
// of the structure.
func (s *Session) settled() {
	s.resteer()
	s.steered = false
	if s.reshaped {
		s.reshaped = false
		s.forgetHidden()
	}
}

// resteer forgets modes that may be what they were again.
func (s *Session) resteer() {
	if s.steered {
		s.forgetModes()
	}
}

// forgetHidden has the server asked again: for the functions that are called by
// their names, too.
func (s *Session) forgetHidden() {
	s.hidden = nil
	s.readings.doubt()
	if b, ok := s.backend.(functions); ok {
		b.forgetFunctions()
	}
}
