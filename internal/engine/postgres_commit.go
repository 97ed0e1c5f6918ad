package engine

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// The guard ends its own transaction with one text without arguments, which every driver
// sends as one message: it fires deferred triggers, counts, raises if the count is refused,
// commits, and returns the count. The count is in the command tag of the last statement, as
// the difference to the statement's own rows, because every row that a tag counts is sent. An
// adapter that can pipeline reads the count where it is made. The counters must have been
// empty when the transaction began.

// close requires that the counters were flushed before, and has them flushed after.
func (c *postgresCounter) close(ctx context.Context, affected int64) (can bool, count dbguard.Count, refused bool, err error) {
	p := c.p
	switch {
	case c.baselineStored:
		return c.closeNested(ctx)
	case c.f.strategy != ownTx || !c.startedEmpty || c.f.st.changesSchema:
		return false, count, false, nil
	}
	rows, err := c.countAndCommit(ctx, affected)
	if err == nil {
		p.noteFlush(ownTx)
		return true, c.keptCount(rows, affected), false, nil
	}
	word, value := raised(err)
	if word != raisedOver {
		return true, count, false, err
	}
	count, err = c.undoRefused(ctx, value)
	return true, count, true, err
}

// countAndCommit sends the text, or reads the replies that are there already.
func (c *postgresCounter) countAndCommit(ctx context.Context, affected int64) (rows int64, err error) {
	conn := c.p.conn
	if e := c.f.s.pipeline; e != nil && len(e.replies) > 0 {
		if _, err := conn.Exec(ctx, setConstraintsImmediate); err != nil {
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
	tag, err := conn.Exec(ctx, strings.Join([]string{setConstraintsImmediate, keep, "COMMIT", tagDifferenceText(own)}, ";\n"))
	if tag%2 != 0 {
		return own - (tag+1)/2, err
	}
	return own + tag/2, err
}

// keptCount is the count of a statement that was committed. Rows beyond its own are in tables
// that it does not name.
func (c *postgresCounter) keptCount(rows, affected int64) dbguard.Count {
	count := dbguard.Count{Rows: rows}
	if x := c.f.st.simple(); x != nil && affected >= 0 && affected < rows {
		count.Tables = []dbguard.TableRows{
			{Table: c.f.st.op.Acts[0].Object, Rows: affected},
			{Rows: rows - affected, Via: "foreign key, " + viaCode},
		}
	}
	return count
}

// undoRefused rolls a refused statement back, and says in which tables its rows were.
func (c *postgresCounter) undoRefused(ctx context.Context, value string) (dbguard.Count, error) {
	undo := c.f.closeFrame(ctx, c.f.frame.undo)
	var t postgresTotal
	text, err := hex.DecodeString(value)
	if err != nil {
		return dbguard.Count{Rows: -1}, err
	}
	var changed []struct {
		OID          int64
		Rows         int64
		Total        int64 // in the caller's transaction, including the baseline
		Schema, Name string
		Kind         string
		Temporary    bool
		Exclusive    bool
	}
	if err := json.Unmarshal(text, &changed); err != nil {
		return dbguard.Count{Rows: -1}, err
	}
	for _, r := range changed {
		c.rememberRows(&relation{oid: r.OID, schema: r.Schema, rows: r.Total})
		t.add(&relation{oid: r.OID, schema: r.Schema, name: r.Name, kind: r.Kind, temporary: r.Temporary, rows: r.Rows, exclusive: r.Exclusive}, false)
	}
	t.settle()
	if undo != nil {
		return t.Count, undo
	}
	t.Tables, err = c.tableRows(ctx, t.changed)
	return t.Count, err
}

// totalText counts, and has the counters flushed.
func (c *postgresCounter) totalText() string {
	return c.p.totalCache.get(c, func(counts string, limit int64) string {
		return totalText("("+distinctRowsText(counts, limit, c.noUndo)+")", limit)
	})
}

// textCache keeps a text that takes long to build, with the inputs that it was built from.
type textCache struct {
	limit    int64
	runsCode bool
	fresh    string
	text     string
}

func (l *textCache) get(c *postgresCounter, write func(counts string, limit int64) string) string {
	now := textCache{limit: c.f.op.Limit(), runsCode: c.mayHoldCursor(), fresh: c.noUndo, text: l.text}
	if l.text == "" || *l != now {
		now.text = write(c.countsText(true), now.limit)
		*l = now
	}
	return l.text
}

// totalText is the sum over relations, as n; it raises if that is to be refused.
func totalText(relations string, limit int64) string {
	return `SELECT CASE WHEN t.refused OR t.n > ` + strconv.FormatInt(limit, 10) + `
  THEN ` + raiseWith(raisedOver, "pg_catalog.encode(pg_catalog.convert_to(t.tables, 'UTF8'), 'hex')") + ` ELSE t.n END AS n
 FROM (SELECT COALESCE(pg_catalog.sum(r.rows) FILTER (WHERE r.kind IN ('r', 'm') AND NOT r.temporary), 0)::int8 AS n,
   COALESCE(pg_catalog.bool_or(r.kind = 'f' OR r.exclusive AND NOT r.temporary OR r.oid = 0 OR r.kind = '` + holdCursorKind + `' AND r.rows > 0), false) AS refused,
   COALESCE(pg_catalog.json_agg(r)::text, '[]') AS tables FROM ` + relations + ` r) t`
}

// tagDifferenceText encodes the difference between the count and the statement's own rows in
// the number of rows of its tag: doubled if positive, odd if negative.
func tagDifferenceText(own int64) string {
	n := strconv.FormatInt(own, 10)
	return `SELECT FROM (SELECT pg_catalog.current_setting('dbguard.rows')::int8 - ` + n + ` AS more) c, pg_catalog.generate_series(1, CASE WHEN more < 0 THEN -2 * more - 1 ELSE 2 * more END)`
}

// textsAfter are the texts that End will send: they go along with the statement in any case.
func (c *postgresCounter) textsAfter() []string {
	switch {
	case c.p.major < 0:
		return nil
	case c.baselineStored:
		return append([]string{c.judgeText()}, c.f.frame.keep...)
	case c.f.strategy != ownTx:
		return []string{c.countsText(c.p.canFlush())}
	case c.startedEmpty && c.f.op.Plain() && !c.f.st.changesSchema:
		return []string{setConstraintsImmediate, c.totalText(), "COMMIT"}
	}
	return []string{setConstraintsImmediate, c.countsText(c.p.canFlush())}
}

// setConstraintsImmediate checks deferred constraints and fires deferred triggers now.
const setConstraintsImmediate = "SET CONSTRAINTS ALL IMMEDIATE"
