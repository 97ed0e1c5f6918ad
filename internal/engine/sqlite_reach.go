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

// whole says that rows which are replaced are removed.
func (e effect) whole() effect {
	if e&rowsReplaced != 0 {
		e |= rowsRemoved
	}
	return e
}

// reach is what a statement leads to, by triggers and foreign keys, beyond
// what it says itself.
type reach struct {
	at     map[string]*effects // by table
	dark   bool                // a trigger cannot be read
	fail   bool                // one may raise an error
	skip   bool                // one may pass over a row
	midway bool                // a step may fail when it has done a part, and keep that
	gone   map[any]bool        // the foreign keys and triggers by which an UPDATE of some columns has been followed
}

// effects are all that happens to one table.
type effects struct {
	kinds effect
	sets  []string // the columns that are assigned to; "*" for all of them
}

// deed is something that a statement does to a table.
type deed struct {
	table string
	kind  effect
	sets  []string
	pins  []string // columns that are those of the row that set the trigger off
	by    string   // the one column that names its row
	most  int64    // the rows that it writes at most; 0: no idea
	same  bool     // it is done to that row alone, which is counted already, or new
}

// reach follows acts to their ends. OR REPLACE is handed down: triggers add and
// change rows in the manner of the statement that sets them off.
func (sc *liteSchema) reach(starts []deed) reach {
	hands := slices.ContainsFunc(starts, func(a deed) bool { return a.kind&rowsReplaced != 0 })
	r, handed := sc.follow(starts, hands)
	if handed && !hands {
		r, _ = sc.follow(starts, true)
	}
	return r
}

// follow is reach, with OR REPLACE handed down or not. handed says that a trigger's
// own should be.
func (sc *liteSchema) follow(starts []deed, hands bool) (r reach, handed bool) {
	r = reach{at: map[string]*effects{}, gone: map[any]bool{}}
	done := map[string]effect{}
	todo := starts
	for i := 0; i < len(todo); i++ {
		a := todo[i]
		r.midway = r.midway || i >= len(starts) && sc.fails[a.table]
		if a.kind&(rowsAdded|rowsChanged) != 0 && sc.replaces[a.table] {
			a.kind |= rowsReplaced
		}
		fresh := a.kind &^ done[a.table]
		done[a.table] |= fresh
		for _, next := range sc.fires(&r, a, fresh) {
			handed = handed || next.kind&rowsReplaced != 0
			if hands && next.kind&(rowsAdded|rowsChanged) != 0 {
				next.kind |= rowsReplaced
			}
			r.note(sc, next)
			todo = append(todo, next)
		}
		for _, next := range append(sc.drags(&r, a, fresh), sc.stores(&r, a, fresh)...) {
			r.note(sc, next)
			todo = append(todo, next)
		}
	}
	return r, handed
}

// fires are the acts of a table's triggers in answer to what happens to it.
func (sc *liteSchema) fires(r *reach, a deed, fresh effect) (acts []deed) {
	for i := range sc.triggers[a.table] {
		t := &sc.triggers[a.table][i]
		on := t.on&fresh.whole() != 0
		if len(t.of) > 0 {
			on = a.kind&rowsChanged != 0 && !r.gone[t] && slices.ContainsFunc(t.of, a.assigns)
			r.gone[t] = r.gone[t] || on
		}
		if on {
			r.dark = r.dark || !t.read
			r.fail, r.skip = r.fail || t.raises, r.skip || t.skips
			r.midway = r.midway || t.midway
			acts = append(acts, t.acts...)
		}
	}
	return acts
}

// drags are those of the foreign keys that refer to it. An UPDATE is followed by
// those whose columns it assigns.
func (sc *liteSchema) drags(r *reach, a deed, fresh effect) (acts []deed) {
	for i := range sc.refs[a.table] {
		ref := &sc.refs[a.table][i]
		if fresh.whole()&rowsRemoved != 0 && ref.onDelete != 0 {
			acts = append(acts, deed{table: ref.child, kind: ref.onDelete, sets: []string{"*"}})
		}
		if a.kind&rowsChanged != 0 && ref.onUpdate != 0 && !r.gone[ref] && a.assigns(ref.key) {
			r.gone[ref] = true
			acts = append(acts, deed{table: ref.child, kind: ref.onUpdate, sets: []string{"*"}})
		}
	}
	return acts
}

// assigns reports that the column may be among those that are assigned to.
func (a *deed) assigns(column string) bool {
	return column == "" || len(a.sets) == 0 || slices.ContainsFunc(a.sets, func(name string) bool {
		return name == column || name == "*" || slices.Contains(rowNumbers, name)
	})
}

func (r *reach) note(sc *liteSchema, a deed) {
	e := r.at[a.table]
	if e == nil {
		e = &effects{}
		r.at[a.table] = e
	}
	if a.kind&(rowsAdded|rowsChanged) != 0 && sc.replaces[a.table] {
		a.kind |= rowsReplaced
	}
	if a.same {
		a.kind &= rowsReplaced
	}
	e.kinds |= a.kind
	for _, name := range a.sets {
		if !slices.Contains(e.sets, name) {
			e.sets = append(e.sets, name)
		}
	}
}

// of is what happens to a table's rows behind the statement.
func (r *reach) of(table string) effect {
	e := r.at[table]
	if e == nil {
		return 0
	}
	return e.kinds.whole()
}

// onlyAdds reports that nothing but new rows is behind the statement, as where
// triggers write a log or keep a search index.
func (r *reach) onlyAdds() bool {
	for _, e := range r.at {
		if e.kinds&^rowsAdded != 0 {
			return false
		}
	}
	return !r.dark
}

// loses are the tables whose rows may change or go.
func (r *reach) loses() (tables []string) {
	for name, e := range r.at {
		if e.kinds&^rowsAdded != 0 {
			tables = append(tables, name)
		}
	}
	slices.Sort(tables)
	return tables
}

// renumbers reports that a row of the table may be given another number.
func (e *effects) renumbers(x *liteTable) bool {
	return slices.ContainsFunc(e.sets, func(name string) bool {
		return name == "*" || name == x.number || slices.Contains(rowNumbers, name)
	})
}

// maySkipRows reports that a trigger may pass over a row.
func (c *sqliteCounter) maySkipRows() bool { return c.reach.skip }
