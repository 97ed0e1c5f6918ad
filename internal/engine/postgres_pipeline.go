package engine

import (
	"context"
	"encoding/json"

	"github.com/dbguard/dbguard-go/dbguard"
)

// In the caller's transaction the server judges a statement that is pipelined with its
// savepoint. The baseline is kept in two settings of the transaction; the text after the
// statement compares with it, raises if there are too many rows, and is followed by the
// RELEASE of the savepoint. One setting, dbguard.before, is about relations that are locked.
// It is written before each statement, unless the previous one was judged in this way: then
// its final counts are the baseline already. The other, dbguard.pending, is about all other
// relations: counts of earlier transactions, and of what was undone.

// canStoreBaseline reports that the baseline can be stored on the server.
func (c *postgresCounter) canStoreBaseline() bool {
	e := c.f.s.pipeline
	return e != nil && e.holding && c.f.strategy == inCallerTx && c.f.op.Plain() && c.p.canFlush() && !c.f.st.changesSchema
}

// storeBaseline has the server store whatever is not stored yet.
func (c *postgresCounter) storeBaseline(ctx context.Context) error {
	p := c.p
	if p.pendingOutdated || p.stale && p.pending == nil {
		p.pendingOutdated = true // until the server is known to have stored it
		pending := map[int64]int64{}
		if err := c.storeSetting(ctx, storeText("dbguard.pending", "("+p.allCounts()+")"), func(r *storedRelation) { pending[r.OID] = r.Rows }); err != nil {
			return err
		}
		p.pending = pending
	}
	if p.savedAfter > 0 && p.textCount == p.savedAfter+1 && p.pending != nil && !p.pendingOutdated && !c.mayHoldCursor() {
		return nil
	}
	return c.storeSetting(ctx, storeText("dbguard.before", "("+c.countsText(false)+")"), func(r *storedRelation) { c.recordBaseline(r.OID, r.Rows, r.Exclusive, r.Stamp) })
}

// storedRelation is what was stored of a relation.
type storedRelation struct {
	OID, Rows int64
	Exclusive bool
	Stamp     string
}

func (c *postgresCounter) storeSetting(ctx context.Context, text string, each func(*storedRelation)) error {
	return c.p.conn.Query(ctx, text, func(v []any) error {
		var all []storedRelation
		err := json.Unmarshal([]byte(AsText(v[0])), &all)
		for i := range all {
			each(&all[i])
		}
		return err
	})
}

// closeNested reads the server's verdict, and releases the savepoint.
func (c *postgresCounter) closeNested(ctx context.Context) (can bool, count dbguard.Count, refused bool, err error) {
	p, limit := c.p, c.f.op.Limit()
	p.noteUserCode()
	var t postgresTotal
	anyDeferrable, anyExclusive := false, len(c.lockedStamps) > 0
	err = c.readRelations(ctx, c.judgeText(), func(r *relation) {
		anyDeferrable, anyExclusive = anyDeferrable || r.deferrable, anyExclusive || r.exclusive
		c.rememberRows(r)
		r.rows = r.judgedRows
		t.add(r, c.unchanged(r))
	})
	if err == nil {
		err = c.f.s.exec(ctx, c.f.frame.keep)
	}
	if err == nil {
		if anyDeferrable {
			p.noteDeferred(limit, t.Rows)
		}
		if p.pendingOutdated = false; !anyExclusive {
			p.savedAfter = p.textCount
		}
		p.noteFlush(inCallerTx)
		return true, t.Count, false, nil
	}
	p.pendingOutdated = true
	word, value := raised(err)
	if word != raisedOver {
		return true, count, false, err
	}
	count, err = c.undoRefused(ctx, value)
	return true, count, true, err
}

const relationColumns = `(oid, rows, schema, name, kind, temporary, exclusive, deferring, stamp)`

func storeText(setting, counts string) string {
	return `SELECT pg_catalog.set_config('` + setting + `', COALESCE((SELECT pg_catalog.json_agg(r)::text FROM ` + counts + ` AS r ` + relationColumns + `), '[]'), true)`
}

// storedAs joins the relations that were stored in a setting.
func storedAs(setting, as string) string {
	return `pg_catalog.json_to_recordset(COALESCE(NULLIF(pg_catalog.current_setting('` + setting + `', true), ''), '[]')::pg_catalog.json) AS ` + as + ` (oid int8, rows int8, exclusive bool, stamp text) ON ` + as + `.oid = c.oid`
}

func (c *postgresCounter) judgeText() string { return c.p.judgeCache.get(c, writeJudgeText) }

// writeJudgeText compares counts with the baseline, raises beyond the limit, and otherwise, never
// earlier, stores the counts for the next statement.
func writeJudgeText(counts string, limit int64) string {
	since := `SELECT c.oid, c.rows - COALESCE(b.rows, p.rows, 0), c.schema, c.name, c.kind, c.temporary, c.exclusive AND NOT COALESCE(b.exclusive AND b.stamp = c.stamp, false), c.deferring, c.stamp
 FROM c LEFT JOIN ` + storedAs("dbguard.before", "b") + ` LEFT JOIN ` + storedAs("dbguard.pending", "p")
	return `WITH c ` + relationColumns + ` AS MATERIALIZED (` + counts + `
), d AS MATERIALIZED (SELECT r.*, c.rows AS total FROM c JOIN (` + distinctRowsText(since, limit, "") + `) r ON r.oid = c.oid
), v AS MATERIALIZED (` + totalText("d", limit) + `
), k (kept) AS MATERIALIZED (` + storeText("dbguard.before", "c") + ` FROM v WHERE v.n IS NOT NULL
) SELECT d.oid, d.total, d.schema, d.name, d.kind, d.temporary, d.exclusive, d.deferring, d.stamp, d.rows FROM k, d WHERE k.kept IS NOT NULL`
}
