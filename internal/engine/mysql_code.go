package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// understand finds what a text may change of its session, and the code that it calls.
func (m *mysql) understand(s *Session, t *sqlscan.Text, st *statement) {
	st.sets = settingsOf(t)
	st.sets.database = s.preparedCount > 0 && (st.opaque || containsFold(t.Source, "use"))
	hides := s.hidden != nil && s.mayRunHidden(t)
	if !hides && !s.runsCode(t) {
		return
	}
	s.findCode(st)
	if hides {
		view := m.behind(t.Source, t.Mode, s.currentDB)
		st.routines, st.unreadableView = append(st.routines, view.routines...), view.dark
	}
}

// findCode collects the names of the routines that the text calls.
func (s *Session) findCode(st *statement) {
	t := &s.text.Text
	st.routines = routinesCalled(t, 0, int32(len(t.Source)))
	st.serverUncounted, st.block = showsStatus(t), blockOf(t)
	for i := range t.Ops {
		if op := &t.Ops[i]; op.Kind == sqlscan.Opaque && keyword(t, op) == "CALL" && op.Object.Start < op.Object.End {
			st.procs = append(st.procs, nameParts(t, op.Object))
			st.routines = routinesCalled(t, op.Object.End, int32(len(t.Source))) // in its arguments
		}
	}
	if st.op.Text == "" {
		s.text.describe(&st.op, strings.ToUpper(firstWord(t.Source)))
	}
}

// runsCode reports that the text may run stored code, though it reads like one
// that does not.
func (s *Session) runsCode(t *sqlscan.Text) bool {
	return s.dialect == sqlscan.MySQL && (t.Calls || len(t.Ops) == 1 && t.Ops[0].Kind == sqlscan.Opaque)
}

// runsHidden reports that the text of MySQL's may run stored code, by its name or by
// that of a view.
func (s *Session) runsHidden(ctx context.Context, t *sqlscan.Text) (bool, error) {
	if s.dialect != sqlscan.MySQL {
		return false, nil
	}
	hides, err := s.findsHiddenCode(ctx, t)
	return hides || s.runsCode(t), err
}

// lookUpCode finds out whether a text of MySQL's calls stored code, and what of
// it can change rows: that is an act of its own, counted by the engine.
func (s *Session) lookUpCode(ctx context.Context, st *statement) error {
	m, ok := s.backend.(*mysql)
	if !ok || s.guard.Observing() || len(st.routines)+len(st.procs) == 0 && st.block == nil && st.verb != "DO" && !st.unreadableView {
		return nil
	}
	c := &mysqlCounter{m: m, f: &Flight{s: s, st: st}}
	r := &mysqlReach{c: c, tables: map[mysqlTable]events{}, read: map[string]bool{}}
	if err := r.code(ctx, st); err != nil {
		return err
	}
	st.ran(r)
	return nil
}

// ran turns what is known of the called code into acts.
func (st *statement) ran(r *mysqlReach) {
	if len(st.procs) > 0 || st.block != nil {
		if r.note == "" && len(st.op.Acts) == 1 { // it can be counted, and does not commit
			st.op.Acts[0].Verb, st.commits = dbguard.Call, false
		}
		return
	}
	if st.verb == "DO" && len(st.op.Acts) == 1 { // an expression: it does what its functions do
		st.op.Acts, st.targets = nil, nil
		st.commits, st.opaque = false, false
	}
	if st.changesRows() || !r.wrote && r.note == "" {
		return
	}
	note := r.note
	if note == "" {
		note = "it calls a stored function that changes rows"
	}
	verb := dbguard.Ask
	switch {
	case st.commits:
		verb, note = dbguard.Uncounted, note+", and the statement commits"
	case st.control != controlNone:
		verb, note = dbguard.Uncounted, note+", and the text opens or ends a transaction"
	case st.serverUncounted:
		verb, note = dbguard.Uncounted, note+", and the server counts nothing of SHOW STATUS"
	}
	st.op.Acts = append(st.op.Acts, dbguard.Act{Verb: verb, Note: note})
	st.targets = append(st.targets, target{})
}
