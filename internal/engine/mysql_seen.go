package engine

import (
	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// seen is what the caller's transaction holds fast: a table that one of its
// statements has opened keeps its engine and its triggers until the transaction
// ends or goes back to a savepoint from before.
//
// Of what DELETE and UPDATE set off, the server says that it still holds: the
// compound that saw it leaves its savepoint there, and the next begins with it. A
// plain INSERT is to cost nothing. So what it sets off is forgotten with whatever
// may have ended the transaction unseen: any error, and reads that lock.
type seen struct {
	marked bool              // the savepoint is there, and nothing of the caller's is younger
	plain  map[string]events // tables, as written: these fire nothing, and can be undone
	adds   map[string]bool   // an INSERT into these fires nothing
	apart  map[string]int    // UPDATEs, as their compounds have them: how many, or standsApart
	serial bool              // reads may lock: the level of isolation may be another one
}

// txBegan notes that the caller may have chosen a level of isolation.
func (m *mysql) txBegan(isolated bool) dbguard.Effect {
	m.serial = m.serial || isolated
	return dbguard.EffectApplied // by BEGIN
}

// noteFailure is told of any error: the transaction may have ended by it.
func (m *mysql) noteFailure() { m.doubt() }

// doubt forgets what was seen.
func (m *mysql) doubt() { m.seen = seen{serial: m.serial} }

// saw notes that the statement's table fires nothing for what it did.
func (m *mysql) saw(x *target, serial bool) {
	if m.plain == nil {
		m.plain = map[string]events{}
	}
	m.plain[x.raw] |= eventsOf(x.op.Kind)
	if x.op.Kind == sqlscan.Insert && !serial {
		m.add(x)
	}
}

// add notes that INSERTs into the table need not be looked at. In a cluster
// another node can end the transaction at any moment, and so can a read that
// locks.
func (m *mysql) add(x *target) {
	if m.replicated || !m.placed || m.serial {
		return
	}
	if m.adds == nil {
		m.adds = map[string]bool{}
	}
	m.adds[x.raw] = true
}

// outlives notes what a text leaves of what was seen.
func (m *mysql) outlives(st *statement) {
	for _, kind := range st.kinds {
		switch kind {
		case sqlscan.Read, sqlscan.Insert, sqlscan.Upsert, sqlscan.Replace, sqlscan.Update, sqlscan.Delete:
		case sqlscan.Savepoint, sqlscan.Release:
			m.marked = false // going back to ours would take the caller's along
		case sqlscan.Session, sqlscan.GuardOff, sqlscan.Opaque, sqlscan.Unreadable:
			m.compounds = nil // settings that they were read under
			m.serial = true
			m.respelt = m.respelt || st.sets.charset
			m.astray = m.astray || st.sets.database
			m.placed = m.placed && !st.sets.role && kind != sqlscan.Opaque // the account may see less
			m.doubt()
		default:
			m.doubt()
		}
	}
	if st.commits || st.opaque || st.control != controlNone {
		m.doubt()
	}
}

// noteRead tells of a text that only reads. One that locks rows may end in a
// deadlock, and the transaction with it; nobody hears of its error.
func (m *mysql) noteRead(text string) {
	if len(m.adds) > 0 && (containsFold(text, "update") || containsFold(text, "share")) {
		m.doubt()
	}
}
