package engine

import (
	"context"
	"slices"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// An INSERT names no row that is there, and may change some all the same, by
// triggers, rules and the functions of defaults and constraints. Only the count
// tells. Most do not, so most of the work is to have them cost nothing.

// insertChecker is a backend whose INSERTs may change rows that are there.
type insertChecker interface {
	// knownToOnlyAdd reports that the statement's INSERTs do nothing but add rows, and that
	// this stays so until it has run: it was seen under a lock that the caller's
	// transaction holds. It asks the server nothing.
	knownToOnlyAdd(st *statement) bool
	// mayChangeRows reports that they may change rows that are there, as the schema is now.
	mayChangeRows(ctx context.Context, t *sqlscan.Text, st *statement) (bool, error)
}

// insertLocker is an adding backend whose drivers have ways past the door.
type insertLocker interface {
	insertChecker
	// ensureOnlyAdds makes sure, under a lock that the caller's transaction keeps, that the
	// INSERTs do nothing but add rows, if it can: then they are quiet.
	ensureOnlyAdds(ctx context.Context, st *statement) (bool, error)
}

var (
	_ insertChecker = (*mysql)(nil)
	_ insertChecker = (*sqlite)(nil)
	_ insertLocker  = (*postgres)(nil)
)

// sendMode is how the door is about to send a text.
type sendMode uint8

const (
	sendPlain     sendMode = iota
	sendCopy               // COPY … FROM STDIN, between texts of the session's
	sendBypassing          // with nothing of the session's around it
)

// StartCopy is Start for a COPY … FROM STDIN, of a door that can send texts before
// it and after it.
func (s *Session) StartCopy(ctx context.Context, text string) (*Flight, error) {
	s.sendMode = sendCopy
	defer func() { s.sendMode = sendPlain }()
	return s.Start(ctx, text, AsWritten)
}

// addInsertActs makes acts of the text's INSERTs, unless something else in it is
// counted, and they with it.
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
	quiet := s.sendMode == sendPlain && isCopyFromStdin(t) || !s.preparedElsewhere && b.knownToOnlyAdd(st) // or was looked at when it was prepared
	if b, ok := b.(insertLocker); ok && !quiet && s.sendMode != sendPlain && s.tx == txCaller {
		var err error
		if quiet, err = b.ensureOnlyAdds(ctx, st); err != nil {
			return err
		}
	}
	note := bypassNote
	switch {
	case quiet:
	case st.control != controlNone, st.commits:
		note = "it stands in a text that ends its own transaction"
		fallthrough
	case s.sendMode == sendBypassing:
		stirs, err := b.mayChangeRows(ctx, t, st)
		if stirs = stirs || mayRedirectNames(t); stirs || err != nil {
			st.makeInsertsUncounted(note)
			return err
		}
		quiet = true
	}
	if st.onlyAdds = quiet; quiet {
		st.op.Acts, st.targets = acts, targets
	}
	return nil
}

// makeInsertsUncounted makes acts that nobody can count of INSERTs.
func (st *statement) makeInsertsUncounted(note string) {
	for i := range st.op.Acts {
		if a := &st.op.Acts[i]; a.Verb == dbguard.Insert {
			a.Verb, a.Note = dbguard.Uncounted, "triggers or rules of its table may change rows, and "+note
		}
	}
}

// Prepare judges a text that takes rows from the moment it is prepared, as
// PostgreSQL's COPY … FROM STDIN: nothing can be sent around it later. Nor can it be
// around a PRAGMA, which SQLite runs while it compiles it. Every other text is judged
// when it runs.
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
	if stirs, err := b.mayChangeRows(ctx, t, st); err != nil || !stirs {
		return err
	}
	st.makeInsertsUncounted("this driver sends nothing else while it takes rows")
	op, err := s.guard.Begin(ctx, st.op, s.ledger)
	if err != nil {
		return err
	}
	return op.End(dbguard.EffectNone, nil)
}

// addsRows reports an operation that adds rows to a table that was there before.
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
