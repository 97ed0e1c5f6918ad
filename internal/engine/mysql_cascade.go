package engine

import (
	"context"
	"reflect"
	"slices"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// Foreign keys can be added and dropped at any time before the statement: to add one
// to a child table takes no lock on the parent. But one that has changed a row stays
// until the transaction ends: to drop or alter it takes a lock on the whole child
// table, which InnoDB does not grant while any row of it is locked, even if the
// statement opened the parent before the key was added. So the keys found after the
// statement include all that can have changed rows. They must equal, column for
// column, those by which rows were counted.
//
// One that is both added and dropped while the statement waits for a row lock is out
// of reach: the server may follow the key after it is gone, so that rows go
// unnoticed, or crash (MariaDB 10.11.19, measured).

// prepareCascades chooses how to count the rows that foreign keys will change: by
// walking the keys beforehand, by the undo log, or not at all where the server counts them.
func (c *mysqlCounter) prepareCascades(ctx context.Context, bases []mysqlTable) (note string, err error) {
	if c.baseTables = bases; len(c.reach.tables) == 1 && !c.throughView && !c.reach.codeWrites {
		c.assignments, _ = c.f.assignmentText()
	}
	for t, ev := range c.reach.tables {
		if ev&(updates|deletes) != 0 {
			c.keyTables = append(c.keyTables, t)
		}
	}
	some, err := c.m.isReferenced(ctx, c.keyTables)
	if err == nil {
		err = c.doubtKeys(ctx, bases)
	}
	if err != nil || !some {
		return "", err
	}
	if c.foreignKeys, err = c.m.reachableKeys(ctx, c.keyTables); err != nil || len(c.foreignKeys) == 0 {
		return "", err
	}
	for _, k := range c.foreignKeys {
		if !slices.Contains(c.keyTables, k.child) {
			c.keyTables = append(c.keyTables, k.child)
		}
	}
	if len(c.f.st.targets) == 1 && len(bases) == 1 {
		if c.derivedKey, err = c.m.hasDerivedKey(ctx, bases[0], c.foreignKeys); err != nil {
			return "", err
		}
	}
	return c.chooseCascadeCount(ctx, bases)
}

// chooseCascadeCount is prepareCascades for the keys that were found.
func (c *mysqlCounter) chooseCascadeCount(ctx context.Context, bases []mysqlTable) (note string, err error) {
	active, direct := c.cascading(c.foreignKeys, bases)
	if !active {
		return "", nil
	}
	simple := c.f.st.simple()
	counted, err := c.m.countsCascades(ctx)
	if err != nil {
		return "", err
	}
	// The rows that an UPDATE leaves as they are count, too: only the walk tells them apart.
	if c.cascadesCounted = counted && (!direct || simple == nil || simple.op.Kind == sqlscan.Delete || c.reach.codeWrites); c.cascadesCounted {
		return "", nil
	}
	if direct && simple != nil {
		done, err := c.walkCascades(ctx, bases[0], c.foreignKeys)
		if done || err != nil {
			return "", err
		}
	}
	if c.undoBefore, err = c.m.undoEntries(ctx); err != nil && fatalError(err) == nil {
		return "it changes rows along foreign keys, which this account cannot count (grant it PROCESS)", nil
	}
	return "", err
}

// doubtKeys prepares for keys that MySQL does not show: its catalogue is as old as the snapshot of
// the caller's transaction and, without PROCESS, has keys only of tables on which the account has
// a privilege. What such a key changes shows in the undo log, which takes PROCESS, and since 9.6 in
// the session's counters.
func (c *mysqlCounter) doubtKeys(ctx context.Context, bases []mysqlTable) error {
	m, inTx := c.m, c.f.strategy == inCallerTx
	counted, err := m.countsCascades(ctx)
	if err != nil || m.system() == "mariadb" {
		return err
	}
	if m.seesTriggers(ctx); !inTx && (!m.noDictionary || m.visibility == allTriggersVisible) || m.noDictionary && !counted {
		return nil
	}
	if c.assignments != "" && len(bases) == 1 {
		keyless, err := askInts(ctx, m.conn, "SELECT "+unindexedCondition(bases[0], c.assignments))
		if fatalError(err) != nil || err == nil && keyless[0] != 0 {
			return fatalError(err)
		}
	}
	if c.keysUncertain = m.noDictionary; c.keysUncertain {
		return nil
	}
	c.staleBefore, err = m.undoEntries(ctx)
	c.keysStale = err == nil
	return fatalError(err) // an account without PROCESS
}

// sameForeignKeys reports that the foreign keys are still those by which rows were
// counted.
func (c *mysqlCounter) sameForeignKeys(ctx context.Context) (bool, error) {
	if len(c.foreignKeys) == 0 {
		some, err := c.m.isReferenced(ctx, c.keyTables)
		return !some, err
	}
	now, err := c.m.keysReferencing(ctx, c.keyTables)
	return reflect.DeepEqual(now, c.foreignKeys), err
}

// cascading reports whether foreign keys will change rows (active), and whether they
// all start from the only table that the text names (direct).
func (c *mysqlCounter) cascading(keys []foreignKey, bases []mysqlTable) (active, direct bool) {
	direct = len(bases) == 1 && !c.throughView
	for t, ev := range c.reach.tables {
		if len(cascadingKeys(keys, t, ev, c.mayAssign)) > 0 {
			active = true
			direct = direct && t == bases[0] && !slices.Contains(c.reach.hiddenTables, t)
		}
	}
	return active, direct
}
