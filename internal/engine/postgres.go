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

// postgres is the backend of PostgreSQL, which counts rows itself, per transaction and
// relation: see postgres_count.go.
type postgres struct {
	conn  Conn
	major int // of the version; 0 until asked; -1 for a server that only speaks the protocol

	// stale says that the counters may still hold the changes of earlier transactions.
	// The server flushes them at the end of a transaction, but at most once a second
	// unless it is told to.
	stale bool
	// flushing says that it has been told to, in the caller's transaction.
	flushing bool
	// pending are the counts left by earlier transactions, while one of the caller's
	// is open.
	pending map[int64]int64
	// invisible are tables that this transaction has changed and its snapshot does not
	// show.
	invisible []int64
	// pendingOutdated says that the counters may hold more than the server has stored in
	// dbguard.pending: see postgres_pipeline.go.
	pendingOutdated bool
	// textCount is the number of texts read; savedAfter is the one after which the server
	// had stored all current counts, so that the next one need not have them stored.
	textCount, savedAfter int
	// totalCache and judgeCache are the last texts that had the server count and judge.
	totalCache, judgeCache textCache
	// unsealable are the masked texts of statements that failed when they were sealed. An
	// entry costs that statement a round trip each time, and nothing else.
	unsealable textSet
	// unrewritable are those that are sent only as written.
	unrewritable textSet
	// ruleLookups are those that need the catalogue to tell whether there is a rule.
	ruleLookups textSet
	// refused are those that exceeded their bound.
	refused textSet
	// slow are those that take longer than a few round trips.
	slow     textSet
	slowOnce string // the last one that was slow for the first time
	// tables are those of DELETE and UPDATE looked up in the caller's transactions.
	tables map[string]plainTable
	// insertTables are those that rows were inserted into; verified are the tables checked
	// under a lock that the caller's transaction still holds, and whether their keys were.
	insertTables map[string]insertTable
	verified     map[string]bool
	deferred     deferredTriggers
	// isolation is the level of the open transaction, or of the next one; "" until asked.
	// isolationLocal says that it may have been chosen for this transaction.
	isolation      string
	isolationLocal bool
	roundTrip      time.Duration // of the last look-up of a table
	// tablesInDoubt says not to rely on what is known of tables until the transaction
	// ends: it keeps its snapshot, one of them has changed, or the account has.
	tablesInDoubt bool
	// pathChanged says that the open transaction may have changed the search_path, which its
	// end, or a ROLLBACK TO, may change back.
	pathChanged bool
	// functions are the names asked about, and whether a function of that name may write.
	functions map[string]bool
	// countersOff says that a function may turn the counters off while it runs,
	// operatorShadowed that a user's operator takes the place of a built-in one,
	// largeObjects that a function may change large objects, holdCursors that one may open
	// a cursor WITH HOLD.
	countersOff, operatorShadowed, largeObjects, holdCursors bool
	// writingCursors says that the transaction may have a cursor whose query writes.
	writingCursors bool
}

func (*postgres) system() string { return "postgresql" }

func (p *postgres) forget() {
	p.stale, p.flushing, p.pending, p.invisible, p.verified, p.isolation = true, false, nil, nil, nil, ""
}

func (p *postgres) noteChanges(st *statement, outside bool) {
	if outside || !keepsVerified(st) {
		p.verified = nil
	}
	if st.opaque || st.calls { // user code may have done anything
		p.tables, p.insertTables, p.writingCursors, p.pathChanged = nil, nil, true, true
	}
	switch {
	case outside:
		p.stale = true
	case slices.Contains(st.kinds, sqlscan.RollbackTo):
		// The counters keep what was undone, also of relations that are no longer
		// locked: read all of them again.
		p.stale, p.pending = true, nil
		p.restorePath()
	case st.control == controlRollbackAndChain, st.control == controlUnknown:
		// AND CHAIN opens another transaction at once, and the server flushes nothing in between.
		p.stale, p.pending, p.flushing = true, nil, false
		p.restorePath()
	}
}

func (p *postgres) ping(ctx context.Context) error {
	_, err := askInts(ctx, p.conn, "SELECT 1")
	return err
}

func (p *postgres) mode(ctx context.Context) (mode sqlscan.Mode, err error) {
	var conforming, encoding string
	if wire, ok := p.conn.(Wire); ok {
		conforming, encoding = wire.ParameterStatus("standard_conforming_strings"), wire.ParameterStatus("client_encoding")
	}
	if conforming == "" || encoding == "" {
		err = p.conn.Query(ctx, "SELECT pg_catalog.current_setting('standard_conforming_strings'), pg_catalog.current_setting('client_encoding')", func(v []any) error {
			conforming, encoding = strings.Clone(AsText(v[0])), strings.Clone(AsText(v[1]))
			return nil
		})
	}
	mode = sqlscan.PostgreSQL.DefaultMode()
	if conforming == "off" {
		mode |= sqlscan.BackslashEscapes
	}
	switch encoding {
	case "BIG5", "GB18030", "GBK", "JOHAB", "SHIFT_JIS_2004", "SJIS", "UHC": // those that no server stores
		mode |= sqlscan.WideLetters
	}
	return mode, err
}

// state asks by a SAVEPOINT: outside of a transaction the server refuses it, which has no
// other effect.
func (p *postgres) state(ctx context.Context) (txState, error) {
	_, err := p.conn.Exec(ctx, underSavepoint.open[0])
	switch {
	case err == nil:
		_, err = p.conn.Exec(ctx, underSavepoint.keep[0])
		return txCaller, err
	case p.isTxAborted(err):
		return txCaller, nil
	case p.isNoTransaction(err):
		return txIdle, nil
	}
	return txUnknown, err
}

func (p *postgres) frame(f *Flight) frame {
	if f.strategy == ownTx {
		return ownTransaction
	}
	// A statement's own error leaves the caller's transaction aborted, as without a guard.
	nested := underSavepoint
	nested.fail = nil
	return nested
}

func (p *postgres) isNoTransaction(err error) bool {
	state := sqlState(err) // no_active_sql_transaction, invalid_savepoint_specification
	return state == "25P01" || state == "3B001"
}

func (p *postgres) isTxAborted(err error) bool { return sqlState(err) == "25P02" }

func (p *postgres) isTxControlError(err error) bool {
	return sqlState(err) == "2D000" // invalid_transaction_termination
}

func (p *postgres) txBegan(isolated bool) dbguard.Effect {
	if isolated {
		p.forgetIsolation()
	}
	return dbguard.EffectApplied
}

func (p *postgres) txEnded() txState {
	p.stale = !p.flushing
	p.flushing, p.pending, p.invisible, p.pendingOutdated, p.verified, p.tablesInDoubt = false, nil, nil, false, nil, false
	p.savedAfter = 0
	p.deferred, p.writingCursors = deferredTriggers{}, false
	p.restorePath()
	p.pathChanged = false
	if p.isolationLocal {
		p.isolation, p.isolationLocal = "", false
	}
	return txIdle
}

func (p *postgres) counter(f *Flight) counter { return &postgresCounter{p: p, f: f} }

// detectServer asks for the version, once. Servers that only speak PostgreSQL's protocol do not
// have its counters.
func (p *postgres) detectServer(ctx context.Context) error {
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

// find uses no query that could fail: an error would abort the caller's transaction.
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

// findNonRelationText looks for objects other than relations by name, in all schemas and on
// all tables: what matters is whether there is none at all.
func findNonRelationText(x *target, name string) string {
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
		return findNonRelationText(x, quoted)
	}
	text := `SELECT c.relpersistence = 't' FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = ` + quoted
	switch len(x.name) {
	case 1: // a relation hidden by a temporary one is not visible
		return text + " AND (pg_catalog.pg_table_is_visible(c.oid) OR c.relpersistence <> 't' AND EXISTS (SELECT FROM pg_catalog.pg_class h" +
			" WHERE h.relname = " + quoted + " AND h.relpersistence = 't' AND pg_catalog.pg_table_is_visible(h.oid)))"
	case 2:
		return text + " AND n.nspname = " + quoteString(sqlscan.PostgreSQL, x.name[0])
	}
	return ""
}
