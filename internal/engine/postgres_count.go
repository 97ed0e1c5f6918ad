package engine

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// postgresCounter reads the counters that the server keeps per transaction and
// relation (pg_stat_get_xact_tuples_*). They hold rows deleted and changed in
// whatever way: by cascade, trigger, rule, function, EXECUTE, partition move.
// Which relations to ask about is seen from the locks: whoever deletes or
// changes a row of a relation holds its RowExclusiveLock to the end of the
// transaction. An AccessExclusiveLock is the mark of DROP, TRUNCATE and ALTER.
//
// The counters are never reset, only flushed, and a rolled-back savepoint stays
// in them: what counts is the difference.
type postgresCounter struct {
	p      *postgres
	f      *Flight
	before map[int64]int64
	locked map[int64]string // those that were, by AccessExclusive, and their stamps
	apart  map[int64]string // tables that a text about structure is not about
	clean  bool             // nothing was counted before, and the server flushes on demand
	fresh  string           // a condition by which they hold nothing but what the transaction has done; "": they may
	told   bool             // the server knows what was counted before
}

// relation is one that the transaction has changed or locked.
type relation struct {
	oid          int64
	schema, name string
	kind         string // pg_class.relkind
	temporary    bool
	rows         int64
	exclusive    bool   // dropped, emptied or altered, and not created here
	deferring    bool   // has a trigger that may fire at the COMMIT
	stamp        string // of what is exclusive: another one if it is gone, emptied, written anew or without a column
	judged       int64  // by the server: those that count as the statement's
}

func (c *postgresCounter) survey(ctx context.Context) (string, error) {
	if c.p.major < 0 {
		return affectedCounter{c.f.st}.survey(ctx)
	}
	if note := c.misled(); note != "" {
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

// misled says why the counters, or what compares them, cannot be believed.
func (c *postgresCounter) misled() string {
	switch st := c.f.st; {
	case c.p.deceives:
		return "an operator of this database takes the place of one of the server's own"
	case c.p.blinds, (st.opaque || st.calls) && containsFold(c.f.callerText, "track_counts"):
		return "code in this database turns track_counts off, or kills rows uncounted"
	case (st.opaque || st.calls) && containsFold(c.f.callerText, "heap_force_"):
		return "rows that pg_surgery kills are not counted"
	case (st.opaque || st.calls) && changesElsewhere(c.f.reading(), c.f.args):
		return "what dblink does on another connection is neither counted nor undone"
	}
	return ""
}

// maySkipRows reports that a rule may stand in for an UPDATE.
func (c *postgresCounter) maySkipRows() bool {
	x := c.f.st.simple()
	return x != nil && x.op.Kind == sqlscan.Update && c.p.unfit.has(c.f.st.op.Text)
}

// baseline is what the counters hold already. A transaction of ours has
// nothing in them once they are flushed.
func (c *postgresCounter) baseline(ctx context.Context) (string, error) {
	p := c.p
	if err := c.stands(ctx); err != nil {
		return "", err
	}
	if p.major < 0 || c.f.strategy == ownTx && !p.stale {
		c.begins()
		return "", nil
	}
	c.before, c.locked = map[int64]int64{}, map[int64]string{}
	if c.tells() {
		c.told = true
		return "", c.tell(ctx)
	}
	if p.stale && p.pending == nil {
		p.pending = map[int64]int64{}
		if err := c.read(ctx, p.allCounts(), func(r *relation) { p.pending[r.oid], p.ahead = r.rows, true }); err != nil {
			p.pending = nil
			return "", err
		}
	}
	return "", c.read(ctx, c.counts(false), func(r *relation) { c.held(r.oid, r.rows, r.exclusive, r.stamp) })
}

// held notes what was counted of a relation before, and that it was exclusively locked.
func (c *postgresCounter) held(oid, rows int64, exclusive bool, stamp string) {
	if c.before[oid] = rows; exclusive {
		c.locked[oid] = strings.Clone(stamp)
	}
}

// same reports that a relation was exclusively locked before, and is what it was.
func (c *postgresCounter) same(r *relation) bool {
	stamp, ok := c.locked[r.oid]
	return ok && stamp == r.stamp
}

func (c *postgresCounter) count(ctx context.Context, affected int64) (dbguard.Count, error) {
	p := c.p
	if p.major < 0 {
		return dbguard.Count{Rows: affected}, nil
	}
	p.ranCode()
	t := postgresTotal{reshapes: c.f.st.changesSchema}
	later := false
	err := c.read(ctx, c.counts(p.canFlush()), func(r *relation) {
		was := c.was(r.oid)
		later = later || r.deferring
		c.leave(r)
		r.rows -= was
		t.add(r, c.same(r))
	})
	if err != nil {
		return t.Count, err
	}
	if err := c.lost(ctx, &t); err != nil {
		return t.Count, err
	}
	if err := c.once(ctx, &t); err != nil {
		return t.Count, err
	}
	t.settle()
	if later && c.f.strategy == inCallerTx {
		p.putsOff(c.f.op.Limit(), t.Rows)
	}
	p.flushes(c.f.strategy)
	if c.f.op.Plain() && !t.Structure && t.Rows >= 0 && t.Rows <= c.f.op.Limit() {
		return t.Count, nil // nobody asks where they are
	}
	p.ahead = true // it may be undone
	t.Tables, err = c.tables(ctx, t.changed)
	return t.Count, err
}

// ranCode notes that a statement may have set off code of somebody's own, which can
// change tables that were looked at and open cursors.
func (p *postgres) ranCode() { p.seen, p.cursors = nil, true }

// was is what a relation's counters held before the statement.
func (c *postgresCounter) was(oid int64) int64 {
	if n, ok := c.before[oid]; ok || c.before == nil {
		return n
	}
	return c.p.pending[oid]
}

// postgresTotal adds up relations.
type postgresTotal struct {
	dbguard.Count
	changed  []relation
	blind    bool
	reshapes bool       // the text says that it does, and rows of materialized views come anew
	locked   []relation // by such a text, which need not have changed them
}

// add takes a relation's rows. same says that it was exclusively locked before the
// statement, and is what it was.
func (t *postgresTotal) add(r *relation, same bool) {
	switch {
	case r.oid == 0: // the answer's head: track_counts is off
		t.blind = true
	case r.temporary:
	case r.kind == heldCursors && r.rows > 0:
		t.blind = true
	case r.kind == "f":
		t.blind = true // what a foreign server changes is not counted here
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
	if t.blind {
		t.Rows = -1
	}
}

// runDeferred has deferred triggers fire, which would do so at the COMMIT, after the
// count. In the caller's transaction they are left to the caller's COMMIT.
func (c *postgresCounter) runDeferred(ctx context.Context) error {
	if c.f.strategy != ownTx || c.p.major < 0 {
		return nil
	}
	_, err := c.p.conn.Exec(ctx, constraintsNow)
	return err
}

// leave remembers what a relation's counters hold. If the statement is undone,
// alone or by a ROLLBACK TO of the caller's, the lock by which the next baseline
// would find the relation is gone, and the counts are not.
func (c *postgresCounter) leave(r *relation) {
	if c.f.strategy == ownTx {
		return
	}
	if c.p.pending == nil {
		c.p.pending = map[int64]int64{}
	}
	c.p.pending[r.oid] = r.rows
	if r.schema == "" && r.rows > 0 && r.oid >= 16384 && !slices.Contains(c.p.unseen, r.oid) {
		c.p.unseen = append(c.p.unseen, r.oid)
	}
}

// flushes notes that the counters will be flushed when the transaction ends.
func (p *postgres) flushes(w strategy) {
	switch {
	case !p.canFlush():
	case w == ownTx:
		p.stale = false
	default:
		p.flushing = true
	}
}

// read asks for relations.
func (c *postgresCounter) read(ctx context.Context, text string, each func(*relation)) error {
	return c.p.conn.Query(ctx, text, func(v []any) error {
		var r relation
		var err error
		if r.oid, err = asInt(v[0]); err != nil {
			return err
		}
		if r.rows, err = asInt(v[1]); err != nil {
			return err
		}
		r.schema, r.name, r.kind = asText(v[2]), asText(v[3]), asText(v[4])
		r.temporary, r.exclusive, r.deferring = asBool(v[5]), asBool(v[6]), asBool(v[7])
		r.stamp = asText(v[8])
		if len(v) > 9 {
			r.judged, err = asInt(v[9])
		}
		each(&r)
		return err
	})
}

// changesOf is the number of changes that the server has counted of the relation.
func changesOf(oid string) string {
	return "pg_catalog.pg_stat_get_xact_tuples_updated(" + oid + ") + pg_catalog.pg_stat_get_xact_tuples_deleted(" + oid + ")"
}

// allCounts are the counts of every relation: slow where there are thousands,
// but asked only where something before the caller's transaction was unguarded. Those of
// tables that its snapshot does not show are asked for by their oids.
func (p *postgres) allCounts() string {
	text := allCounts
	for _, oid := range p.unseen {
		text += strings.ReplaceAll("\nUNION ALL SELECT {oid}::int8, "+changesOf("c.oid")+", ''::text, ''::text, 'r'::text, false, false, false, ''::text FROM (VALUES ({oid}::pg_catalog.oid)) AS c (oid)",
			"{oid}", strconv.FormatInt(oid, 10))
	}
	return text
}

var allCounts = `SELECT c.oid::int8, ` + changesOf("c.oid") + `, ''::text, ''::text, c.relkind::text, false, false, false, ''::text
FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND c.relkind IN ('r', 'm') AND ` + changesOf("c.oid") + ` > 0`

// countText asks for the relations that this transaction has changed or
// exclusively locked. Relations below 16384 are the system's own; what counts of
// them are the pages of large objects, 2613, which hold no lock. One that the
// transaction itself created is known by its ctid column: ALTER never writes
// that row of pg_attribute again. Indexes, views and composite types have none, and
// nothing to lose as long as they are there. One that is gone has no row in pg_class.
//
// A head with oid 0 is there if the server does not count, which is asked together
// with the calls.
func countText(calls string) string {
	return `SELECT 0::int8, 0::int8, ''::text, ''::text, ''::text, false, false, false, ''::text
WHERE pg_catalog.current_setting('track_counts') = 'off'` + calls + `
UNION ALL
` + relations
}

// Calls that countText makes, once each, and that are never NULL: the counters are flushed
// at the end of the transaction, and nothing is written any more.
const (
	flushCall    = " OR pg_catalog.pg_stat_force_next_flush() IS NULL"
	readOnlyCall = " OR pg_catalog.set_config('transaction_read_only', 'on', true) IS NULL"
)

// A table that was made after the transaction's snapshot is not in pg_class, and rows of
// it that were frozen are found all the same.
var relations = `SELECT l.relation::int8 AS oid, COALESCE(` + changesOf("l.relation") + `, 0) AS rows, COALESCE(n.nspname::text, '') AS schema,
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

// heldCursors are cursors WITH HOLD that the transaction has opened: their queries run at
// the COMMIT, and may do anything. The text of one that the caller opens is judged itself.
const heldCursors = "held"

const heldText = `
UNION ALL
SELECT 1::int8, pg_catalog.count(*), ''::text, ''::text, '` + heldCursors + `'::text, false, false, false, ''::text
FROM pg_catalog.pg_cursors k WHERE k.is_holdable AND k.creation_time >= pg_catalog.now()`

// counts is countText, with such cursors where code may have opened one. What flushes in a
// transaction of ours comes last: a trigger that has put off more, behind what was put off,
// has the COMMIT fail where that would write.
func (c *postgresCounter) counts(flush bool) string {
	calls := ""
	if flush {
		calls = flushCall
	}
	if flush && c.f.strategy == ownTx {
		calls += readOnlyCall
	}
	if c.runsCode() {
		return countText(calls) + heldText
	}
	return countText(calls)
}

// runsCode reports a statement that runs code which may open a cursor WITH HOLD.
func (c *postgresCounter) runsCode() bool { return c.p.holds || c.f.st.opaque || c.f.st.calls }
