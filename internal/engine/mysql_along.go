package engine

import (
	"context"
	"reflect"
	"slices"
)

// A foreign key may come and go at any time before the statement: adding one to
// a child waits for no lock on the parent. But one that has changed a row stays
// until the transaction ends: to drop or alter it takes a lock on all of the
// child, which InnoDB gives nobody as long as a row of it is locked, even if the
// statement has opened the parent before the key was there. So the keys that are
// found after the statement are all that can have changed rows, and they must be
// those, column for column, that the count was made by.
//
// One that is both added and dropped while the statement waits for a row is beyond
// what the server can do: it may follow the key when that is gone, so that rows go
// unnoticed, or it crashes (MariaDB 10.11.19, measured).

// keys prepares to count what foreign keys will do, where there are any.
func (c *mysqlCounter) keys(ctx context.Context, bases []mysqlTable) (note string, err error) {
	if c.bases = bases; len(c.reach.tables) == 1 && !c.viewed && !c.reach.wrote {
		c.assigned, _ = c.f.assigned()
	}
	for t, ev := range c.reach.tables {
		if ev&(updates|deletes) != 0 {
			c.parents = append(c.parents, t)
		}
	}
	if some, err := c.m.referredTo(ctx, c.parents); err != nil || !some {
		return "", err
	}
	if c.known, err = c.m.keys(ctx, c.parents); err != nil || len(c.known) == 0 {
		return "", err
	}
	for _, k := range c.known {
		if !slices.Contains(c.parents, k.child) {
			c.parents = append(c.parents, k.child)
		}
	}
	if len(c.f.st.targets) == 1 && len(bases) == 1 {
		if c.derived, err = c.m.changesWithOthers(ctx, bases[0], c.known); err != nil {
			return "", err
		}
	}
	active, direct := c.leading(c.known, bases)
	if !active {
		return "", nil
	}
	if direct && c.f.st.simple() != nil {
		done, err := c.walkKeys(ctx, bases[0], c.known)
		if done || err != nil {
			return "", err
		}
	}
	if c.entries, err = c.m.undoEntries(ctx); err != nil && fatalError(err) == nil {
		return "it changes rows along foreign keys, which this account cannot count (grant it PROCESS)", nil
	}
	return "", err
}

// sameKeys reports that the keys are those that the count was made by.
func (c *mysqlCounter) sameKeys(ctx context.Context) (bool, error) {
	if len(c.known) == 0 {
		some, err := c.m.referredTo(ctx, c.parents)
		return !some, err
	}
	now, err := c.m.keysTo(ctx, c.parents)
	return reflect.DeepEqual(now, c.known), err
}

// leading reports that a foreign key will change rows, and that all of those
// lead away from the one table that the text names itself.
func (c *mysqlCounter) leading(keys []foreignKey, bases []mysqlTable) (active, direct bool) {
	direct = len(bases) == 1 && !c.viewed
	for t, ev := range c.reach.tables {
		if len(keysFrom(keys, t, ev, c.assigns)) > 0 {
			active = true
			direct = direct && t == bases[0] && !slices.Contains(c.reach.behind, t)
		}
	}
	return active, direct
}
