package dbguardtest

import (
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// tally is the net result of all events.
type tally struct {
	rows            map[string]int64  // by table, names folded
	unnamed         []map[string]bool // for each operation that reached tables it could not name, those that it named
	uncountedTables map[string]bool   // tables with an unknown number of changed rows; "" for operations that name none
	structureLost   bool              // a table or database was dropped, emptied or altered
	unknown         bool              // a reply was lost
}

func count(events []dbguard.Event) *tally {
	undone := map[uint64]bool{}
	for i := range events {
		if e := &events[i]; e.TransactionEnd && e.Effect == dbguard.EffectUndone {
			undone[e.Transaction] = true
		}
	}
	t := &tally{rows: map[string]int64{}, uncountedTables: map[string]bool{}}
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
		t.unnamed = append(t.unnamed, named)
	}
	for _, a := range e.Op.Acts {
		t.structureLost = t.structureLost || a.Verb.LosesStructure()
		if a.Verb.MayChangeRows() && (e.Rows < 0 || e.Rows > located) {
			t.uncountedTables[fold(a.Object)] = true
		}
	}
}

// uncounted reports whether rows of the table may have changed that were not counted,
// or counted together with another table's.
func (t *tally) uncounted(table string) bool {
	return t.uncountedTables[fold(table)] || t.uncountedTables[""] || slices.ContainsFunc(t.unnamed, func(named map[string]bool) bool {
		return !named[fold(table)]
	})
}

// nothing reports whether no rows and no structure have changed.
func (t *tally) nothing() bool {
	for _, n := range t.rows {
		if n > 0 {
			return false
		}
	}
	return !t.unknown && !t.structureLost && len(t.uncountedTables) == 0
}

// fold makes names comparable without regard to case, as grants are.
func fold(name string) string { return strings.ToLower(name) }
