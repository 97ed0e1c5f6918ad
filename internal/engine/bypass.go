package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// Nature is what a text requires of the adapter.
type Nature uint8

// The natures.
const (
	Plain   Nature = iota // nothing: it deletes and changes no existing row
	Control               // its outcome affects the transaction: Start and End
	Guarded               // a verdict: Start and End
)

// Nature says what Start would make of a text, for an adapter that has several to
// send and must choose how. A plain one needs no Start: an error is the one that
// Start would have returned.
func (s *Session) Nature(ctx context.Context, text string) (Nature, error) {
	if s.IsRead(text) {
		return Plain, nil
	}
	t, err := s.read(ctx, text)
	if err != nil {
		return Plain, err
	}
	calls, err := s.callsWriter(ctx, t)
	switch {
	case err != nil:
		return Plain, err
	case calls:
		return Guarded, nil
	case nothingToJudge(t):
		return Plain, s.checkGate(ctx, t)
	}
	st := s.understand(t)
	s.noteSchemaChange(t)
	if err := s.addInsertActs(ctx, t, st); err != nil {
		return Plain, err
	}
	switch {
	case len(st.op.Acts) > 0:
		return Guarded, nil
	case st.control != controlNone, st.commits, isSetConstraintsImmediate(t):
		return Control, nil
	}
	s.backend.noteChanges(st, s.tx != txCaller)
	return Plain, s.checkGate(ctx, t)
}

// SchemaChanges counts the texts after which others may run code that they did not
// run when they were judged, such as CREATE FUNCTION or CREATE TRIGGER. An adapter
// that sends several texts at once has each text after such a one judged when its
// turn comes, or calls SchemaChangePending.
func (s *Session) SchemaChanges() int { return s.schemaChanges }

// SchemaChangePending says that such a text is still to be sent before those that are
// judged now: what they run is not known.
func (s *Session) SchemaChangePending(is bool) { s.schemaChangePending = is }

// mayRedirectNames reports a text that may make a table's name refer to another
// table, or change what an INSERT into it runs: that cannot be looked up beforehand.
func mayRedirectNames(t *sqlscan.Text) bool {
	if t.Dialect != sqlscan.PostgreSQL || !t.Calls && !hasDDL(t) && !slices.ContainsFunc(t.Ops, mayChangeSettings) {
		return false
	}
	last := [2]string{}
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		word := strings.ToLower(strings.Trim(t.Source[tok.Pos:tok.End], `'"`))
		switch word {
		case "trigger", "rule", "search_path", "schema", "rename", "inherit", "attach":
			return true
		case "role", "authorization", "all": // also names of columns
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
	return containsFold(t.Source, "set_config") && setsUnknown(t) || containsFold(t.Source, escapedName)
}

// nothingToJudge reports a text that only reads or is empty.
func nothingToJudge(t *sqlscan.Text) bool {
	return t.IsRead() || t.Statements == 0 && len(t.Ops) == 0
}

// bypassNote is why a statement that bypasses the adapter is refused.
const bypassNote = "it was sent on the driver's own connection, past the handle that counts"

// StartBypass judges a text that bypasses the adapter on the driver's own connection,
// sent by code that can be stopped beforehand but not be given a verdict afterwards.
// Nothing is opened around it. So what would have to be counted is refused, including
// functions that may write and INSERTs that may change rows, unless the caller has
// accepted that (dbguard.Opaque) or nothing bounds it. Otherwise it is like Start;
// several texts may be in progress.
func (s *Session) StartBypass(ctx context.Context, text string) (*Flight, error) {
	s.sendMode = sendBypassing
	st, op, err := s.judge(ctx, text)
	s.sendMode = sendPlain
	switch {
	case err != nil || st == nil:
		return nil, err
	case op == nil:
		if err := s.runDeferredBefore(ctx, st); err != nil {
			return nil, err
		}
		f := s.trackTx(ctx, st)
		s.flight = nil
		return f, nil
	}
	f := &Flight{s: s, st: st, op: op, ctx: op.Context(), strategy: asIs}
	if s.guard.Observing() || !op.NeedsUndo() || !st.changesRows() {
		return f, nil
	}
	f.uncounted = true
	if err := op.Uncountable(bypassNote); err != nil {
		return nil, f.endUnsent(ctx, err)
	}
	if p, ok := s.backend.(*postgres); ok && s.tx == txCaller {
		p.deferred.unbounded = true // it may have deferred something, too
	}
	return f, nil
}
