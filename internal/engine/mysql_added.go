package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// handlerCalls are what the session has asked of the storage engines.
type handlerCalls struct {
	changes int64 // of rows that it has changed or removed
	writes  int64 // of rows to be added, which may be there already
	lookups int64 // of single rows
}

func (h handlerCalls) since(before handlerCalls) handlerCalls {
	return handlerCalls{h.changes - before.changes, h.writes - before.writes, h.lookups - before.lookups}
}

// handled reads the session's own counters.
func (c *mysqlCounter) handled(ctx context.Context) (h handlerCalls, err error) {
	text := "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_update', 'Handler_delete', 'Handler_write', 'Handler_read_key', 'Handler_read_rnd', 'wsrep_connected')"
	err = c.m.conn.Query(ctx, text, func(v []any) error {
		name := strings.ToLower(asText(v[0]))
		if name == "wsrep_connected" {
			c.m.replicated = strings.EqualFold(asText(v[1]), "ON")
			return nil
		}
		n, err := asInt(v[1])
		switch name {
		case "handler_write":
			h.writes += n
		case "handler_read_key", "handler_read_rnd":
			h.lookups += n
		default:
			h.changes += n
		}
		return err
	})
	return h, err
}

// added is how many of the entries in the undo log are of rows that the statement
// has added: no more than there are, and fewer where that cannot be told.
//
// MariaDB counts a write when it is tried. One that meets a row which is there
// leaves no entry; an upsert or REPLACE then looks that row up, so that no more
// writes have failed than rows were looked up. Any other failed write ends the
// statement, but IGNORE and handlers let one fail
// unseen, and a sequence is written without an entry.
func (c *mysqlCounter) added(ctx context.Context, did handlerCalls, affected int64) (int64, error) {
	st := c.f.st
	if stored, err := c.stored(ctx); err != nil || !stored {
		return 0, err
	}
	if n := c.written(did); n > 0 {
		if told, err := c.told(ctx); err != nil || told {
			return n, err
		}
	}
	one := len(st.targets) == 1 && st.op.Statements == 1
	switch {
	case only(st, dbguard.Insert) && st.op.Statements == 1:
		return max(affected, 0), nil
	case one && st.targets[0].op.Kind == sqlscan.Replace && c.parented() && !containsFold(c.text, "ignore"):
		return st.targets[0].op.Rows, nil // each is added anew
	}
	return 0, nil
}

// source is everything that runs, as far as it was read.
func (c *mysqlCounter) source() string {
	return strings.Join(append(slices.Clone(c.reach.texts), c.text), "\n")
}

// written are the writes that have met no row.
func (c *mysqlCounter) written(did handlerCalls) int64 {
	if all := c.source(); containsFold(all, "duplicate") || containsFold(all, "replace") {
		return did.writes - did.lookups
	}
	return did.writes
}

// parented reports that a foreign key leads to each table that the text names: a
// REPLACE changes no row of such a table in its place.
func (c *mysqlCounter) parented() bool {
	return len(c.bases) == 1 && slices.ContainsFunc(c.known, func(k foreignKey) bool { return k.parent == c.bases[0] })
}

// stored reports that rows are added to InnoDB's tables alone, and to none that is
// temporary: one may go by the name of another. What is added there is in no undo
// log.
func (c *mysqlCounter) stored(ctx context.Context) (bool, error) {
	if c.unseen {
		return false, nil
	}
	for t, ev := range c.reach.tables {
		if ev&inserts == 0 {
			continue
		}
		var made string
		err := c.m.conn.Query(ctx, "SHOW CREATE TABLE "+t.quoted(), func(v []any) error {
			made = strings.Clone(asText(v[len(v)-1]))
			return nil
		})
		if err != nil {
			return false, c.f.s.graveError(err)
		}
		if !strings.HasPrefix(made, "CREATE TABLE ") || !strings.Contains(made, "\n) ENGINE=InnoDB") || containsFold(made, "nextval") {
			return false, nil
		}
	}
	return true, nil
}

// told reports that what a write may have met can be told: all code that has run
// was read, and there is none behind a view.
func (c *mysqlCounter) told(ctx context.Context) (bool, error) {
	m := c.m
	if m.system() != "mariadb" || c.partitioned || c.viewed || !m.seesTriggers(ctx) || !m.seesAll(c.reach.named()) || m.sees != everywhere && len(c.reach.texts) > 0 {
		return false, nil
	}
	all := c.source()
	if c.text == "" || executes(all) {
		return false, nil
	}
	for word := range identifiers(all) {
		switch strings.ToUpper(word) {
		case "IGNORE", "HANDLER", "NEXT", "NEXTVAL", "SETVAL", "LOAD", "EXECUTE", "CREATE":
			return false, nil
		}
	}
	views := int64(0)
	if containsFold(all, "from") || containsFold(all, "join") || containsFold(all, "table") {
		n, err := askInts(ctx, m.conn, "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_TYPE LIKE '%VIEW%' AND TABLE_SCHEMA <> 'information_schema'"+
			" AND (LOCATE(TABLE_NAME, "+quoteString(sqlscan.MySQL, all)+") > 0 OR TABLE_NAME REGEXP '[`\"]')")
		if err != nil {
			return false, c.f.s.graveError(err)
		}
		views = n[0]
	}
	return views == 0, nil
}
