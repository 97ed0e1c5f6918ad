package dbguardtest

import (
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// tally is what stands after all events.
type tally struct {
	rows    map[string]int64 // by table, names folded
	blind   map[string]bool  // tables of which nobody knows how many rows changed; "" for operations that name none
	lost    bool             // structure was dropped, emptied or altered
	unknown bool             // a reply was lost
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
	located := int64(0)
	for _, r := range e.RowsByTable() {
		t.rows[fold(r.Table)] += r.Rows
		located += r.Rows
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
func (t *tally) uncounted(table string) bool { return t.blind[fold(table)] || t.blind[""] }

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
