package engine

import "slices"

// effect is what happens to rows of a table.
type effect uint8

const (
	rowsAdded    effect = 1 << iota
	rowsChanged         // UPDATE
	rowsRemoved         // DELETE
	rowsReplaced        // rows in conflict with new or changed ones go, which SQLite does not count
)

// withRemovals says that rows which are replaced are removed.
func (e effect) withRemovals() effect {
	if e&rowsReplaced != 0 {
		e |= rowsRemoved
	}
	return e
}

// reach is what a statement leads to, by triggers and foreign keys, beyond
// what it says itself.
type reach struct {
	tables        map[string]*effects // by table
	unreadable    bool                // a trigger cannot be read
	mayRaise      bool                // one may raise an error
	maySkip       bool                // one may pass over a row
	mayFailMidway bool                // a step may fail when it has done a part, and keep that
	followed      map[any]bool        // the foreign keys and triggers by which an UPDATE of some columns has been followed
}

// effects are all that happens to one table.
type effects struct {
	kinds effect
	sets  []string // the columns that are assigned to; "*" for all of them
}

// tableChange is something that a statement does to a table.
type tableChange struct {
	table   string
	kind    effect
	sets    []string
	matched []string // columns that are those of the row that set the trigger off
	rowKey  string   // the one column that names its row
	maxRows int64    // the rows that it writes at most; 0: no idea
	sameRow bool     // it is done to that row alone, which is counted already, or new
}

// reach follows acts to their ends. OR REPLACE is handed down: triggers add and
// change rows in the manner of the statement that sets them off.
func (sc *sqliteSchema) reach(starts []tableChange) reach {
	hands := slices.ContainsFunc(starts, func(a tableChange) bool { return a.kind&rowsReplaced != 0 })
	r, handed := sc.follow(starts, hands)
	if handed && !hands {
		r, _ = sc.follow(starts, true)
	}
	return r
}

// follow is reach, with OR REPLACE handed down or not. handed says that a trigger's
// own should be.
func (sc *sqliteSchema) follow(starts []tableChange, hands bool) (r reach, handed bool) {
	r = reach{tables: map[string]*effects{}, followed: map[any]bool{}}
	done := map[string]effect{}
	todo := starts
	for i := 0; i < len(todo); i++ {
		a := todo[i]
		r.mayFailMidway = r.mayFailMidway || i >= len(starts) && sc.fails[a.table]
		if a.kind&(rowsAdded|rowsChanged) != 0 && sc.replaces[a.table] {
			a.kind |= rowsReplaced
		}
		fresh := a.kind &^ done[a.table]
		done[a.table] |= fresh
		for _, next := range sc.triggerChanges(&r, a, fresh) {
			handed = handed || next.kind&rowsReplaced != 0
			if hands && next.kind&(rowsAdded|rowsChanged) != 0 {
				next.kind |= rowsReplaced
			}
			r.note(sc, next)
			todo = append(todo, next)
		}
		for _, next := range append(sc.foreignKeyChanges(&r, a, fresh), sc.shadowTableChanges(&r, a, fresh)...) {
			r.note(sc, next)
			todo = append(todo, next)
		}
	}
	return r, handed
}

// triggerChanges are the acts of a table's triggers in answer to what happens to it.
func (sc *sqliteSchema) triggerChanges(r *reach, a tableChange, fresh effect) (acts []tableChange) {
	for i := range sc.triggers[a.table] {
		t := &sc.triggers[a.table][i]
		on := t.events&fresh.withRemovals() != 0
		if len(t.columns) > 0 {
			on = a.kind&rowsChanged != 0 && !r.followed[t] && slices.ContainsFunc(t.columns, a.assigns)
			r.followed[t] = r.followed[t] || on
		}
		if on {
			r.unreadable = r.unreadable || !t.readable
			r.mayRaise, r.maySkip = r.mayRaise || t.raises, r.maySkip || t.skips
			r.mayFailMidway = r.mayFailMidway || t.failsMidway
			acts = append(acts, t.changes...)
		}
	}
	return acts
}

// foreignKeyChanges are those of the foreign keys that refer to it. An UPDATE is followed by
// those whose columns it assigns.
func (sc *sqliteSchema) foreignKeyChanges(r *reach, a tableChange, fresh effect) (acts []tableChange) {
	for i := range sc.foreignKeys[a.table] {
		ref := &sc.foreignKeys[a.table][i]
		if fresh.withRemovals()&rowsRemoved != 0 && ref.onDelete != 0 {
			acts = append(acts, tableChange{table: ref.child, kind: ref.onDelete, sets: []string{"*"}})
		}
		if a.kind&rowsChanged != 0 && ref.onUpdate != 0 && !r.followed[ref] && a.assigns(ref.parentColumn) {
			r.followed[ref] = true
			acts = append(acts, tableChange{table: ref.child, kind: ref.onUpdate, sets: []string{"*"}})
		}
	}
	return acts
}

// assigns reports that the column may be among those that are assigned to.
func (a *tableChange) assigns(column string) bool {
	return column == "" || len(a.sets) == 0 || slices.ContainsFunc(a.sets, func(name string) bool {
		return name == column || name == "*" || slices.Contains(rowidNames, name)
	})
}

func (r *reach) note(sc *sqliteSchema, a tableChange) {
	e := r.tables[a.table]
	if e == nil {
		e = &effects{}
		r.tables[a.table] = e
	}
	if a.kind&(rowsAdded|rowsChanged) != 0 && sc.replaces[a.table] {
		a.kind |= rowsReplaced
	}
	if a.sameRow {
		a.kind &= rowsReplaced
	}
	e.kinds |= a.kind
	for _, name := range a.sets {
		if !slices.Contains(e.sets, name) {
			e.sets = append(e.sets, name)
		}
	}
}

// effectOn is what happens to a table's rows behind the statement.
func (r *reach) effectOn(table string) effect {
	e := r.tables[table]
	if e == nil {
		return 0
	}
	return e.kinds.withRemovals()
}

// onlyAdds reports that nothing but new rows is behind the statement, as where
// triggers write a log or keep a search index.
func (r *reach) onlyAdds() bool {
	for _, e := range r.tables {
		if e.kinds&^rowsAdded != 0 {
			return false
		}
	}
	return !r.unreadable
}

// losingTables are the tables whose rows may change or go.
func (r *reach) losingTables() (tables []string) {
	for name, e := range r.tables {
		if e.kinds&^rowsAdded != 0 {
			tables = append(tables, name)
		}
	}
	slices.Sort(tables)
	return tables
}

// changesRowid reports that a row of the table may be given another number.
func (e *effects) changesRowid(x *sqliteTable) bool {
	return slices.ContainsFunc(e.sets, func(name string) bool {
		return name == "*" || name == x.rowidColumn || slices.Contains(rowidNames, name)
	})
}

// maySkipRows reports that a trigger may pass over a row.
func (c *sqliteCounter) maySkipRows() bool { return c.reach.maySkip }
