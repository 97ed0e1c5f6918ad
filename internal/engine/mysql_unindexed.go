package engine

import (
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// An UPDATE changes rows of another table, where no trigger is, by foreign keys to the
// columns that it gives other values. Those that a foreign key leads to are in an
// index of their table (dict_foreign_find_index in InnoDB's source), so that an
// UPDATE of other columns stands apart from all other tables. To change that,
// somebody would have to alter the table, which a proof excludes, or that the
// transaction has opened it. Then the foreign keys are not looked for, which takes
// longer than the rest.

// updateParts are the parts of an UPDATE's compound that find out whether rows went with
// it. Whether it stands apart can be asked where the text stays the same, and so the
// columns.
func (e *fastPath) updateParts(c wrapperKey) (declare, looks, finds, answer string) {
	declare, finds = declareNoCascade, e.noCascadeCheck()
	if c.text == "" {
		return declare, "", finds, replyUnlessOneRow
	}
	declare += "DECLARE dbguard_apart BOOL DEFAULT FALSE; "
	looks = "IF ? THEN SET dbguard_apart = " + e.unindexedCondition() + "; END IF; "
	finds = "IF NOT ? THEN " + finds + "IF NOT dbguard_alone THEN SET dbguard_alone = " + e.unindexedCondition() + "; END IF; END IF; "
	answer = "IF dbguard_n <> 1 OR dbguard_apart THEN SELECT 1, dbguard_n, dbguard_apart, 0, ''; END IF; "
	return declare, looks, finds, answer
}

// unindexedCondition is the condition that none of the columns that may change are in an index:
// those that SET names, those that the server generates or sets by itself, and those
// that the account does not see. The account sees the indexes of a table of which it
// sees the triggers (get_schema_stat_record in the server's source).
func (e *fastPath) unindexedCondition() string {
	return unindexedCondition(e.table(), e.text.Source[e.clauses.set:e.clauses.rest])
}

func unindexedCondition(t mysqlTable, assigned string) string {
	var names []string
	for name := range identifiers(assigned) {
		names = append(names, quoteString(sqlscan.MySQL, name))
	}
	return "NOT EXISTS (SELECT 1 FROM information_schema.STATISTICS s LEFT JOIN information_schema.COLUMNS c ON " + t.condition("c.") +
		" AND c.COLUMN_NAME = s.COLUMN_NAME WHERE " + t.condition("s.") + " AND (s.COLUMN_NAME IN (" + strings.Join(names, ", ") +
		") OR CHAR_LENGTH(COALESCE(c.EXTRA, 'unseen')) > 0 AND COALESCE(c.EXTRA, 'unseen') <> 'auto_increment'))" // not <> '': that may be NULL
}

// firstAssigned is the first column that SET names.
func (e *fastPath) firstAssigned() (name string) {
	for tok := range tokens(e.text, e.clauses.set+int32(len("SET")), e.clauses.rest) {
		if tok.Kind == sqlscan.Punct && tok.Byte != '.' || tok.Kind != sqlscan.Punct && e.text.Source[tok.Pos:tok.End] == "=" {
			break
		}
		if isName(tok) {
			name = nameAt(e.text, tok)
		}
	}
	return name
}

// What is counted of an UPDATE in a transaction.
const (
	knownUnindexed    = -1
	askUnindexedAfter = 3 // that many have gone before: to ask takes as long as a few of them
)

// isUnindexed reports that an UPDATE is known to stand apart.
func (m *mysql) isUnindexed(c wrapperKey, p *preparedWrapper, l catalogueCheck) bool {
	return l.skip && p.unindexed || c.tableKnown && m.unindexed[c.text] == knownUnindexed
}

// asksUnindexed reports that it is time to ask.
func (m *mysql) asksUnindexed(c wrapperKey, l catalogueCheck) bool {
	return l.cacheable || c.tableKnown && m.unindexed[c.text] == askUnindexedAfter
}

// cacheUpdate notes what was seen of one, for as long as the caller's transaction holds
// the table.
func (m *mysql) cacheUpdate(c wrapperKey, p *preparedWrapper, l catalogueCheck, r reply) {
	if c.opening == beginsTransaction || c.text == "" || r.answer != answerKept {
		return
	}
	if m.unindexed == nil || len(m.unindexed) >= maxNames {
		m.unindexed = map[string]int{}
	}
	switch {
	case r.id != 0, l.skip && p.unindexed:
		m.unindexed[c.text] = knownUnindexed
	case m.unindexed[c.text] >= 0:
		m.unindexed[c.text]++
	}
}
