package engine

import (
	"context"
	"slices"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// On MariaDB a row of a partitioned table is changed by two calls of the handler: the table's
// own, and that of its partition.

// isPartitionedJoin reports a DELETE or UPDATE of several tables, some of them
// partitioned.
func (c *mysqlCounter) isPartitionedJoin() bool {
	st := c.f.st
	return c.partitionedCount > 0 && c.partitionedCount < c.tableCount && !c.reach.hasTriggers && st.simple() == nil && len(st.routines) == 0 && !slices.ContainsFunc(st.targets, func(x target) bool {
		return x.op.Kind != sqlscan.Delete && x.op.Kind != sqlscan.Update
	})
}

// halveForPartitions turns handler calls into rows: half as many if all of them,
// other than those on the tables in but, went to partitioned tables; otherwise the
// upper bound, as many.
func (c *mysqlCounter) halveForPartitions(ctx context.Context, did handlerStatus, handled int64, but ...mysqlTable) int64 {
	if c.uncatalogued || (did.fired > 0 || c.reach.hasTriggers) && !(c.m.seesTriggers(ctx) && c.m.seesTriggersOf(c.reach.changedTables())) {
		return handled
	}
	some := false
	for t, ev := range c.reach.tables {
		if ev&(updates|deletes) == 0 || slices.Contains(but, t) {
			continue
		}
		if some = true; !c.partitioned[t] {
			return handled
		}
	}
	if some {
		return (handled + 1) / 2
	}
	return handled
}

// hiddenInPartitions is the number of rows changed in other tables, where some of the
// tables are partitioned.
func (c *mysqlCounter) hiddenInPartitions(ctx context.Context, did handlerStatus, affected int64) int64 {
	if slices.ContainsFunc(c.baseTables, func(t mysqlTable) bool { return !c.partitioned[t] }) {
		return c.halveForPartitions(ctx, did, max(did.changes-affected, 0), c.baseTables...)
	}
	return c.halveForPartitions(ctx, did, max(did.changes-2*affected, 0))
}
