package engine

import "github.com/dbguard/dbguard-go/internal/sqlscan"

// A rule may put another statement in the place of the caller's, INSTEAD, with rows
// of its own: that one has passed the server's check whether it may write before
// anything of ours is evaluated. But its RETURNING answers for the columns of the table
// alone, so that the server refuses a rule where tableoid is asked for (XX000,
// rewriteRuleAction in its source), which each table has. A view may have such a column
// of its own, and a table with a rule behind it: there, and where the caller's RETURNING
// stands, the catalogue is asked.

// showsRules reports that the statement's RETURNING is ours, and can ask for tableoid.
func (p *postgres) showsRules(f *Flight) bool {
	x := &f.st.targets[0]
	return isRegclass(x) && x.op.Flags&(sqlscan.Multi|sqlscan.Returning) == 0 && !p.asking.has(f.st.op.Text)
}

// unruled is the condition that no rule has put another statement in the caller's place.
func unruled(f *Flight, shows bool) string {
	x := &f.st.targets[0]
	if shows {
		return `pg_catalog.pg_relation_filenode(` + quoteString(sqlscan.PostgreSQL, x.raw) + `::pg_catalog.regclass) IS NOT NULL` // views have none
	}
	none := `NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.oid >= 16384 AND r.ev_type <> '1')`
	if isRegclass(x) {
		none = `(EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = ` + regclass(x) + ` AND c.relkind IN ('r', 'p') AND NOT c.relhasrules)
 OR ` + none + `)` // in this order: the former is found by an index
	}
	// A snapshot that is older than the lock may not show a rule.
	return `pg_catalog.current_setting('transaction_isolation') = 'read committed' AND ` + none
}

// unsure notes a statement that could not make sure by itself. The catalogue knows
// better whether there is a rule; where that has been asked it is counted, and where
// it was not to be sealed, sent as it is.
func (p *postgres) unsure(f *Flight) {
	x := &f.st.targets[0]
	delete(p.adding, x.raw)
	delete(p.tables, x.key())
	switch text := f.st.op.Text; {
	case f.detectsRules:
		p.asking.add(text)
	case f.sealed:
		p.costly.add(text)
	default:
		p.unfit.add(text)
	}
}
