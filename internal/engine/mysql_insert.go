package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// An INSERT of MySQL's changes rows that are there by triggers alone, and by the
// functions that its text calls, or a view that it reads: defaults, constraints and
// generated columns may not call stored ones.

// knownToOnlyAdd reports tables whose triggers were looked at in this transaction.
func (m *mysql) knownToOnlyAdd(st *statement) bool {
	if len(m.adds) == 0 || st.insertsQuery {
		return false
	}
	for i, x := range st.targets {
		if !m.adds[x.raw] && st.op.Acts[i].Verb == dbguard.Insert || x.op.Flags&sqlscan.Returning != 0 { // whose errors stream
			return false
		}
	}
	return true
}

// mayChangeRows follows the INSERTs of a text that ends its own transaction.
func (m *mysql) mayChangeRows(ctx context.Context, _ *sqlscan.Text, st *statement) (bool, error) {
	c := &mysqlCounter{m: m, f: &Flight{st: st}}
	bases, _, err := c.targets(ctx)
	if err != nil {
		return true, err
	}
	if _, err := c.explore(ctx, bases); err != nil {
		return true, err
	}
	return c.reach.note != "" || c.reach.changes() || !m.seesTriggers(ctx) || !m.seesAll(bases), nil
}

// changes reports that code deletes or changes rows that may be there.
func (r *mysqlReach) changes() bool {
	for _, ev := range r.tables {
		if ev&(updates|deletes) != 0 {
			return true
		}
	}
	return false
}

// adding is baseline of a text that does nothing but add rows. done, where
// nothing that it sets off does anything else: then there is nothing to count,
// and no matter whether its tables can be undone.
func (c *mysqlCounter) adding(ctx context.Context) (done bool, err error) {
	st, m := c.f.st, c.m
	if len(st.routines)+len(st.procs) > 0 || !allActs(st, dbguard.Insert) || !m.seesTriggers(ctx) {
		return false, nil
	}
	if !st.insertsQuery && len(st.targets) == 1 {
		if plain, err := c.plainly(ctx, &st.targets[0]); plain || fatalError(err) != nil {
			return true, err
		}
	}
	bases, _, err := c.targets(ctx)
	if err != nil || !m.seesAll(bases) {
		return false, err
	}
	if _, err := c.explore(ctx, bases); err != nil || c.reach.note != "" || c.reach.changes() {
		return false, err
	}
	if c.still = !st.insertsQuery; !c.still { // a view may call what it likes
		if c.before, err = c.handled(ctx); err != nil {
			return false, err
		}
	}
	return true, m.stays(ctx)
}

// plainly finds out by one question that the table is one, and that an INSERT fires
// nothing.
func (c *mysqlCounter) plainly(ctx context.Context, x *target) (plain bool, err error) {
	if len(x.name) == 0 || x.op.Flags&sqlscan.Parameterised != 0 {
		return false, nil
	}
	m, level := c.m, "@@transaction_isolation"
	if m.system() == "mariadb" {
		level = "@@tx_isolation" // the only name before 11.1
	}
	serial := false
	err = m.conn.Query(ctx, "SELECT t.TABLE_SCHEMA, "+level+" FROM information_schema.TABLES t WHERE "+m.tableIs(x.name)+
		" AND t.TABLE_TYPE = 'BASE TABLE'"+opened(x.raw)+" AND NOT EXISTS (SELECT 1 FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = "+
		m.schemaOf(x.name)+" AND EVENT_OBJECT_TABLE = "+quoteString(sqlscan.MySQL, x.name[len(x.name)-1])+" AND EVENT_MANIPULATION = 'INSERT')", func(v []any) error {
		plain = m.seesAll([]mysqlTable{{schema: asText(v[0])}})
		serial = asText(v[1]) == "SERIALIZABLE"
		return nil
	})
	if err != nil || !plain {
		return false, err
	}
	c.still, c.adds = true, c.f.strategy == inCallerTx && !serial
	return true, m.stays(ctx)
}

// opened is a condition that opens a table, by its name as a text has it.
func opened(table string) string {
	return " AND (SELECT COUNT(*) FROM (SELECT 1 FROM " + table + " LIMIT 0) dbguard) = 0"
}

// additionOf are the parts of an INSERT of values; odd is any other.
func additionOf(t *sqlscan.Text, x *target) clauses {
	c := clauses{end: int32(len(t.Source)), unsupported: keyword(t, &x.op) != "INSERT" || hasExecutableComment(t.Source) || setsUserVariables(t.Source)} // LOAD DATA talks to the driver
	valued := false
	for tok := range tokens(t, x.op.Object.End, int32(len(t.Source))) {
		switch {
		case tok.Kind == sqlscan.Param:
			c.params++
		case isPunct(tok, ';'):
			c.end = min(c.end, tok.Pos)
		case tok.Kind == sqlscan.Word:
			switch strings.ToUpper(t.Source[tok.Pos:tok.End]) {
			case "VALUES", "VALUE", "SET":
				valued = true
			case "SELECT", "TABLE", "WITH", "RETURNING", "PARTITION":
				c.unsupported = true
			}
		}
	}
	c.unsupported = c.unsupported || !valued || containsFold(t.Source[:x.op.Object.Start], "delayed")
	return c
}

// params are the arguments of a piece of a text.
func params(t *sqlscan.Text, from, to int32) (n int) {
	for tok := range tokens(t, from, to) {
		if tok.Kind == sqlscan.Param {
			n++
		}
	}
	return n
}
