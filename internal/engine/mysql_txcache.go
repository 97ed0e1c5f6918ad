package engine

import (
	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// txCache is what is known within the caller's transaction: a table that one of its
// statements has opened keeps its engine and triggers until the transaction ends or
// rolls back to an earlier savepoint.
//
// For DELETE and UPDATE the server confirms that this still holds: the wrapper that
// checked the table leaves its savepoint behind, and the next one begins by renewing
// it. A plain INSERT has to cost nothing, so its entries are dropped by whatever may
// have ended the transaction unnoticed: any error, and locking reads.
type txCache struct {
	savepointSet      bool              // our savepoint is set, and none of the caller's is newer
	plainTables       map[string]events // by table, as written: events without triggers, on a transactional table
	plainInserts      map[string]bool   // by table, as written: INSERT fires no trigger
	unindexed         map[string]int    // by text of an UPDATE's wrapper: how often it ran, or knownUnindexed
	maybeSerializable bool              // the isolation level may be SERIALIZABLE, where reads take locks
}

// txBegan notes that the caller may have chosen an isolation level.
func (m *mysql) txBegan(isolated bool) dbguard.Effect {
	m.maybeSerializable = m.maybeSerializable || isolated
	return dbguard.EffectApplied // BEGIN commits what was open
}

// noteFailure is called for any error: it may have ended the transaction.
func (m *mysql) noteFailure() { m.dropTxCache() }

// dropTxCache drops everything but the isolation level.
func (m *mysql) dropTxCache() { m.txCache = txCache{maybeSerializable: m.maybeSerializable} }

// cacheTable notes that the statement's table has no trigger for its event.
func (m *mysql) cacheTable(x *target, serial bool) {
	if m.plainTables == nil {
		m.plainTables = map[string]events{}
	}
	m.plainTables[x.raw] |= eventsOf(x.op.Kind)
	if x.op.Kind == sqlscan.Insert && !serial {
		m.cacheInsert(x)
	}
}

// cacheInsert notes that INSERTs into the table need no check. It does not where the
// transaction may end unnoticed: by another node of a cluster, or by a locking read.
func (m *mysql) cacheInsert(x *target) {
	if m.replicated || !m.sessionKnown || m.maybeSerializable {
		return
	}
	if m.plainInserts == nil {
		m.plainInserts = map[string]bool{}
	}
	m.plainInserts[x.raw] = true
}

// invalidate drops what a statement may have changed.
func (m *mysql) invalidate(st *statement) {
	for _, kind := range st.kinds {
		switch kind {
		case sqlscan.Read, sqlscan.Insert, sqlscan.Upsert, sqlscan.Replace, sqlscan.Update, sqlscan.Delete:
		case sqlscan.Savepoint, sqlscan.Release:
			m.savepointSet = false // rolling back to ours would remove the caller's
		case sqlscan.Session, sqlscan.GuardOff, sqlscan.Opaque, sqlscan.Unreadable:
			m.wrappers = nil // they were parsed under other settings
			m.texts.forget()
			m.maybeSerializable = true
			m.charsetStale = m.charsetStale || st.sets.charset
			m.mayBeElsewhere = m.mayBeElsewhere || st.sets.database
			m.sessionKnown = m.sessionKnown && !st.sets.role && !st.sets.logFormat && kind != sqlscan.Opaque // another role may see less, for one
			m.dropTxCache()
		default:
			m.dropTxCache()
		}
	}
	if st.commits || st.opaque || st.control != controlNone {
		m.dropTxCache()
	}
}

// noteRead is called for texts that only read. A locking read may end in a deadlock,
// which ends the transaction, and its error is not reported here.
func (m *mysql) noteRead(text string) {
	if len(m.plainInserts) > 0 && (containsFold(text, "update") || containsFold(text, "share")) {
		m.dropTxCache()
	}
}
