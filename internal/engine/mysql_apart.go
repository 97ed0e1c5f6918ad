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

// updates are the parts of an UPDATE's compound that find out whether rows went with
// it. Whether it stands apart can be asked where the text stays the same, and so the
// columns.
func (e *express) updates(c compound) (declare, looks, finds, answer string) {
	declare, finds = declareAlone, e.alone()
	if c.text == "" {
		return declare, "", finds, silence
	}
	declare += "DECLARE dbguard_apart BOOL DEFAULT FALSE; "
	looks = "IF ? THEN SET dbguard_apart = " + e.apart() + "; END IF; "
	finds = "IF NOT ? THEN " + finds + "IF NOT dbguard_alone THEN SET dbguard_alone = " + e.apart() + "; END IF; END IF; "
	answer = "IF dbguard_n <> 1 OR dbguard_apart THEN SELECT 1, dbguard_n, dbguard_apart, 0, ''; END IF; "
	return declare, looks, finds, answer
}

// apart is the condition that none of the columns that may change are in an index:
// those that SET names, those that the server generates or sets by itself, and those
// that the account does not see. The account sees the indexes of a table of which it
// sees the triggers (get_schema_stat_record in the server's source).
func (e *express) apart() string {
	return apart(e.table(), e.t.Source[e.c.set:e.c.tail])
}

func apart(t mysqlTable, assigned string) string {
	var names []string
	for name := range identifiers(assigned) {
		names = append(names, quoteString(sqlscan.MySQL, name))
	}
	return "NOT EXISTS (SELECT 1 FROM information_schema.STATISTICS s LEFT JOIN information_schema.COLUMNS c ON " + t.rows("c.") +
		" AND c.COLUMN_NAME = s.COLUMN_NAME WHERE " + t.rows("s.") + " AND (s.COLUMN_NAME IN (" + strings.Join(names, ", ") +
		") OR CHAR_LENGTH(COALESCE(c.EXTRA, 'unseen')) > 0 AND COALESCE(c.EXTRA, 'unseen') <> 'auto_increment'))" // not <> '': that may be NULL
}

// assignsFirst is the first column that SET names.
func (e *express) assignsFirst() (name string) {
	for tok := range tokens(e.t, e.c.set+int32(len("SET")), e.c.tail) {
		if tok.Kind == sqlscan.Punct && tok.Byte != '.' || tok.Kind != sqlscan.Punct && e.t.Source[tok.Pos:tok.End] == "=" {
			break
		}
		if isName(tok) {
			name = nameAt(e.t, tok)
		}
	}
	return name
}

// What is counted of an UPDATE in a transaction.
const (
	standsApart = -1
	worthAsking = 3 // that many have gone before: to ask takes as long as a few of them
)

// isApart reports that an UPDATE is known to stand apart.
func (m *mysql) isApart(c compound, p *prepared, l look) bool {
	return l.trusts && p.apart || c.known && m.apart[c.text] == standsApart
}

// asksApart reports that it is time to ask.
func (m *mysql) asksApart(c compound, l look) bool {
	return l.settles || c.known && m.apart[c.text] == worthAsking
}

// sawUpdate notes what was seen of one, for as long as the caller's transaction holds
// the table.
func (m *mysql) sawUpdate(c compound, p *prepared, l look, r reply) {
	if c.opening == outside || c.text == "" || r.answer != kept {
		return
	}
	if m.apart == nil || len(m.apart) >= maxNames {
		m.apart = map[string]int{}
	}
	switch {
	case r.id != 0, l.trusts && p.apart:
		m.apart[c.text] = standsApart
	case m.apart[c.text] >= 0:
		m.apart[c.text]++
	}
}
