package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// mysqlCounter counts by three numbers. The driver's affected rows are those of
// the table that a DELETE or UPDATE names. The session's Handler_update and
// Handler_delete also count what its triggers and functions do and what upserts
// and REPLACE find; but two for each row of a partitioned table, and rows that an
// UPDATE leaves as they are. Rows that InnoDB changes along foreign keys are in
// neither: they are counted before, under locks (keyWalk), or are the difference
// to the transaction's undo log.
//
// What was counted is undone only in tables of a transactional engine. The
// engine is looked up by a query that opens the tables: their metadata is
// locked from then on, and no ALTER TABLE or CREATE TRIGGER can come in between.
// A foreign key can: it is looked for once more afterwards (mysql_along.go).
type mysqlCounter struct {
	m          *mysql
	f          *Flight
	before     handlerCalls
	parts, all int // how many of the tables are partitioned, of how many
	parted     map[mysqlTable]bool
	viewed     bool // a view was looked through
	masked     bool // and what it names was not told
	unseen     bool // a table is in no catalogue: a temporary one, or none
	derived    bool // a column of the table changes with others
	still      bool // an INSERT that sets off nothing that changes rows
	adds       bool // and sets off nothing at all

	reach   *mysqlReach
	parents []mysqlTable // whose foreign keys matter
	known   []foreignKey // those that lead away from them
	bases   []mysqlTable // that the text names
	text    string       // the caller's
	// assigned is the part of it that says which columns an UPDATE changes, of one
	// table and by itself.
	assigned string
	walk     *keyWalk
	entries  int64 // of the undo log, before; -1: not needed
}

func (c *mysqlCounter) survey(context.Context) (string, error) {
	c.f.earlyStop, c.f.complete = c.m.limited(c.f), true
	return "", nil
}

func (c *mysqlCounter) baseline(ctx context.Context) (string, error) {
	c.entries, c.text = -1, c.f.callerText
	if done, err := c.adding(ctx); done || err != nil {
		return "", err
	}
	bases, note, err := c.targets(ctx)
	if err != nil || note != "" {
		return note, err
	}
	if note, err := c.explore(ctx, bases); err != nil || note != "" {
		return note, err
	}
	if note, err := c.keys(ctx, bases); err != nil || note != "" {
		return note, err
	}
	if c.before, err = c.handled(ctx); err != nil {
		return "", err
	}
	return "", c.m.stays(ctx)
}

// targets are the base tables that the text names.
func (c *mysqlCounter) targets(ctx context.Context) (bases []mysqlTable, note string, err error) {
	var names [][]string
	open := ""
	for i, x := range c.f.st.targets {
		v := c.f.st.op.Acts[i].Verb
		if changesRows(v) && v != dbguard.Call && len(x.name) > 0 && x.op.Flags&sqlscan.Parameterised == 0 {
			names = append(names, x.name)
			open += opened(x.raw)
		}
	}
	// One that is not there now may be by then, with triggers and keys that nobody looked
	// at, unless the text makes it itself.
	return c.openedEngines(ctx, names, open, c.f.st.op.Statements > 1)
}

// explore follows the statement into triggers, functions and procedures.
func (c *mysqlCounter) explore(ctx context.Context, bases []mysqlTable) (note string, err error) {
	st := c.f.st
	c.reach = &mysqlReach{c: c, tables: map[mysqlTable]events{}, read: map[string]bool{}}
	var ev events
	for i := range st.targets {
		if changesRows(st.op.Acts[i].Verb) && st.op.Acts[i].Verb != dbguard.Call {
			ev |= eventsOf(st.targets[i].op.Kind).in(c.text)
		}
	}
	if c.masked {
		c.reach.note = maskedNote
		return maskedNote, nil
	}
	if err = c.reach.change(ctx, bases, ev, false); err != nil || c.reach.note != "" {
		return c.reach.note, err
	}
	err = c.reach.code(ctx, st)
	return c.reach.note, err
}

// assigns reports that an UPDATE may give one of the columns another value. A
// trigger may do that too, a generated column changes with others, and a view has
// names of its own.
func (c *mysqlCounter) assigns(columns []string) bool {
	assigned, ok := c.f.assigned()
	if !ok || c.reach.wrote || c.reach.fires || c.derived || c.viewed || strings.Contains(assigned, `\`) { // which may escape a quote, or not
		return true
	}
	for word := range identifiers(assigned) {
		if containsName(columns, word) {
			return true
		}
	}
	return false
}

// assigned is the part of the text that names the columns which are given
// another value.
func (f *Flight) assigned() (text string, ok bool) {
	if f.callerText == "" || len(f.st.targets) != 1 || hasExecutableComment(f.callerText) {
		return "", false
	}
	switch x := &f.st.targets[0]; x.op.Kind {
	case sqlscan.Update:
		if f.st.simple() == nil {
			return "", false
		}
		t := f.reading()
		c := clausesOf(t, x)
		return f.callerText[max(c.set, 0):c.tail], !c.unsupported
	case sqlscan.Upsert:
		at := strings.Index(strings.ToUpper(f.callerText), "DUPLICATE") // the first: behind it may be others, in literals
		return f.callerText[max(at, 0):], at >= 0 && len(strings.ToUpper(f.callerText)) == len(f.callerText)
	}
	return "", false
}

// maxViews is how deep views are followed into views.
const maxViews = 16

// engines are the base tables behind the names, views looked through. A note
// reports one whose engine cannot undo. open are conditions that open the tables.
func (c *mysqlCounter) engines(ctx context.Context, names [][]string, open string, depth int) (bases []mysqlTable, note string, err error) {
	if len(names) == 0 {
		return nil, "", nil
	}
	conds := make([]string, len(names))
	for i, name := range names {
		conds[i] = "(" + c.m.tableIs(name) + ")"
	}
	var views [][]string
	text := "SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_TYPE, t.ENGINE, e.TRANSACTIONS, t.CREATE_OPTIONS" +
		" FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE" +
		" WHERE (" + strings.Join(conds, " OR ") + ")" + open + everything
	err = c.m.conn.Query(ctx, text, func(v []any) error {
		schema, table, engine := strings.Clone(asText(v[0])), strings.Clone(asText(v[1])), asText(v[3])
		switch {
		case strings.Contains(asText(v[2]), "VIEW"):
			views = append(views, []string{schema, table})
			return nil
		case engine != "" && asText(v[4]) != "YES":
			note = "table " + table + " is " + engine
		case strings.Contains(asText(v[5]), "partitioned"):
			c.parts++
			if c.parted == nil {
				c.parted = map[mysqlTable]bool{}
			}
			c.parted[mysqlTable{schema, table}] = true
		}
		c.all++
		bases = append(bases, mysqlTable{schema, table})
		return nil
	})
	c.unseen = c.unseen || len(bases)+len(views) < len(names)
	if err != nil || note != "" || len(views) == 0 {
		return bases, note, err
	}
	more, note, err := c.lookThrough(ctx, views, depth)
	return append(bases, more...), note, err
}

// openedEngines is engines of tables that are opened, so that no ALTER TABLE comes in
// between: if the caller may read them, and they are there, or need not be.
func (c *mysqlCounter) openedEngines(ctx context.Context, names [][]string, open string, lacking bool) (bases []mysqlTable, note string, err error) {
	bases, note, err = c.engines(ctx, names, open, 0)
	if err != nil && fatalError(err) == nil && (lacking || !mysqlError(err, "1146")) {
		return c.engines(ctx, names, "", 0)
	}
	return bases, note, err
}

// masked reports a name that came from the catalogue with letters that the session's
// character set lacks: it is nobody's.
func masked(name []string) bool {
	return slices.ContainsFunc(name, func(part string) bool { return strings.Contains(part, "?") })
}

const maskedNote = "a name has letters that the session's character set lacks"

// lookThrough is engines of the tables behind views.
func (c *mysqlCounter) lookThrough(ctx context.Context, views [][]string, depth int) (bases []mysqlTable, note string, err error) {
	c.viewed = true
	if depth == maxViews {
		return nil, "views are nested too deeply", nil
	}
	var behind [][]string
	for _, view := range views {
		tables, err := c.definition(ctx, view)
		if err != nil {
			return nil, "", err
		}
		if len(tables) == 0 {
			return nil, "view " + view[1] + " cannot be looked through (it takes the privilege SHOW VIEW)", nil
		}
		behind = append(behind, tables...)
	}
	bases, note, err = c.engines(ctx, behind, "", depth+1)
	c.masked = c.masked || slices.ContainsFunc(behind, func(name []string) bool {
		return masked(name) && !slices.Contains(bases, mysqlTable{name[0], name[1]})
	})
	return bases, note, err
}

// definition are the tables that a view's definition names; the server
// qualifies and quotes all of them.
func (c *mysqlCounter) definition(ctx context.Context, view []string) ([][]string, error) {
	definition, err := askText(ctx, c.m.conn, "SELECT t.VIEW_DEFINITION FROM information_schema.VIEWS t WHERE "+c.m.tableIs(view))
	if err != nil {
		return nil, err
	}
	t := &sqlscan.Text{Source: definition, Dialect: sqlscan.MySQL, Mode: sqlscan.MySQL.DefaultMode()}
	var chain []string
	var names [][]string
	joined := false
	for tok := range tokens(t, 0, int32(len(definition))) {
		switch {
		case tok.Kind == sqlscan.QuotedIdent && joined && len(chain) == 1:
			names = append(names, []string{chain[0], nameAt(t, tok)})
			chain = nil
		case tok.Kind == sqlscan.QuotedIdent:
			chain = []string{nameAt(t, tok)}
		case !isPunct(tok, '.'):
			chain = nil
		}
		joined = isPunct(tok, '.')
	}
	return names, nil
}

func (c *mysqlCounter) count(ctx context.Context, affected int64) (dbguard.Count, error) {
	if c.still {
		if c.adds {
			c.m.add(&c.f.st.targets[0])
		}
		return dbguard.Count{}, nil
	}
	affected, err := c.affected(ctx, affected)
	if err != nil {
		return dbguard.Count{}, err
	}
	after, err := c.handled(ctx)
	if err != nil {
		return dbguard.Count{}, err
	}
	if same, err := c.sameKeys(ctx); err != nil || !same {
		return dbguard.Count{Rows: -1}, err
	}
	did := after.since(c.before)
	if unseen, err := c.unseenKeys(ctx, did, affected); err != nil || unseen {
		_ = c.f.op.Uncountable(unseenNote) // told by End
		return dbguard.Count{Rows: -1}, err
	}
	count, err := c.visible(ctx, did, affected)
	switch {
	case err != nil:
		return dbguard.Count{}, err
	case c.walk != nil:
		return c.walked(ctx, count, did.changes, affected)
	case c.entries >= 0:
		return c.logged(ctx, count, did, affected)
	}
	return count, nil
}

// visible counts what the server tells, which is all but foreign keys.
func (c *mysqlCounter) visible(ctx context.Context, did handlerCalls, affected int64) (dbguard.Count, error) {
	handled := did.changes
	x := c.f.st.simple()
	switch {
	case affected >= 0 && c.joined(): // which the driver counts, in all of its tables
		return dbguard.Count{Rows: max(affected, (handled+1)/2)}, nil
	case x == nil || affected < 0:
		count := dbguard.Count{Rows: c.halved(ctx, did, handled)}
		if allActs(c.f.st, dbguard.Insert) {
			count.Tables = []dbguard.TableRows{{Table: c.reach.hiddenNames(), Rows: count.Rows, Via: "trigger"}}
		}
		return count, nil
	}
	hidden := max(handled-affected, 0)
	switch {
	case hidden > 0 && !c.reach.behinds() && c.m.seesTriggers(ctx) && c.m.seesAll(c.reach.named()):
		if did.fired > 0 && !c.reach.fires {
			_ = c.f.op.Uncountable("triggers have fired that were not seen") // told by End
			return dbguard.Count{Rows: -1}, nil
		}
		hidden = 0 // no code changes rows: the rest are rows that stay as they are, and partitions
	case c.parts > 0:
		hidden = c.behindPartitions(ctx, did, affected)
	}
	count := dbguard.Count{Rows: affected + hidden}
	if hidden > 0 {
		count.Tables = []dbguard.TableRows{
			{Table: c.f.st.op.Acts[0].Object, Rows: affected},
			{Table: c.reach.hiddenNames(), Rows: hidden, Via: "trigger"},
		}
		if x.op.Kind == sqlscan.Update && !c.reach.wrote {
			count.Tables[1].Via = "trigger, or rows that stay as they are"
		}
	}
	return count, nil
}

// joined reports a DELETE or UPDATE of several tables, partitioned ones among them.
func (c *mysqlCounter) joined() bool {
	st := c.f.st
	return c.parts > 0 && c.parts < c.all && !c.reach.fires && st.simple() == nil && len(st.routines) == 0 && !slices.ContainsFunc(st.targets, func(x target) bool {
		return x.op.Kind != sqlscan.Delete && x.op.Kind != sqlscan.Update
	})
}

// halved are the rows behind a number of handler calls, where all of them went
// to partitioned tables, but for those to some; the most that there can be, where it
// is not so.
func (c *mysqlCounter) halved(ctx context.Context, did handlerCalls, handled int64, but ...mysqlTable) int64 {
	if c.unseen || (did.fired > 0 || c.reach.fires) && !(c.m.seesTriggers(ctx) && c.m.seesAll(c.reach.named())) {
		return handled
	}
	some := false
	for t, ev := range c.reach.tables {
		if ev&(updates|deletes) == 0 || slices.Contains(but, t) {
			continue
		}
		if some = true; !c.parted[t] {
			return handled
		}
	}
	if some {
		return (handled + 1) / 2
	}
	return handled
}

// behindPartitions are the rows that a statement has changed elsewhere, where some of
// the tables are partitioned.
func (c *mysqlCounter) behindPartitions(ctx context.Context, did handlerCalls, affected int64) int64 {
	if slices.ContainsFunc(c.bases, func(t mysqlTable) bool { return !c.parted[t] }) {
		return c.halved(ctx, did, max(did.changes-affected, 0), c.bases...)
	}
	return c.halved(ctx, did, max(did.changes-2*affected, 0))
}
