package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// A text may run a function that it does not name: behind a view, operator, cast,
// domain or policy. So a session asks once which names and operators of its database
// hide a function that may write. Nearly every database has none, and then nothing
// more is asked or checked. Where there are some, a text that contains one is treated
// like one that calls such a function by its name.
//
// What another connection creates or replaces later is not noticed; the session asks
// again only when it changes the schema itself.

// hiddenFinder is a backend whose server runs code for names that are not the code's
// own.
type hiddenFinder interface {
	// findHidden queries the names. A nil result without an error: they cannot be
	// queried now.
	findHidden(ctx context.Context) (*hiddenCode, error)
	// mayRunHidden reports that the text contains one of the names. here is the
	// result of currentDatabase.
	mayRunHidden(h *hiddenCode, t *sqlscan.Text, here string) bool
	// currentDatabase is the database that the text runs in, if that makes a
	// difference.
	currentDatabase(ctx context.Context, t *sqlscan.Text) (here string, err error)
}

// hiddenCode is the set of names and operators that hide code that may write.
type hiddenCode struct {
	names   map[string]bool // of relations, types and what takes them, anywhere in the text
	fields  map[string]bool // after a dot
	calls   map[string]bool // before a parenthesis, even if the text is not classified as calling anything
	symbols map[string]bool // operators
	inDDL   map[string]bool // relations, in DDL
	anyText bool            // any text may run hidden code
	anyDDL  bool            // any DDL may
}

// isEmpty reports that nothing is hidden.
func (h *hiddenCode) isEmpty() bool {
	return len(h.names)+len(h.fields)+len(h.calls)+len(h.symbols)+len(h.inDDL) == 0 && !h.anyText && !h.anyDDL
}

func (h *hiddenCode) add(set *map[string]bool, word string) {
	if *set == nil {
		*set = map[string]bool{}
	}
	(*set)[strings.Clone(word)] = true
}

// mayRunHidden reports that the text may run hidden code, as far as is known now.
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

// findsHiddenCode is mayRunHidden, but asks the server for what is not known.
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

// evaluates reports a text that evaluates expressions: all but transaction control
// and session settings, and COPY, during which nothing else can be sent.
func evaluates(t *sqlscan.Text) bool {
	if isCopyFromStdin(t) {
		return false
	}
	for i := range t.Ops {
		switch op := &t.Ops[i]; op.Kind {
		case sqlscan.Begin, sqlscan.Commit, sqlscan.Rollback, sqlscan.Savepoint, sqlscan.Release, sqlscan.RollbackTo:
		case sqlscan.Session:
			// No query may precede the others: LOCK TABLE and SET TRANSACTION come
			// before the transaction's snapshot.
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

// hasRead reports that the text contains a read besides its operations.
func hasRead(t *sqlscan.Text) bool {
	others := map[int32]bool{}
	for i := range t.Ops {
		others[t.Ops[i].Stmt] = true
	}
	return len(others) < t.Statements
}

// hasDDL reports a text that contains DDL.
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

// noteSchemaChange forgets which code is hidden if the text may change that.
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

// mayChangeHidden reports that the operation may change which code is hidden. If
// nothing is hidden now, a change to a table or its rows does not change that.
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

// noteEncodingChange notes that a text which changes modes may also change the encoding that the
// names are in for all texts after it.
func (s *Session) noteEncodingChange(t *sqlscan.Text) {
	if t.Dialect == sqlscan.MySQL {
		s.encodingChanged = s.encodingChanged || slices.ContainsFunc(charsetWords, func(word string) bool { return containsFold(t.Source, word) })
		return
	}
	_, ok := s.backend.(functions)
	s.encodingChanged = ok && !(containsFold(t.Source, "set_config") && !containsFold(t.Source, "client_encoding") && !setsUnknown(t))
}

// forgetNames forgets names that were read in another encoding.
func (s *Session) forgetNames() {
	s.encodingChanged = false
	if s.hidden != nil && s.hidden.isEmpty() { // it is in any encoding
		if b, ok := s.backend.(functions); ok {
			b.forgetFunctions()
		}
		return
	}
	s.txChangedSchema = s.txChangedSchema || s.tx != txIdle
	s.forgetHidden()
}

// dropTxCaches notes that a transaction has ended, which may have undone its schema
// and mode changes.
func (s *Session) dropTxCaches() {
	s.forgetTxModes()
	s.txChangedMode = false
	if s.txChangedSchema {
		s.txChangedSchema = false
		s.forgetHidden()
	}
}

// forgetTxModes forgets modes that a rollback may have restored.
func (s *Session) forgetTxModes() {
	if s.txChangedMode {
		s.forgetModes()
	}
}

// forgetHidden has the server asked again, also for functions that are called by
// name.
func (s *Session) forgetHidden() {
	s.hidden = nil
	s.readings.forgetReads()
	if b, ok := s.backend.(functions); ok {
		b.forgetFunctions()
	}
}
