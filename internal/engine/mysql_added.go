package engine

import (
	"context"
	"errors"
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
	fired   int64 // triggers that have run
}

func (h handlerCalls) since(before handlerCalls) handlerCalls {
	return handlerCalls{h.changes - before.changes, h.writes - before.writes, h.lookups - before.lookups, h.fired - before.fired}
}

// handled reads the session's own counters.
func (c *mysqlCounter) handled(ctx context.Context) (h handlerCalls, err error) {
	cut := true
	text := "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_update', 'Handler_delete', 'Handler_write', 'Handler_read_key', 'Handler_read_rnd', 'Executed_triggers', 'wsrep_connected')"
	err = c.m.conn.Query(ctx, text, func(v []any) error {
		name := strings.ToLower(asText(v[0]))
		if name == "wsrep_connected" {
			c.m.replicated = strings.EqualFold(asText(v[1]), "ON")
			return nil
		}
		n, err := asInt(v[1])
		switch cut = name < "handler_write"; name {
		case "handler_write":
			h.writes += n
		case "handler_read_key", "handler_read_rnd":
			h.lookups += n
		case "executed_triggers":
			h.fired += n
		default:
			h.changes += n
		}
		return err
	})
	if err == nil && cut { // they come in order
		err = errLimited
	}
	return h, err
}

var errLimited = errors.New("dbguard: sql_select_limit hides what a statement does")

// everything is for questions of several rows: sql_select_limit cuts what has no
// LIMIT of its own.
const everything = " LIMIT 18446744073709551615"

// added is how many of the entries in the undo log are of rows that the statement
// has added: no more than there are, and fewer where that cannot be told.
//
// MariaDB counts a write when it is tried. One that meets a row which is there
// leaves no entry; an upsert or REPLACE then looks that row up, so that no more
// writes have failed than rows were looked up. Any other failed write ends the
// statement, unless IGNORE or a handler lets it pass. A sequence is written without
// an entry.
func (c *mysqlCounter) added(ctx context.Context, did handlerCalls, affected int64) (n int64, err error) {
	stored, err := c.stored(ctx, inserts)
	if err != nil || !stored {
		return 0, err
	}
	if written := c.written(did); written > 0 {
		told, err := c.told(ctx)
		if err != nil {
			return 0, err
		}
		if told {
			n = written
		}
	}
	switch st := c.f.st; {
	case st.op.Statements != 1:
	case solely(st, dbguard.Insert):
		n = max(n, affected)
	case len(st.targets) == 1 && st.targets[0].op.Kind == sqlscan.Replace && c.parented():
		n = max(n, st.targets[0].op.Rows) // each is added anew
	}
	return n, nil
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

// holdsAll reports that the undo log has an entry for each row that was changed.
func (c *mysqlCounter) holdsAll(ctx context.Context) (bool, error) {
	if stored, err := c.stored(ctx, inserts|updates|deletes); err != nil || !stored {
		return false, err
	}
	return c.told(ctx)
}

// stored reports that these things happen to InnoDB's tables alone, and to none
// that is temporary: one may go by the name of another. What happens there is in no
// undo log.
func (c *mysqlCounter) stored(ctx context.Context, these events) (bool, error) {
	if c.unseen {
		return false, nil
	}
	show := "SHOW CREATE TABLE "
	if c.m.system() == "mariadb" {
		show = "SET STATEMENT sql_mode = '' FOR " + show // ANSI and its kin leave the engine out
	}
	for t, ev := range c.reach.tables {
		if ev&these == 0 {
			continue
		}
		var made string
		err := c.m.conn.Query(ctx, show+t.quoted(), func(v []any) error {
			made = strings.Clone(asText(v[len(v)-1]))
			return nil
		})
		if err != nil {
			return false, graveError(err)
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
	m, all := c.m, c.source()
	if m.system() != "mariadb" || c.parts > 0 || c.viewed || !m.seesTriggers(ctx) || !m.seesAll(c.reach.named()) || m.sees != everywhere && len(c.reach.texts) > 0 {
		return false, nil
	}
	if c.text == "" || executes(all) || strings.Contains(all, `\`) { // which may escape a quote, or not
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
	// A log that is kept in tables is written by the session too.
	n, err := askInts(ctx, m.conn, "SELECT COUNT(*) + (@@global.log_output LIKE '%TABLE%') FROM information_schema.TABLES WHERE TABLE_TYPE LIKE '%VIEW%'"+
		" AND TABLE_SCHEMA NOT IN ('information_schema', 'mysql', 'sys') AND TABLE_NAME IN ("+strings.Join(slices.Compact(words), ", ")+")")
	if err != nil {
		return false, graveError(err)
	}
	return n[0] == 0, nil
}
