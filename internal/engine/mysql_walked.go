package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// walkKeys counts what the foreign keys from the table will change. It is not
// done where the statement's own rows cannot be selected beforehand.
func (c *mysqlCounter) walkKeys(ctx context.Context, own mysqlTable, keys []foreignKey) (done bool, err error) {
	x, limit := c.f.st.simple(), c.f.op.Limit()
	rows, ok := c.f.selection()
	if !ok || c.parts > 0 || limit > maxProbe || x.op.Kind == sqlscan.Delete && slices.ContainsFunc(keys, own.changesItself) {
		return false, nil
	}
	update := x.op.Kind == sqlscan.Update
	if update && (x.op.Flags&sqlscan.HasLimit != 0 || !foreseeable(rows)) {
		return false, nil
	}
	w := &keyWalk{c: c, keys: keys, limit: limit, own: own, seen: map[mysqlTable]map[string]bool{}}
	if note, err := w.columns(ctx); err != nil || note != "" {
		return false, err
	}
	text := w.selectFrom(own) + rows
	if x.op.Flags&sqlscan.HasLimit == 0 {
		text += w.limits(own)
	}
	if w.roots, err = w.fetch(ctx, own, text); err != nil {
		return false, fatalError(err) // or else the statement will tell
	}
	w.total = int64(len(w.roots))
	if w.over() && update {
		return false, nil // not every row that is found need change
	}
	c.walk = w
	if !w.over() {
		if err := w.follow(ctx, own, eventsOf(x.op.Kind), w.roots, c.assigns); err != nil {
			c.walk = nil
			return false, fatalError(err) // a child that may not be read
		}
	}
	if w.over() && !update {
		return true, c.f.op.Foresee(dbguard.Count{Rows: w.total, Tables: w.tell(int64(len(w.roots)))})
	}
	return true, nil
}

// foreseeable reports a selection that is the same when it is made again: a DELETE shows
// afterwards which rows it meant, an UPDATE does not.
func foreseeable(selection string) bool {
	if strings.Contains(selection, `\`) { // which may escape a quote, or not
		return false
	}
	word := ""
	for tok := range tokens(&sqlscan.Text{Source: selection, Dialect: sqlscan.MySQL, Mode: sqlscan.MySQL.DefaultMode()}, 0, int32(len(selection))) {
		text := strings.ToUpper(selection[tok.Pos:tok.End])
		switch {
		case strings.HasPrefix(text, "@"), text == "SELECT", strings.HasPrefix(text, "CURRENT"), strings.HasPrefix(text, "LOCALTIME"), strings.HasPrefix(text, "UTC_"):
			return false
		case text == "(" && word != "" && !slices.Contains([]string{"WHERE", "IN", "AND", "OR", "NOT", "BETWEEN", "XOR", "LIKE"}, word):
			return false // a function
		}
		if word = ""; isName(tok) {
			word = text
		}
	}
	return true
}

// changesItself reports a key by which a DELETE from the table changes rows that it
// leaves there: one that did not meet its condition may meet it then.
func (t mysqlTable) changesItself(k foreignKey) bool { return k.child == t && k.onDelete == "SET NULL" }

func (w *keyWalk) tell(direct int64) []dbguard.TableRows {
	if len(w.hidden) == 0 {
		return nil
	}
	return append([]dbguard.TableRows{{Table: w.c.f.st.op.Acts[0].Object, Rows: direct}}, w.hidden...)
}

// walked adds to a count the rows that the walk found, once it is sure that the
// statement has changed the rows that the walk began with and no others.
func (c *mysqlCounter) walked(ctx context.Context, count dbguard.Count, handled, affected int64) (dbguard.Count, error) {
	w, roots := c.walk, int64(len(c.walk.roots))
	ev := eventsOf(c.f.st.simple().op.Kind)
	if ev == updates {
		if affected > roots || handled > roots && !c.reach.wrote {
			return dbguard.Count{Rows: -1}, nil // others have added some
		}
		if stay, err := c.stays(ctx, handled, affected); err != nil || stay {
			return count, err
		}
	}
	kept := int64(0)
	for _, k := range keysFrom(w.keys, w.own, ev, c.assigns) {
		n, _, err := w.left(ctx, k.parentCols, equal)
		if err != nil {
			return count, err
		}
		kept = max(kept, n)
	}
	direct := affected
	if direct < 0 {
		direct = handled
	}
	if ev == deletes && (kept > 0 || direct > roots && !c.reach.wrote || w.again == 0 && direct < roots) {
		return dbguard.Count{Rows: -1}, nil
	}
	if ev == deletes {
		direct = max(direct, roots) // some were taken along by others before their turn
		count.Rows = max(count.Rows, roots)
	}
	for _, t := range w.hidden {
		count.Rows += t.Rows
	}
	if len(count.Tables) == 0 {
		count.Tables = w.tell(direct)
	} else {
		count.Tables = append(count.Tables, w.hidden...)
	}
	return count, nil
}

// stays reports that an UPDATE has left every row that it found with its keys. In
// one statement no two rows can change places: a primary key is free or taken.
func (c *mysqlCounter) stays(ctx context.Context, handled, affected int64) (bool, error) {
	w := c.walk
	if affected == 0 || handled == 0 {
		return true, nil
	}
	var primary []string
	for _, col := range w.tables[w.own] {
		if col.primary {
			primary = append(primary, col.name)
		}
	}
	if len(primary) == 0 {
		return false, nil // another row may have the same key
	}
	for _, k := range keysFrom(w.keys, w.own, updates, c.assigns) {
		n, of, err := w.left(ctx, append(slices.Clone(primary), k.parentCols...), same)
		if err != nil || n < of {
			return false, err
		}
	}
	return true, nil
}

// logged counts by the transaction's undo log, which has one entry for each row
// added, changed or removed, along foreign keys too, and two where a primary
// key changes. It is the most that there can be; where no foreign key led
// anywhere it is no more than what the server told.
func (c *mysqlCounter) logged(ctx context.Context, count dbguard.Count, did handlerCalls, affected int64) (dbguard.Count, error) {
	after, err := c.m.undoEntries(ctx)
	if err != nil {
		return dbguard.Count{}, err
	}
	rows := after - c.entries
	switch {
	case rows > count.Rows:
		added, err := c.added(ctx, did, affected)
		if err != nil {
			return dbguard.Count{}, err
		}
		rows -= added
	case rows < count.Rows: // some are as they were, or were undone on the way
		if all, err := c.holdsAll(ctx); err != nil || all {
			return dbguard.Count{Rows: rows}, err
		}
	}
	if hidden := rows - count.Rows; hidden > 0 {
		if len(count.Tables) == 0 && len(c.f.st.op.Acts) == 1 {
			count.Tables = []dbguard.TableRows{{Table: c.f.st.op.Acts[0].Object, Rows: count.Rows}}
		}
		count.Tables = append(count.Tables, dbguard.TableRows{Rows: hidden, Via: "foreign key"})
		count.Rows = rows
	}
	return count, nil
}

// undoEntries is the number of entries in the undo log of the session's
// transaction. SHOW ENGINE INNODB STATUS reads it there and then;
// INNODB_TRX.trx_rows_modified is the same number up to 100 ms ago.
func (m *mysql) undoEntries(ctx context.Context) (int64, error) {
	if m.thread == "" {
		id, err := askText(ctx, m.conn, "SELECT CONNECTION_ID()")
		if err != nil {
			return 0, err
		}
		m.thread = " thread id " + id + ","
	}
	status := ""
	err := m.conn.Query(ctx, "SHOW ENGINE INNODB STATUS", func(v []any) error {
		status = strings.Clone(asText(v[len(v)-1]))
		return nil
	})
	if err != nil {
		return 0, err
	}
	return entriesOf(status, m.thread)
}

// entriesOf finds the session among the open transactions. Before their list
// the last deadlock and the last foreign key error are told, which may have been
// the session's too.
func entriesOf(status, thread string) (int64, error) {
	_, list, ok := strings.Cut(status, "\nLIST OF TRANSACTIONS")
	if !ok || strings.Contains(status, "... truncated...") {
		return 0, errNoRow
	}
	for block := range strings.SplitSeq(list, "\n---TRANSACTION") {
		if !strings.Contains(block, thread) {
			continue
		}
		_, rest, ok := strings.Cut(block, "undo log entries ")
		if !ok {
			return 0, nil
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		return asInt(rest[:max(end, 0)])
	}
	return 0, nil // no transaction that has changed anything
}

// changesWithOthers reports that a foreign key points to a column of the table
// whose value an UPDATE changes without naming it.
func (m *mysql) changesWithOthers(ctx context.Context, t mysqlTable, keys []foreignKey) (bool, error) {
	names := "''"
	for _, k := range keys {
		for _, col := range k.parentCols {
			names += ", " + quoteString(sqlscan.MySQL, col)
		}
	}
	n, err := askInts(ctx, m.conn, "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE "+t.rows("")+" AND COLUMN_NAME IN ("+names+") AND (EXTRA LIKE '%GENERATED%' OR EXTRA LIKE '%on update%')")
	if err != nil {
		return false, err
	}
	return n[0] > 0, nil
}

// selection is what follows SELECT … FROM to find the rows that the statement
// means, its arguments written out.
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
		return spelled(t, x.op.Object.Start, c.end, f.args, 0)
	}
	table, ok := spelled(t, x.op.Object.Start, c.set, f.args, 0)
	if !ok || c.tail == c.end {
		return table, ok
	}
	rest, ok := spelled(t, c.tail, c.end, f.args, c.headParams)
	return table + " " + rest, ok
}
