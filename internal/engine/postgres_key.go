package engine

import (
	"database/sql/driver"
	"slices"
	"strings"
)

// A DELETE or UPDATE that selects its row by a unique key changes at most one row, and nothing
// else if its transaction has verified, under a lock that it holds, that the table is an
// ordinary one with that key. Then there is nothing to count and nothing to undo.

// uniqueKeys are the unique indexes of c, a pg_class, in the format of plainTable.keys: only of
// integers and UUIDs, which equal nothing but themselves.
const uniqueKeys = `COALESCE((SELECT pg_catalog.string_agg(k.names, E'\n' ORDER BY k.names) FROM (
 SELECT (SELECT pg_catalog.string_agg(a.attname, ',' ORDER BY a.attname) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
   HAVING pg_catalog.count(*) = i.indnatts AND pg_catalog.bool_and(a.atttypid IN (20, 21, 23, 2950))) AS names
 FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
  AND pg_catalog.array_upper(i.indoption, 1) + 1 = i.indnatts) k), '')`

// rewriteByKey is the rewrite of a statement that selects its row by a key. ONLY excludes children
// that the table may be given meanwhile; when verified it had none.
func (p *postgres) rewriteByKey(f *Flight) (w rewrite, ok bool) {
	x := f.st.simple()
	if f.strategy != inCallerTx || f.op.Limit() < 1 || f.op.AtLeast() > 1 || !p.verified[x.cacheKey()] || !f.isStable(x) {
		return rewrite{}, false
	}
	if !p.tables[x.cacheKey()].hasKey(equalityColumns(f, x)) || slices.ContainsFunc(f.args, isFloat) {
		return rewrite{}, false
	}
	return rewrite{text: withOnly(&f.s.text.Text, x, 0, int32(len(f.callerText))), gated: true, keyed: true, tagged: f.form != Rows}, true
}

// hasKey reports that no two rows are equal in these columns.
func (known plainTable) hasKey(columns []string) bool {
	for key := range strings.Lines(known.keys) {
		if coversKey(strings.TrimSuffix(key, "\n"), columns) {
			return true
		}
	}
	return false
}

// isFloat reports an argument that a driver may send as a float: several integers may equal it.
func isFloat(a driver.NamedValue) bool {
	_, ok := a.Value.(float64)
	return ok
}
