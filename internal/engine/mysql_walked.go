package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// walkKeys counts what the foreign keys from the table will change. It is not
// done where the statement's own rows cannot be selected beforehand.
func (c *mysqlCounter) walkKeys(ctx context.Context, own mysqlTable, keys []foreignKey) (done bool, err error) {
	x, limit := c.f.st.simple(), c.f.op.Limit()
	rows, ok := c.f.selection()
	if !ok || c.partitioned || limit > maxProbe {
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
		return false, c.f.s.graveError(err) // or else the statement will tell
	}
	w.total = int64(len(w.roots))
	update := x.op.Kind == sqlscan.Update
	if w.over() && update {
		return false, nil // not every row that is found need change
	}
	c.walk = w
	if !w.over() {
		if err := w.follow(ctx, own, eventsOf(x.op.Kind), w.roots, c.assigns); err != nil {
			c.walk = nil
			return false, c.f.s.graveError(err) // a child that may not be read
		}
	}
	if w.over() && !update {
		return true, c.f.op.Foresee(dbguard.Count{Rows: w.total, Tables: w.tell(int64(len(w.roots)))})
	}
	return true, nil
}

// graveError is nil for an error that only says that a question was not answered:
// not for a lost connection, a deadlock (1213) or a lock that was not had (1205),
// which the statement would have met itself.
func (s *Session) graveError(err error) error {
	if s.lose(err) || mysqlError(err, "1213") || mysqlError(err, "1205") {
		return err
	}
	return nil
}

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
	kept, err := int64(0), error(nil)
	ev := eventsOf(c.f.st.simple().op.Kind)
	for _, k := range keysFrom(w.keys, w.own, ev, c.assigns) {
		n, err := w.left(ctx, k)
		if err != nil {
			return count, err
		}
		kept = max(kept, n)
	}
	direct := affected
	if direct < 0 {
		direct = handled
	}
	switch {
	case ev == deletes && (kept > 0 || direct > roots && !c.reach.wrote || w.again == 0 && direct < roots):
		return dbguard.Count{Rows: -1}, err
	case ev == updates && (direct == 0 || roots == 1 && kept == 1):
		return count, nil // no key has changed
	}
	var hidden int64
	for _, t := range w.hidden {
		hidden += t.Rows
	}
	if ev == deletes {
		direct = max(direct, roots) // some were taken along by others before their turn
		count.Rows = max(count.Rows, roots)
	}
	count.Rows += hidden
	if len(count.Tables) == 0 {
		count.Tables = w.tell(direct)
	} else {
		count.Tables = append(count.Tables, w.hidden...)
	}
	return count, err
}

// logged counts by the transaction's undo log, which has one entry for each row
// added, changed or removed, along foreign keys too, and two where a primary
// key changes. It is the most that there can be; where no foreign key led
// anywhere it is no more than what the server told.
func (c *mysqlCounter) logged(ctx context.Context, count dbguard.Count) (dbguard.Count, error) {
	after, err := c.m.undoEntries(ctx)
	if err != nil {
		return dbguard.Count{}, err
	}
	rows := after - c.entries
	st := c.f.st
	if len(st.targets) == 1 && st.targets[0].op.Kind == sqlscan.Replace && st.targets[0].op.Rows > 0 {
		rows -= st.targets[0].op.Rows
	}
	if hidden := rows - count.Rows; hidden > 0 {
		if len(count.Tables) == 0 && len(st.op.Acts) == 1 {
			count.Tables = []dbguard.TableRows{{Table: st.op.Acts[0].Object, Rows: count.Rows}}
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

// selection is what follows SELECT … FROM to find the rows that the statement
// means, its arguments written out.
func (f *Flight) selection() (text string, ok bool) {
	x := f.st.simple()
	if x == nil || f.text == "" || x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised) != 0 {
		return "", false
	}
	t := &sqlscan.Text{Source: f.text, Dialect: sqlscan.MySQL, Mode: f.s.modes.mode}
	c := clausesOf(t, x)
	if c.odd {
		return "", false
	}
	if x.op.Kind == sqlscan.Delete {
		return spelled(t, x.op.Object.Start, c.end, f.args, 0)
	}
	table, ok := spelled(t, x.op.Object.Start, c.set, f.args, 0)
	if !ok || c.rest == c.end {
		return table, ok
	}
	rest, ok := spelled(t, c.rest, c.end, f.args, c.params)
	return table + " " + rest, ok
}

// clauses are where the parts of a simple DELETE or UPDATE are in its text.
type clauses struct {
	set    int32 // SET of an UPDATE
	rest   int32 // WHERE, ORDER or LIMIT behind it
	end    int32 // of all that says which rows are meant
	params int   // arguments before rest
	all    int   // arguments in all
	odd    bool  // something else is there
}

func clausesOf(t *sqlscan.Text, x *target) clauses {
	c := clauses{set: -1, rest: -1, end: int32(len(t.Source))}
	depth := 0
	for tok := range tokens(t, x.op.Object.End, int32(len(t.Source))) {
		word := ""
		switch {
		case tok.Kind == sqlscan.Param:
			c.all++
			if c.rest < 0 {
				c.params++
			}
		case tok.Kind == sqlscan.Punct && tok.Byte == '(':
			depth++
		case tok.Kind == sqlscan.Punct && tok.Byte == ')':
			depth--
		case tok.Kind == sqlscan.Punct && tok.Byte == ';':
			word = ";"
		case tok.Kind == sqlscan.Word && depth == 0:
			word = strings.ToUpper(t.Source[tok.Pos:tok.End])
		}
		switch word {
		case "SET":
			if c.set < 0 {
				c.set = tok.Pos
			}
		case "WHERE", "ORDER", "LIMIT":
			if c.rest < 0 {
				c.rest = tok.Pos
			}
		case "RETURNING", ";":
			c.end = min(c.end, tok.Pos)
		case "PORTION", "PARTITION", "JOIN", "USING":
			c.odd = true
		}
	}
	if c.rest < 0 {
		c.rest = c.end
	}
	c.odd = c.odd || x.op.Kind == sqlscan.Update && c.set < 0 || executes(t.Source)
	return c
}

// executes reports MySQL's executable comments: what one reads as code, a text
// made of pieces may not.
func executes(text string) bool {
	return strings.Contains(text, "/*!") || strings.Contains(text, "/*M!")
}

// identifiers are the names and bare words of a text.
func identifiers(text string) func(yield func(string) bool) {
	t := &sqlscan.Text{Source: text, Dialect: sqlscan.MySQL, Mode: sqlscan.MySQL.DefaultMode() | sqlscan.ANSIQuotes}
	return func(yield func(string) bool) {
		for tok := range tokens(t, 0, int32(len(text))) {
			name := tok.Kind == sqlscan.Word || tok.Kind == sqlscan.QuotedIdent
			if name && !yield(t.Name(sqlscan.Span{Start: tok.Pos, End: tok.End})) {
				return
			}
		}
	}
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
	n, err := askInts(ctx, m.conn, "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = "+quoteString(sqlscan.MySQL, t.schema)+
		" AND TABLE_NAME = "+quoteString(sqlscan.MySQL, t.name)+" AND COLUMN_NAME IN ("+names+") AND (EXTRA LIKE '%GENERATED%' OR EXTRA LIKE '%on update%')")
	if err != nil {
		return false, err
	}
	return n[0] > 0, nil
}

// lookUpCode finds out whether a text of MySQL's calls stored code, and what of
// it can change rows: that is an act of its own, counted by the engine.
func (s *Session) lookUpCode(ctx context.Context, st *statement) error {
	m, ok := s.backend.(*mysql)
	if !ok || s.guard.Observing() || len(st.calls)+len(st.procs) == 0 && st.verb != "DO" {
		return nil
	}
	c := &mysqlCounter{m: m, f: &Flight{s: s, st: st}}
	r := &mysqlReach{c: c, tables: map[mysqlTable]events{}, read: map[string]bool{}}
	if err := r.code(ctx, st); err != nil {
		return err
	}
	st.ran(r)
	return nil
}

// ran turns what is known of the called code into acts.
func (st *statement) ran(r *mysqlReach) {
	if len(st.procs) > 0 {
		if r.note == "" && len(st.op.Acts) == 1 { // it can be counted, and does not commit
			st.op.Acts[0].Verb, st.commits = dbguard.Call, false
		}
		return
	}
	if st.verb == "DO" && len(st.op.Acts) == 1 { // an expression: it does what its functions do
		st.op.Acts, st.targets = nil, nil
		st.commits, st.elsewhere = false, false
	}
	if st.changesRows() || !r.wrote && r.note == "" {
		return
	}
	note := r.note
	if note == "" {
		note = "it calls a stored function that changes rows"
	}
	st.op.Acts = append(st.op.Acts, dbguard.Act{Verb: dbguard.Call, Note: note})
	st.targets = append(st.targets, target{})
}
