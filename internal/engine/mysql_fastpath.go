package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// The fast path of MariaDB takes one round trip. A compound statement, the wrapper,
// opens a transaction or savepoint, runs the caller's text by EXECUTE IMMEDIATE, and
// keeps the changes only if they are within the bound and nothing else can have
// changed: the table is InnoDB, has no trigger for this event and no foreign key that
// cascades from it. It needs no multi-statements in the DSN. Arguments are sent as
// literals, and a wrapper is prepared once per table (mysql_fastpath_wrapper.go).
//
// The wrapper checks engine and triggers under the table's metadata lock. That does
// not keep others from adding a foreign key to a child table, but no key that the
// statement followed can be dropped. So keys are looked up after the statement; to
// find one too many errs on the safe side. An INSERT cascades nowhere and is not
// counted: only triggers can make it change existing rows.
//
// If the wrapper does not keep the changes it undoes them, and the statement goes the
// ordinary way, unless it was over its bound. LIMIT n+1 stops it early. LIMIT applies
// to the rows that an UPDATE finds, not those that it changes: a variable in WHERE
// counts the former, and so tells whether LIMIT cut them off. RAND() keeps the server
// from treating that condition as constant, which it would evaluate once. If it
// evaluates it too often, the ordinary way decides.

// MySQL has no such statements: its fast path is in mysql_prepared.go. Which statements
// may take it, and how it ends, they share. Some that come again take it on MariaDB, too
// (mysql_prepared_mariadb.go).

// ExecResult is what a driver would have returned.
type ExecResult struct{ RowsAffected, LastInsertID int64 }

// Exec runs a statement in one round trip, if the engine can. If not done, nothing
// has happened, and the statement goes through Start.
func (s *Session) Exec(ctx context.Context, text string, args []driver.NamedValue) (_ ExecResult, done bool, err error) {
	first := s.txBegins
	s.txBegins = false
	e := s.fastPathFor(ctx, text, args, first)
	if e == nil {
		return ExecResult{}, false, nil
	}
	op, err := s.guard.Begin(ctx, e.st.op, s.ledger)
	if err != nil {
		return ExecResult{}, true, err
	}
	f := &Flight{s: s, st: e.st, op: op, ctx: op.Context(), strategy: s.chooseStrategy(e.st, op)}
	counted := op.Limit() >= 0 && op.Limit() < maxProbe && !op.Shares()
	if f.strategy < ownTx || e.kind != sqlscan.Insert && (!counted || e.m.system() == "mysql" && op.AtLeast() > 1) {
		op.Abandon()
		return ExecResult{}, false, nil
	}
	return e.run(f)
}

// fastPathFor is the fast path of a text, or nil. Start reports what keeps it off
// that. first says that nothing was sent since BEGIN.
func (s *Session) fastPathFor(ctx context.Context, text string, args []driver.NamedValue, first bool) *fastPath {
	m, ok := s.backend.(*mysql)
	if !ok || s.flight != nil || s.broken || s.preparedElsewhere || s.guard.Check() != nil || s.guard.Observing() ||
		len(text) > maxFastPathText || s.gate.Refuses(false) != nil {
		return nil
	}
	t, err := s.read(ctx, text)
	if err != nil || len(t.Ops) != 1 || t.Calls {
		return nil
	}
	switch t.Ops[0].Kind {
	case sqlscan.Delete, sqlscan.Update, sqlscan.Insert:
	default:
		return nil
	}
	if m.writesFloats(ctx, args) {
		return nil
	}
	if first {
		s.prepareFirst(ctx, m, t, text, args)
	}
	if hides, err := s.findsHiddenCode(ctx, t); hides || err != nil {
		return nil
	}
	if s.findState(ctx, t, false) != nil {
		return nil
	}
	st := s.understand(t)
	if err := s.addInsertActs(ctx, t, st); err != nil || len(st.op.Acts) != 1 {
		return nil
	}
	if m.system() == "mysql" {
		if !s.readyToPrepare(ctx, m) {
			return nil
		}
		return m.newFastPath(ctx, st, text, args, s.modes.mode)
	}
	return m.newFastPath(ctx, st, text, s.formatTimes(args), s.modes.mode)
}

// maxFastPathText is the longest text that is copied into a wrapper.
const maxFastPathText = 1 << 20

// fastPath is a statement that can take the fast path.
type fastPath struct {
	m       *mysql
	st      *statement
	target  *target
	kind    sqlscan.Kind
	text    *sqlscan.Text
	clauses clauses
	args    []driver.NamedValue
	alone   *guardedText // its text that needs no wrapper, if that is prepared
}

// newFastPath returns nil if the statement cannot take the fast path.
func (m *mysql) newFastPath(ctx context.Context, st *statement, text string, args []driver.NamedValue, mode sqlscan.Mode) *fastPath {
	e := m.fastPathOf(st, text, args, mode)
	if e == nil || m.backsOff(e.target) || !m.seesTriggers(ctx) || !m.seesTriggersOf([]mysqlTable{e.table()}) || m.system() == "mysql" && !m.logsRows {
		return nil
	}
	return e
}

// fastPathOf is newFastPath as far as the text tells.
func (m *mysql) fastPathOf(st *statement, text string, args []driver.NamedValue, mode sqlscan.Mode) *fastPath {
	x := &st.targets[0]
	switch {
	case m.tablesLocked, m.noFastPath, st.op.Statements != 1:
		return nil
	case m.system() == "mysql" && !canBePrepared(text, x, args), m.system() != "mysql" && !embeddable(text, x):
		return nil
	case len(x.name) == 0, len(x.name) > 2, x.op.Kind != sqlscan.Insert && mentionsPortion(text):
		return nil
	case containsFold(text, "last_insert_id"), strings.Contains(text, "@@"), strings.Contains(text, "@") && containsFold(text, "dbguard"): // the wrapper changes or uses these itself
		return nil
	}
	e := &fastPath{
		m: m, st: st, target: x, kind: x.op.Kind, args: args,
		text: &sqlscan.Text{Source: text, Dialect: sqlscan.MySQL, Mode: mode},
	}
	if e.kind == sqlscan.Insert {
		e.clauses = insertClauses(e.text, x)
	} else {
		e.clauses = clausesOf(e.text, x)
		e.clauses.unsupported = e.clauses.unsupported || x.op.Where.Start >= x.op.Where.End
	}
	if !e.clauses.isComplete(text, args) {
		return nil
	}
	return e
}

// embeddable reports a statement on one table that does the same as part of another
// text.
func embeddable(text string, x *target) bool {
	return x.op.Path == sqlscan.Top && x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised|sqlscan.Returning) == 0 &&
		quoteSafe(text) && !containsFold(text[:x.op.Object.Start], "ignore")
}

// quoteSafe reports a text that reads the same inside and outside of quotes, in every
// sql_mode and character set.
func quoteSafe(text string) bool {
	return isASCII(text) && !strings.ContainsAny(text, "\\\x00")
}

// triggerVisibility says of which tables the account sees triggers: without the
// privilege TRIGGER the catalogue shows none.
type triggerVisibility uint8

const (
	noTriggersVisible triggerVisibility = iota
	databaseTriggersVisible
	allTriggersVisible
)

// granteeIsUser is for tables of privileges, which show an account that may read the
// database mysql those of all accounts. Names of users are told apart by case.
const granteeIsUser = "CAST(CONVERT(GRANTEE USING utf8mb4) AS BINARY) = CAST(CONVERT(CONCAT('''', SUBSTRING(CURRENT_USER(), 1, CHAR_LENGTH(CURRENT_USER())" +
	" - CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)) - 1), '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''') USING utf8mb4) AS BINARY)"

// seesTriggers asks, once, for the account's privilege TRIGGER, the current database,
// whether the server is a node of a cluster, and whether definition checks work. It
// reports that some triggers are visible. Of the grants on patterns that match a database
// only one applies, so all must have the privilege.
func (m *mysql) seesTriggers(ctx context.Context) bool {
	if m.sessionKnown {
		return m.visibility != noTriggersVisible
	}
	text := "SELECT DATABASE(), (SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'TRIGGER' AND " + granteeIsUser + ")," +
		" (SELECT COALESCE(SUM(PRIVILEGE_TYPE = 'TRIGGER') = COUNT(DISTINCT TABLE_SCHEMA), 0) FROM information_schema.SCHEMA_PRIVILEGES WHERE DATABASE() LIKE TABLE_SCHEMA AND " + granteeIsUser + "), "
	if m.system() == "mariadb" {
		text += "(SELECT COUNT(*) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'wsrep_connected' AND VARIABLE_VALUE = 'ON')," +
			" " + definitionCheckWorks + ", @@log_bin = 0 OR @@binlog_format <> 'STATEMENT'"
	} else {
		text += "0, 0, @@log_bin = 0 OR @@binlog_format = 'ROW'" // MySQL has these elsewhere; readHandlerStatus finds out about clusters
	}
	err := m.conn.Query(ctx, text, func(v []any) error {
		m.database, m.sessionKnown, m.visibility = strings.Clone(AsText(v[0])), true, noTriggersVisible
		switch {
		case AsText(v[1]) != "0":
			m.visibility = allTriggersVisible
		case AsText(v[2]) != "0":
			m.visibility = databaseTriggersVisible
		}
		m.replicated = m.replicated || AsText(v[3]) != "0"
		m.canCheckDefinitions, m.logsRows = AsText(v[4]) == "1", AsText(v[5]) == "1"
		return nil
	})
	return err == nil && m.sessionKnown && m.visibility != noTriggersVisible
}

// seesTriggersOf reports that the account sees the triggers of all these tables.
func (m *mysql) seesTriggersOf(tables []mysqlTable) bool {
	return m.visibility == allTriggersVisible || m.visibility == databaseTriggersVisible && !slices.ContainsFunc(tables, func(t mysqlTable) bool {
		return !strings.EqualFold(t.schema, m.database)
	})
}

// boundedText is the caller's text with a LIMIT and, for an UPDATE, the counter of
// found rows. complete says that arguments are inlined.
func (e *fastPath) boundedText(limit int64, complete bool) (text string, ok bool) {
	ok = true
	piece := func(from, to int32, skip int) string {
		if !complete {
			return e.text.Source[from:to]
		}
		part, can := inlineArgs(e.text, from, to, e.args, skip)
		ok = ok && can
		return part
	}
	switch w := e.target.op.Where; e.kind {
	case sqlscan.Insert:
		return piece(0, e.clauses.end, 0), ok
	case sqlscan.Update:
		before, within := countParams(e.text, 0, w.Start), countParams(e.text, w.Start, w.End)
		text = piece(0, w.Start, 0) + "(" + piece(w.Start, w.End, before) +
			") AND (@dbguard := @dbguard + 1 + 0 * RAND()) > 0" + piece(w.End, e.clauses.end, before+within)
	default:
		text = piece(0, e.clauses.end, 0)
	}
	if e.target.op.Flags&sqlscan.HasLimit == 0 {
		text += fmt.Sprintf(" LIMIT %d", limit+1)
	}
	return text, ok
}

// Answers of a wrapper.
const (
	answerUndecided     = 0 // nothing has changed; perhaps more rows than the bound
	answerKept          = 1
	answerOtherDatabase = 3 // nothing has changed: the current database is another one
)

// reply is the result row of a wrapper.
type reply struct {
	answer, rows, id int64
	safeUpdates      bool // @@sql_safe_updates
	serializable     bool // the isolation level is SERIALIZABLE, where reads take locks
}

// run sends the statement the cheapest way, and settles the operation.
func (e *fastPath) run(f *Flight) (_ ExecResult, done bool, err error) {
	if e.m.system() == "mysql" {
		return e.runPrepared(f)
	}
	p, err := e.trustedText(f)
	switch {
	case err != nil:
		return f.endUnprepared(err)
	case p == nil:
		return e.runWrapped(f)
	}
	return e.runAlone(f, p)
}

// runWrapped sends the wrapper.
func (e *fastPath) runWrapped(f *Flight) (_ ExecResult, done bool, err error) {
	if f.frame = startTransaction; f.strategy == inCallerTx {
		f.frame = e.m.savepointFrame()
	}
	r, err := e.send(f)
	if err == nil && r.answer == answerOtherDatabase {
		e.m.sessionKnown, e.m.wrappers = false, nil
		if e.m.seesTriggers(f.ctx) {
			r, err = e.send(f)
		}
	}
	if err != nil {
		return e.failed(f, err)
	}
	e.m.noteChanges(f.st, f.strategy == ownTx)
	switch r.answer {
	case answerKept:
		if f.strategy == inCallerTx {
			e.m.cacheTable(e.target, r.serializable)
		}
		count := dbguard.Count{Rows: r.rows}
		if e.kind == sqlscan.Insert {
			count.Rows = 0
		}
		// The server has enforced the bound. If others have used up the budget since, that
		// can only be reported.
		if v := f.op.Settle(count); v != nil {
			return ExecResult{}, true, f.op.End(dbguard.EffectApplied, nil)
		}
		return ExecResult{r.rows, r.id}, true, f.op.End(dbguard.EffectApplied, nil)
	case answerUndecided:
		if e.kind != sqlscan.Insert && r.rows > f.op.Limit() && f.op.Settle(dbguard.Count{Rows: r.rows}) != nil {
			return ExecResult{}, true, f.op.End(dbguard.EffectUndone, nil)
		}
	}
	e.m.backOff(e.target, !r.safeUpdates)
	f.op.Abandon()
	return ExecResult{}, false, nil
}

// failed reports an error as the caller would have seen it without the wrapper.
// Errors that the wrapper may have caused send the statement the ordinary way.
func (e *fastPath) failed(f *Flight, err error) (_ ExecResult, done bool, _ error) {
	ctx, cancel := outlive(f.ctx)
	defer cancel()
	s := f.s
	e.m.dropTxCache()
	switch {
	case errors.Is(err, driver.ErrBadConn) && f.strategy == ownTx: // nothing was sent
		f.op.Abandon()
		s.broken = true
		return ExecResult{}, true, driver.ErrBadConn
	case s.connectionLost(err):
		s.broken = true
		if f.strategy == inCallerTx {
			s.txLost = true
			return ExecResult{}, true, f.op.End(dbguard.EffectUndone, hideBadConn(err))
		}
		return ExecResult{}, true, f.op.End(dbguard.EffectUnknown, hideBadConn(err))
	case dictionaryDenied(err) && !e.m.noDictionary:
		e.m.noDictionary, e.m.wrappers = true, nil
	case mysqlError(err, "1295"), mysqlError(err, "1461"), mysqlError(err, "1193"): // no compound statements in PREPARE, too many prepared, or an unknown variable
		e.m.noFastPath = true
	case mysqlError(err, definitionChanged):
	case mysqlError(err, "1064"), mysqlError(err, "1142"): // a syntax error of the caller's or the wrapper's, or no SELECT privilege
		e.m.backOff(e.target, false)
	case isPacketTooLarge(err), // nothing was sent, and the ordinary way's text is shorter
		f.strategy == inCallerTx && s.backend.isNoTransaction(err): // Start finds out the state of the transaction
		f.op.Abandon()
		return ExecResult{}, false, nil
	default:
		return ExecResult{}, true, f.endFailed(ctx, err)
	}
	f.op.Abandon()
	if undo := s.exec(ctx, f.frame.fail); undo != nil && !s.backend.isNoTransaction(undo) {
		s.broken = true
		return ExecResult{}, true, hideBadConn(undo)
	}
	return ExecResult{}, false, nil
}

// isPacketTooLarge reports a text that go-sql-driver/mysql did not send.
func isPacketTooLarge(err error) bool {
	return strings.HasPrefix(err.Error(), "packet for query is too large")
}
