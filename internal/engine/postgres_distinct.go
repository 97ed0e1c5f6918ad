package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// The counters count changes, and a row may change several times: a trigger keeps the number
// of a post's comments, and three are added at once. So if the counters exceed the limit, and
// only then, the rows themselves are counted. For a table that still exists, at most as many
// have changed as have a version of this transaction's now, plus those that were deleted. That
// is too high if the transaction has inserted or changed others, and never too low.
//
// Rows that the transaction has inserted are among both, as they are or deleted again. If the
// counters hold nothing but this transaction, and nothing of it was undone, subtracting the
// inserts makes the count exact: a function that creates an order and then updates its sum has
// changed no existing row.

// distinctRowsText selects the same relations with the number of distinct rows where that
// matters. noUndo is the condition that the counters hold nothing that was undone; "": they
// may.
func distinctRowsText(relations string, limit int64, fresh string) string {
	most := strconv.FormatInt(min(limit, math.MaxInt32), 10)
	least, added := "1", "0::int8" // a single change is one row
	if fresh != "" {
		least, added = "0", "CASE WHEN "+fresh+" THEN pg_catalog.pg_stat_get_xact_tuples_inserted(r.oid::oid) ELSE 0 END"
	}
	return `SELECT r.oid, CASE WHEN r.all_rows > ` + most + ` AND r.rows > ` + least + ` AND r.kind = 'r' AND r.schema <> '' AND NOT r.temporary
  AND pg_catalog.has_table_privilege(r.oid::oid, 'SELECT') AND NOT pg_catalog.row_security_active(r.oid::oid)
 THEN (SELECT LEAST(r.rows, CASE WHEN e.n >= 0 THEN e.n WHEN e.n < 0 THEN 0 END) FROM (SELECT v.n + pg_catalog.pg_stat_get_xact_tuples_deleted(r.oid::oid) - a.n AS n
  FROM (SELECT ` + added + ` AS n) a, LATERAL ` + ownVersions(most) + `) e) ELSE r.rows END AS rows,
 r.schema, r.name, r.kind, r.temporary, r.exclusive, r.deferring, r.stamp
FROM (SELECT *, pg_catalog.sum(rows) OVER () AS all_rows FROM (` + relations + `) AS r ` + relationColumns + `) r`
}

// ownVersions counts the rows of relation r with a version of this transaction's, as v (n):
// NULL if there are more than most beyond the a.n inserted ones. ts_stat is used because it
// is the only function in every server that runs a text; it tells in how many of the rows a
// word occurs.
func ownVersions(most string) string {
	return `(SELECT NULLIF(COALESCE(pg_catalog.sum(s.ndoc), 0), ` + most + ` + a.n + 1) AS n FROM pg_catalog.ts_stat(pg_catalog.format(
  'SELECT ''n''::pg_catalog.tsvector FROM ONLY %I.%I WHERE pg_catalog.age(xmin) <= pg_catalog.age(%L::pg_catalog.xid) LIMIT %s',
  r.schema, r.name, pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.xid, ` + most + ` + a.n + 1)) s) v`
}

// mayRollBackPart reports a text that may roll back a part of what it does: by an exception
// handler or a savepoint, in a language that has other words for that, or hidden in a literal
// with escapes or on several lines.
func mayRollBackPart(text string) bool {
	for _, word := range []string{"exception", "execute", "language", "rollback", "savepoint"} {
		if containsFold(text, word) {
			return true
		}
	}
	return containsFold(text, "do") && strings.Contains(text, "'") && strings.ContainsAny(text, "\\&\n\r")
}

// noAbortedPart is for texts that may roll back a part themselves, noAbortedPartOfCode for
// others.
var (
	noAbortedPart       = noAbortedPartOr("false")
	noAbortedPartOfCode = noAbortedPartOr(noCodeRollsBack)
)

// noAbortedPartOr is the condition that no subtransaction was aborted, such as the block of an
// exception handler: the counters keep its changes. Either no code could abort one, which the
// condition code tells, or no transaction that began after this one was rolled back, since
// subtransactions that write have IDs of their own. A snapshot that is kept does not show
// later IDs. The condition is a text for ts_stat, so that it is planned only when needed.
func noAbortedPartOr(code string) string {
	return `EXISTS (SELECT FROM pg_catalog.ts_stat($dbguard$SELECT 'n'::pg_catalog.tsvector WHERE ` + code + `
 OR pg_catalog.current_setting('transaction_isolation') = 'read committed' AND (SELECT CASE WHEN x.last - x.first < 10000
  THEN NOT EXISTS (SELECT FROM pg_catalog.generate_series(x.first, x.last) i WHERE pg_catalog.pg_xact_status(i::text::pg_catalog.xid8) = 'aborted') END
  FROM (SELECT pg_catalog.pg_current_xact_id_if_assigned()::text::int8 AS first,
   pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::int8 - 1 AS last) x)$dbguard$))`
}

// noCodeRollsBack is true if no function has an exception handler or may run a text that has
// one, and none may have had: the transaction has replaced and dropped no function (1255 is
// pg_proc). Functions that belong to an extension since before the transaction are trusted.
var noCodeRollsBack = changesOf("1255") + ` = 0 AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_language l ON l.oid = f.prolang
  WHERE f.oid >= 16384 AND (l.lanname NOT IN ('plpgsql', 'sql')
   OR pg_catalog.regexp_like(pg_catalog.regexp_replace(f.prosrc, 'do[[:space:]]+(update|nothing|instead|also)', '', 'gi'), 'exception|execute|[[:<:]]do[[:>:]]', 'i'))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = f.oid AND d.deptype = 'e'
   AND pg_catalog.age(d.xmin) > pg_catalog.age(pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.xid)))`

// startEmpty notes that the counters are empty when a transaction of the guard's begins.
func (c *postgresCounter) startEmpty() {
	if c.startedEmpty = c.p.canFlush(); !c.startedEmpty || c.f.strategy != ownTx {
		return
	}
	if c.noUndo = noAbortedPartOfCode; mayRollBackPart(c.f.callerText) {
		c.noUndo = noAbortedPart
	}
}

// countDistinct corrects a total that exceeds the limit.
func (c *postgresCounter) countDistinct(ctx context.Context, t *postgresTotal) error {
	limit := c.f.op.Limit()
	mayRepeat := c.noUndo != "" && (c.f.st.simple() == nil || len(t.changed) > 1) || slices.ContainsFunc(t.changed, func(r relation) bool { return r.rows > 1 })
	if limit < 0 || t.Rows <= limit || t.uncountable || t.Structure || !mayRepeat {
		return nil
	}
	rows := make([]string, len(t.changed))
	at := map[int64]*relation{}
	for i := range t.changed {
		r := &t.changed[i]
		at[r.oid] = r
		rows[i] = fmt.Sprintf("(%d::int8, %d::int8, %s, %s, %s, false, false, false, '')", r.oid, r.rows,
			quoteString(sqlscan.PostgreSQL, r.schema), quoteString(sqlscan.PostgreSQL, r.name), quoteString(sqlscan.PostgreSQL, r.kind))
	}
	err := c.readRelations(ctx, distinctRowsText("VALUES "+strings.Join(rows, ", "), limit, c.noUndo), func(r *relation) {
		if was := at[r.oid]; was != nil {
			t.Rows -= was.rows - r.rows
			was.rows = r.rows
		}
	})
	t.changed = slices.DeleteFunc(t.changed, func(r relation) bool { return r.rows == 0 })
	return err
}
