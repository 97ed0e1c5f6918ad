package engine

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// postgresCounter reads the counters that the server keeps per transaction and relation
// (pg_stat_get_xact_tuples_*). They include rows changed in any way: by cascade, trigger,
// rule, function, EXECUTE, partition move. Which relations to read follows from the locks:
// whoever deletes or changes a row holds a RowExclusiveLock on its relation to the end of
// the transaction. DROP, TRUNCATE and ALTER hold an AccessExclusiveLock.
//
// The counters are never reset, only flushed, and keep what a rolled-back savepoint
// changed. So a statement's count is the difference to a baseline.
type postgresCounter struct {
	p              *postgres
	f              *Flight
	baselineRows   map[int64]int64
	lockedStamps   map[int64]string // of relations with an AccessExclusiveLock before the statement
	unnamed        map[int64]string // versions of the tables that a text about structure does not name
	startedEmpty   bool             // the counters were empty, and the server flushes on demand
	noUndo         string           // condition that they hold nothing that was undone; "": they may
	baselineStored bool             // on the server: see postgres_pipeline.go
}

// relation is one that the transaction has changed or locked.
type relation struct {
	oid          int64
	schema, name string
	kind         string // pg_class.relkind
	temporary    bool
	rows         int64
	exclusive    bool   // dropped, emptied or altered, and not created here
	deferrable   bool   // has a trigger that may fire at the COMMIT
	stamp        string // of an exclusive one: changes if it is dropped, emptied, rewritten or loses a column
	judgedRows   int64  // the statement's, as counted by the server
}

func (c *postgresCounter) survey(ctx context.Context) (string, error) {
	if c.p.major < 0 {
		return affectedCounter{c.f.st}.survey(ctx)
	}
	if note := c.whyUntrusted(); note != "" {
		return note, nil
	}
	if c.f.strategy == ownTx && c.p.stale && c.p.canFlush() {
		if _, err := c.p.conn.Exec(ctx, "SELECT pg_catalog.pg_stat_force_next_flush()"); err != nil {
			return "", err
		}
		c.p.stale = false
	}
	return "", nil
}

// whyUntrusted says why the counters, or comparisons of their values, cannot be relied on.
func (c *postgresCounter) whyUntrusted() string {
	switch st := c.f.st; {
	case c.p.operatorShadowed:
		return "an operator of this database takes the place of one of the server's own"
	case c.p.countersOff, (st.opaque || st.calls) && containsFold(c.f.callerText, "track_counts"):
		return "code in this database turns track_counts off, or kills rows uncounted"
	case (st.opaque || st.calls) && containsFold(c.f.callerText, "heap_force_"):
		return "rows that pg_surgery kills are not counted"
	case (st.opaque || st.calls) && dblinkMayWrite(c.f.reading(), c.f.args):
		return "what dblink does on another connection is neither counted nor undone"
	}
	return ""
}

// maySkipRows reports that the statement may be an UPDATE that a rule replaces.
func (c *postgresCounter) maySkipRows() bool {
	x := c.f.st.simple()
	return x != nil && x.op.Kind == sqlscan.Update && c.p.unrewritable.has(c.f.st.op.Text)
}

// baseline is what the counters hold before the statement: in a transaction of the guard's
// nothing, once they are flushed.
func (c *postgresCounter) baseline(ctx context.Context) (string, error) {
	p := c.p
	if err := c.recordUnnamed(ctx); err != nil {
		return "", err
	}
	if p.major < 0 || c.f.strategy == ownTx && !p.stale {
		c.startEmpty()
		return "", nil
	}
	c.baselineRows, c.lockedStamps = map[int64]int64{}, map[int64]string{}
	switch {
	case c.f.strategy == ownTx: // nothing is locked yet; what it leaves behind the next one reads again
		return "", c.readRelations(ctx, p.allCounts(), func(r *relation) { c.baselineRows[r.oid] = r.rows })
	case c.canStoreBaseline():
		c.baselineStored = true
		return "", c.storeBaseline(ctx)
	}
	if p.stale && p.pending == nil {
		p.pending = map[int64]int64{}
		if err := c.readRelations(ctx, p.allCounts(), func(r *relation) { p.pending[r.oid], p.pendingOutdated = r.rows, true }); err != nil {
			p.pending = nil
			return "", err
		}
	}
	return "", c.readRelations(ctx, c.countsText(false), func(r *relation) { c.recordBaseline(r.oid, r.rows, r.exclusive, r.stamp) })
}

// recordBaseline keeps a relation's count, and its stamp if it was exclusively locked.
func (c *postgresCounter) recordBaseline(oid, rows int64, exclusive bool, stamp string) {
	if c.baselineRows[oid] = rows; exclusive {
		c.lockedStamps[oid] = strings.Clone(stamp)
	}
}

// unchanged reports that a relation was exclusively locked before, and has the same stamp.
func (c *postgresCounter) unchanged(r *relation) bool {
	stamp, ok := c.lockedStamps[r.oid]
	return ok && stamp == r.stamp
}

func (c *postgresCounter) count(ctx context.Context, affected int64) (dbguard.Count, error) {
	p := c.p
	if p.major < 0 {
		return dbguard.Count{Rows: affected}, nil
	}
	p.noteUserCode()
	t := postgresTotal{reshapes: c.f.st.changesSchema}
	anyDeferrable := false
	err := c.readRelations(ctx, c.countsText(p.canFlush()), func(r *relation) {
		was := c.rowsBefore(r.oid)
		anyDeferrable = anyDeferrable || r.deferrable
		c.rememberRows(r)
		r.rows -= was
		t.add(r, c.unchanged(r))
	})
	if err != nil {
		return t.Count, err
	}
	if err := c.checkUnnamed(ctx, &t); err != nil {
		return t.Count, err
	}
	if err := c.countDistinct(ctx, &t); err != nil {
		return t.Count, err
	}
	t.settle()
	if anyDeferrable && c.f.strategy == inCallerTx {
		p.noteDeferred(c.f.op.Limit(), t.Rows)
	}
	p.noteFlush(c.f.strategy)
	if c.f.op.Plain() && !t.Structure && t.Rows >= 0 && t.Rows <= c.f.op.Limit() {
		return t.Count, nil // nobody needs the tables
	}
	p.pendingOutdated = true // it may be undone
	t.Tables, err = c.tableRows(ctx, t.changed)
	return t.Count, err
}

// noteUserCode notes that a statement may have run user code, which can change tables that
// were verified, and open cursors.
func (p *postgres) noteUserCode() { p.verified, p.writingCursors = nil, true }

// rowsBefore is what a relation's counters held before the statement.
func (c *postgresCounter) rowsBefore(oid int64) int64 {
	if n, ok := c.baselineRows[oid]; ok || c.baselineRows == nil || c.f.strategy == ownTx {
		return n
	}
	return c.p.pending[oid]
}

// postgresTotal is a sum over relations.
type postgresTotal struct {
	dbguard.Count
	changed     []relation
	uncountable bool
	reshapes    bool       // the text changes structure: rows of materialized views may be rebuilt
	locked      []relation // exclusively, by such a text, which need not have changed them
}

// add adds a relation's rows. same says that it was exclusively locked before the statement,
// and has not changed since.
func (t *postgresTotal) add(r *relation, same bool) {
	switch {
	case r.oid == 0: // the first row: track_counts is off
		t.uncountable = true
	case r.temporary:
	case r.kind == holdCursorKind && r.rows > 0:
		t.uncountable = true
	case r.kind == "f":
		t.uncountable = true // changes on a foreign server are not counted here
	case r.rows > 0 && (r.kind == "r" || r.kind == "m" && !t.reshapes):
		t.Rows += r.rows
		t.changed = append(t.changed, *r)
	}
	switch {
	case !r.exclusive || r.temporary:
	case t.reshapes:
		t.locked = append(t.locked, *r)
	case !same:
		t.Structure = true
	}
}

func (t *postgresTotal) settle() {
	if t.uncountable {
		t.Rows = -1
	}
}

// runDeferred fires deferred triggers, which would otherwise fire at the COMMIT, after the count. In
// the caller's transaction they are left to the caller's COMMIT.
func (c *postgresCounter) runDeferred(ctx context.Context) error {
	if c.f.strategy != ownTx || c.p.major < 0 {
		return nil
	}
	_, err := c.p.conn.Exec(ctx, setConstraintsImmediate)
	return err
}

// rememberRows keeps what a relation's counters hold. If the statement is undone, by the guard
// or by a ROLLBACK TO of the caller's, the counts stay, but not the lock by which the next
// baseline would find the relation.
func (c *postgresCounter) rememberRows(r *relation) {
	if c.f.strategy == ownTx {
		return
	}
	if c.p.pending == nil {
		c.p.pending = map[int64]int64{}
	}
	c.p.pending[r.oid] = r.rows
	if r.schema == "" && r.rows > 0 && r.oid >= 16384 && !slices.Contains(c.p.invisible, r.oid) {
		c.p.invisible = append(c.p.invisible, r.oid)
	}
}

// noteFlush notes that the counters will be flushed when the transaction ends.
func (p *postgres) noteFlush(w strategy) {
	switch {
	case !p.canFlush():
	case w == ownTx:
		p.stale = false
	default:
		p.flushing = true
	}
}

// readRelations calls each for every relation that the query answers with.
func (c *postgresCounter) readRelations(ctx context.Context, text string, each func(*relation)) error {
	return c.p.conn.Query(ctx, text, func(v []any) error {
		var r relation
		var err error
		if r.oid, err = asInt(v[0]); err != nil {
			return err
		}
		if r.rows, err = asInt(v[1]); err != nil {
			return err
		}
		r.schema, r.name, r.kind = AsText(v[2]), AsText(v[3]), AsText(v[4])
		r.temporary, r.exclusive, r.deferrable = asBool(v[5]), asBool(v[6]), asBool(v[7])
		r.stamp = AsText(v[8])
		if len(v) > 9 {
			r.judgedRows, err = asInt(v[9])
		}
		each(&r)
		return err
	})
}

// changesOf is the number of updates and deletes that the server has counted in the relation.
func changesOf(oid string) string {
	return "pg_catalog.pg_stat_get_xact_tuples_updated(" + oid + ") + pg_catalog.pg_stat_get_xact_tuples_deleted(" + oid + ")"
}

// allCounts reads the counters of every relation. That is slow with thousands of them, but
// needed only if something before the caller's transaction was not guarded. Tables that the
// snapshot does not show are read by their OIDs.
func (p *postgres) allCounts() string {
	text := allCountsText
	for _, oid := range p.invisible {
		text += strings.ReplaceAll("\nUNION ALL SELECT {oid}::int8, "+changesOf("c.oid")+", ''::text, ''::text, 'r'::text, false, false, false, ''::text FROM (VALUES ({oid}::pg_catalog.oid)) AS c (oid)",
			"{oid}", strconv.FormatInt(oid, 10))
	}
	return text
}

var allCountsText = `SELECT c.oid::int8, ` + changesOf("c.oid") + `, ''::text, ''::text, c.relkind::text, false, false, false, ''::text
FROM pg_catalog.pg_class c WHERE (c.oid >= 16384 OR c.oid = 2613) AND c.relkind IN ('r', 'm') AND ` + changesOf("c.oid") + ` > 0`

// relationsText selects the relations that this transaction has changed or exclusively
// locked. OIDs below 16384 are system relations; of those only pg_largeobject counts, 2613,
// on which no lock is held. A relation that the transaction itself created is recognised by
// the row of its ctid column in pg_attribute, which ALTER never rewrites. Indexes, views and
// composite types have none, and lose nothing as long as they exist. A relation that was
// dropped has no row in pg_class.
//
// A first row with OID 0 says that the server does not count. The calls are part of the
// condition for that row.
func relationsText(calls string) string {
	return `SELECT 0::int8, 0::int8, ''::text, ''::text, ''::text, false, false, false, ''::text
WHERE pg_catalog.current_setting('track_counts') = 'off'` + calls + `
UNION ALL
` + lockedRelations
}

// Calls for relationsText, made once each and never NULL: one has the counters flushed at the
// end of the transaction, the other makes the transaction read-only.
const (
	flushCall    = " OR pg_catalog.pg_stat_force_next_flush() IS NULL"
	readOnlyCall = " OR pg_catalog.set_config('transaction_read_only', 'on', true) IS NULL"
)

// A table created after the transaction's snapshot is not in pg_class for it, although frozen
// rows of that table can be found and changed.
var lockedRelations = `SELECT l.relation::int8 AS oid, COALESCE(` + changesOf("l.relation") + `, 0) AS rows, COALESCE(n.nspname::text, '') AS schema,
  COALESCE(c.relname::text, l.relation::pg_catalog.regclass::text) AS name, COALESCE(c.relkind::text, CASE WHEN ` + changesOf("l.relation") + ` > 0 THEN 'r' ELSE '' END) AS kind, COALESCE(c.relpersistence = 't', false) AS temporary,
  l.exclusive AND COALESCE(c.relkind NOT IN ('i', 'I', 'v', 'c'), true) AND NOT COALESCE((SELECT pg_catalog.age(a.xmin) <= pg_catalog.age(pg_catalog.pg_current_xact_id_if_assigned()::xid)
    FROM pg_catalog.pg_attribute a WHERE a.attrelid = l.relation AND a.attnum = -1), false) AS exclusive,
  EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = l.relation AND g.tgdeferrable AND g.tgfoid NOT IN ` + harmlessTriggers + `) AS deferring,
  CASE WHEN l.exclusive THEN pg_catalog.concat(COALESCE(pg_catalog.pg_relation_filenode(l.relation)::text, c.relkind::text), ' ',
    (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = l.relation AND a.attisdropped)) END AS stamp
FROM (SELECT relation, bool_or(mode = 'AccessExclusiveLock') AS exclusive FROM pg_catalog.pg_locks
  WHERE locktype = 'relation' AND pid = pg_catalog.pg_backend_pid() AND granted AND relation >= 16384
    AND mode IN ('RowExclusiveLock', 'AccessExclusiveLock') GROUP BY relation
  UNION ALL SELECT 2613, false) l
LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`

// holdCursorKind marks cursors WITH HOLD that the transaction has opened: their queries run
// at the COMMIT, and may write. The text of one that the caller opens is judged itself.
const holdCursorKind = "held"

const holdCursorsText = `
UNION ALL
SELECT 1::int8, pg_catalog.count(*), ''::text, ''::text, '` + holdCursorKind + `'::text, false, false, false, ''::text
FROM pg_catalog.pg_cursors k WHERE k.is_holdable AND k.creation_time >= pg_catalog.now()`

// countsText is relationsText, with cursors WITH HOLD where code may have opened one. In a
// transaction of the guard's it is the last query, and makes it read-only: if a deferred
// trigger has deferred another one that writes, the COMMIT fails.
func (c *postgresCounter) countsText(flush bool) string {
	calls := ""
	if flush {
		calls = flushCall
	}
	if c.f.strategy == ownTx {
		calls += readOnlyCall
	}
	if c.mayHoldCursor() {
		return relationsText(calls) + holdCursorsText
	}
	return relationsText(calls)
}

// mayHoldCursor reports that the statement runs code which may open a cursor WITH HOLD.
func (c *postgresCounter) mayHoldCursor() bool {
	return c.p.holdCursors || c.f.st.opaque || c.f.st.calls
}
