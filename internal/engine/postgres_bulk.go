package engine

import (
	"strconv"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// Reading many rows from a CTE costs something for each, more than two further round trips.
// So a statement with a large bound gets, as part of its condition, a count of the rows that
// the condition finds, which raises if there are too many. Other changes are counted
// afterwards.

// minBulk is the bound from which on a second scan costs less than a CTE.
const minBulk = 10_000

func isBulk(f *Flight) bool {
	x := f.st.simple()
	return isRegclassName(x) && x.op.Flags&(sqlscan.Multi|sqlscan.Returning|sqlscan.Parameterised) == 0 &&
		!f.st.calls && isStableText(&f.s.text.Text, x.op.At.Start)
}

func bulkText(f *Flight) string {
	t, x, limit := &f.s.text.Text, &f.st.targets[0], f.op.Limit()
	found, rest := targetClause(t, x), ""
	stmt := trimTrailing(t) + "\nWHERE "
	if where := x.op.Where; where.Start < where.End {
		condition := "(" + t.Source[where.Start:where.End] + "\n)"
		stmt, rest = t.Source[:where.Start], " AND "+condition
		found += "\nWHERE " + condition
	}
	return stmt + `(SELECT CASE WHEN k.n <= ` + strconv.FormatInt(limit, 10) + ` THEN true ELSE ` + raise(raisedOver) + ` IS NULL END
 FROM (SELECT pg_catalog.count(*) AS n FROM (SELECT FROM ` + found + "\n LIMIT " + strconv.FormatInt(limit+1, 10) + ") f) k)" + rest
}
