package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// sqliteCounter reads total_changes(), which includes rows changed by cascades and
// triggers, and changes(), which counts only the statement's own. Neither tells a
// changed row from an inserted one, or includes a row that REPLACE removed. In most
// cases the schema settles what the statement can reach; where rows are both added
// and changed or removed, watermarks tell them apart.
type sqliteCounter struct {
	q *sqlite
	f *Flight
	sqlitePlan
	sets        []string // the columns that the text assigns to, possibly with other names
	mayUpsert   bool     // it may have an ON CONFLICT
	trailing    bool     // there is text after it
	mayOrFail   bool     // it may have an OR FAIL
	totalBefore int64    // total_changes() before
	before      []int64  // values of the watermarks, then sizes of the tables in indirect
	after       []int64  // those sizes afterwards
}

// sqlitePlan is how a statement is counted, given a schema.
type sqlitePlan struct {
	schema     *sqliteSchema
	reach      reach
	direct     effect // of a single statement on the table that it names; 0 if there are several
	table      string // which it names
	maxRows    int64  // rows that its text can change at most; -1 if not known
	watermarks []watermark
	stopKey    string // the columns by which it stops early; "" if it does not
	indirect   indirectBound
}

func (c *sqliteCounter) survey(ctx context.Context) (string, error) {
	note, err := c.q.checkJournals(ctx)
	if err != nil || note != "" && !allActs(c.f.st, dbguard.Insert) {
		return note, err
	}
	c.sets = assignedColumns(c.f.reading())
	c.mayUpsert, c.mayOrFail = containsFold(c.f.callerText, "conflict"), containsFold(c.f.callerText, "fail")
	if x := c.f.st.simple(); x != nil {
		c.trailing = hasTrailingText(c.f.callerText[x.op.Where.End:])
	}
	if c.q.schema == nil && c.f.strategy == inCallerTx {
		c.takeWriteLock(ctx)
	}
	sc, err := c.q.loadSchema(ctx)
	if err != nil {
		return "", err
	}
	if c.sqlitePlan, err = c.plan(ctx, sc); err != nil {
		return "", err
	}
	switch {
	case c.onlyAdds():
		return "", nil // there is nothing to undo
	case c.reach.unreadable:
		return "a trigger cannot be read", nil
	case slices.Contains(schemaTables, c.table):
		return "its rows are the structure", nil
	}
	if c.stopKey != "" {
		c.f.earlyStop = c.stopText()
	}
	return note, nil
}

// schemaTables hold the schema; PRAGMA writable_schema allows writing to them.
var schemaTables = []string{"sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema"}

// takeWriteLock has the caller's transaction wait for the write lock, as the
// statement itself would: a transaction that has read cannot wait. If this fails, so
// will the statement.
func (c *sqliteCounter) takeWriteLock(ctx context.Context) {
	x := &c.f.st.targets[0]
	stale := containsFold(c.f.callerText, "changes") || x.op.Flags&sqlscan.Returning != 0 // it may read changes(), which this resets to 0
	if x.raw != "" && !stale {
		_, _ = c.q.cancellable.Exec(ctx, "DELETE FROM "+x.raw+" WHERE 0")
	}
}

// plan decides how the statement is to be counted.
func (c *sqliteCounter) plan(ctx context.Context, sc *sqliteSchema) (sqlitePlan, error) {
	st := c.f.st
	if slices.Contains(st.kinds, sqlscan.Define) {
		sc = sc.withOwnTriggers(c.f.reading(), st.lastInsert())
	}
	p, sets := sqlitePlan{schema: sc, maxRows: -1}, c.sets
	if st.op.Statements != 1 || len(st.targets) != 1 {
		sets = []string{"*"}
	}
	var starts []tableChange
	for i := range st.targets {
		x := &st.targets[i]
		if kind := effectOf(x); kind != 0 && len(x.name) > 0 {
			starts = append(starts, tableChange{table: fold(x.name[len(x.name)-1]), kind: kind, sets: sets})
		}
	}
	p.reach = sc.reach(starts)
	if st.op.Statements != 1 || len(st.targets) != 1 || len(starts) != 1 {
		for _, a := range starts {
			p.reach.note(sc, a)
		}
		if !allActs(c.f.st, dbguard.Insert) || p.reach.onlyAdds() {
			return p, nil
		}
		return p, c.addWatermarks(ctx, &p)
	}
	x := &st.targets[0]
	if p.direct, p.table = starts[0].kind, starts[0].table; sc.replaces[p.table] && p.direct != rowsRemoved {
		p.direct |= rowsReplaced
	}
	if x.op.Kind == sqlscan.Replace && !c.mayUpsert {
		p.direct &^= rowsChanged
	}
	if err := c.boundRows(ctx, x, &p); err != nil {
		return p, err
	}
	return p, c.planStop(ctx, x, &p)
}

// boundRows finds out how many rows the text can change at most and, where that does
// not settle it, what must be counted.
func (c *sqliteCounter) boundRows(ctx context.Context, x *target, p *sqlitePlan) error {
	settled := true
	switch {
	case p.direct&rowsAdded == 0:
		settled = p.direct&rowsReplaced == 0
	case p.direct&(rowsChanged|rowsReplaced) != 0:
		if p.maxRows = x.op.Rows; p.direct&rowsReplaced != 0 && p.maxRows >= 0 {
			keys, err := c.conflictKeys(ctx, x)
			if err != nil {
				return err
			}
			p.maxRows *= keys
		}
		// The maximum is within the bound, but Exactly, a Budget and observers need the true number.
		settled = p.maxRows >= 0 && p.maxRows <= c.f.op.Limit() && (p.direct&rowsReplaced == 0 || c.f.op.Plain())
	}
	switch {
	case !settled || !p.reach.onlyAdds():
		if err := c.addWatermarks(ctx, p); err != nil {
			return err
		}
		return c.boundIndirect(ctx, p)
	case p.direct == rowsAdded|rowsChanged:
		return c.watermarkUpsert(ctx, p)
	}
	return nil
}

// onlyAdds reports an INSERT that does nothing but add rows.
func (c *sqliteCounter) onlyAdds() bool {
	return allActs(c.f.st, dbguard.Insert) && c.direct&^rowsAdded == 0 && c.reach.onlyAdds()
}

// conflictKeys is the number of rows that a new row can conflict with: one for each
// unique index, and one for the rowid.
func (c *sqliteCounter) conflictKeys(ctx context.Context, x *target) (int64, error) {
	schema := ""
	if len(x.name) > 1 {
		schema = ", " + quoteString(sqlscan.SQLite, x.name[0])
	}
	n, err := askInts(ctx, c.q.conn, fmt.Sprintf(`SELECT count(*) + 1 FROM pragma_index_list(%s%s) WHERE "unique"`,
		quoteString(sqlscan.SQLite, x.name[len(x.name)-1]), schema))
	if err != nil {
		return 0, err
	}
	return n[0], nil
}

func (c *sqliteCounter) baseline(ctx context.Context) (string, error) {
	if c.onlyAdds() {
		return "", nil
	}
	if len(c.watermarks) > 0 && c.f.strategy == inCallerTx {
		c.takeWriteLock(ctx)
	}
	n, err := askInts(ctx, c.q.cancellable, "SELECT total_changes()"+joinColumns(c.watermarks, watermark.beforeExpr)+joinColumns(c.indirect.sized, watermark.beforeExpr))
	if err != nil {
		return "", err
	}
	c.totalBefore, c.before = n[0], n[1:]
	return "", nil
}

func (c *sqliteCounter) count(ctx context.Context, _ int64) (dbguard.Count, error) {
	if c.onlyAdds() {
		version, err := c.q.version(ctx)
		if err != nil {
			return dbguard.Count{}, err
		}
		if known, err := c.verifySchema(ctx, version); err != nil || !known || !c.onlyAdds() {
			return dbguard.Count{Rows: -1}, err
		}
		return dbguard.Count{}, nil
	}
	n, err := askInts(ctx, c.q.cancellable, "SELECT total_changes(), changes(), (SELECT schema_version FROM "+versionTable+")"+
		joinColumns(c.watermarks, func(m watermark, i int) string { return m.afterExpr(c.before[i]) })+joinColumns(c.indirect.sized, watermark.beforeExpr))
	if err != nil {
		return dbguard.Count{}, err
	}
	if known, err := c.verifySchema(ctx, strconv.FormatInt(n[2], 10)); err != nil || !known {
		return dbguard.Count{Rows: -1}, err
	}
	c.after = n[3+len(c.watermarks):]
	all := n[0] - c.totalBefore
	credits := make([]int64, len(c.watermarks))
	for i, m := range c.watermarks {
		credits[i] = m.newRows(c.before[i], n[3+i])
	}
	if c.direct == 0 {
		return c.countSeveral(all, credits), nil
	}
	return c.countSingle(min(n[1], all), max(all-n[1], 0), credits), nil
}

// verifySchema checks that the schema is unchanged, now that the transaction holds
// the lock. If it has changed and the plan with it, it is too late.
func (c *sqliteCounter) verifySchema(ctx context.Context, version string) (bool, error) {
	if version == c.schema.version && !c.schema.uncacheable && !c.schema.opensFile(c.f.st) {
		c.q.schemaLocked = c.q.schemaLocked || c.f.strategy == inCallerTx && c.f.s.tx == txCaller && c.q.schema == c.schema && c.inMain()
		return true, nil
	}
	c.q.schema = nil
	sc, err := c.q.loadSchema(ctx)
	if err != nil {
		return false, err
	}
	p, err := c.plan(ctx, sc)
	if err != nil || !slices.Equal(p.watermarks, c.watermarks) || !slices.Equal(p.indirect.sized, c.indirect.sized) || p.stopKey != c.stopKey || p.reach.unreadable {
		return false, err
	}
	c.sqlitePlan = p
	return true, nil
}

// inMain reports that the statement's table is in main, as the lock is.
func (c *sqliteCounter) inMain() bool {
	homes := c.schema.schemasOf[c.table]
	return c.direct != 0 && len(homes) == 1 && homes[0] == "main" && !c.schema.views[c.table]
}

// inView reports that the statement names a view, which has no rows of its own.
func (c *sqliteCounter) inView() bool {
	return c.schema.views[c.table] && len(c.schema.schemasOf[c.table]) == 0
}

// countSeveral is the count of several statements, which cannot be told apart.
func (c *sqliteCounter) countSeveral(all int64, credits []int64) dbguard.Count {
	for _, n := range credits {
		all -= n
	}
	return dbguard.Count{Rows: max(all, 0)}
}

// countSingle is the count of a single statement: of rows in the table that it names,
// and of rows changed indirectly.
func (c *sqliteCounter) countSingle(direct, indirect int64, credits []int64) dbguard.Count {
	grown, size := int64(0), int64(math.MaxInt64) // of the table that it names, if it has a watermark
	var own *watermark
	for i, m := range c.watermarks {
		if m.table == c.table {
			grown, size, own = credits[i], c.before[i], &m
		} else {
			indirect -= credits[i]
		}
	}
	named := direct
	switch {
	case c.direct&rowsReplaced != 0 && c.direct&rowsAdded == 0: // UPDATE OR REPLACE
		named = min(direct-min(grown, 0), size) // rows changed before may have been replaced
	case c.direct&(rowsChanged|rowsReplaced) != 0 && c.direct&rowsAdded != 0 && own == nil:
		if named = c.maxRows; c.direct&rowsReplaced == 0 {
			named = min(direct, c.maxRows)
		} else if c.inView() {
			named = direct
		}
	case c.direct&rowsReplaced != 0:
		named = min(max(direct-grown, 0), size) // new rows may have replaced other new ones
		if c.removesOnlyOwn() {
			indirect = 0
		}
	case c.direct&(rowsAdded|rowsChanged) == rowsAdded|rowsChanged:
		behind := c.addedByTriggers(grown, indirect)
		named, indirect = max(direct-(grown-behind), 0), indirect-behind
	case c.direct != rowsAdded:
		indirect -= grown
	default:
		named = 0
		if more := grown - direct; own != nil && (own.mayLose || more > 0) {
			indirect -= more
		}
	}
	if indirect = max(indirect, 0); c.reach.onlyAdds() {
		indirect = 0
	}
	return c.makeCount(named, min(indirect, c.indirect.rows(direct, c.existingRows(direct, named, grown), c.before[len(c.watermarks):], c.after)))
}

// existingRows is how many existing rows the statement itself has changed or removed
// at most, including those among the rows that it added itself.
func (c *sqliteCounter) existingRows(direct, named, grown int64) int64 {
	switch {
	case c.direct&rowsAdded == 0:
		return direct
	case c.direct&rowsReplaced != 0:
		return max(direct-grown, 0)
	}
	return named
}

// addedByTriggers is how many of the rows that the table has grown by may have been
// added by a trigger and not by the statement itself.
func (c *sqliteCounter) addedByTriggers(grown, indirect int64) int64 {
	if c.reach.effectOn(c.table)&rowsAdded == 0 {
		return 0
	}
	return max(min(grown, indirect), 0)
}

// removesOnlyOwn reports that all rows that a REPLACE removes indirectly are removed
// from its own table: they are among the rows by which that has shrunk.
func (c *sqliteCounter) removesOnlyOwn() bool {
	e := c.reach.tables[c.table]
	return e != nil && e.kinds == rowsRemoved && len(c.reach.losingTables()) == 1
}

func (c *sqliteCounter) makeCount(named, indirect int64) dbguard.Count {
	count := dbguard.Count{Rows: named + indirect}
	if indirect == 0 {
		return count
	}
	if c.direct != rowsAdded {
		count.Tables = append(count.Tables, dbguard.TableRows{Table: c.f.st.op.Acts[0].Object, Rows: named})
	}
	behind := dbguard.TableRows{Rows: indirect, Via: "trigger or foreign key"}
	rough := func(m watermark) bool { return m.table != c.table && m.rowid == "" } // the count may be too high
	if tables := c.reach.losingTables(); len(tables) == 1 && !slices.ContainsFunc(c.watermarks, rough) {
		behind.Table = tables[0]
	}
	count.Tables = append(count.Tables, behind)
	return count
}

// checkJournals reports a database without a rollback journal, in which nothing can
// be undone.
func (q *sqlite) checkJournals(ctx context.Context) (note string, err error) {
	if q.journaled {
		return "", nil
	}
	schemas, err := q.schemas(ctx)
	if err != nil {
		return "", err
	}
	for _, schema := range schemas {
		mode, err := askText(ctx, q.conn, "PRAGMA "+quoteName(schema)+".journal_mode")
		if err != nil {
			return "", err
		}
		if strings.EqualFold(mode, "off") {
			return "journal_mode of " + schema + " is OFF", nil
		}
	}
	q.journaled = true
	return "", nil
}
