package engine

import (
	"context"
	"slices"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// functions is a backend that knows which functions of its server may write.
type functions interface {
	// functionsMayWrite reports whether any function of these names may delete or
	// change rows, as far as is known.
	functionsMayWrite(ctx context.Context, names []string) (bool, error)
	// runsNow reports that the text runs such functions itself, and in a place where
	// the engine can count. calls says whether it names any.
	runsNow(t *sqlscan.Text, calls bool) bool
	// forgetFunctions has the server asked again.
	forgetFunctions()
}

// mayCallWriter reports that the text calls a function that is not known to be
// read-only, on a server whose catalogue can tell.
func (s *Session) mayCallWriter(t *sqlscan.Text) bool {
	if !t.Calls || s.guard.Observing() {
		return false
	}
	_, ok := s.backend.(functions)
	return ok
}

// callsWriter reports that the text calls a function that may write, by its name or
// through an object that hides it.
func (s *Session) callsWriter(ctx context.Context, t *sqlscan.Text) (calls bool, err error) {
	b, ok := s.backend.(functions)
	if !ok {
		return false, nil
	}
	if s.mayCallWriter(t) {
		calls, err = b.functionsMayWrite(ctx, calledNames(t))
	}
	if !calls && err == nil {
		calls, err = s.findsHiddenCode(ctx, t)
	}
	if err != nil {
		return true, err
	}
	if !calls && s.hidden != nil && t.IsRead() && !changesMode(t) {
		s.text.passes = true
	}
	if calls {
		s.preparedNameChanges++
	}
	return !s.guard.Observing() && b.runsNow(t, calls), nil
}

// calledNames are the names before a parenthesis, without their qualifiers.
func calledNames(t *sqlscan.Text) []string {
	var names []string
	var last sqlscan.Token
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		if isPunct(tok, '(') && isName(last) {
			name := nameAt(t, last)
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		last = tok
	}
	return names
}
