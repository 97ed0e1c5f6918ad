package engine

import (
	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// txCache is what the caller's transaction holds fast: a table that one of its
// statements has opened keeps its engine and its triggers until the transaction
// ends or goes back to a savepoint from before.
//
// Of what DELETE and UPDATE set off, the server says that it still holds: the
// compound that saw it leaves its savepoint there, and the next begins with it. A
// plain INSERT is to cost nothing. So what it sets off is forgotten with whatever
// may have ended the transaction unseen: any error, and reads that lock.
type txCache struct {
	savepointSet      bool              // the savepoint is there, and nothing of the caller's is younger
	plainTables       map[string]events // tables, as written: these fire nothing, and can be undone
	plainInserts      map[string]bool   // an INSERT into these fires nothing
	unindexed         map[string]int    // UPDATEs, as their compounds have them: how many, or standsApart
	maybeSerializable bool              // reads may lock: the level of isolation may be another one
}

// begun notes that the caller may have chosen a level of isolation.
func (m *mysql) begun(isolated bool) dbguard.Effect {
	m.maybeSerializable = m.maybeSerializable || isolated
	return dbguard.EffectApplied // by BEGIN
}

// failed is told of any error: the transaction may have ended by it.
func (m *mysql) failed() { m.dropTxCache() }

// dropTxCache forgets what was seen.
func (m *mysql) dropTxCache() { m.txCache = txCache{maybeSerializable: m.maybeSerializable} }

// cacheTable notes that the statement's table fires nothing for what it did.
func (m *mysql) cacheTable(x *target, serial bool) {
	if m.plainTables == nil {
		m.plainTables = map[string]events{}
	}
	m.plainTables[x.raw] |= eventsOf(x.op.Kind)
	if x.op.Kind == sqlscan.Insert && !serial {
		m.cacheInsert(x)
	}
}

// cacheInsert notes that INSERTs into the table need not be looked at. In a cluster
// another node can end the transaction at any moment, and so can a read that
// locks.
func (m *mysql) cacheInsert(x *target) {
	if m.replicated || !m.sessionKnown || m.maybeSerializable {
		return
	}
	if m.plainInserts == nil {
		m.plainInserts = map[string]bool{}
	}
	m.plainInserts[x.raw] = true
}

// invalidate notes what a text leaves of what was seen.
func (m *mysql) invalidate(st *statement) {
	for _, kind := range st.kinds {
		switch kind {
		case sqlscan.Read, sqlscan.Insert, sqlscan.Upsert, sqlscan.Replace, sqlscan.Update, sqlscan.Delete:
		case sqlscan.Savepoint, sqlscan.Release:
			m.savepointSet = false // going back to ours would take the caller's along
		case sqlscan.Session, sqlscan.GuardOff, sqlscan.Opaque, sqlscan.Unreadable:
			m.wrappers = nil // settings that they were read under
			m.maybeSerializable = true
			m.charsetStale = m.charsetStale || st.sets.charset
			m.mayBeElsewhere = m.mayBeElsewhere || st.sets.database
			m.sessionKnown = m.sessionKnown && !st.sets.role && kind != sqlscan.Opaque // the account may see less
			m.dropTxCache()
		default:
			m.dropTxCache()
		}
	}
	if st.commits || st.elsewhere || st.control != controlNone {
		m.dropTxCache()
	}
}

// reads tells of a text that only reads. One that locks rows may end in a
// deadlock, and the transaction with it; nobody hears of its error.
func (m *mysql) reads(text string) {
	if len(m.plainInserts) > 0 && (containsFold(text, "update") || containsFold(text, "share")) {
		m.dropTxCache()
	}
}
