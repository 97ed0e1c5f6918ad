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

// The counters count changes, and a row may be changed several times: a post that
// keeps the number of its comments, by a trigger, when three are added at once. So
// where they are beyond the limit, and only there, the rows themselves are looked
// at: of a table that lives, no more were changed than there are now with a version
// of this transaction's, and those that were deleted. That is too many where the
// transaction has added or changed others, and never too few.
//
// Rows that the transaction has added are among both: as they are, or deleted again. So
// where the counters hold nothing but the transaction's, and nothing of it was undone,
// what is left without them is exact: a function that makes an order and then writes its
// sum into it has changed no row that was there.

// eachOnce asks for the same relations, with that for rows. limit is the bound. fresh
// is a condition by which the counters hold nothing but what the transaction has done;
// "": they may hold more.
func eachOnce(relations string, limit int64, fresh string) string {
	most := strconv.FormatInt(min(limit, math.MaxInt32), 10)
	least, added := "1", "0::int8" // a single change is that of a row
	if fresh != "" {
		least, added = "0", "CASE WHEN "+fresh+" THEN pg_catalog.pg_stat_get_xact_tuples_inserted(r.oid::oid) ELSE 0 END"
	}
	return `SELECT r.oid, CASE WHEN r.all_rows > ` + most + ` AND r.rows > ` + least + ` AND r.kind = 'r' AND r.schema <> '' AND NOT r.temporary
  AND pg_catalog.has_table_privilege(r.oid::oid, 'SELECT') AND NOT pg_catalog.row_security_active(r.oid::oid)
 THEN (SELECT LEAST(r.rows, CASE WHEN e.n >= 0 THEN e.n WHEN e.n < 0 THEN 0 END) FROM (SELECT v.n + pg_catalog.pg_stat_get_xact_tuples_deleted(r.oid::oid) - a.n AS n
  FROM (SELECT ` + added + ` AS n) a, LATERAL ` + versions(most) + `) e) ELSE r.rows END AS rows,
 r.schema, r.name, r.kind, r.temporary, r.exclusive, r.deferring, r.stamp
FROM (SELECT *, pg_catalog.sum(rows) OVER () AS all_rows FROM (` + relations + `) AS r ` + columns + `) r`
}

// versions is the number of rows of the relation r with a version of this transaction's,
// as v (n): NULL if there are more than most beside the a.n that it has added. Only ts_stat
// runs a text in every server, and tells how many of its rows hold a word.
func versions(most string) string {
	return `(SELECT NULLIF(COALESCE(pg_catalog.sum(s.ndoc), 0), ` + most + ` + a.n + 1) AS n FROM pg_catalog.ts_stat(pg_catalog.format(
  'SELECT ''n''::pg_catalog.tsvector FROM ONLY %I.%I WHERE pg_catalog.age(xmin) <= pg_catalog.age(%L::pg_catalog.xid) LIMIT %s',
  r.schema, r.name, pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.xid, ` + most + ` + a.n + 1)) s) v`
}

// mayUndo reports a text that may undo a part of what it does, may do so in a language
// in which that is called otherwise, or may hide it in a literal with escapes, or in
// several lines.
func mayUndo(text string) bool {
	for _, word := range []string{"exception", "execute", "language", "rollback", "savepoint"} {
		if containsFold(text, word) {
			return true
		}
	}
	return containsFold(text, "do") && strings.Contains(text, "'") && strings.ContainsAny(text, "\\&\n\r")
}

// What tells that nothing was undone, of a text that may undo a part itself, and of others.
var (
	nothingUndone       = nothingUndoneOr("false")
	nothingUndoneByCode = nothingUndoneOr(noneUndoes)
)

// nothingUndoneOr is a condition: no part of the transaction was undone by itself, as what an
// exception undoes is, for the counters keep that. Either there is no code that could, or no
// transaction since this one has begun was rolled back: a part that has written has a number
// of its own. code tells the former. A snapshot that is kept tells no later ones. It is a text in a text, which the
// server plans when it is asked.
func nothingUndoneOr(code string) string {
	return `EXISTS (SELECT FROM pg_catalog.ts_stat($dbguard$SELECT 'n'::pg_catalog.tsvector WHERE ` + code + `
 OR pg_catalog.current_setting('transaction_isolation') = 'read committed' AND (SELECT CASE WHEN x.last - x.first < 10000
  THEN NOT EXISTS (SELECT FROM pg_catalog.generate_series(x.first, x.last) i WHERE pg_catalog.pg_xact_status(i::text::pg_catalog.xid8) = 'aborted') END
  FROM (SELECT pg_catalog.pg_current_xact_id_if_assigned()::text::int8 AS first,
   pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::int8 - 1 AS last) x)$dbguard$))`
}

// noneUndoes is true where no function has a block with an exception, or may run a text that
// has, or had one: the transaction has replaced and dropped none (1255 is pg_proc). What
// belongs to an extension is trusted, if it did before.
var noneUndoes = changesOf("1255") + ` = 0 AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_language l ON l.oid = f.prolang
  WHERE f.oid >= 16384 AND (l.lanname NOT IN ('plpgsql', 'sql')
   OR pg_catalog.regexp_like(pg_catalog.regexp_replace(f.prosrc, 'do[[:space:]]+(update|nothing|instead|also)', '', 'gi'), 'exception|execute|[[:<:]]do[[:>:]]', 'i'))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = f.oid AND d.deptype = 'e'
   AND pg_catalog.age(d.xmin) > pg_catalog.age(pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.xid)))`

// begins notes that the counters are empty where a transaction of ours begins.
func (c *postgresCounter) begins() {
	if c.clean = c.p.canFlush(); !c.clean || c.f.way != own {
		return
	}
	if c.fresh = nothingUndoneByCode; mayUndo(c.f.callers) {
		c.fresh = nothingUndone
	}
}

// once corrects a total that is beyond the limit.
func (c *postgresCounter) once(ctx context.Context, t *postgresTotal) error {
	limit := c.f.op.Limit()
	often := c.fresh != "" && (c.f.st.simple() == nil || len(t.changed) > 1) || slices.ContainsFunc(t.changed, func(r relation) bool { return r.rows > 1 })
	if limit < 0 || t.Rows <= limit || t.blind || t.Structure || !often {
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
	err := c.read(ctx, eachOnce("VALUES "+strings.Join(rows, ", "), limit, c.fresh), func(r *relation) {
		if was := at[r.oid]; was != nil {
			t.Rows -= was.rows - r.rows
			was.rows = r.rows
		}
	})
	t.changed = slices.DeleteFunc(t.changed, func(r relation) bool { return r.rows == 0 })
	return err
}
