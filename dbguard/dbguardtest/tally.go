package dbguardtest

import (
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// tally is what stands after all events.
type tally struct {
	rows    map[string]int64  // by table, names folded
	others  []map[string]bool // for each operation that reached tables nobody can name, those that it named
	blind   map[string]bool   // tables of which nobody knows how many rows changed; "" for operations that name none
	lost    bool              // structure was dropped, emptied or altered
	unknown bool              // a reply was lost
}

func count(events []dbguard.Event) *tally {
	undone := map[uint64]bool{}
	for i := range events {
		if e := &events[i]; e.TransactionEnd && e.Effect == dbguard.EffectUndone {
			undone[e.Transaction] = true
		}
	}
	t := &tally{rows: map[string]int64{}, blind: map[string]bool{}}
	for i := range events {
		switch e := &events[i]; {
		case e.Effect == dbguard.EffectUnknown:
			t.unknown = true
		case e.Effect == dbguard.EffectApplied && !undone[e.Transaction]:
			t.add(e)
		}
	}
	return t
}

// add adds what an event did.
func (t *tally) add(e *dbguard.Event) {
	located, hidden, named := int64(0), false, map[string]bool{}
	for _, r := range e.RowsByTable() {
		t.rows[fold(r.Table)] += r.Rows
		located += r.Rows
		named[fold(r.Table)] = r.Table != ""
		hidden = hidden || (r.Table == "" && r.Rows > 0)
	}
	if hidden {
		t.others = append(t.others, named)
	}
	for _, a := range e.Op.Acts {
		t.lost = t.lost || a.Verb.LosesStructure()
		if a.Verb.MayChangeRows() && (e.Rows < 0 || e.Rows > located) {
			t.blind[fold(a.Object)] = true
		}
	}
}

// uncounted reports whether rows of the table may have changed that nobody
// counted, or counted together with another table's.
func (t *tally) uncounted(table string) bool {
	return t.blind[fold(table)] || t.blind[""] || slices.ContainsFunc(t.others, func(named map[string]bool) bool {
		return !named[fold(table)]
	})
}

// nothing reports whether no row and no structure is other than it was.
func (t *tally) nothing() bool {
	for _, n := range t.rows {
		if n > 0 {
			return false
		}
	}
	return !t.unknown && !t.lost && len(t.blind) == 0
}

// fold makes names comparable without regard to case, as grants are.
func fold(name string) string { return strings.ToLower(name) }
