package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// On MySQL and MariaDB an INSERT changes existing rows by triggers, by functions that
// its text calls, and through views that it reads: defaults, constraints and
// generated columns may not call stored functions.

// knownToOnlyAdd reports INSERTs into tables whose triggers were looked up in this
// transaction.
func (m *mysql) knownToOnlyAdd(st *statement) bool {
	if len(m.plainInserts) == 0 || st.insertsQuery {
		return false
	}
	for i, x := range st.targets {
		if !m.plainInserts[x.raw] && st.op.Acts[i].Verb == dbguard.Insert || x.op.Flags&sqlscan.Returning != 0 { // errors of RETURNING come with its rows
			return false
		}
	}
	return true
}

// mayChangeRows follows the INSERTs of a text that ends its own transaction.
func (m *mysql) mayChangeRows(ctx context.Context, _ *sqlscan.Text, st *statement) (bool, error) {
	c := &mysqlCounter{m: m, f: &Flight{st: st}}
	bases, _, err := c.namedTables(ctx)
	if err != nil {
		return true, err
	}
	if _, err := c.explore(ctx, bases); err != nil {
		return true, err
	}
	return c.reach.note != "" || c.reach.changesRows() || !m.seesTriggers(ctx) || !m.seesTriggersOf(bases), nil
}

// changesRows reports that code deletes or updates rows.
func (r *mysqlReach) changesRows() bool {
	for _, ev := range r.tables {
		if ev&(updates|deletes) != 0 {
			return true
		}
	}
	return false
}

// baselineInsert is baseline for a text that only inserts. done says that nothing it
// sets off does anything else: then nothing is counted, and it does not matter
// whether its tables are transactional.
func (c *mysqlCounter) baselineInsert(ctx context.Context) (done bool, err error) {
	st, m := c.f.st, c.m
	if len(st.routines)+len(st.procs) > 0 || !allActs(st, dbguard.Insert) || !m.seesTriggers(ctx) {
		return false, nil
	}
	if !st.insertsQuery && len(st.targets) == 1 {
		if plain, err := c.isPlainInsert(ctx, &st.targets[0]); plain || fatalError(err) != nil {
			return true, err
		}
	}
	bases, _, err := c.namedTables(ctx)
	if err != nil || !m.seesTriggersOf(bases) {
		return false, err
	}
	if _, err := c.explore(ctx, bases); err != nil || c.reach.note != "" || c.reach.changesRows() {
		return false, err
	}
	// A view may call any function. On MySQL that is not counted: the rows of the tables that it
	// makes for GROUP BY would be, too; on MariaDB those for window functions are.
	c.changesNothing = !st.insertsQuery || m.system() == "mysql" || hasWindow(c.text)
	if !c.changesNothing || c.seesOldCatalogue() {
		if c.before, err = c.readHandlerStatus(ctx); err != nil {
			return false, err
		}
	}
	return true, m.checkTransaction(ctx)
}

// hasWindow reports a text that may have a window function.
func hasWindow(text string) bool {
	for word := range identifiers(text) {
		if strings.EqualFold(word, "over") {
			return true
		}
	}
	return false
}

// isPlainInsert finds out in one query that the table is a base table without INSERT
// triggers.
func (c *mysqlCounter) isPlainInsert(ctx context.Context, x *target) (plain bool, err error) {
	if len(x.name) == 0 || x.op.Flags&sqlscan.Parameterised != 0 {
		return false, nil
	}
	m, level := c.m, "@@transaction_isolation"
	if m.system() == "mariadb" {
		level = "@@tx_isolation" // the only name before MariaDB 11.1
	}
	serial := false
	err = m.conn.Query(ctx, "SELECT t.TABLE_SCHEMA, "+level+" FROM information_schema.TABLES t WHERE "+m.tableCondition(x.name)+
		" AND t.TABLE_TYPE = 'BASE TABLE'"+opensTable(x.raw)+" AND NOT EXISTS (SELECT 1 FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = "+
		m.schemaExpr(x.name)+" AND EVENT_OBJECT_TABLE = "+quoteString(sqlscan.MySQL, x.name[len(x.name)-1])+" AND EVENT_MANIPULATION = 'INSERT')", func(v []any) error {
		plain = m.seesTriggersOf([]mysqlTable{{schema: AsText(v[0])}})
		serial = AsText(v[1]) == "SERIALIZABLE"
		return nil
	})
	if err != nil || !plain {
		return false, err
	}
	c.changesNothing, c.cacheable = true, c.f.strategy == inCallerTx && !serial
	if c.seesOldCatalogue() {
		if c.before, err = c.readHandlerStatus(ctx); err != nil {
			return false, err
		}
	}
	return true, m.checkTransaction(ctx)
}

// seesOldCatalogue reports that information_schema may be as old as the snapshot of the
// caller's transaction: MySQL reads it like any table. Then a trigger that was created since
// is only noticed when it is opened.
func (c *mysqlCounter) seesOldCatalogue() bool {
	return c.m.system() == "mysql" && c.f.strategy == inCallerTx
}

// firedUnseen reports that an INSERT has opened a table with triggers where the catalogue
// shows none, for any event.
func (c *mysqlCounter) firedUnseen(ctx context.Context) (bool, error) {
	if !c.seesOldCatalogue() {
		return false, nil
	}
	after, err := c.readHandlerStatus(ctx)
	switch {
	case err != nil || after.since(c.before).fired == 0:
		return false, err
	case c.reach != nil:
		return !c.reach.anyTriggers, nil
	}
	name := c.f.st.targets[0].name
	n, err := askInts(ctx, c.m.conn, "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = "+
		c.m.schemaExpr(name)+" AND EVENT_OBJECT_TABLE = "+quoteString(sqlscan.MySQL, name[len(name)-1]))
	return err == nil && n[0] == 0, err
}

// opensTable is a condition that has the server open the table, named as in a text.
func opensTable(table string) string {
	return " AND (SELECT COUNT(*) FROM (SELECT 1 FROM " + table + " LIMIT 0) dbguard) = 0"
}

// insertClauses are the clauses of INSERT … VALUES; odd is set for any other INSERT.
func insertClauses(t *sqlscan.Text, x *target) clauses {
	c := clauses{end: int32(len(t.Source)), unsupported: keyword(t, &x.op) != "INSERT" || hasExecutableComment(t.Source) || setsUserVariables(t.Source)} // LOAD DATA needs the driver
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

// countParams is the number of parameters in a part of a text.
func countParams(t *sqlscan.Text, from, to int32) (n int) {
	for tok := range tokens(t, from, to) {
		if tok.Kind == sqlscan.Param {
			n++
		}
	}
	return n
}
