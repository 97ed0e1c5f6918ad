package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// insertedEntries is the number of undo log entries that belong to rows which the
// statement inserted: a lower bound, and 0 where it is unknown.
//
// MariaDB counts a write when it is attempted. One that meets a duplicate leaves no
// entry; an upsert or REPLACE then looks that row up, so there are at most as many
// failed writes as lookups. Any other failed write ends the statement, unless IGNORE
// or a handler continues it. A write to a sequence leaves no entry.
func (c *mysqlCounter) insertedEntries(ctx context.Context, did handlerStatus, affected int64) (n int64, err error) {
	stored, err := c.onlyInnoDB(ctx, inserts)
	if err != nil || !stored {
		return 0, err
	}
	if written := c.successfulWrites(did); written > 0 {
		known, err := c.allCodeKnown(ctx)
		if err != nil {
			return 0, err
		}
		if known {
			n = written
		}
	}
	switch st := c.f.st; {
	case st.op.Statements != 1:
	case allActs(st, dbguard.Insert):
		n = max(n, affected)
	case len(st.targets) == 1 && st.targets[0].op.Kind == sqlscan.Replace && c.isKeyParent():
		n = max(n, st.targets[0].op.Rows) // each row is inserted anew
	}
	return n, nil
}

// executedSource is the source of all code that runs, as far as it was read.
func (c *mysqlCounter) executedSource() string {
	return strings.Join(append(slices.Clone(c.reach.bodies), c.text), "\n")
}

// successfulWrites is the number of writes that met no duplicate.
func (c *mysqlCounter) successfulWrites(did handlerStatus) int64 {
	if all := c.executedSource(); containsFold(all, "duplicate") || containsFold(all, "replace") {
		return did.writes - did.lookups
	}
	return did.writes
}

// isKeyParent reports that a foreign key references the only base table of the text:
// a REPLACE deletes and inserts there, instead of updating rows in place.
func (c *mysqlCounter) isKeyParent() bool {
	return len(c.baseTables) == 1 && slices.ContainsFunc(c.foreignKeys, func(k foreignKey) bool { return k.parent == c.baseTables[0] })
}

// undoLogComplete reports that the undo log has an entry for each changed row.
func (c *mysqlCounter) undoLogComplete(ctx context.Context) (bool, error) {
	if stored, err := c.onlyInnoDB(ctx, inserts|updates|deletes); err != nil || !stored {
		return false, err
	}
	return c.allCodeKnown(ctx)
}

// onlyInnoDB reports that these events happen to permanent InnoDB tables only. The
// undo log has no entries for other engines and for temporary tables, which may hide
// a permanent table of the same name.
func (c *mysqlCounter) onlyInnoDB(ctx context.Context, these events) (bool, error) {
	if c.uncatalogued {
		return false, nil
	}
	show := "SHOW CREATE TABLE "
	if c.m.system() == "mariadb" {
		show = "SET STATEMENT sql_mode = '' FOR " + show // ANSI and similar modes omit the engine
	}
	for t, ev := range c.reach.tables {
		if ev&these == 0 {
			continue
		}
		var made string
		err := c.m.conn.Query(ctx, show+t.quoted(), func(v []any) error {
			made = strings.Clone(AsText(v[len(v)-1]))
			return nil
		})
		if err != nil {
			return false, fatalError(err)
		}
		if !strings.HasPrefix(made, "CREATE TABLE ") || !strings.Contains(made, "\n) ENGINE=InnoDB") || containsFold(made, "nextval") {
			return false, nil
		}
	}
	return true, nil
}

// allCodeKnown reports that all code that has run was read, none of it behind a view,
// and has nothing that makes Handler_write differ from the rows inserted.
func (c *mysqlCounter) allCodeKnown(ctx context.Context) (bool, error) {
	m, all := c.m, c.executedSource()
	if m.system() != "mariadb" || c.partitionedCount > 0 || c.throughView || !m.seesTriggers(ctx) || !m.seesTriggersOf(c.reach.changedTables()) || m.visibility != allTriggersVisible && len(c.reach.bodies) > 0 {
		return false, nil
	}
	if c.text == "" || hasExecutableComment(all) || strings.Contains(all, `\`) { // whether it escapes a quote depends on sql_mode
		return false, nil
	}
	var words []string
	for word := range identifiers(all) {
		switch strings.ToUpper(word) {
		case "IGNORE", "HANDLER", "NEXT", "NEXTVAL", "SETVAL", "LOAD", "EXECUTE", "CREATE":
			return false, nil
		}
		words = append(words, quoteString(sqlscan.MySQL, word))
	}
	slices.Sort(words)
	// With log_output=TABLE the session writes to the log tables, too.
	n, err := askInts(ctx, m.conn, "SELECT COUNT(*) + (@@global.log_output LIKE '%TABLE%') FROM information_schema.TABLES WHERE TABLE_TYPE LIKE '%VIEW%'"+
		" AND TABLE_SCHEMA NOT IN ('information_schema', 'mysql', 'sys') AND TABLE_NAME IN ("+strings.Join(slices.Compact(words), ", ")+")")
	if err != nil {
		return false, fatalError(err)
	}
	return n[0] == 0, nil
}

// countUndoLog counts by the transaction's undo log. That has one entry for each row
// inserted, updated or deleted, cascades included, and two where a primary key
// changes: an upper bound. Without cascades it adds nothing to what countVisible
// found.
func (c *mysqlCounter) countUndoLog(ctx context.Context, count dbguard.Count, did handlerStatus, affected int64) (dbguard.Count, error) {
	after, err := c.m.undoEntries(ctx)
	if err != nil {
		return dbguard.Count{}, err
	}
	rows := after - c.undoBefore
	switch {
	case rows > count.Rows:
		added, err := c.insertedEntries(ctx, did, affected)
		if err != nil {
			return dbguard.Count{}, err
		}
		rows -= added
	case rows < count.Rows: // some rows kept their values, or were rolled back within the statement
		if all, err := c.undoLogComplete(ctx); err != nil || all {
			return dbguard.Count{Rows: rows}, err
		}
	}
	if hidden := rows - count.Rows; hidden > 0 {
		if len(count.Tables) == 0 && len(c.f.st.op.Acts) == 1 {
			count.Tables = []dbguard.TableRows{{Table: c.f.st.op.Acts[0].Object, Rows: count.Rows}}
		}
		count.Tables = append(count.Tables, dbguard.TableRows{Rows: hidden, Via: "foreign key"})
		count.Rows = rows
	}
	return count, nil
}

// addUnseenCascades adds what the undo log of MySQL has beyond the rows counted and those that may
// have been inserted: changes by foreign keys that are newer than the catalogue, rows that an UPDATE
// leaves as they are, and the second entry of each changed primary key. The session's counters,
// where they include cascades, have no such second entry: the smaller number is nearer.
func (c *mysqlCounter) addUnseenCascades(ctx context.Context, count *dbguard.Count, did handlerStatus) error {
	after, err := c.m.undoEntries(ctx)
	if err != nil {
		return err
	}
	hidden := after - c.staleBefore - did.writes - count.Rows
	if c.m.cascades == cascadesCounted {
		hidden = min(hidden, did.changes-count.Rows)
	}
	if hidden > 0 && count.Rows >= 0 {
		count.Rows += hidden
		count.Tables = append(count.Tables, dbguard.TableRows{Rows: hidden, Via: "foreign key"})
	}
	return nil
}

// undoEntries is the length of the transaction's undo log. SHOW ENGINE INNODB STATUS
// reads the current value; INNODB_TRX.trx_rows_modified is cached for up to 100 ms.
func (m *mysql) undoEntries(ctx context.Context) (int64, error) {
	if m.thread == "" {
		id, err := askText(ctx, m.conn, "SELECT CONNECTION_ID()")
		if err != nil {
			return 0, err
		}
		m.thread = " thread id " + id + ","
	}
	status := ""
	err := m.conn.Query(ctx, "SHOW ENGINE INNODB STATUS", func(v []any) error {
		status = strings.Clone(AsText(v[len(v)-1]))
		return nil
	})
	if err != nil {
		return 0, err
	}
	return parseUndoEntries(status, m.thread)
}

// parseUndoEntries finds the connection in the list of open transactions. The
// sections before that list, on the latest deadlock and foreign key error, may name
// it, too.
func parseUndoEntries(status, thread string) (int64, error) {
	_, list, ok := strings.Cut(status, "\nLIST OF TRANSACTIONS")
	if !ok || strings.Contains(status, "... truncated...") {
		return 0, errNoRow
	}
	for block := range strings.SplitSeq(list, "\n---TRANSACTION") {
		if !strings.Contains(block, thread) {
			continue
		}
		_, rest, ok := strings.Cut(block, "undo log entries ")
		if !ok {
			return 0, nil
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		return asInt(rest[:max(end, 0)])
	}
	return 0, nil // it has no transaction that changed anything
}
