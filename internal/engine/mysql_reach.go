package engine

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// mysqlTable is a base table.
type mysqlTable struct{ schema, name string }

// condition matches the table's rows in a view of information_schema. view is the
// alias of that, with a dot, or "".
func (t mysqlTable) condition(view string) string {
	return view + "TABLE_SCHEMA = " + quoteString(sqlscan.MySQL, t.schema) + " AND " + view + "TABLE_NAME = " + quoteString(sqlscan.MySQL, t.name)
}

func (t mysqlTable) quoted() string { return quoteBackticks(t.schema) + "." + quoteBackticks(t.name) }

// display is the name for messages, unqualified in the current database.
func (t mysqlTable) display(own string) string {
	if strings.EqualFold(t.schema, own) {
		return t.name
	}
	return t.schema + "." + t.name
}

func quoteBackticks(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// events is a set of what happens to rows of a table.
type events uint8

const (
	inserts events = 1 << iota
	updates
	deletes
)

var eventNames = map[string]events{"INSERT": inserts, "UPDATE": updates, "DELETE": deletes}

// eventsOf are those that an operation of the kind can cause.
func eventsOf(kind sqlscan.Kind) events {
	switch kind {
	case sqlscan.Insert:
		return inserts
	case sqlscan.Update:
		return updates
	case sqlscan.Delete:
		return deletes
	case sqlscan.Upsert:
		return inserts | updates
	}
	return inserts | updates | deletes
}

// withPortion adds inserts for FOR PORTION OF, which inserts the remainders of rows
// that it splits.
func (ev events) withPortion(text string) events {
	if ev&(updates|deletes) != 0 && (text == "" || mentionsPortion(text)) {
		ev |= inserts
	}
	return ev
}

func mentionsPortion(text string) bool { return containsFold(text, "portion") }

// mysqlReach follows a statement into triggers, the functions and procedures that it
// or they call, and the tables that those change, until it finds nothing new.
type mysqlReach struct {
	c            *mysqlCounter
	tables       map[mysqlTable]events // base tables that are changed, and how
	read         map[string]bool       // routines that have been read
	hiddenTables []mysqlTable          // changed by code only, not named by the statement
	codeWrites   bool                  // a routine or trigger inserts, updates or deletes rows
	hasTriggers  bool                  // triggers fire
	anyTriggers  bool                  // a table has triggers, perhaps for other events
	bodies       []string              // sources of the bodies read so far
	note         string
}

// followChange follows an operation on tables. hidden says that it is in code, not in
// the text.
func (r *mysqlReach) followChange(ctx context.Context, bases []mysqlTable, ev events, hidden bool) error {
	for _, t := range bases {
		fresh := ev &^ r.tables[t]
		if fresh == 0 {
			continue
		}
		if hidden && r.tables[t] == 0 {
			r.hiddenTables = append(r.hiddenTables, t)
		}
		r.tables[t] |= ev
		if err := r.followTriggers(ctx, t, fresh); err != nil || r.note != "" {
			return err
		}
	}
	return nil
}

// followTriggers follows a table's triggers. An account without the privilege TRIGGER
// sees none: their changes are counted all the same.
func (r *mysqlReach) followTriggers(ctx context.Context, t mysqlTable, ev events) error {
	type trigger struct{ name, body, mode string }
	if lost, err := r.c.m.misspells(ctx, t.schema, t.name); lost || err != nil {
		r.note = lostLettersNote
		return err
	}
	var found []trigger
	text := "SELECT TRIGGER_NAME, EVENT_MANIPULATION, ACTION_STATEMENT, SQL_MODE FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = " +
		quoteString(sqlscan.MySQL, t.schema) + " AND EVENT_OBJECT_TABLE = " + quoteString(sqlscan.MySQL, t.name) + noLimit
	err := r.c.m.conn.Query(ctx, text, func(v []any) error {
		r.anyTriggers = true
		if eventNames[AsText(v[1])]&ev != 0 {
			found = append(found, trigger{strings.Clone(AsText(v[0])), strings.Clone(AsText(v[2])), AsText(v[3])})
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.hasTriggers = r.hasTriggers || len(found) > 0
	for _, trg := range found {
		body, err := r.c.m.readStored(ctx, "TRIGGER", mysqlTable{t.schema, trg.name}, trg.body, trg.mode)
		if err != nil {
			return err
		}
		if err := r.followBody(ctx, t.schema, "trigger "+trg.name, body); err != nil || r.note != "" {
			return err
		}
	}
	return nil
}

// followCode follows the functions and procedures that the text calls.
func (r *mysqlReach) followCode(ctx context.Context, st *statement) error {
	if st.unreadableView {
		r.note = "it names a view that cannot be read and may call a stored function"
		return nil
	}
	if err := r.followRoutines(ctx, "", "the statement", st.routines, "FUNCTION"); err != nil || r.note != "" {
		return err
	}
	if err := r.followRoutines(ctx, "", "the statement", st.procs, "PROCEDURE"); err != nil || r.note != "" {
		return err
	}
	return r.followBlock(ctx, st.block)
}

// followBody follows the changes and calls of a body. who names it in notes.
func (r *mysqlReach) followBody(ctx context.Context, schema, who string, b *routineBody) error {
	if err := r.noteBody(ctx, who, b); err != nil || r.note != "" {
		return err
	}
	if err := r.followRoutines(ctx, schema, who, b.calls, "FUNCTION"); err != nil || r.note != "" {
		return err
	}
	if err := r.followRoutines(ctx, schema, who, b.procs, "PROCEDURE"); err != nil || r.note != "" {
		return err
	}
	if err := r.checkLikeTables(ctx, schema, who, b.likeTables); err != nil || r.note != "" {
		return err
	}
	for _, ch := range b.changes {
		if len(ch.name) == 0 {
			r.note = who + " changes a table that cannot be named"
			return nil
		}
		r.codeWrites = true
		name := ch.name
		if len(name) == 1 {
			name = []string{schema, name[0]}
		}
		open := opensTable(mysqlTable{name[len(name)-2], name[len(name)-1]}.quoted())
		bases, note, err := r.c.lookUpOpenTables(ctx, [][]string{name}, open, true)
		if note == "" && len(bases) == 0 && hasLostLetters(name) {
			note = lostLettersNote
		}
		if note != "" {
			note += ", reached by " + who
		}
		if r.note = note; err != nil || note != "" {
			return err
		}
		if err := r.followChange(ctx, bases, eventsOf(ch.kind).withPortion(b.text), true); err != nil || r.note != "" {
			return err
		}
	}
	return nil
}

// noteBody collects a body, unless it cannot be read.
func (r *mysqlReach) noteBody(ctx context.Context, who string, b *routineBody) error {
	r.bodies = append(r.bodies, b.text)
	lost, err := r.c.m.misspells(ctx, b.text)
	if err == nil && !lost && hasWideBackslash(b.text) {
		lost, err = r.c.m.sendsWideLetters(ctx)
	}
	switch {
	case b.opaque != "":
		r.note = who + " " + b.opaque
	case lost:
		r.note = who + " has letters that are ambiguous in the session's character set"
	}
	return err
}

// checkLikeTables notes a CREATE TEMPORARY TABLE … LIKE a sequence, which makes a
// sequence and commits.
func (r *mysqlReach) checkLikeTables(ctx context.Context, schema, who string, names [][]string) error {
	for _, name := range names {
		if len(name) == 1 {
			name = []string{schema, name[0]}
		}
		text := "SELECT 1 FROM information_schema.TABLES t WHERE t.TABLE_TYPE NOT IN ('BASE TABLE', 'SYSTEM VERSIONED') AND " + r.c.m.tableCondition(name)
		err := r.c.m.conn.Query(ctx, text, func([]any) error { r.note = who + " " + commitsNote; return nil })
		if err != nil || r.note != "" {
			return err
		}
	}
	return nil
}

// followRoutines follows the stored functions or procedures of these names, if there
// are any.
func (r *mysqlReach) followRoutines(ctx context.Context, schema, who string, names [][]string, class string) error {
	for _, name := range names {
		full := name
		if len(full) == 1 {
			full = []string{schema, full[0]}
		}
		key := class + "." + strings.Join(full, ".")
		if r.read[key] {
			continue
		}
		r.read[key] = true
		if lost, err := r.c.m.misspells(ctx, full...); lost || err != nil {
			r.note = lostLettersNote
			return err
		}
		found, err := r.c.m.routine(ctx, full, class)
		switch {
		case err != nil:
			return err
		case len(found) == 0 && class == "PROCEDURE":
			r.note = who + " calls a procedure that cannot be read"
			return nil
		case len(found) == 0 && hasLostLetters(full):
			r.note = who + " calls a routine of which " + lostLettersNote
			return nil
		}
		who := strings.ToLower(class) + " " + full[1]
		for _, one := range found { // none: a built-in function
			if err := r.followBody(ctx, one.schema, who, one.body); err != nil || r.note != "" {
				return err
			}
		}
	}
	return nil
}

// storedRoutine is a stored function or procedure.
type storedRoutine struct {
	schema     string
	text, mode string
	body       *routineBody
}

// routine looks up a stored routine. There may be several: MariaDB compares the names of schemas
// regardless of case and accents, although they are different ones, and a package may have the
// name of a schema.
func (m *mysql) routine(ctx context.Context, full []string, class string) (found []*storedRoutine, err error) {
	schema := "DATABASE()"
	if full[0] != "" {
		schema = quoteString(sqlscan.MySQL, full[0])
	}
	text := "SELECT ROUTINE_SCHEMA, ROUTINE_BODY, ROUTINE_DEFINITION, SQL_MODE FROM information_schema.ROUTINES WHERE " +
		"ROUTINE_SCHEMA = " + schema + " AND ROUTINE_NAME = " + quoteString(sqlscan.MySQL, full[len(full)-1]) +
		" AND ROUTINE_TYPE IN ('" + class + "')"
	if full[0] != "" { // it may be in a package of sql_mode ORACLE
		text += " OR ROUTINE_TYPE IN ('PACKAGE', 'PACKAGE BODY') AND ROUTINE_NAME = " + quoteString(sqlscan.MySQL, full[len(full)-2])
	}
	err = m.conn.Query(ctx, text+noLimit, func(v []any) error {
		one := &storedRoutine{schema: strings.Clone(AsText(v[0])), body: &routineBody{opaque: "cannot be read"}}
		if AsText(v[1]) == "SQL" && v[2] != nil {
			one.text, one.mode, one.body = strings.Clone(AsText(v[2])), strings.Clone(AsText(v[3])), nil
		}
		found = append(found, one)
		return nil
	})
	for _, one := range found {
		if one.body == nil && err == nil {
			one.body, err = m.readStored(ctx, class, mysqlTable{one.schema, full[len(full)-1]}, one.text, one.mode)
		}
	}
	return found, err
}

// changesHiddenRows reports that code deletes or updates rows of tables that the
// statement does not name.
func (r *mysqlReach) changesHiddenRows() bool {
	return slices.ContainsFunc(r.hiddenTables, func(t mysqlTable) bool { return r.tables[t]&(updates|deletes) != 0 })
}

// changedTables are all tables that are changed.
func (r *mysqlReach) changedTables() []mysqlTable { return slices.Collect(maps.Keys(r.tables)) }

// hiddenNames lists the tables whose rows only code deletes or updates, for messages.
func (r *mysqlReach) hiddenNames() string {
	var names []string
	for _, t := range r.hiddenTables {
		if r.tables[t]&(updates|deletes) != 0 {
			names = append(names, t.display(r.c.f.s.namespace))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
