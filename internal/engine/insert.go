package engine

import (
	"context"
	"slices"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// An INSERT names no existing row, but may change some through triggers, rules and
// the functions of defaults and constraints. Only the count can tell. Since most
// INSERTs do not, the aim here is that these cost nothing.

// insertChecker is a backend whose INSERTs may change existing rows.
type insertChecker interface {
	// knownToOnlyAdd reports that the statement's INSERTs only add rows, and that
	// this cannot change until it has run: it was checked under a lock that the
	// caller's transaction holds. It sends nothing.
	knownToOnlyAdd(st *statement) bool
	// mayChangeRows reports that they may change existing rows under the current
	// schema.
	mayChangeRows(ctx context.Context, t *sqlscan.Text, st *statement) (bool, error)
}

// insertLocker is an insertChecker whose drivers can bypass the adapter.
type insertLocker interface {
	insertChecker
	// ensureOnlyAdds makes sure, under a lock that the caller's transaction keeps,
	// that the INSERTs only add rows, if it can: then they are known to.
	ensureOnlyAdds(ctx context.Context, st *statement) (bool, error)
}

var (
	_ insertChecker = (*mysql)(nil)
	_ insertChecker = (*sqlite)(nil)
	_ insertLocker  = (*postgres)(nil)
)

// sendMode is how the adapter is about to send a text.
type sendMode uint8

const (
	sendPlain     sendMode = iota
	sendCopy               // COPY … FROM STDIN, with texts of the session's before and after it
	sendBypassing          // without any text of the session's around it
)

// StartCopy is Start for a COPY … FROM STDIN, for an adapter that can send texts
// before and after it.
func (s *Session) StartCopy(ctx context.Context, text string) (*Flight, error) {
	s.sendMode = sendCopy
	defer func() { s.sendMode = sendPlain }()
	return s.Start(ctx, text, AsWritten)
}

// addInsertActs adds acts for the text's INSERTs, unless the text changes rows
// otherwise: then they are counted with that.
func (s *Session) addInsertActs(ctx context.Context, t *sqlscan.Text, st *statement) error {
	b, ok := s.backend.(insertChecker)
	if !ok || s.guard.Observing() || st.changesRows() || !slices.ContainsFunc(t.Ops, addsRows(t)) {
		return nil
	}
	acts, targets := st.op.Acts, st.targets
	for i := range t.Ops {
		if addsRows(t)(t.Ops[i]) {
			s.add(st, &t.Ops[i], dbguard.Insert)
		}
	}
	st.noteStructure(t)
	st.createsTrigger = slices.Contains(st.kinds, sqlscan.Define) && containsFold(t.Source, "trigger")
	st.insertsQuery = containsFold(t.Source, "select") || containsFold(t.Source, "table")
	onlyAdds := s.sendMode == sendPlain && isCopyFromStdin(t) || !s.preparedElsewhere && b.knownToOnlyAdd(st) // COPY was checked when it was prepared
	if b, ok := b.(insertLocker); ok && !onlyAdds && s.sendMode != sendPlain && s.tx == txCaller {
		var err error
		if onlyAdds, err = b.ensureOnlyAdds(ctx, st); err != nil {
			return err
		}
	}
	note := bypassNote
	switch {
	case onlyAdds:
	case st.control != controlNone, st.commits:
		note = "it stands in a text that ends its own transaction"
		fallthrough
	case s.sendMode == sendBypassing:
		mayChange, err := b.mayChangeRows(ctx, t, st)
		if mayChange = mayChange || mayRedirectNames(t); mayChange || err != nil {
			st.makeInsertsUncounted(note)
			return err
		}
		onlyAdds = true
	}
	if st.onlyAdds = onlyAdds; onlyAdds {
		st.op.Acts, st.targets = acts, targets
	}
	return nil
}

// makeInsertsUncounted turns the INSERTs into acts that nobody can count.
func (st *statement) makeInsertsUncounted(note string) {
	for i := range st.op.Acts {
		if a := &st.op.Acts[i]; a.Verb == dbguard.Insert {
			a.Verb, a.Note = dbguard.Uncounted, "triggers or rules of its table may change rows, and "+note
		}
	}
}

// Prepare judges the texts that cannot wait until they run. PostgreSQL's COPY … FROM
// STDIN takes rows from the moment it is prepared, and nothing can be sent around it
// later. A PRAGMA is run by SQLite while it compiles it.
func (s *Session) Prepare(ctx context.Context, text string) error {
	if s.dialect == sqlscan.SQLite {
		return s.judgePragmas(ctx, text)
	}
	if s.dialect != sqlscan.PostgreSQL || !containsFold(text, "copy") || s.guard.Check() != nil || s.guard.Observing() {
		return nil
	}
	t, err := s.read(ctx, text)
	if err != nil || !isCopyFromStdin(t) {
		return err
	}
	b := s.backend.(insertChecker)
	if err := s.backend.detectServer(ctx); err != nil {
		return err
	}
	st := s.understand(t)
	s.add(st, &t.Ops[0], dbguard.Insert)
	if b.knownToOnlyAdd(st) {
		return nil
	}
	if mayChange, err := b.mayChangeRows(ctx, t, st); err != nil || !mayChange {
		return err
	}
	st.makeInsertsUncounted("this driver sends nothing else while it takes rows")
	op, err := s.guard.Begin(ctx, st.op, s.ledger)
	if err != nil {
		return err
	}
	return op.End(dbguard.EffectNone, nil)
}

// addsRows reports an operation that adds rows to a table that existed before.
func addsRows(t *sqlscan.Text) func(sqlscan.Op) bool {
	return func(op sqlscan.Op) bool {
		if op.Kind != sqlscan.Insert || op.Flags&sqlscan.Temporary != 0 {
			return false
		}
		switch keyword(t, &op) {
		case "INSERT", "COPY", "LOAD", "REPLACE", "MERGE":
			return true
		}
		return false // CREATE TABLE … AS, SELECT … INTO
	}
}

// isCopyFromStdin reports PostgreSQL's COPY … FROM STDIN, during which a driver can
// send nothing else.
func isCopyFromStdin(t *sqlscan.Text) bool {
	return t.Dialect == sqlscan.PostgreSQL && len(t.Ops) == 1 && keyword(t, &t.Ops[0]) == "COPY" && containsFold(t.Source, "stdin")
}
