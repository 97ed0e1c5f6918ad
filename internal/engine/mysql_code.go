package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// understand finds which session settings a text may change, and the code it calls.
func (m *mysql) understand(s *Session, t *sqlscan.Text, st *statement) {
	st.sets = settingsOf(t)
	st.sets.database = s.preparedCount > 0 && (st.opaque || containsFold(t.Source, "use"))
	hides := s.hidden != nil && s.mayRunHidden(t)
	if !hides && !s.namesRoutine(t) {
		return
	}
	s.findRoutines(st)
	if hides {
		view := m.routinesBehindViews(t.Source, t.Mode, s.currentDB)
		st.routines, st.unreadableView = append(st.routines, view.routines...), view.unreadable
	}
}

// findRoutines collects the names of the routines that the text calls.
func (s *Session) findRoutines(st *statement) {
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

// namesRoutine reports that the text may run a stored routine, though it reads like
// one that does not.
func (s *Session) namesRoutine(t *sqlscan.Text) bool {
	return s.dialect == sqlscan.MySQL && (t.Calls || len(t.Ops) == 1 && t.Ops[0].Kind == sqlscan.Opaque)
}

// runsRoutine reports that the text may run a stored routine, by its name or through
// a view.
func (s *Session) runsRoutine(ctx context.Context, t *sqlscan.Text) (bool, error) {
	if s.dialect != sqlscan.MySQL {
		return false, nil
	}
	hides, err := s.findsHiddenCode(ctx, t)
	return hides || s.namesRoutine(t), err
}

// lookUpRoutines finds out what the routines that a text calls can change. That
// becomes an act of the statement, which the engine counts.
func (s *Session) lookUpRoutines(ctx context.Context, st *statement) error {
	m, ok := s.backend.(*mysql)
	if !ok || s.guard.Observing() || len(st.routines)+len(st.procs) == 0 && st.block == nil && st.verb != "DO" && !st.unreadableView {
		return nil
	}
	c := &mysqlCounter{m: m, f: &Flight{s: s, st: st}}
	r := &mysqlReach{c: c, tables: map[mysqlTable]events{}, read: map[string]bool{}}
	if err := r.followCode(ctx, st); err != nil {
		return err
	}
	st.addRoutineActs(r)
	return nil
}

// addRoutineActs turns what the called routines do into acts.
func (st *statement) addRoutineActs(r *mysqlReach) {
	if len(st.procs) > 0 || st.block != nil {
		if r.note == "" && len(st.op.Acts) == 1 { // countable, and does not commit
			st.op.Acts[0].Verb, st.commits = dbguard.Call, false
		}
		return
	}
	if st.verb == "DO" && len(st.op.Acts) == 1 { // an expression: only its functions matter
		st.op.Acts, st.targets = nil, nil
		st.commits, st.opaque = false, false
	}
	if st.changesRows() || !r.codeWrites && r.note == "" {
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
