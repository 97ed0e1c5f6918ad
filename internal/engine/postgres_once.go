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

// eachOnce asks for the same relations, with that for rows. limit is the bound.
func eachOnce(relations string, limit int64) string {
	most := min(limit, math.MaxInt64-1)
	return `SELECT r.oid, CASE WHEN r.all_rows > ` + strconv.FormatInt(most, 10) + ` AND r.rows > 1 AND r.kind = 'r' AND r.schema <> '' AND NOT r.temporary
  AND pg_catalog.has_table_privilege(r.oid::oid, 'SELECT') AND NOT pg_catalog.row_security_active(r.oid::oid)
 THEN COALESCE((SELECT LEAST(r.rows, v.n + pg_catalog.pg_stat_get_xact_tuples_deleted(r.oid::oid)) FROM ` + versions(most) + `), r.rows) ELSE r.rows END AS rows,
 r.schema, r.name, r.kind, r.temporary, r.exclusive, r.deferring, r.stamp
FROM (SELECT *, pg_catalog.sum(rows) OVER () AS all_rows FROM (` + relations + `) AS r ` + columns + `) r`
}

// versions is the number of rows of the relation r with a version of this transaction's,
// as v (n): NULL if there are more than most. Only ts_stat runs a text in every
// server, and tells how many of its rows hold a word.
func versions(most int64) string {
	text := `SELECT ''n''::pg_catalog.tsvector FROM ONLY %I.%I WHERE pg_catalog.age(xmin) <= pg_catalog.age(%L::pg_catalog.xid) LIMIT ` +
		strconv.FormatInt(most+1, 10)
	return `(SELECT NULLIF(COALESCE(pg_catalog.sum(s.ndoc), 0), ` + strconv.FormatInt(most+1, 10) + `) AS n FROM pg_catalog.ts_stat(
  pg_catalog.format('` + text + `', r.schema, r.name, pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.xid)) s) v`
}

// once corrects a total that is beyond the limit.
func (c *postgresCounter) once(ctx context.Context, t *postgresTotal) error {
	limit := c.f.op.Limit()
	often := slices.ContainsFunc(t.changed, func(r relation) bool { return r.rows > 1 })
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
	err := c.read(ctx, eachOnce("VALUES "+strings.Join(rows, ", "), limit), func(r *relation) {
		if was := at[r.oid]; was != nil {
			t.Rows -= was.rows - r.rows
			was.rows = r.rows
		}
	})
	t.changed = slices.DeleteFunc(t.changed, func(r relation) bool { return r.rows == 0 })
	return err
}
