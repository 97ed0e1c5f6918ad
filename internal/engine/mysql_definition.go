package engine

import (
	"fmt"
	"time"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// Only information_schema.TRIGGERS tells which triggers a table has. It has a BLOB
// column, so the server materializes it on disk for every query, which takes longer
// than everything else in a wrapper.
//
// So each wrapper has a definition check: a prepared statement, dbguard_proof_N, that
// opens the caller's table and does nothing. If the table was replaced, altered or
// given a trigger since PREPARE, the server parses its text again before it executes
// it (TABLE_LIST::is_the_same_definition in its source). That fails by design: the
// text names a collation that utf8 has under the old_mode in force at PREPARE, but
// not under the session's. If the check succeeds, the catalogue would answer as
// before, and from then on the table is open and stays as it is.
//
// A trigger's creation time is when its CREATE TRIGGER began, and the server compares
// that with the time of PREPARE. So the catalogue's answer is trusted only if it was
// read some time after PREPARE, and not in the same transaction, whose locks may have
// kept a CREATE TRIGGER waiting. It is read again now and then, in case somebody set
// a clock (SET timestamp). A replica's triggers have another machine's time: there is
// no definition check there, nor on a server that has become one.

// definitionCheckWorks holds under the old_mode for which definition checks fail to parse
// again, the default since MariaDB 10.6, on a server that has never been a replica.
const definitionCheckWorks = "@@old_mode = 'UTF8_IS_UTF8MB3' AND @@gtid_slave_pos = ''"

// definitionChanged is the error of a definition check that was parsed again.
const definitionChanged = "1253" // ER_COLLATION_CHARSET_MISMATCH

const (
	trustPeriod  = time.Second            // how long an answer of the catalogue is trusted
	settlePeriod = 100 * time.Millisecond // how long after PREPARE it must have been read
)

// preparedWrapper is a wrapper that the session has prepared.
type preparedWrapper struct {
	number       int    // of its name, which is reused
	id           string // unique in the process and, by the nonce, beyond
	hasCheck     bool   // it has a definition check
	preparedInTx int    // value of mysql.endedTxs at PREPARE
	uses         int
	trust
}

// trust is what the catalogue has said of a prepared text.
type trust struct {
	preparedAt time.Time
	readAt     time.Time // when it last gave an answer that can be trusted
	unindexed  bool      // its answer to unindexedCondition
}

// settled reports that an answer at that time can be trusted. later says that PREPARE was in
// an earlier transaction.
func (t *trust) settled(at time.Time, later bool) bool {
	return later && !t.preparedAt.IsZero() && at.Sub(t.preparedAt) >= settlePeriod
}

func (w *preparedWrapper) name() string { return fmt.Sprintf("dbguard_%d", w.number) }

func (w *preparedWrapper) checkName() string { return fmt.Sprintf("dbguard_proof_%d", w.number) }

// catalogueCheck says whether a wrapper reads the catalogue: it skips that where an
// earlier answer is trusted. The answer is trusted from then on if it is cacheable.
type catalogueCheck struct {
	at              time.Time
	skip, cacheable bool
	alone           *guardedText // for which it is trusted, too
}

// planCatalogueCheck decides. later says that PREPARE was in an earlier transaction.
func (m *mysql) planCatalogueCheck(w *preparedWrapper, later bool) catalogueCheck {
	l := catalogueCheck{at: time.Now()}
	l.skip = w.hasCheck && m.checksDefinitions() && l.at.Sub(w.readAt) < trustPeriod
	l.cacheable = w.hasCheck && !l.skip && w.settled(l.at, later)
	return l
}

// noteAnswer notes what a reply says about the catalogue: if the changes were kept,
// it had no objection.
func (w *preparedWrapper) noteAnswer(l catalogueCheck, fresh bool, r reply) {
	switch {
	case fresh:
		w.preparedAt = time.Now()
	case r.answer != answerKept:
		w.readAt = time.Time{}
	case l.cacheable:
		w.readAt, w.unindexed = l.at, r.id != 0
	}
	if l.alone != nil {
		l.alone.noteAnswer(l, r)
	}
}

// checksDefinitions reports that wrappers have definition checks.
func (m *mysql) checksDefinitions() bool { return m.canCheckDefinitions && !m.replicated }

// definitionCheck is the text of a wrapper's definition check.
func (e *fastPath) definitionCheck() string {
	return "DO EXISTS (SELECT 1 FROM " + e.table().quoted() + " WHERE _utf8'' COLLATE utf8mb4_general_ci IS NULL LIMIT 0)"
}

// tableCheck opens the table, which keeps out ALTER TABLE and CREATE TRIGGER. Then,
// unless that is skipped, it reads from the catalogue whether the table is InnoDB and
// has no trigger for the event.
func (e *fastPath) tableCheck(w *preparedWrapper) string {
	open := "DO EXISTS (SELECT 1 FROM " + e.target.raw + " LIMIT 0); "
	if w.hasCheck {
		open = "EXECUTE " + w.checkName() + "; "
	}
	t := e.table()
	fires := map[sqlscan.Kind]string{sqlscan.Insert: "INSERT", sqlscan.Update: "UPDATE", sqlscan.Delete: "DELETE"}[e.kind]
	return open + "IF ? THEN SET dbguard_plain = " +
		"EXISTS (SELECT 1 FROM information_schema.TABLES WHERE " + t.condition("") + " AND TABLE_TYPE = 'BASE TABLE' AND ENGINE = 'InnoDB')" +
		" AND NOT EXISTS (SELECT 1 FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = " + quoteString(sqlscan.MySQL, t.schema) +
		" AND EVENT_OBJECT_TABLE = " + quoteString(sqlscan.MySQL, t.name) + " AND EVENT_MANIPULATION = '" + fires + "'); END IF; "
}
