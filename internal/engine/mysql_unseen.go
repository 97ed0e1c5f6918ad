package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// Without the privilege PROCESS an account is shown the foreign keys of those tables
// alone that it has a privilege on. But the server opens every table whose rows a
// DELETE or UPDATE may change along foreign keys, whoever sends it, and counts for the
// session how many it opens (prepare_fk_prelocking_list in MariaDB's source). So a
// statement that changes nothing tells whether there are more than the account sees.
// It is sent after the one that is counted: a key that has changed a row stays until
// the transaction ends. Triggers open tables, too; where some have fired or may have,
// it tells nothing.

// tablesOpened is how many tables the session has opened.
const tablesOpened = "(SELECT SUM(VARIABLE_VALUE) FROM information_schema.SESSION_STATUS" +
	" WHERE VARIABLE_NAME IN ('TABLE_OPEN_CACHE_HITS', 'TABLE_OPEN_CACHE_MISSES'))"

const unseenNote = "this account does not see all foreign keys to the table (grant it PROCESS)"

// unseenKeys reports that the statement may have changed rows along keys that the
// account does not see.
func (c *mysqlCounter) unseenKeys(ctx context.Context, did handlerCalls, affected int64) (bool, error) {
	m := c.m
	if !m.noDictionary || m.system() != "mariadb" || m.locked || did.fired > 0 || did.changes == 0 && affected <= 0 {
		return false, nil
	}
	if m.seesTriggers(ctx); m.sees == everywhere {
		return false, nil
	}
	for t, ev := range c.reach.tables {
		for _, one := range []events{deletes, updates} {
			if ev&one == 0 {
				continue
			}
			if unseen, err := c.opensMore(ctx, t, one); unseen || err != nil {
				return unseen, err
			}
		}
	}
	return false, nil
}

// opensMore reports that more tables are opened for what happens to the table than
// those that it leads to. The first to open one may open the server's statistics,
// too: so it is tried again.
func (c *mysqlCounter) opensMore(ctx context.Context, t mysqlTable, ev events) (bool, error) {
	change, err := c.m.changesNothing(ctx, t, ev)
	if change == "" || err != nil {
		return false, err
	}
	if ev == updates && c.assigned != "" {
		if keyless, err := askInts(ctx, c.m.conn, "SELECT "+apart(t, c.assigned)); err != nil || keyless[0] != 0 {
			return false, err
		}
	}
	reached := reachedFrom(c.known, t, ev)
	for range 3 {
		opened, err := askInts(ctx, c.m.conn, "BEGIN NOT ATOMIC DECLARE dbguard_n BIGINT DEFAULT "+tablesOpened+"; "+change+"; SELECT "+tablesOpened+" - dbguard_n; END")
		switch {
		case err != nil && c.f.s.connectionLost(err):
			return false, err
		case err != nil || opened[0] <= int64(len(reached)): // or the account may not: then another does it, a routine's definer
			return false, nil
		}
	}
	fires, err := c.m.haveTriggers(ctx, reached, ev)
	return !fires, err
}

// emptyChange is a DELETE, or an UPDATE of the column, that opens all that it would
// and changes nothing.
func emptyChange(table string, ev events, column string) string {
	if ev == deletes {
		return "DELETE FROM " + table + " LIMIT 0"
	}
	return "UPDATE " + table + " SET " + quoteBack(column) + " = NULL LIMIT 0"
}

// changesNothing is a statement that opens what a change of the table's rows does; ""
// if the account cannot send one.
func (m *mysql) changesNothing(ctx context.Context, t mysqlTable, ev events) (text string, err error) {
	if ev == deletes {
		return emptyChange(t.quoted(), deletes, ""), nil
	}
	err = m.conn.Query(ctx, "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE "+t.rows("")+" AND PRIVILEGES LIKE '%update%' AND EXTRA NOT LIKE '%GENERATED%' LIMIT 1", func(v []any) error {
		text = emptyChange(t.quoted(), updates, asText(v[0]))
		return nil
	})
	return text, err
}

// reachedFrom are the table and those that the server opens for what happens to it.
func reachedFrom(keys []foreignKey, t mysqlTable, ev events) []mysqlTable {
	reached := []mysqlTable{t}
	for i := 0; i < len(reached); i++ {
		for _, k := range keysFrom(keys, reached[i], ev, func([]string) bool { return true }) {
			if !slices.Contains(reached, k.child) {
				reached = append(reached, k.child)
			}
		}
	}
	return reached
}

// haveTriggers reports that the change sets off triggers, or may: those of tables that
// it comes to along foreign keys are opened, too.
func (m *mysql) haveTriggers(ctx context.Context, tables []mysqlTable, ev events) (bool, error) {
	places := make([]string, len(tables))
	for i, t := range tables {
		places[i] = "(" + quoteString(sqlscan.MySQL, t.schema) + ", " + quoteString(sqlscan.MySQL, t.name) + ")"
	}
	other := "'UPDATE'"
	if ev == updates {
		other = "'DELETE'"
	}
	n, err := askInts(ctx, m.conn, "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE (EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE) IN ("+strings.Join(places, ", ")+
		") AND NOT ((EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE) = "+places[0]+" AND EVENT_MANIPULATION IN ('INSERT', "+other+"))")
	return err == nil && n[0] > 0, err
}
