package engine

import "slices"

// effect is what happens to rows of a table.
type effect uint8

const (
	rowsAdded    effect = 1 << iota
	rowsChanged         // UPDATE
	rowsRemoved         // DELETE
	rowsReplaced        // rows in conflict with new or changed ones are removed, which SQLite does not count
)

// withRemovals adds that rows which are replaced are removed.
func (e effect) withRemovals() effect {
	if e&rowsReplaced != 0 {
		e |= rowsRemoved
	}
	return e
}

// reach is what a statement leads to by triggers and foreign keys, beyond its own
// text.
type reach struct {
	tables        map[string]*effects // by name
	unreadable    bool                // a trigger cannot be parsed
	mayRaise      bool                // a trigger may raise an error
	maySkip       bool                // a trigger may skip a row
	mayFailMidway bool                // a step may fail after it has done a part, and keep that
	followed      map[any]bool        // the foreign keys and triggers on columns that an UPDATE has been followed through
}

// effects are all that happens to one table.
type effects struct {
	kinds effect
	sets  []string // the columns that are assigned to; "*" for all of them
}

// tableChange is one change that a statement makes to a table.
type tableChange struct {
	table   string
	kind    effect
	sets    []string // the columns that are assigned to; "*" for all of them
	matched []string // columns compared with those of the row that fired the trigger
	rowKey  string   // the only column that selects its row
	maxRows int64    // that it writes; 0 if not known
	sameRow bool     // it only changes the row that fired the trigger, which is counted already, or new
}

// reach follows changes to their ends. OR REPLACE is inherited: triggers resolve
// conflicts as the statement does that fires them.
func (sc *sqliteSchema) reach(starts []tableChange) reach {
	orReplace := slices.ContainsFunc(starts, func(a tableChange) bool { return a.kind&rowsReplaced != 0 })
	r, inherits := sc.followWith(starts, orReplace)
	if inherits && !orReplace {
		r, _ = sc.followWith(starts, true)
	}
	return r
}

// followWith is reach, with or without an inherited OR REPLACE. inherits says that a
// trigger's own statement has one to pass on.
func (sc *sqliteSchema) followWith(starts []tableChange, orReplace bool) (r reach, inherits bool) {
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
			inherits = inherits || next.kind&rowsReplaced != 0
			if orReplace && next.kind&(rowsAdded|rowsChanged) != 0 {
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
	return r, inherits
}

// triggerChanges are the changes that a table's triggers make in response to one.
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
			r.mayRaise, r.maySkip = r.mayRaise || t.mayRaise, r.maySkip || t.maySkip
			r.mayFailMidway = r.mayFailMidway || t.mayFailMidway
			acts = append(acts, t.changes...)
		}
	}
	return acts
}

// foreignKeyChanges are those made by the foreign keys that reference the table. An
// UPDATE affects those whose columns it assigns to.
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

// effectOn is what happens to a table's rows indirectly.
func (r *reach) effectOn(table string) effect {
	e := r.tables[table]
	if e == nil {
		return 0
	}
	return e.kinds.withRemovals()
}

// onlyAdds reports that indirectly the statement only adds rows, as where triggers
// write a log or maintain a search index.
func (r *reach) onlyAdds() bool {
	for _, e := range r.tables {
		if e.kinds&^rowsAdded != 0 {
			return false
		}
	}
	return !r.unreadable
}

// losingTables are the tables whose rows may be changed or removed.
func (r *reach) losingTables() (tables []string) {
	for name, e := range r.tables {
		if e.kinds&^rowsAdded != 0 {
			tables = append(tables, name)
		}
	}
	slices.Sort(tables)
	return tables
}

// changesRowid reports that a row of the table may be given another rowid.
func (e *effects) changesRowid(x *sqliteTable) bool {
	return slices.ContainsFunc(e.sets, func(name string) bool {
		return name == "*" || name == x.rowidColumn || slices.Contains(rowidNames, name)
	})
}

// maySkipRows reports that a trigger may skip a row.
func (c *sqliteCounter) maySkipRows() bool { return c.reach.maySkip }
