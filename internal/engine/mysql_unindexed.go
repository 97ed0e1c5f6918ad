package engine

import (
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// Without triggers, an UPDATE changes other tables only by foreign keys on the
// columns that it assigns. Referenced columns are in an index of their table
// (dict_foreign_find_index in InnoDB's source), so an UPDATE of unindexed columns
// cascades nowhere. To change that takes ALTER TABLE, which is ruled out by the
// definition check, or while the transaction has the table open. Then the lookup of
// foreign keys is skipped, which takes longer than the rest.

// updateParts are the parts of an UPDATE's wrapper that find out whether it cascaded.
// Whether its columns are unindexed is only asked for a reusable text, whose columns
// stay the same.
func (e *fastPath) updateParts(key wrapperKey) (declare, looks, finds, answer string) {
	declare, finds = declareNoCascade, e.noCascadeCheck()
	if key.text == "" {
		return declare, "", finds, replyUnlessOneRow
	}
	declare += "DECLARE dbguard_apart BOOL DEFAULT FALSE; "
	looks = "IF ? THEN SET dbguard_apart = " + e.unindexedCondition() + "; END IF; "
	finds = "IF NOT ? THEN " + finds + "IF NOT dbguard_alone THEN SET dbguard_alone = " + e.unindexedCondition() + "; END IF; END IF; "
	answer = "IF dbguard_n <> 1 OR dbguard_apart THEN SELECT 1, dbguard_n, dbguard_apart, 0, ''; END IF; "
	return declare, looks, finds, answer
}

// unindexedCondition holds if no index has a column that may change: those in SET,
// those that the server generates or updates by itself, and those that the account
// does not see. An account that sees a table's triggers sees its indexes
// (get_schema_stat_record in the server's source).
func (e *fastPath) unindexedCondition() string {
	return unindexedCondition(e.table(), e.text.Source[e.clauses.set:e.clauses.tail])
}

func unindexedCondition(t mysqlTable, assigned string) string {
	var names []string
	for name := range identifiers(assigned) {
		if hasHiddenIndex(name) {
			return "FALSE"
		}
		names = append(names, quoteString(sqlscan.MySQL, name))
	}
	return "NOT EXISTS (SELECT 1 FROM information_schema.STATISTICS s LEFT JOIN information_schema.COLUMNS c ON " + t.condition("c.") +
		" AND c.COLUMN_NAME = s.COLUMN_NAME WHERE " + t.condition("s.") + " AND (s.COLUMN_NAME IN (" + strings.Join(names, ", ") +
		") OR CHAR_LENGTH(COALESCE(c.EXTRA, 'unseen')) > 0 AND COALESCE(c.EXTRA, 'unseen') <> 'auto_increment'))" // not <> '', which EMPTY_STRING_IS_NULL reads as NULL
}

// hasHiddenIndex reports a column of which the catalogue may show no index: InnoDB's key of a
// full-text index, and the primary key that MySQL adds (sql_generate_invisible_primary_key)
// and hides (show_gipk_in_create_table_and_information_schema).
func hasHiddenIndex(column string) bool {
	return strings.EqualFold(column, "FTS_DOC_ID") || strings.EqualFold(column, "my_row_id")
}

// firstAssigned is the first column that SET names.
func (e *fastPath) firstAssigned() (name string) {
	for tok := range tokens(e.text, e.clauses.set+int32(len("SET")), e.clauses.tail) {
		if tok.Kind == sqlscan.Punct && tok.Byte != '.' || tok.Kind != sqlscan.Punct && e.text.Source[tok.Pos:tok.End] == "=" {
			break
		}
		if isName(tok) {
			name = nameAt(e.text, tok)
		}
	}
	return name
}

// Values of txCache.unindexed besides counts.
const (
	knownUnindexed    = -1
	askUnindexedAfter = 3 // ask after so many executions, a few of which take as long as to ask
)

// isUnindexed reports that an UPDATE is known to assign unindexed columns only.
func (m *mysql) isUnindexed(key wrapperKey, w *preparedWrapper, l catalogueCheck) bool {
	return l.skip && w.unindexed || key.tableKnown && m.unindexed[key.text] == knownUnindexed
}

// asksUnindexed reports that it is time to ask.
func (m *mysql) asksUnindexed(key wrapperKey, l catalogueCheck) bool {
	return l.cacheable || l.alone != nil || key.tableKnown && m.unindexed[key.text] == askUnindexedAfter
}

// cacheUpdate notes the result of an execution, until the caller's transaction ends.
func (m *mysql) cacheUpdate(key wrapperKey, w *preparedWrapper, l catalogueCheck, r reply) {
	if key.opening == beginsTransaction || key.text == "" || r.answer != answerKept {
		return
	}
	if m.unindexed == nil || len(m.unindexed) >= maxNames {
		m.unindexed = map[string]int{}
	}
	switch {
	case r.id != 0, l.skip && w.unindexed:
		m.unindexed[key.text] = knownUnindexed
	case m.unindexed[key.text] >= 0:
		m.unindexed[key.text]++
	}
}
