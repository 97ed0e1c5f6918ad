package engine

import (
	"fmt"
	"time"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// What a table fires, information_schema.TRIGGERS alone tells. It has a BLOB, so
// that the server writes it to disk whenever it is asked, which takes longer than
// all else that a compound does.
//
// So each compound has a proof with it: a prepared statement that opens the
// caller's table, and does nothing. If the table is another one than it was when
// the proof was prepared, or has been altered or given a trigger, the server reads
// the text anew before it runs it (TABLE_LIST::is_the_same_definition in its
// source). And that text can be read only once: it names a collation that utf8 has
// under the old_mode of its preparation, and not under the session's. A proof that
// succeeds says that the catalogue would say what it said; and from then on the
// table is open, and stays so.
//
// A trigger's age is the time at which its CREATE TRIGGER began, and the server
// compares that to the time of preparation. So what the catalogue says is trusted
// if it was asked some time later, and not in the transaction of the preparation,
// which may have kept a CREATE TRIGGER waiting. And it is asked again now and then,
// for somebody may have set a clock (SET timestamp). A replica's triggers bring the
// time of another machine with them: there nothing is proved.

// oldMode is the setting of old_mode under which proofs can be read only once. It
// is the default since MariaDB 10.6.
const oldMode = "UTF8_IS_UTF8MB3"

// definitionChanged is the number of the error of a proof that was to be read again.
const definitionChanged = "1253" // ER_COLLATION_CHARSET_MISMATCH

const (
	trustPeriod  = time.Second            // how long the catalogue is trusted
	settlePeriod = 100 * time.Millisecond // how long after the preparation it must have been asked
)

// preparedWrapper is a compound that the session has prepared.
type preparedWrapper struct {
	number       int    // that of its name, which others may have had before
	id           string // no other's
	hasCheck     bool   // there is a proof with it
	preparedAt   time.Time
	preparedInTx int       // in which of the session's transactions
	readAt       time.Time // when the catalogue was last asked in a way that can be trusted
	unindexed    bool      // what it said of the columns that an UPDATE assigns
}

func (p *preparedWrapper) name() string { return fmt.Sprintf("dbguard_%d", p.number) }

func (p *preparedWrapper) checkName() string { return fmt.Sprintf("dbguard_proof_%d", p.number) }

// catalogueCheck is how a compound looks at the catalogue: not at all, where it trusts what was
// said; or so that what is said is trusted from then on; or for itself.
type catalogueCheck struct {
	at              time.Time
	skip, cacheable bool
}

// planCatalogueCheck decides it. later says that the preparation was in an earlier transaction.
func (m *mysql) planCatalogueCheck(p *preparedWrapper, later bool) catalogueCheck {
	l := catalogueCheck{at: time.Now()}
	l.skip = p.hasCheck && m.checksDefinitions() && l.at.Sub(p.readAt) < trustPeriod
	l.cacheable = p.hasCheck && !l.skip && later && !p.preparedAt.IsZero() && l.at.Sub(p.preparedAt) >= settlePeriod
	return l
}

// noteAnswer notes what an answer says of the catalogue, which had nothing against a
// statement that was kept.
func (p *preparedWrapper) noteAnswer(l catalogueCheck, fresh bool, r reply) {
	switch {
	case fresh:
		p.preparedAt = time.Now()
	case r.answer != answerKept:
		p.readAt = time.Time{}
	case l.cacheable:
		p.readAt, p.unindexed = l.at, r.id != 0
	}
}

// checksDefinitions reports that compounds have proofs.
func (m *mysql) checksDefinitions() bool { return m.canCheckDefinitions && !m.replicated }

// definitionCheck is the text of a compound's proof.
func (e *fastPath) definitionCheck() string {
	return "DO EXISTS (SELECT 1 FROM " + e.table().quoted() + " WHERE _utf8'' COLLATE utf8mb4_general_ci IS NULL LIMIT 0)"
}

// tableCheck opens the table, so that from then on nobody alters it or gives it a
// trigger, and looks, where it is told to, whether the statement can be undone there,
// and does nothing but what it says.
func (e *fastPath) tableCheck(p *preparedWrapper) string {
	open := "DO EXISTS (SELECT 1 FROM " + e.target.raw + " LIMIT 0); "
	if p.hasCheck {
		open = "EXECUTE " + p.checkName() + "; "
	}
	t := e.table()
	fires := map[sqlscan.Kind]string{sqlscan.Insert: "INSERT", sqlscan.Update: "UPDATE", sqlscan.Delete: "DELETE"}[e.kind]
	return open + "IF ? THEN SET dbguard_plain = " +
		"EXISTS (SELECT 1 FROM information_schema.TABLES WHERE " + t.condition("") + " AND TABLE_TYPE = 'BASE TABLE' AND ENGINE = 'InnoDB')" +
		" AND NOT EXISTS (SELECT 1 FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = " + quoteString(sqlscan.MySQL, t.schema) +
		" AND EVENT_OBJECT_TABLE = " + quoteString(sqlscan.MySQL, t.name) + " AND EVENT_MANIPULATION = '" + fires + "'); END IF; "
}
