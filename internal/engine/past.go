package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// Nature is what a text asks of its door.
type Nature uint8

// The natures.
const (
	Plain   Nature = iota // nothing: it deletes and changes nothing that exists
	Control               // its outcome matters to the transaction: Start and End
	Guarded               // a verdict: Start and End
)

// Nature says what Start would make of a text, for a door that has several to
// send and must choose how. A plain one needs no Start: an error is what Start
// would have said of it.
func (s *Session) Nature(ctx context.Context, text string) (Nature, error) {
	if s.IsRead(text) {
		return Plain, nil
	}
	t, err := s.read(ctx, text)
	if err != nil {
		return Plain, err
	}
	calls, err := s.callsOut(ctx, t)
	switch {
	case err != nil:
		return Plain, err
	case calls:
		return Guarded, nil
	case blank(t):
		return Plain, s.shut(ctx, t)
	}
	st := s.understand(t)
	s.restructured(t)
	if err := s.additions(ctx, t, st); err != nil {
		return Plain, err
	}
	switch {
	case len(st.op.Acts) > 0:
		return Guarded, nil
	case st.control != controlNone, st.commits, isImmediate(t):
		return Control, nil
	}
	s.backend.touched(st, s.tx != txCaller)
	return Plain, s.shut(ctx, t)
}

// Shifted counts the texts after which others may run what they did not when they were
// judged, as those that create a function or a trigger. A door that sends several at
// once has each behind such a text judged when its turn comes, or tells Unsent.
func (s *Session) Shifted() int { return s.shifted }

// Unsent tells that such a text is still to be sent before those that are judged now:
// what they run is not known.
func (s *Session) Unsent(is bool) { s.unsent = is }

// shifts reports a text that may have a table's name or what stands behind it be
// another: what its INSERTs set off cannot be looked up before.
func shifts(t *sqlscan.Text) bool {
	if t.Dialect != sqlscan.PostgreSQL || !t.Calls && !structural(t) && !slices.ContainsFunc(t.Ops, steers) {
		return false
	}
	last := [2]string{}
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		word := strings.ToLower(strings.Trim(t.Source[tok.Pos:tok.End], `'"`))
		switch word {
		case "trigger", "rule", "search_path", "schema", "rename", "inherit", "attach":
			return true
		case "role", "authorization", "all": // many columns have such a name
			switch last[1] {
			case "set", "local", "session", "reset", "discard":
				return true
			case "(":
				if last[0] == "set_config" {
					return true
				}
			}
		}
		last = [2]string{last[1], word}
	}
	return containsFold(t.Source, "set_config") && setsSome(t)
}

// blank reports that there is nothing in the text to judge.
func blank(t *sqlscan.Text) bool {
	return t.IsRead() || t.Statements == 0 && len(t.Ops) == 0
}

// pastNote is why a statement that does not come through its door is refused.
const pastNote = "it was sent on the driver's own connection, past the handle that counts"

// Past judges a text that is sent past the door, on the driver's own
// connection, by somebody who can be stopped but not be told a verdict
// afterwards. Nothing is opened around it: what would have to be counted is
// refused, functions that may write and INSERTs that set something off among it,
// unless the caller took the responsibility (dbguard.Opaque) or nothing bounds it.
// The rest is as with Start; several may be under way.
func (s *Session) Past(ctx context.Context, text string) (*Flight, error) {
	s.manner = pastDoor
	st, op, err := s.judge(ctx, text)
	s.manner = usual
	switch {
	case err != nil || st == nil:
		return nil, err
	case op == nil:
		if err := s.ends(ctx, st); err != nil {
			return nil, err
		}
		f := s.follow(ctx, st)
		s.flight = nil
		return f, nil
	}
	f := &Flight{s: s, st: st, op: op, ctx: op.Context(), way: watched}
	if s.guard.Observing() || !op.NeedsUndo() || !st.changesRows() {
		return f, nil
	}
	f.blind = true
	if err := op.Uncountable(pastNote); err != nil {
		return nil, f.refused(ctx, err)
	}
	if p, ok := s.backend.(*postgres); ok && s.tx == txCaller {
		p.later.free = true // it may have put off something, too
	}
	return f, nil
}
