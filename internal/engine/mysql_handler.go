package engine

import (
	"context"
	"errors"
	"strings"
)

// handlerStatus holds the session's Handler_* counters: its calls to storage engines. MySQL has
// no counter of triggers that fire.
type handlerStatus struct {
	changes int64 // Handler_update, Handler_delete
	writes  int64 // Handler_write: attempts, also those that met a duplicate
	lookups int64 // Handler_read_key, Handler_read_rnd: reads of single rows
	fired   int64 // Executed_triggers; on MySQL since 8.4, tables with triggers that were opened
}

func (h handlerStatus) since(before handlerStatus) handlerStatus {
	return handlerStatus{h.changes - before.changes, h.writes - before.writes, h.lookups - before.lookups, h.fired - before.fired}
}

// readHandlerStatus reads the session's counters.
func (c *mysqlCounter) readHandlerStatus(ctx context.Context) (h handlerStatus, err error) {
	cut := true
	text := "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_update', 'Handler_delete', 'Handler_write', 'Handler_read_key', 'Handler_read_rnd', 'Executed_triggers', 'Table_open_cache_triggers_hits', 'Table_open_cache_triggers_misses', 'wsrep_connected')"
	err = c.m.conn.Query(ctx, text, func(v []any) error {
		name := strings.ToLower(AsText(v[0]))
		if name == "wsrep_connected" {
			c.m.replicated = strings.EqualFold(AsText(v[1]), "ON")
			return nil
		}
		n, err := asInt(v[1])
		cut = cut && name < "handler_write"
		switch name {
		case "handler_write":
			h.writes += n
		case "handler_read_key", "handler_read_rnd":
			h.lookups += n
		case "executed_triggers", "table_open_cache_triggers_hits", "table_open_cache_triggers_misses":
			h.fired += n
		default:
			h.changes += n
		}
		return err
	})
	if err == nil && cut { // rows come in alphabetical order
		err = errSelectLimit
	}
	return h, err
}

var errSelectLimit = errors.New("dbguard: sql_select_limit hides what a statement does")

// noLimit is appended to queries for several rows: sql_select_limit truncates a
// SELECT without a LIMIT.
const noLimit = " LIMIT 18446744073709551615"
