package engine

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// A transaction of the guard's is closed by one text without arguments, which
// every driver sends as one message: it has deferred triggers fire now, counts,
// raises where the count refuses, commits, and tells the count. The tag of its last
// command does that: how many rows more than the statement's own there are, as every
// row that a tag counts is sent. A door that sends several texts in one flight reads
// the count where it is made. The counters must have been empty when it began.

// close has to find the counters flushed, and leaves them so.
func (c *postgresCounter) close(ctx context.Context, affected int64) (can bool, count dbguard.Count, refused bool, err error) {
	p := c.p
	switch {
	case c.told:
		return c.closeNested(ctx)
	case c.f.strategy != ownTx || !c.clean || c.f.st.changesSchema:
		return false, count, false, nil
	}
	rows, err := c.finish(ctx, affected)
	if err == nil {
		p.flushes(ownTx)
		return true, c.kept(rows, affected), false, nil
	}
	word, value := raised(err)
	if word != raisedOver {
		return true, count, false, err
	}
	count, err = c.undone(ctx, value)
	return true, count, true, err
}

// finish sends the text, or finds it answered, and returns the count.
func (c *postgresCounter) finish(ctx context.Context, affected int64) (rows int64, err error) {
	conn := c.p.conn
	if e := c.f.s.pipeline; e != nil && len(e.replies) > 0 {
		if _, err := conn.Exec(ctx, constraintsNow); err != nil {
			return 0, err
		}
		n, err := askInts(ctx, conn, c.totalText())
		if err != nil {
			return 0, err
		}
		_, err = conn.Exec(ctx, "COMMIT")
		return n[0], err
	}
	own := int64(0)
	if c.f.st.simple() != nil {
		own = max(affected, 0)
	}
	keep := `SELECT pg_catalog.set_config('dbguard.rows', v.n::text, false) FROM (` + c.totalText() + `) v`
	tag, err := conn.Exec(ctx, strings.Join([]string{constraintsNow, keep, "COMMIT", beyondText(own)}, ";\n"))
	if tag%2 != 0 {
		return own - (tag+1)/2, err
	}
	return own + tag/2, err
}

// kept is the count of what the server let stand. Rows beyond the statement's
// own are in tables that it does not name.
func (c *postgresCounter) kept(rows, affected int64) dbguard.Count {
	count := dbguard.Count{Rows: rows}
	if x := c.f.st.simple(); x != nil && affected >= 0 && affected < rows {
		count.Tables = []dbguard.TableRows{
			{Table: c.f.st.op.Acts[0].Object, Rows: affected},
			{Rows: rows - affected, Via: "foreign key, " + viaCode},
		}
	}
	return count
}

// undone rolls back what was refused, and says where its rows are.
func (c *postgresCounter) undone(ctx context.Context, value string) (dbguard.Count, error) {
	undo := c.f.closeFrame(ctx, c.f.frame.undo)
	var t postgresTotal
	text, err := hex.DecodeString(value)
	if err != nil {
		return dbguard.Count{Rows: -1}, err
	}
	var changed []struct {
		OID          int64
		Rows         int64
		Total        int64 // in the caller's transaction, with what was counted before
		Schema, Name string
		Kind         string
		Temporary    bool
		Exclusive    bool
	}
	if err := json.Unmarshal(text, &changed); err != nil {
		return dbguard.Count{Rows: -1}, err
	}
	for _, r := range changed {
		c.leave(&relation{oid: r.OID, schema: r.Schema, rows: r.Total})
		t.add(&relation{oid: r.OID, schema: r.Schema, name: r.Name, kind: r.Kind, temporary: r.Temporary, rows: r.Rows, exclusive: r.Exclusive}, false)
	}
	t.settle()
	if undo != nil {
		return t.Count, undo
	}
	t.Tables, err = c.tables(ctx, t.changed)
	return t.Count, err
}

// totalText counts, and has the counters flushed.
func (c *postgresCounter) totalText() string {
	return c.p.total.of(c, func(counts string, limit int64) string {
		return totalText("("+eachOnce(counts, limit, c.fresh)+")", limit)
	})
}

// longText is a text that takes long to write, for the bound that it was last written for.
type longText struct {
	limit    int64
	runsCode bool
	fresh    string
	text     string
}

func (l *longText) of(c *postgresCounter, write func(counts string, limit int64) string) string {
	now := longText{limit: c.f.op.Limit(), runsCode: c.runsCode(), fresh: c.fresh, text: l.text}
	if l.text == "" || *l != now {
		now.text = write(c.counts(true), now.limit)
		*l = now
	}
	return l.text
}

// totalText adds relations up, as n, and raises where they are to be refused.
func totalText(relations string, limit int64) string {
	return `SELECT CASE WHEN t.refused OR t.n > ` + strconv.FormatInt(limit, 10) + `
  THEN ` + raiseWith(raisedOver, "pg_catalog.encode(pg_catalog.convert_to(t.tables, 'UTF8'), 'hex')") + ` ELSE t.n END AS n
 FROM (SELECT COALESCE(pg_catalog.sum(r.rows) FILTER (WHERE r.kind IN ('r', 'm') AND NOT r.temporary), 0)::int8 AS n,
   COALESCE(pg_catalog.bool_or(r.kind = 'f' OR r.exclusive AND NOT r.temporary OR r.oid = 0 OR r.kind = '` + heldCursors + `' AND r.rows > 0), false) AS refused,
   COALESCE(pg_catalog.json_agg(r)::text, '[]') AS tables FROM ` + relations + ` r) t`
}

// beyondText has a tag tell how far the count is from the statement's own rows: twice
// as many if there are more, and an odd number if there are fewer.
func beyondText(own int64) string {
	n := strconv.FormatInt(own, 10)
	return `SELECT FROM (SELECT pg_catalog.current_setting('dbguard.rows')::int8 - ` + n + ` AS more) c, pg_catalog.generate_series(1, CASE WHEN more < 0 THEN -2 * more - 1 ELSE 2 * more END)`
}

// textsAfter is what End will ask: whatever it is, it is sent with the statement.
func (c *postgresCounter) textsAfter() []string {
	switch {
	case c.p.major < 0:
		return nil
	case c.told:
		return append([]string{c.judgeText()}, c.f.frame.keep...)
	case c.f.strategy != ownTx:
		return []string{c.counts(c.p.canFlush())}
	case c.clean && c.f.op.Plain() && !c.f.st.changesSchema:
		return []string{constraintsNow, c.totalText(), "COMMIT"}
	}
	return []string{constraintsNow, c.counts(c.p.canFlush())}
}

// constraintsNow has deferred constraints and triggers looked at.
const constraintsNow = "SET CONSTRAINTS ALL IMMEDIATE"
