package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// walkCascades counts the rows that foreign keys to the table will change. It is not
// done where the statement's own rows cannot be selected beforehand.
func (c *mysqlCounter) walkCascades(ctx context.Context, own mysqlTable, keys []foreignKey) (done bool, err error) {
	x, limit := c.f.st.simple(), c.f.op.Limit()
	rows, ok := c.f.selection()
	if !ok || c.partitionedCount > 0 || limit > maxProbe || x.op.Kind == sqlscan.Delete && slices.ContainsFunc(keys, own.setsNullInItself) {
		return false, nil
	}
	update := x.op.Kind == sqlscan.Update
	if update && (x.op.Flags&sqlscan.HasLimit != 0 || !isRepeatable(rows)) {
		return false, nil
	}
	w := &cascadeWalk{c: c, keys: keys, limit: limit, rootTable: own, seen: map[mysqlTable]map[string]bool{}}
	if note, err := w.columns(ctx); err != nil || note != "" {
		return false, err
	}
	text := w.selectFrom(own) + rows
	if x.op.Flags&sqlscan.HasLimit == 0 {
		text += w.limitClause(own)
	}
	if w.roots, err = w.fetch(ctx, own, text); err != nil {
		return false, fatalError(err) // the statement itself will report any other error
	}
	w.total = int64(len(w.roots))
	if w.overBound() && update {
		return false, nil // an UPDATE need not change every row that it finds
	}
	c.walk = w
	if !w.overBound() {
		if err := w.follow(ctx, own, eventsOf(x.op.Kind), w.roots, c.mayAssign); err != nil {
			c.walk = nil
			return false, fatalError(err) // a child table that the account may not read
		}
	}
	switch {
	case w.overBound() && !update:
		return true, c.f.op.Foresee(dbguard.Count{Rows: w.total, Tables: w.tableRows(int64(len(w.roots)))})
	case x.op.Flags&sqlscan.HasLimit != 0 && w.revisited > 0:
		c.walk = nil // LIMIT does not count a row that a cascade deletes first: another one goes in its place
		return false, nil
	}
	return true, nil
}

// isRepeatable reports a selection that finds the same rows when it runs again. What
// a DELETE selected can be checked afterwards; what an UPDATE selected cannot.
func isRepeatable(selection string) bool {
	if strings.Contains(selection, `\`) { // whether it escapes a quote depends on sql_mode
		return false
	}
	word := ""
	for tok := range tokens(&sqlscan.Text{Source: selection, Dialect: sqlscan.MySQL, Mode: sqlscan.MySQL.DefaultMode()}, 0, int32(len(selection))) {
		text := strings.ToUpper(selection[tok.Pos:tok.End])
		switch {
		case strings.HasPrefix(text, "@"), text == "SELECT", strings.HasPrefix(text, "CURRENT"), strings.HasPrefix(text, "LOCALTIME"), strings.HasPrefix(text, "UTC_"):
			return false
		case text == "(" && word != "" && !slices.Contains([]string{"WHERE", "IN", "AND", "OR", "NOT", "BETWEEN", "XOR", "LIKE"}, word):
			return false // a function call
		}
		if word = ""; isName(tok) {
			word = text
		}
	}
	return true
}

// setsNullInItself reports a self-referencing key with ON DELETE SET NULL: a row that
// did not match the condition may match once the key has changed it.
func (t mysqlTable) setsNullInItself(k foreignKey) bool {
	return k.child == t && k.onDelete == "SET NULL"
}

func (w *cascadeWalk) tableRows(direct int64) []dbguard.TableRows {
	if len(w.cascaded) == 0 {
		return nil
	}
	return append([]dbguard.TableRows{{Table: w.c.f.st.op.Acts[0].Object, Rows: direct}}, w.cascaded...)
}

// countWalked adds the rows that the walk found, after checking that the statement
// changed exactly the rows from which the walk started.
func (c *mysqlCounter) countWalked(ctx context.Context, count dbguard.Count, handled, affected int64) (dbguard.Count, error) {
	w, roots := c.walk, int64(len(c.walk.roots))
	ev := eventsOf(c.f.st.simple().op.Kind)
	if ev == updates {
		if affected > roots || handled > roots && !c.reach.codeWrites && c.m.cascades != cascadesCounted {
			return dbguard.Count{Rows: -1}, nil // another transaction has inserted some
		}
		if stay, err := c.keyValuesUnchanged(ctx, handled, affected); err != nil || stay {
			return count, err
		}
	}
	kept := int64(0)
	for _, k := range cascadingKeys(w.keys, w.rootTable, ev, c.mayAssign) {
		n, _, err := w.countMatching(ctx, k.parentCols, equal)
		if err != nil {
			return count, err
		}
		kept = max(kept, n)
	}
	direct := affected
	if direct < 0 {
		direct = handled
	}
	if ev == deletes && (kept > 0 || direct > roots && !c.reach.codeWrites || w.revisited == 0 && direct < roots) {
		return dbguard.Count{Rows: -1}, nil
	}
	if ev == deletes {
		direct = max(direct, roots) // cascades of other rows deleted some of them first
		count.Rows = max(count.Rows, roots)
	}
	if c.m.cascades == cascadesCounted && count.Rows > affected { // they are among the hidden rows
		return count, nil
	}
	return w.addCascaded(count, direct), nil
}

func (w *cascadeWalk) addCascaded(count dbguard.Count, direct int64) dbguard.Count {
	for _, t := range w.cascaded {
		count.Rows += t.Rows
	}
	if len(count.Tables) == 0 {
		count.Tables = w.tableRows(direct)
	} else {
		count.Tables = append(count.Tables, w.cascaded...)
	}
	return count
}

// keyValuesUnchanged reports that an UPDATE left the key values of all its rows as
// they were. Two rows cannot swap primary keys in one statement: each value is either
// free or taken.
func (c *mysqlCounter) keyValuesUnchanged(ctx context.Context, handled, affected int64) (bool, error) {
	w := c.walk
	if affected == 0 || handled == 0 {
		return true, nil
	}
	var primary []string
	for _, col := range w.tables[w.rootTable] {
		if col.primary {
			primary = append(primary, col.name)
		}
	}
	if len(primary) == 0 {
		return false, nil // another row may have the same values
	}
	for _, k := range cascadingKeys(w.keys, w.rootTable, updates, c.mayAssign) {
		n, of, err := w.countMatching(ctx, append(slices.Clone(primary), k.parentCols...), identical)
		if err != nil || n < of {
			return false, err
		}
	}
	return true, nil
}

// hasDerivedKey reports that a foreign key references a column whose value an UPDATE
// changes without naming it: a generated one, or one with ON UPDATE.
func (m *mysql) hasDerivedKey(ctx context.Context, t mysqlTable, keys []foreignKey) (bool, error) {
	names := "''"
	for _, k := range keys {
		for _, col := range k.parentCols {
			names += ", " + quoteString(sqlscan.MySQL, col)
		}
	}
	n, err := askInts(ctx, m.conn, "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE "+t.condition("")+" AND COLUMN_NAME IN ("+names+") AND (EXTRA LIKE _utf8mb4'%GENERATED%' OR EXTRA LIKE _utf8mb4'%on update%')")
	if err != nil {
		return false, err
	}
	return n[0] > 0, nil
}

// selection is the text behind SELECT … FROM that finds the rows of the statement,
// its arguments inlined.
func (f *Flight) selection() (text string, ok bool) {
	x := f.st.simple()
	if x == nil || f.callerText == "" || x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised) != 0 {
		return "", false
	}
	t := f.reading()
	c := clausesOf(t, x)
	if c.unsupported {
		return "", false
	}
	if x.op.Kind == sqlscan.Delete {
		return inlineArgs(t, x.op.Object.Start, c.end, f.args, 0)
	}
	table, ok := inlineArgs(t, x.op.Object.Start, c.set, f.args, 0)
	if !ok || c.tail == c.end {
		return table, ok
	}
	rest, ok := inlineArgs(t, c.tail, c.end, f.args, c.headParams)
	return table + " " + rest, ok
}
