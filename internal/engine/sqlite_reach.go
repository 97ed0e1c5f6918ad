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

// reach is what a statement leads to, by triggers and foreign keys, beyond
// what it says itself.
type reach struct {
	at   map[string]*effects // by table
	dark bool                // a trigger cannot be read
	fail bool                // one may raise an error
	skip bool                // one may pass over a row
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
}

// reach follows acts to their ends.
func (sc *liteSchema) reach(starts []deed) reach {
	r := reach{at: map[string]*effects{}}
	done := map[string]effect{}
	for todo := starts; len(todo) > 0; todo = todo[1:] {
		a := todo[0]
		if a.kind&(rowsAdded|rowsChanged) != 0 && sc.replaces[a.table] {
			a.kind |= rowsReplaced
		}
		fresh := a.kind &^ done[a.table]
		done[a.table] |= fresh
		for _, next := range sc.consequences(&r, a.table, fresh) {
			r.note(sc, next)
			todo = append(todo, next)
		}
	}
	return r
}

// consequences are the acts that triggers and foreign keys of a table do in
// answer to what happens to it.
func (sc *liteSchema) consequences(r *reach, table string, kinds effect) (acts []deed) {
	if kinds&rowsReplaced != 0 {
		kinds |= rowsRemoved
	}
	for _, t := range sc.triggers[table] {
		if t.on&kinds != 0 {
			r.dark = r.dark || !t.read
			r.fail, r.skip = r.fail || t.raises, r.skip || t.skips
			acts = append(acts, t.acts...)
		}
	}
	for _, ref := range sc.refs[table] {
		if kinds&rowsRemoved != 0 && ref.onDelete != 0 {
			acts = append(acts, deed{ref.child, ref.onDelete, []string{"*"}})
		}
		if kinds&rowsChanged != 0 && ref.onUpdate != 0 {
			acts = append(acts, deed{ref.child, ref.onUpdate, []string{"*"}})
		}
	}
	return acts
}

func (r *reach) note(sc *liteSchema, a deed) {
	e := r.at[a.table]
	if e == nil {
		e = &effects{}
		r.at[a.table] = e
	}
	e.kinds |= a.kind
	if a.kind&(rowsAdded|rowsChanged) != 0 && sc.replaces[a.table] {
		e.kinds |= rowsReplaced
	}
	for _, name := range a.sets {
		if !slices.Contains(e.sets, name) {
			e.sets = append(e.sets, name)
		}
	}
}

// of is what happens to a table's rows behind the statement.
func (r *reach) of(table string) effect {
	e := r.at[table]
	switch {
	case e == nil:
		return 0
	case e.kinds&rowsReplaced != 0:
		return e.kinds | rowsRemoved
	}
	return e.kinds
}

// onlyAdds reports that nothing but new rows is behind the statement, as where
// triggers write a log or keep a search index.
func (r *reach) onlyAdds() bool {
	for _, e := range r.at {
		if e.kinds != rowsAdded {
			return false
		}
	}
	return !r.dark
}

// loses are the tables whose rows may change or go.
func (r *reach) loses() (tables []string) {
	for name, e := range r.at {
		if e.kinds != rowsAdded {
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
