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

// rows is the condition that a row of a view of information_schema is about the table;
// view is what the view is called, with a dot, or nothing.
func (t mysqlTable) rows(view string) string {
	return view + "TABLE_SCHEMA = " + quoteString(sqlscan.MySQL, t.schema) + " AND " + view + "TABLE_NAME = " + quoteString(sqlscan.MySQL, t.name)
}

func (t mysqlTable) quoted() string { return quoteBack(t.schema) + "." + quoteBack(t.name) }

// display is the name for a message, short in the session's own database.
func (t mysqlTable) display(own string) string {
	if strings.EqualFold(t.schema, own) {
		return t.name
	}
	return t.schema + "." + t.name
}

func quoteBack(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// events are what happens to rows of a table, as a set.
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

// in adds that rows of which FOR PORTION OF leaves a part are added anew.
func (ev events) in(text string) events {
	if ev&(updates|deletes) != 0 && (text == "" || splits(text)) {
		ev |= inserts
	}
	return ev
}

func splits(text string) bool { return containsFold(text, "portion") }

// mysqlReach follows a statement into what it sets off: triggers, the
// functions and procedures that it or they call, and the tables that those
// change, until nothing new is found.
type mysqlReach struct {
	c      *mysqlCounter
	tables map[mysqlTable]events // base tables that are changed
	read   map[string]bool       // routines that have been read
	behind []mysqlTable          // changed by code, and not named by the statement
	wrote  bool                  // some routine or trigger changes or adds rows
	fires  bool                  // there are triggers
	texts  []string              // the bodies that have been read
	note   string
}

// change follows an operation on a table or view, named in the text or, hidden,
// in code.
func (r *mysqlReach) change(ctx context.Context, bases []mysqlTable, ev events, hidden bool) error {
	for _, t := range bases {
		fresh := ev &^ r.tables[t]
		if fresh == 0 {
			continue
		}
		if hidden && r.tables[t] == 0 {
			r.behind = append(r.behind, t)
		}
		r.tables[t] |= ev
		if err := r.triggers(ctx, t, fresh); err != nil || r.note != "" {
			return err
		}
	}
	return nil
}

// triggers reads those of a table. An account without the privilege TRIGGER
// sees none: what they change is counted all the same.
func (r *mysqlReach) triggers(ctx context.Context, t mysqlTable, ev events) error {
	type trigger struct{ name, body, mode string }
	var found []trigger
	text := "SELECT TRIGGER_NAME, EVENT_MANIPULATION, ACTION_STATEMENT, SQL_MODE FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = " +
		quoteString(sqlscan.MySQL, t.schema) + " AND EVENT_OBJECT_TABLE = " + quoteString(sqlscan.MySQL, t.name) + everything
	err := r.c.m.conn.Query(ctx, text, func(v []any) error {
		if eventNames[asText(v[1])]&ev != 0 {
			found = append(found, trigger{strings.Clone(asText(v[0])), strings.Clone(asText(v[2])), asText(v[3])})
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.fires = r.fires || len(found) > 0
	for _, trg := range found {
		if err := r.body(ctx, t.schema, "trigger "+trg.name, r.c.m.readBody(t.schema, trg.body, trg.mode)); err != nil || r.note != "" {
			return err
		}
	}
	return nil
}

// code follows the functions and procedures that the text calls.
func (r *mysqlReach) code(ctx context.Context, st *statement) error {
	if st.unreadableView {
		r.note = "it names a view that cannot be read and may call a stored function"
		return nil
	}
	if err := r.routines(ctx, "", "the statement", st.routines, "FUNCTION"); err != nil || r.note != "" {
		return err
	}
	if err := r.routines(ctx, "", "the statement", st.procs, "PROCEDURE"); err != nil || r.note != "" {
		return err
	}
	return r.block(ctx, st.block)
}

// body follows what a body does.
func (r *mysqlReach) body(ctx context.Context, schema, who string, b *routineBody) error {
	if b.dark != "" {
		r.note = who + " " + b.dark
		return nil
	}
	r.texts = append(r.texts, b.text)
	if err := r.routines(ctx, schema, who, b.calls, "FUNCTION"); err != nil || r.note != "" {
		return err
	}
	if err := r.routines(ctx, schema, who, b.procs, "PROCEDURE"); err != nil || r.note != "" {
		return err
	}
	if err := r.alike(ctx, schema, who, b.likes); err != nil || r.note != "" {
		return err
	}
	for _, ch := range b.changes {
		if len(ch.name) == 0 {
			r.note = who + " changes a table that cannot be named"
			return nil
		}
		r.wrote = true
		name := ch.name
		if len(name) == 1 {
			name = []string{schema, name[0]}
		}
		open := opened(mysqlTable{name[len(name)-2], name[len(name)-1]}.quoted())
		bases, note, err := r.c.openedEngines(ctx, [][]string{name}, open, true)
		if note == "" && len(bases) == 0 && masked(name) {
			note = maskedNote
		}
		if note != "" {
			note += ", reached by " + who
		}
		if r.note = note; err != nil || note != "" {
			return err
		}
		if err := r.change(ctx, bases, eventsOf(ch.kind).in(b.text), true); err != nil || r.note != "" {
			return err
		}
	}
	return nil
}

// alike notes a temporary table that is made like a sequence: it is one, and commits.
func (r *mysqlReach) alike(ctx context.Context, schema, who string, names [][]string) error {
	for _, name := range names {
		if len(name) == 1 {
			name = []string{schema, name[0]}
		}
		text := "SELECT 1 FROM information_schema.TABLES t WHERE t.TABLE_TYPE NOT IN ('BASE TABLE', 'SYSTEM VERSIONED') AND " + r.c.m.tableIs(name)
		err := r.c.m.conn.Query(ctx, text, func([]any) error { r.note = who + " " + commitsNote; return nil })
		if err != nil || r.note != "" {
			return err
		}
	}
	return nil
}

// routines reads stored functions or procedures of these names, where there
// are any.
func (r *mysqlReach) routines(ctx context.Context, schema, who string, names [][]string, class string) error {
	for _, name := range names {
		full := name
		if len(full) == 1 {
			full = []string{schema, full[0]}
		}
		key := strings.ToLower(class + "." + strings.Join(full, "."))
		if r.read[key] {
			continue
		}
		r.read[key] = true
		found, err := r.c.m.routine(ctx, full, class)
		switch {
		case err != nil:
			return err
		case found == nil && class == "PROCEDURE":
			r.note = who + " calls a procedure that cannot be read"
			return nil
		case found == nil && masked(full):
			r.note = who + " calls a routine of which " + maskedNote
			return nil
		case found == nil:
			continue // no stored function: one of the server's
		}
		who := strings.ToLower(class) + " " + full[1]
		if err := r.body(ctx, found.schema, who, found.body); err != nil || r.note != "" {
			return err
		}
	}
	return nil
}

// storedRoutine is a function or procedure of a database.
type storedRoutine struct {
	schema string
	body   *routineBody
}

// routine looks a stored routine up; nil, if there is none of that name.
func (m *mysql) routine(ctx context.Context, full []string, class string) (found *storedRoutine, err error) {
	schema := "DATABASE()"
	if full[0] != "" {
		schema = quoteString(sqlscan.MySQL, full[0])
	}
	text := "SELECT ROUTINE_SCHEMA, ROUTINE_BODY, ROUTINE_DEFINITION, SQL_MODE FROM information_schema.ROUTINES WHERE " +
		"ROUTINE_SCHEMA = " + schema + " AND ROUTINE_NAME = " + quoteString(sqlscan.MySQL, full[len(full)-1]) +
		" AND ROUTINE_TYPE IN ('" + class + "')"
	if full[0] != "" { // or a package's of sql_mode ORACLE
		text += " OR ROUTINE_TYPE IN ('PACKAGE', 'PACKAGE BODY') AND ROUTINE_NAME = " + quoteString(sqlscan.MySQL, full[len(full)-2])
	}
	err = m.conn.Query(ctx, text+everything, func(v []any) error {
		found = &storedRoutine{schema: strings.Clone(asText(v[0])), body: &routineBody{dark: "cannot be read"}}
		if asText(v[1]) == "SQL" && v[2] != nil {
			found.body = m.readBody(found.schema, strings.Clone(asText(v[2])), asText(v[3]))
		}
		return nil
	})
	return found, err
}

// behinds reports that code deletes or changes rows of tables that the statement
// does not name.
func (r *mysqlReach) behinds() bool {
	return slices.ContainsFunc(r.behind, func(t mysqlTable) bool { return r.tables[t]&(updates|deletes) != 0 })
}

// named are all tables that are changed.
func (r *mysqlReach) named() []mysqlTable { return slices.Collect(maps.Keys(r.tables)) }

// hiddenNames are the tables that only code changes, for messages.
func (r *mysqlReach) hiddenNames() string {
	var names []string
	for _, t := range r.behind {
		if r.tables[t]&(updates|deletes) != 0 {
			names = append(names, t.display(r.c.f.s.namespace))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
