package engine

import "github.com/dbguard/dbguard-go/internal/sqlscan"

// An INSTEAD rule may replace the caller's statement by another one, with rows of its own.
// That one passes the server's read-only check before the seal is evaluated. But its
// RETURNING has only the table's own columns, so the server refuses a rule if the statement
// asks for tableoid, which every table has (XX000, rewriteRuleAction in its source). A view
// may have a column of that name, and behind it a table with a rule: for views, and where the
// caller has a RETURNING, the catalogue is asked.

// canShowRules reports that RETURNING is the guard's, and can ask for tableoid.
func (p *postgres) canShowRules(f *Flight) bool {
	x := &f.st.targets[0]
	return isRegclassName(x) && x.op.Flags&(sqlscan.Multi|sqlscan.Returning) == 0 && !p.ruleLookups.has(f.st.op.Text)
}

// noRuleCond is the condition that no rule has replaced the caller's statement.
func noRuleCond(f *Flight, shows bool) string {
	x := &f.st.targets[0]
	if shows {
		return `pg_catalog.pg_relation_filenode(` + plannedRegclass(x) + `) IS NOT NULL` // views have none
	}
	none := `NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.oid >= 16384 AND r.ev_type <> '1')`
	if isRegclassName(x) {
		none = `(EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = ` + plannedRegclass(x) + ` AND c.relkind IN ('r', 'p') AND NOT c.relhasrules)
 OR ` + none + `)` // in this order: the first is an index look-up
	}
	// A snapshot older than the lock may not show a rule.
	return `pg_catalog.current_setting('transaction_isolation') = 'read committed' AND ` + none
}

// sealFailed chooses how a statement is run whose seal did not hold. If RETURNING was to show
// a rule, the catalogue is asked next time; if it was sealed in another way, it is counted;
// otherwise it is sent as written.
func (p *postgres) sealFailed(f *Flight) {
	x := &f.st.targets[0]
	delete(p.insertTables, x.raw)
	delete(p.tables, x.cacheKey())
	switch text := f.st.op.Text; {
	case f.detectsRules:
		p.ruleLookups.add(text)
	case f.sealed:
		p.unsealable.add(text)
	default:
		p.unrewritable.add(text)
	}
}
