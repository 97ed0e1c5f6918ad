package engine

import (
	"context"
	"encoding/json"

	"github.com/dbguard/dbguard-go/dbguard"
)

// In the caller's transaction a statement that goes in one flight is judged there,
// too: what the counters held before it is kept in settings of the transaction's,
// and the text after it compares, raises where that is too much, and has its
// savepoint released behind it. One setting is about relations that are locked, and
// made each time, unless the statement before was such a one: what that was counted by
// in the end is what the next one begins with. The other is about all others: counts
// of earlier transactions, and of what was undone.

// tells reports that the server can be told what was counted before.
func (c *postgresCounter) tells() bool {
	e := c.f.s.pipeline
	return e != nil && e.holding && c.f.strategy == inCallerTx && c.f.op.Plain() && c.p.canFlush() && !c.f.st.changesSchema
}

// tell has it keep that.
func (c *postgresCounter) tell(ctx context.Context) error {
	p := c.p
	if p.ahead || p.stale && p.pending == nil {
		p.ahead = true // until it is certain that the server has kept it
		pending := map[int64]int64{}
		if err := c.keeps(ctx, keepText("dbguard.pending", "("+p.allCounts()+")"), func(r *former) { pending[r.OID] = r.Rows }); err != nil {
			return err
		}
		p.pending = pending
	}
	if p.told > 0 && p.texts == p.told+1 && p.pending != nil && !p.ahead && !c.runsCode() {
		return nil
	}
	return c.keeps(ctx, keepText("dbguard.before", "("+c.counts(false)+")"), func(r *former) { c.held(r.OID, r.Rows, r.Exclusive, r.Stamp) })
}

// former is what the server was told of a relation.
type former struct {
	OID, Rows int64
	Exclusive bool
	Stamp     string
}

func (c *postgresCounter) keeps(ctx context.Context, text string, each func(*former)) error {
	return c.p.conn.Query(ctx, text, func(v []any) error {
		var all []former
		err := json.Unmarshal([]byte(asText(v[0])), &all)
		for i := range all {
			each(&all[i])
		}
		return err
	})
}

// closeNested reads what the server has found, and releases the savepoint.
func (c *postgresCounter) closeNested(ctx context.Context) (can bool, count dbguard.Count, refused bool, err error) {
	p, limit := c.p, c.f.op.Limit()
	p.ranCode()
	var t postgresTotal
	later, exclusive := false, len(c.locked) > 0
	err = c.read(ctx, c.judgeText(), func(r *relation) {
		later, exclusive = later || r.deferring, exclusive || r.exclusive
		c.leave(r)
		r.rows = r.judged
		t.add(r, c.same(r))
	})
	if err == nil {
		err = c.f.s.exec(ctx, c.f.frame.keep)
	}
	if err == nil {
		if later {
			p.putsOff(limit, t.Rows)
		}
		if p.ahead = false; !exclusive {
			p.told = p.texts
		}
		p.flushes(inCallerTx)
		return true, t.Count, false, nil
	}
	p.ahead = true
	word, value := raised(err)
	if word != raisedOver {
		return true, count, false, err
	}
	count, err = c.undone(ctx, value)
	return true, count, true, err
}

const columns = `(oid, rows, schema, name, kind, temporary, exclusive, deferring, stamp)`

func keepText(setting, counts string) string {
	return `SELECT pg_catalog.set_config('` + setting + `', COALESCE((SELECT pg_catalog.json_agg(r)::text FROM ` + counts + ` AS r ` + columns + `), '[]'), true)`
}

// keptAs are the counts of such a setting.
func keptAs(setting, as string) string {
	return `pg_catalog.json_to_recordset(COALESCE(NULLIF(pg_catalog.current_setting('` + setting + `', true), ''), '[]')::pg_catalog.json) AS ` + as + ` (oid int8, rows int8, exclusive bool, stamp text) ON ` + as + `.oid = c.oid`
}

func (c *postgresCounter) judgeText() string { return c.p.judge.of(c, judgeText) }

// judgeText is counts that raises where that goes beyond the limit, and else, and
// not before, keeps what is counted for the next statement.
func judgeText(counts string, limit int64) string {
	since := `SELECT c.oid, c.rows - COALESCE(b.rows, p.rows, 0), c.schema, c.name, c.kind, c.temporary, c.exclusive AND NOT COALESCE(b.exclusive AND b.stamp = c.stamp, false), c.deferring, c.stamp
 FROM c LEFT JOIN ` + keptAs("dbguard.before", "b") + ` LEFT JOIN ` + keptAs("dbguard.pending", "p")
	return `WITH c ` + columns + ` AS MATERIALIZED (` + counts + `
), d AS MATERIALIZED (SELECT r.*, c.rows AS total FROM c JOIN (` + eachOnce(since, limit, "") + `) r ON r.oid = c.oid
), v AS MATERIALIZED (` + totalText("d", limit) + `
), k (kept) AS MATERIALIZED (` + keepText("dbguard.before", "c") + ` FROM v WHERE v.n IS NOT NULL
) SELECT d.oid, d.total, d.schema, d.name, d.kind, d.temporary, d.exclusive, d.deferring, d.stamp, d.rows FROM k, d WHERE k.kept IS NOT NULL`
}
