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

// sqliteCounter reads total_changes(), which counts the rows that cascades and
// triggers change as well, and changes(), which counts only the statement's
// own. Neither tells a changed row from an inserted one, or sees a row that
// REPLACE removed. What the schema says of the statement's reach settles most of
// it; where rows are both added and changed or lost, marks tell them apart.
type sqliteCounter struct {
	q *sqlite
	f *Flight
	litePlan
	sets    []string // the columns that the text assigns to, and perhaps more names
	upserts bool     // it may have an ON CONFLICT
	trails  bool     // something is behind it
	fails   bool     // it may have an OR FAIL
	changed int64    // total_changes() before
	before  []int64  // the marks' numbers, and then sizes
	after   []int64  // those sizes
}

// litePlan is how a statement is counted, given a schema.
type litePlan struct {
	schema *liteSchema
	reach  reach
	own    effect // what the one statement does to the table that it names; 0: there are several
	table  string // which
	most   int64  // rows that its text can change at most; -1: no idea
	marks  []mark
	by     string // the columns by which it stops early; "": it does not
	behind behind
}

func (c *sqliteCounter) survey(ctx context.Context) (string, error) {
	note, err := c.q.journals(ctx)
	if err != nil || note != "" && !solely(c.f.st, dbguard.Insert) {
		return note, err
	}
	c.sets = assigned(c.f.reading())
	c.upserts, c.fails = containsFold(c.f.callers, "conflict"), containsFold(c.f.callers, "fail")
	if x := c.f.st.simple(); x != nil {
		c.trails = trails(c.f.callers[x.op.Where.End:])
	}
	if c.q.schema == nil && c.f.way == nested {
		c.lock(ctx)
	}
	sc, err := c.q.known(ctx)
	if err != nil {
		return "", err
	}
	if c.litePlan, err = c.plan(ctx, sc); err != nil {
		return "", err
	}
	switch {
	case c.calm():
		return "", nil // there is nothing to undo
	case c.reach.dark:
		return "a trigger cannot be read", nil
	case slices.Contains(masters, c.table):
		return "its rows are the structure", nil
	}
	if c.by != "" {
		c.f.instead = c.stopText()
	}
	return note, nil
}

// masters are the tables of tables, which writable_schema opens.
var masters = []string{"sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema"}

// lock has the caller's transaction wait for the write lock, as the statement
// itself would: one that has read cannot wait. Where it fails, so will that.
func (c *sqliteCounter) lock(ctx context.Context) {
	x := &c.f.st.targets[0]
	stale := containsFold(c.f.callers, "changes") || x.op.Flags&sqlscan.Returning != 0 // may tell changes(), which this sets to 0
	if x.raw != "" && !stale {
		_, _ = c.q.long.Exec(ctx, "DELETE FROM "+x.raw+" WHERE 0")
	}
}

// plan finds out how the statement is to be counted.
func (c *sqliteCounter) plan(ctx context.Context, sc *liteSchema) (litePlan, error) {
	st := c.f.st
	if slices.Contains(st.kinds, sqlscan.Define) {
		sc = sc.with(c.f.reading(), st.inserts())
	}
	p, sets := litePlan{schema: sc, most: -1}, c.sets
	if st.op.Statements != 1 || len(st.targets) != 1 {
		sets = []string{"*"}
	}
	var starts []deed
	for i := range st.targets {
		x := &st.targets[i]
		if kind := effectOf(x); kind != 0 && len(x.name) > 0 {
			starts = append(starts, deed{table: fold(x.name[len(x.name)-1]), kind: kind, sets: sets})
		}
	}
	p.reach = sc.reach(starts)
	if st.op.Statements != 1 || len(st.targets) != 1 || len(starts) != 1 {
		for _, a := range starts {
			p.reach.note(sc, a)
		}
		if !solely(c.f.st, dbguard.Insert) || p.reach.onlyAdds() {
			return p, nil
		}
		return p, c.mark(ctx, &p)
	}
	x := &st.targets[0]
	if p.own, p.table = starts[0].kind, starts[0].table; sc.replaces[p.table] && p.own != rowsRemoved {
		p.own |= rowsReplaced
	}
	if x.op.Kind == sqlscan.Replace && !c.upserts {
		p.own &^= rowsChanged
	}
	if err := c.bound(ctx, x, &p); err != nil {
		return p, err
	}
	return p, c.stopping(ctx, x, &p)
}

// bound finds out how many rows the text can change at most, and, where that
// does not settle it, what must be counted.
func (c *sqliteCounter) bound(ctx context.Context, x *target, p *litePlan) error {
	settled := true
	switch {
	case p.own&rowsAdded == 0:
		settled = p.own&rowsReplaced == 0
	case p.own&(rowsChanged|rowsReplaced) != 0:
		if p.most = x.op.Rows; p.own&rowsReplaced != 0 && p.most >= 0 {
			keys, err := c.keys(ctx, x)
			if err != nil {
				return err
			}
			p.most *= keys
		}
		// As many as may be are none too many, but not what Exactly, a Budget and observers are told.
		settled = p.most >= 0 && p.most <= c.f.op.Limit() && (p.own&rowsReplaced == 0 || c.f.op.Plain())
	}
	switch {
	case !settled || !p.reach.onlyAdds():
		if err := c.mark(ctx, p); err != nil {
			return err
		}
		return c.boundBehind(ctx, p)
	case p.own == rowsAdded|rowsChanged:
		return c.markUpsert(ctx, p)
	}
	return nil
}

// calm reports an INSERT that does nothing but add rows.
func (c *sqliteCounter) calm() bool {
	return solely(c.f.st, dbguard.Insert) && c.own&^rowsAdded == 0 && c.reach.onlyAdds()
}

// keys is the number of rows that one new row can be in conflict with: one for
// each unique index, and one for the rowid.
func (c *sqliteCounter) keys(ctx context.Context, x *target) (int64, error) {
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
	if c.calm() {
		return "", nil
	}
	if len(c.marks) > 0 && c.f.way == nested {
		c.lock(ctx)
	}
	n, err := askInts(ctx, c.q.long, "SELECT total_changes()"+join(c.marks, mark.begin)+join(c.behind.sized, mark.begin))
	if err != nil {
		return "", err
	}
	c.changed, c.before = n[0], n[1:]
	return "", nil
}

func (c *sqliteCounter) count(ctx context.Context, _ int64) (dbguard.Count, error) {
	if c.calm() {
		version, err := c.q.version(ctx)
		if err != nil {
			return dbguard.Count{}, err
		}
		if known, err := c.stillHolds(ctx, version); err != nil || !known || !c.calm() {
			return dbguard.Count{Rows: -1}, err
		}
		return dbguard.Count{}, nil
	}
	n, err := askInts(ctx, c.q.long, "SELECT total_changes(), changes(), (SELECT schema_version FROM "+versionTable+")"+
		join(c.marks, func(m mark, i int) string { return m.end(c.before[i]) })+join(c.behind.sized, mark.begin))
	if err != nil {
		return dbguard.Count{}, err
	}
	if known, err := c.stillHolds(ctx, strconv.FormatInt(n[2], 10)); err != nil || !known {
		return dbguard.Count{Rows: -1}, err
	}
	c.after = n[3+len(c.marks):]
	all := n[0] - c.changed
	credits := make([]int64, len(c.marks))
	for i, m := range c.marks {
		credits[i] = m.credit(c.before[i], n[3+i])
	}
	if c.own == 0 {
		return c.together(all, credits), nil
	}
	return c.apart(min(n[1], all), max(all-n[1], 0), credits), nil
}

// stillHolds makes sure of the schema, now that the transaction holds the lock.
// Where it has changed the plan may have to, and then it is too late.
func (c *sqliteCounter) stillHolds(ctx context.Context, version string) (bool, error) {
	if version == c.schema.version && !c.schema.passing && !c.schema.opens(c.f.st) {
		c.q.held = c.q.held || c.f.way == nested && c.f.s.tx == txCaller && c.q.schema == c.schema && c.inMain()
		return true, nil
	}
	c.q.schema = nil
	sc, err := c.q.known(ctx)
	if err != nil {
		return false, err
	}
	p, err := c.plan(ctx, sc)
	if err != nil || !slices.Equal(p.marks, c.marks) || !slices.Equal(p.behind.sized, c.behind.sized) || p.by != c.by || p.reach.dark {
		return false, err
	}
	c.litePlan = p
	return true, nil
}

// inMain reports that the statement's table is main's: so is the lock.
func (c *sqliteCounter) inMain() bool {
	homes := c.schema.homes[c.table]
	return c.own != 0 && len(homes) == 1 && homes[0] == "main" && !c.schema.views[c.table]
}

// inView reports that the statement names a view: it has no rows of its own.
func (c *sqliteCounter) inView() bool {
	return c.schema.views[c.table] && len(c.schema.homes[c.table]) == 0
}

// together is the count of several statements, which cannot be told apart.
func (c *sqliteCounter) together(all int64, credits []int64) dbguard.Count {
	for _, n := range credits {
		all -= n
	}
	return dbguard.Count{Rows: max(all, 0)}
}

// apart is the count of one statement: of the rows of the table that it names,
// and of those behind it.
func (c *sqliteCounter) apart(direct, hidden int64, credits []int64) dbguard.Count {
	grown, size := int64(0), int64(math.MaxInt64) // of the table that it names, if it is marked
	var own *mark
	for i, m := range c.marks {
		if m.table == c.table {
			grown, size, own = credits[i], c.before[i], &m
		} else {
			hidden -= credits[i]
		}
	}
	named := direct
	switch {
	case c.own&rowsReplaced != 0 && c.own&rowsAdded == 0: // UPDATE OR REPLACE
		named = min(direct-min(grown, 0), size) // some may have been replaced that were changed before
	case c.own&(rowsChanged|rowsReplaced) != 0 && c.own&rowsAdded != 0 && own == nil:
		if named = c.most; c.own&rowsReplaced == 0 {
			named = min(direct, c.most)
		} else if c.inView() {
			named = direct
		}
	case c.own&rowsReplaced != 0:
		named = min(max(direct-grown, 0), size) // some may have replaced others that are new
		if c.goesWith() {
			hidden = 0
		}
	case c.own&(rowsAdded|rowsChanged) == rowsAdded|rowsChanged:
		behind := c.addedBehind(grown, hidden)
		named, hidden = max(direct-(grown-behind), 0), hidden-behind
	case c.own != rowsAdded:
		hidden -= grown
	default:
		named = 0
		if more := grown - direct; own != nil && (own.lost || more > 0) {
			hidden -= more
		}
	}
	if hidden = max(hidden, 0); c.reach.onlyAdds() {
		hidden = 0
	}
	return c.tell(named, min(hidden, c.behind.atMost(direct, c.old(direct, named, grown), c.before[len(c.marks):], c.after)))
}

// old is how many rows that were there the statement itself has changed or removed at
// most, and of those that it added itself.
func (c *sqliteCounter) old(direct, named, grown int64) int64 {
	switch {
	case c.own&rowsAdded == 0:
		return direct
	case c.own&rowsReplaced != 0:
		return max(direct-grown, 0)
	}
	return named
}

// addedBehind is how many of the rows that the table has grown by may be new by a
// trigger, and not by the statement itself.
func (c *sqliteCounter) addedBehind(grown, hidden int64) int64 {
	if c.reach.of(c.table)&rowsAdded == 0 {
		return 0
	}
	return max(min(grown, hidden), 0)
}

// goesWith reports that all that is lost behind a REPLACE is lost from its own
// table: it is among the rows that this is shorter by.
func (c *sqliteCounter) goesWith() bool {
	e := c.reach.at[c.table]
	return e != nil && e.kinds == rowsRemoved && len(c.reach.loses()) == 1
}

func (c *sqliteCounter) tell(named, hidden int64) dbguard.Count {
	count := dbguard.Count{Rows: named + hidden}
	if hidden == 0 {
		return count
	}
	if c.own != rowsAdded {
		count.Tables = append(count.Tables, dbguard.TableRows{Table: c.f.st.op.Acts[0].Object, Rows: named})
	}
	behind := dbguard.TableRows{Rows: hidden, Via: "trigger or foreign key"}
	rough := func(m mark) bool { return m.table != c.table && m.above == "" } // more may be told than there is
	if tables := c.reach.loses(); len(tables) == 1 && !slices.ContainsFunc(c.marks, rough) {
		behind.Table = tables[0]
	}
	count.Tables = append(count.Tables, behind)
	return count
}

// journals reports a database without a rollback journal: nothing is undone in it.
func (q *sqlite) journals(ctx context.Context) (note string, err error) {
	if q.journal {
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
	q.journal = true
	return "", nil
}
