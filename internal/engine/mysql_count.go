package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// mysqlCounter counts by three numbers. The driver's affected rows are those of the
// table that a DELETE or UPDATE names. The session's Handler_update and
// Handler_delete include rows of triggers, functions, upserts and REPLACE, but count
// rows whose values an UPDATE does not change and, on MariaDB, rows of partitioned tables
// twice; on MySQL, those of its own temporary tables (mysql_affected.go).
// Neither includes InnoDB's cascades: these are counted before, under locks
// (cascadeWalk), or by the length of the transaction's undo log. Since MySQL 9.6 they do.
//
// Only tables of a transactional engine can be undone. The query for a table's engine
// also opens the table: that takes a metadata lock, which keeps out ALTER TABLE and
// CREATE TRIGGER from then on. It does not keep out foreign keys, so they are looked
// up again after the statement (mysql_cascade.go).
type mysqlCounter struct {
	m                            *mysql
	f                            *Flight
	before                       handlerStatus
	partitionedCount, tableCount int // tables that are partitioned (MariaDB), and all
	partitioned                  map[mysqlTable]bool
	throughView                  bool // a name is a view's
	lostName                     bool // a view names a table that the session's character set cannot spell
	uncatalogued                 bool // a name is not in the catalogue: a temporary table, or none
	derivedKey                   bool // a referenced column changes without being named (hasDerivedKey)
	cascadesCounted              bool // the session's counters include what foreign keys change
	keysUncertain                bool // counted are also keys that the account may not see
	keysStale                    bool // the catalogue may be older than keys that change rows
	changesNothing               bool // an INSERT without triggers that update or delete
	cacheable                    bool // and nothing will change that in the caller's transaction

	reach       *mysqlReach
	keyTables   []mysqlTable // tables whose foreign keys matter
	foreignKeys []foreignKey // the keys reachable from them
	baseTables  []mysqlTable // those that the text names
	text        string       // the caller's statement
	// assignments is the SET clause, of an UPDATE of one table, without code that
	// writes.
	assignments string
	walk        *cascadeWalk
	undoBefore  int64 // undo log length before the statement; -1: not needed
	staleBefore int64 // the same, where keysStale
}

func (c *mysqlCounter) survey(context.Context) (string, error) {
	c.f.earlyStop, c.f.complete = c.m.limitedDelete(c.f), true
	return "", nil
}

func (c *mysqlCounter) baseline(ctx context.Context) (string, error) {
	c.undoBefore, c.text = -1, c.f.callerText
	if done, err := c.baselineInsert(ctx); done || err != nil {
		return "", err
	}
	bases, note, err := c.namedTables(ctx)
	if err != nil || note != "" {
		return note, err
	}
	if note, err := c.explore(ctx, bases); err != nil || note != "" {
		return note, err
	}
	if note, err := c.prepareCascades(ctx, bases); err != nil || note != "" {
		return note, err
	}
	if c.before, err = c.readHandlerStatus(ctx); err != nil {
		return "", err
	}
	return "", c.m.checkTransaction(ctx)
}

// namedTables are the base tables that the text names.
func (c *mysqlCounter) namedTables(ctx context.Context) (bases []mysqlTable, note string, err error) {
	var names [][]string
	open := ""
	for i, x := range c.f.st.targets {
		v := c.f.st.op.Acts[i].Verb
		if changesRows(v) && v != dbguard.Call && len(x.name) > 0 && x.op.Flags&sqlscan.Parameterised == 0 {
			names = append(names, x.name)
			open += opensTable(x.raw)
		}
	}
	if c.lostName, err = c.m.misspells(ctx, slices.Concat(names...)...); err != nil {
		return nil, "", err
	}
	// A table that is missing now may exist by then, with triggers and keys that were
	// not looked up, unless an earlier statement of the text creates it.
	return c.lookUpOpenTables(ctx, names, open, c.f.st.op.Statements > 1)
}

// explore follows the statement into triggers, functions and procedures.
func (c *mysqlCounter) explore(ctx context.Context, bases []mysqlTable) (note string, err error) {
	st := c.f.st
	c.reach = &mysqlReach{c: c, tables: map[mysqlTable]events{}, read: map[string]bool{}}
	var ev events
	for i := range st.targets {
		if changesRows(st.op.Acts[i].Verb) && st.op.Acts[i].Verb != dbguard.Call {
			ev |= eventsOf(st.targets[i].op.Kind).withPortion(c.text)
		}
	}
	if c.lostName {
		c.reach.note = lostLettersNote
		return lostLettersNote, nil
	}
	if err = c.reach.followChange(ctx, bases, ev, false); err != nil || c.reach.note != "" {
		return c.reach.note, err
	}
	err = c.reach.followCode(ctx, st)
	return c.reach.note, err
}

// mayAssign reports that an UPDATE may change one of the columns. Triggers and
// generated columns may do so, too, and a view has its own names for columns.
func (c *mysqlCounter) mayAssign(columns []string) bool {
	assigned, ok := c.f.assignmentText()
	if !ok || c.reach.codeWrites || c.reach.hasTriggers || c.derivedKey || c.throughView {
		return true
	}
	for word := range identifiers(assigned) {
		if !isASCII(word) || containsName(columns, word) { // İ is i to MySQL, and in each character set other bytes
			return true
		}
	}
	return false
}

// assignmentText is the part of the text that names the assigned columns.
func (f *Flight) assignmentText() (text string, ok bool) {
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
		for tok := range tokens(f.reading(), x.op.Object.End, int32(len(f.callerText))) {
			if tok.Kind == sqlscan.Word && strings.EqualFold(f.callerText[tok.Pos:tok.End], "DUPLICATE") {
				return f.callerText[tok.Pos:], true
			}
		}
	}
	return "", false
}

// maxViewDepth limits the nesting of views.
const maxViewDepth = 16

// lookUpTables returns the base tables behind the names, resolving views. A note
// reports one whose engine is not transactional. open is a condition that opens the
// tables.
func (c *mysqlCounter) lookUpTables(ctx context.Context, names [][]string, open string, depth int) (bases []mysqlTable, note string, err error) {
	if len(names) == 0 {
		return nil, "", nil
	}
	conds := make([]string, len(names))
	for i, name := range names {
		conds[i] = "(" + c.m.tableCondition(name) + ")"
	}
	var views [][]string
	text := "SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_TYPE, t.ENGINE, e.TRANSACTIONS, t.CREATE_OPTIONS" +
		" FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE" +
		" WHERE (" + strings.Join(conds, " OR ") + ")" + open + noLimit
	err = c.m.conn.Query(ctx, text, func(v []any) error {
		schema, table, engine := strings.Clone(AsText(v[0])), strings.Clone(AsText(v[1])), AsText(v[3])
		switch {
		case strings.Contains(AsText(v[2]), "VIEW"):
			views = append(views, []string{schema, table})
			return nil
		case engine != "" && AsText(v[4]) != "YES":
			note = "table " + table + " is " + engine
		case strings.Contains(AsText(v[5]), "partitioned") && c.m.system() == "mariadb":
			c.partitionedCount++
			if c.partitioned == nil {
				c.partitioned = map[mysqlTable]bool{}
			}
			c.partitioned[mysqlTable{schema, table}] = true
		}
		c.tableCount++
		bases = append(bases, mysqlTable{schema, table})
		return nil
	})
	c.uncatalogued = c.uncatalogued || len(bases)+len(views) < len(names)
	if err != nil || note != "" || len(views) == 0 {
		return bases, note, err
	}
	more, note, err := c.lookUpViews(ctx, views, depth)
	return append(bases, more...), note, err
}

// lookUpOpenTables is lookUpTables that also opens the tables, so that no ALTER TABLE
// comes in between, if the account may read them and they exist. lacking says that
// they may be missing.
func (c *mysqlCounter) lookUpOpenTables(ctx context.Context, names [][]string, open string, lacking bool) (bases []mysqlTable, note string, err error) {
	bases, note, err = c.lookUpTables(ctx, names, open, 0)
	if err != nil && fatalError(err) == nil && (lacking || !mysqlError(err, "1146")) {
		return c.lookUpTables(ctx, names, "", 0)
	}
	return bases, note, err
}

// hasLostLetters reports a name that the catalogue returned with ? for letters which
// the session's character set lacks.
func hasLostLetters(name []string) bool {
	return slices.ContainsFunc(name, func(part string) bool { return strings.Contains(part, "?") })
}

const lostLettersNote = "a name has letters that the session's character set lacks"

// lookUpViews is lookUpTables for the tables behind views.
func (c *mysqlCounter) lookUpViews(ctx context.Context, views [][]string, depth int) (bases []mysqlTable, note string, err error) {
	c.throughView = true
	if depth == maxViewDepth {
		return nil, "views are nested too deeply", nil
	}
	var behind [][]string
	for _, view := range views {
		tables, err := c.viewTables(ctx, view)
		if err != nil {
			return nil, "", err
		}
		if len(tables) == 0 {
			return nil, "view " + view[1] + " cannot be looked through (it takes the privilege SHOW VIEW)", nil
		}
		behind = append(behind, tables...)
	}
	lost, err := c.m.misspells(ctx, slices.Concat(behind...)...)
	if err != nil {
		return nil, "", err
	}
	bases, note, err = c.lookUpTables(ctx, behind, "", depth+1)
	c.lostName = lost || c.lostName || slices.ContainsFunc(behind, func(name []string) bool {
		return hasLostLetters(name) && !slices.Contains(bases, mysqlTable{name[0], name[1]})
	})
	return bases, note, err
}

// viewTables are the tables in a view's definition, where the server qualifies and
// quotes every name.
func (c *mysqlCounter) viewTables(ctx context.Context, view []string) ([][]string, error) {
	definition, err := askText(ctx, c.m.conn, "SELECT t.VIEW_DEFINITION FROM information_schema.VIEWS t WHERE "+c.m.tableCondition(view))
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
	if c.changesNothing {
		if unseen, err := c.firedUnseen(ctx); err != nil || unseen {
			_ = c.f.op.Uncountable(unseenTriggersNote) // reported by End
			return dbguard.Count{Rows: -1}, err
		}
		if c.cacheable {
			c.m.cacheInsert(&c.f.st.targets[0])
		}
		return dbguard.Count{}, nil
	}
	affected, err := c.affectedRows(ctx, affected)
	if err != nil {
		return dbguard.Count{}, err
	}
	after, err := c.readHandlerStatus(ctx)
	if err != nil {
		return dbguard.Count{}, err
	}
	if same, err := c.sameForeignKeys(ctx); err != nil || !same {
		return dbguard.Count{Rows: -1}, err
	}
	did := after.since(c.before)
	if unseen, err := c.mayHaveInvisibleKeys(ctx, did, affected); err != nil || unseen {
		_ = c.f.op.Uncountable(invisibleKeysNote) // reported by End
		return dbguard.Count{Rows: -1}, err
	}
	count, err := c.countVisible(ctx, did, affected)
	switch {
	case err != nil:
		return dbguard.Count{}, err
	case c.walk != nil:
		count, err = c.countWalked(ctx, count, did.changes, affected)
	case c.undoBefore >= 0:
		count, err = c.countUndoLog(ctx, count, did, affected)
	}
	if err == nil && c.keysStale {
		err = c.addUnseenCascades(ctx, &count, did)
	}
	return count, err
}

// countVisible counts what the server reports: everything but cascades.
func (c *mysqlCounter) countVisible(ctx context.Context, did handlerStatus, affected int64) (dbguard.Count, error) {
	handled := did.changes
	x := c.f.st.simple()
	switch {
	case affected >= 0 && c.isPartitionedJoin(): // the driver's count includes all of its tables
		return dbguard.Count{Rows: max(affected, (handled+1)/2)}, nil
	case affected >= 0 && c.affectsOnlyNamed(ctx, did):
		return dbguard.Count{Rows: min(handled, c.changedAmong(affected))}, nil
	case x == nil || affected < 0:
		count := dbguard.Count{Rows: c.halveForPartitions(ctx, did, handled)}
		if allActs(c.f.st, dbguard.Insert) {
			count.Tables = []dbguard.TableRows{{Table: c.reach.hiddenNames(), Rows: count.Rows, Via: "trigger"}}
		}
		return count, nil
	}
	hidden := max(handled-affected, 0)
	switch {
	case hidden > 0 && !c.cascadesCounted && !c.keysUncertain && !c.reach.changesHiddenRows() && c.m.seesTriggers(ctx) && c.m.seesTriggersOf(c.reach.changedTables()):
		if did.fired > 0 && !c.expectsTriggers() {
			_ = c.f.op.Uncountable(unseenTriggersNote) // reported by End
			return dbguard.Count{Rows: -1}, nil
		}
		hidden = 0 // no code changes rows: the difference is rows with unchanged values, and partitions
	case c.partitionedCount > 0:
		hidden = c.hiddenInPartitions(ctx, did, affected)
	}
	count := dbguard.Count{Rows: affected + hidden}
	if hidden > 0 {
		count.Tables = []dbguard.TableRows{
			{Table: c.f.st.op.Acts[0].Object, Rows: affected},
			{Table: c.reach.hiddenNames(), Rows: hidden, Via: c.viaOf(x)},
		}
	}
	return count, nil
}

// viaOf says how rows of other tables were changed, or seem to have been.
func (c *mysqlCounter) viaOf(x *target) string {
	switch {
	case (c.cascadesCounted || c.keysUncertain) && !c.reach.changesHiddenRows():
		return "foreign key"
	case x.op.Kind == sqlscan.Update && !c.reach.codeWrites:
		return "trigger, or rows that stay as they are"
	}
	return "trigger"
}

// expectsTriggers reports that what handlerStatus.fired counts was foreseen. MySQL counts the
// tables with triggers that it opens, for whatever event, also for its cascades.
func (c *mysqlCounter) expectsTriggers() bool {
	return c.reach.hasTriggers || c.m.system() != "mariadb" && (c.reach.anyTriggers || len(c.foreignKeys) > 0)
}

const unseenTriggersNote = "triggers have fired that were not seen"
