package engine

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// postgres is PostgreSQL. It counts rows itself, per transaction and relation:
// see postgres_count.go.
type postgres struct {
	conn  Conn
	major int // of the version; 0 until asked; -1 for a server that only speaks like it

	// stale says that the counters may still hold what earlier transactions
	// changed. The server flushes them at the end of a transaction, but only
	// once a second unless it is told to.
	stale bool
	// flushing says that it has been told to, in the caller's transaction.
	flushing bool
	// pending are the counts that earlier transactions left, while one of the
	// caller's is open.
	pending map[int64]int64
	// unseen are tables that it has changed and its snapshot does not show.
	unseen []int64
	// ahead says that the counters may hold more than the server was told: see
	// postgres_nested.go.
	ahead bool
	// texts are those that were read; told is which of them has left the server
	// with all that is counted, so that it need not be told before the next one.
	texts, told int
	// total and judge are how the server was last asked to count.
	total, judge longText
	// costly are the masked texts that could not bound themselves. That costs a
	// round trip each time, and nothing else.
	costly textSet
	// unfit are those that no other words fit.
	unfit textSet
	// asking are those that do not show by themselves whether there is a rule.
	asking textSet
	// refused are those that went beyond their bound.
	refused textSet
	// slow are those that take longer than a few round trips.
	slow      textSet
	hesitated string // one that did once, just now
	// tables are those that the session has met in a transaction of the caller's.
	tables map[string]plainTable
	// adding are those that rows were added to, seen what a transaction of the
	// caller's has made sure of under a lock.
	adding map[string]addingTable
	seen   map[string]bool
	later  putOff
	// isolation is the level of the transaction that is open, or would be; ""
	// until asked. chosen says that it is this transaction's own.
	isolation string
	chosen    bool
	trip      time.Duration // how long it took to ask about one
	wary      bool          // one was not what it had been, or the caller's transaction keeps its snapshot
	// functions are names that were asked about, and whether one may write.
	functions map[string]bool
	// blinds says that there is a function that turns the counters off while it runs,
	// deceives that an operator of somebody's own compares numbers in the server's place,
	// objects that a function may change large objects, holds that one may open a cursor
	// WITH HOLD.
	blinds, deceives, objects, holds bool
	// cursors says that the transaction may have one over a function that may write.
	cursors bool
}

func (*postgres) system() string { return "postgresql" }

func (p *postgres) forget() {
	p.stale, p.flushing, p.pending, p.unseen, p.seen, p.isolation = true, false, nil, nil, nil, ""
}

func (p *postgres) touched(st *statement, outside bool) {
	if outside || !keepsSeen(st) {
		p.seen = nil
	}
	if st.elsewhere || st.calls { // that code may have done anything
		p.tables, p.adding, p.cursors = nil, nil, true
	}
	switch {
	case outside:
		p.stale = true
	case slices.Contains(st.kinds, sqlscan.RollbackTo):
		// What it undid stays in the counters of relations that are no longer
		// locked: look at all of them again.
		p.stale, p.pending = true, nil
	case st.control == controlTurns, st.control == controlMay:
		// Where another transaction is open at once nothing has been flushed between them.
		p.stale, p.pending, p.flushing = true, nil, false
	}
}

func (p *postgres) ping(ctx context.Context) error {
	_, err := askInts(ctx, p.conn, "SELECT 1")
	return err
}

func (p *postgres) mode(ctx context.Context) (sqlscan.Mode, error) {
	const setting = "standard_conforming_strings"
	conforming, err := "", error(nil)
	if wire, ok := p.conn.(Wire); ok {
		conforming = wire.ParameterStatus(setting)
	}
	if conforming == "" {
		conforming, err = askText(ctx, p.conn, "SHOW "+setting)
	}
	mode := sqlscan.PostgreSQL.DefaultMode()
	if conforming == "off" {
		mode |= sqlscan.BackslashEscapes
	}
	return mode, err
}

// state asks by a savepoint: it is refused outside of a transaction, and that
// harms nothing.
func (p *postgres) state(ctx context.Context) (txState, error) {
	_, err := p.conn.Exec(ctx, underSavepoint.open[0])
	switch {
	case err == nil:
		_, err = p.conn.Exec(ctx, underSavepoint.keep[0])
		return txCaller, err
	case p.aborted(err):
		return txCaller, nil
	case p.gone(err):
		return txIdle, nil
	}
	return txUnknown, err
}

func (p *postgres) frame(f *Flight) frame {
	if f.way == own {
		return ownTransaction
	}
	// A statement's own error leaves the caller's transaction aborted, as it
	// would be without a guard.
	nested := underSavepoint
	nested.fail = nil
	return nested
}

func (p *postgres) gone(err error) bool {
	state := sqlState(err) // no_active_sql_transaction, invalid_savepoint_specification
	return state == "25P01" || state == "3B001"
}

func (p *postgres) aborted(err error) bool { return sqlState(err) == "25P02" }

func (p *postgres) endsTransaction(err error) bool {
	return sqlState(err) == "2D000" // invalid_transaction_termination
}

func (p *postgres) begun(isolated bool) dbguard.Effect {
	if isolated {
		p.isolated()
	}
	return dbguard.EffectApplied
}

func (p *postgres) rest() txState {
	p.stale = !p.flushing
	p.flushing, p.pending, p.unseen, p.ahead, p.seen, p.wary = false, nil, nil, false, nil, false
	p.told = 0
	p.later, p.cursors = putOff{}, false
	if p.chosen {
		p.isolation, p.chosen = "", false
	}
	return txIdle
}

func (p *postgres) counter(f *Flight) counter { return &postgresCounter{p: p, f: f} }

// learn asks for the version, once. What only speaks like PostgreSQL does not
// count like it.
func (p *postgres) learn(ctx context.Context) error {
	if p.major != 0 {
		return nil
	}
	version, err := askText(ctx, p.conn, "SELECT version()")
	if err != nil {
		return err
	}
	p.major = -1
	if rest, ok := strings.CutPrefix(version, "PostgreSQL "); ok && !strings.Contains(version, "-YB-") {
		digits := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if n, err := strconv.Atoi(rest[:max(digits, 0)]); err == nil && n >= 10 {
			p.major = n
		}
	}
	return nil
}

// canFlush reports that the server can be told to flush its counters.
func (p *postgres) canFlush() bool { return p.major >= 15 }

// find looks the name up without any question that could fail: an error would
// abort the caller's transaction.
func (p *postgres) find(ctx context.Context, x *target) (existence, error) {
	text := p.findText(x)
	if text == "" {
		return existing, nil
	}
	found := missing
	err := p.conn.Query(ctx, text, func(values []any) error {
		found = found.and(asBool(values[0]))
		return nil
	})
	if err != nil {
		return existing, err
	}
	return found, nil
}

// findElse asks for what is not a relation: by its name alone, in any schema
// and on any table, for none anywhere is what matters.
func findElse(x *target, name string) string {
	part := "''"
	switch x.class {
	case "TRIGGER", "RULE", "POLICY":
		if x.part == "" {
			return ""
		}
		part = quoteString(sqlscan.PostgreSQL, x.part)
	}
	from := map[string]string{
		"FUNCTION": "pg_proc WHERE proname = " + name, "PROCEDURE": "pg_proc WHERE proname = " + name,
		"ROUTINE": "pg_proc WHERE proname = " + name, "AGGREGATE": "pg_proc WHERE proname = " + name,
		"TYPE": "pg_type WHERE typname = " + name, "DOMAIN": "pg_type WHERE typname = " + name,
		"EXTENSION": "pg_extension WHERE extname = " + name, "PUBLICATION": "pg_publication WHERE pubname = " + name,
		"TRIGGER": "pg_trigger WHERE tgname = " + part, "RULE": "pg_rewrite WHERE rulename = " + part,
		"POLICY": "pg_policy WHERE polname = " + part, "STATISTICS": "pg_statistic_ext WHERE stxname = " + name,
		"EVENT TRIGGER": "pg_event_trigger WHERE evtname = " + name,
	}[x.class]
	if from == "" {
		return ""
	}
	return "SELECT false FROM pg_catalog." + from
}

func (p *postgres) findText(x *target) string {
	name := x.name[len(x.name)-1]
	quoted := quoteString(sqlscan.PostgreSQL, name)
	switch x.class {
	case "SCHEMA":
		return "SELECT false FROM pg_catalog.pg_namespace WHERE nspname = " + quoted
	case "DATABASE":
		return "SELECT false FROM pg_catalog.pg_database WHERE datname = " + quoted
	case "", "TABLE", "VIEW", "MATERIALIZED VIEW", "INDEX", "SEQUENCE", "FOREIGN TABLE":
	default:
		return findElse(x, quoted)
	}
	text := `SELECT c.relpersistence = 't' FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = ` + quoted
	switch len(x.name) {
	case 1: // what a temporary one hides is not visible
		return text + " AND (pg_catalog.pg_table_is_visible(c.oid) OR c.relpersistence <> 't' AND EXISTS (SELECT FROM pg_catalog.pg_class h" +
			" WHERE h.relname = " + quoted + " AND h.relpersistence = 't' AND pg_catalog.pg_table_is_visible(h.oid)))"
	case 2:
		return text + " AND n.nspname = " + quoteString(sqlscan.PostgreSQL, x.name[0])
	}
	return ""
}
