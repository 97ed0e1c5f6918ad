package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// Without the privilege PROCESS an account sees foreign keys only of tables on which
// it has a privilege. But for a DELETE or UPDATE by anyone the server opens every
// table that cascades may change, and counts per session how many it opens
// (prepare_fk_prelocking_list in MariaDB's source). So a DELETE or UPDATE with LIMIT
// 0 tells whether there are more keys than the account sees. It is sent after the
// statement that is counted: a key that has changed a row stays until the transaction
// ends. Triggers open tables, too: where some fired, or may fire, it tells nothing.

// tablesOpened is the number of tables that the session has opened.
const tablesOpened = "(SELECT SUM(VARIABLE_VALUE) FROM information_schema.SESSION_STATUS" +
	" WHERE VARIABLE_NAME IN ('TABLE_OPEN_CACHE_HITS', 'TABLE_OPEN_CACHE_MISSES'))"

const invisibleKeysNote = "this account does not see all foreign keys to the table (grant it PROCESS)"

// mayHaveInvisibleKeys reports that foreign keys which the account does not see may
// have changed rows.
func (c *mysqlCounter) mayHaveInvisibleKeys(ctx context.Context, did handlerStatus, affected int64) (bool, error) {
	m := c.m
	if !m.noDictionary || m.system() != "mariadb" || m.tablesLocked || did.fired > 0 || did.changes == 0 && affected <= 0 {
		return false, nil
	}
	if m.seesTriggers(ctx); m.visibility == allTriggersVisible {
		return false, nil
	}
	for t, ev := range c.reach.tables {
		for _, one := range []events{deletes, updates} {
			if ev&one == 0 {
				continue
			}
			if unseen, err := c.opensMoreTables(ctx, t, one); unseen || err != nil {
				return unseen, err
			}
		}
	}
	return false, nil
}

// opensMoreTables reports that a change of the table opens more tables than its
// visible keys lead to. The first attempt may open the server's statistics tables,
// too, so there are several.
func (c *mysqlCounter) opensMoreTables(ctx context.Context, t mysqlTable, ev events) (bool, error) {
	change, err := c.m.emptyChangeOf(ctx, t, ev)
	if change == "" || err != nil {
		return false, err
	}
	if ev == updates && c.assignments != "" {
		if keyless, err := askInts(ctx, c.m.conn, "SELECT "+unindexedCondition(t, c.assignments)); err != nil || keyless[0] != 0 {
			return false, err
		}
	}
	reached := cascadeTables(c.foreignKeys, t, ev)
	for range 3 {
		opened, err := askInts(ctx, c.m.conn, "BEGIN NOT ATOMIC DECLARE dbguard_n BIGINT DEFAULT "+tablesOpened+"; "+change+"; SELECT "+tablesOpened+" - dbguard_n; END")
		switch {
		case err != nil && c.f.s.connectionLost(err):
			return false, err
		case err != nil || opened[0] <= int64(len(reached)): // otherwise the account may not change the table itself: a routine's definer does
			return false, nil
		}
	}
	fires, err := c.m.haveTriggers(ctx, reached, ev)
	return !fires, err
}

// emptyChange is a DELETE, or an UPDATE of the column, that opens every table that it
// might change and changes no row.
func emptyChange(table string, ev events, column string) string {
	if ev == deletes {
		return "DELETE FROM " + table + " LIMIT 0"
	}
	return "UPDATE " + table + " SET " + quoteBackticks(column) + " = NULL LIMIT 0"
}

// emptyChangeOf is an emptyChange of the table; "" if the account cannot send one.
func (m *mysql) emptyChangeOf(ctx context.Context, t mysqlTable, ev events) (text string, err error) {
	if ev == deletes {
		return emptyChange(t.quoted(), deletes, ""), nil
	}
	err = m.conn.Query(ctx, "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE "+t.condition("")+" AND PRIVILEGES LIKE '%update%' AND EXTRA NOT LIKE '%GENERATED%' LIMIT 1", func(v []any) error {
		text = emptyChange(t.quoted(), updates, AsText(v[0]))
		return nil
	})
	return text, err
}

// cascadeTables are the table and those that the server opens for its cascades.
func cascadeTables(keys []foreignKey, t mysqlTable, ev events) []mysqlTable {
	reached := []mysqlTable{t}
	for i := 0; i < len(reached); i++ {
		for _, k := range cascadingKeys(keys, reached[i], ev, func([]string) bool { return true }) {
			if !slices.Contains(reached, k.child) {
				reached = append(reached, k.child)
			}
		}
	}
	return reached
}

// haveTriggers reports that the change may fire triggers. The server opens the tables
// of triggers on child tables, too.
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
