package engine

import (
	"context"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// runsHidden reports that the text of MySQL's may run stored code, by its name or by
// that of a view.
func (s *Session) runsHidden(ctx context.Context, t *sqlscan.Text) (bool, error) {
	if s.dialect != sqlscan.MySQL {
		return false, nil
	}
	hides, err := s.hides(ctx, t)
	return hides || s.runsCode(t), err
}

// lookUpCode finds out whether a text of MySQL's calls stored code, and what of
// it can change rows: that is an act of its own, counted by the engine.
func (s *Session) lookUpCode(ctx context.Context, st *statement) error {
	m, ok := s.backend.(*mysql)
	if !ok || s.guard.Observing() || len(st.routines)+len(st.procs) == 0 && st.block == nil && st.verb != "DO" && !st.dark {
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
		st.commits, st.elsewhere = false, false
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
	case st.silent:
		verb, note = dbguard.Uncounted, note+", and the server counts nothing of SHOW STATUS"
	}
	st.op.Acts = append(st.op.Acts, dbguard.Act{Verb: verb, Note: note})
	st.targets = append(st.targets, target{})
}
