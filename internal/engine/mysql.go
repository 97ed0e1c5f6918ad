package engine

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// mysql is the backend of MySQL and MariaDB. DDL, BEGIN and deadlocks end an open
// transaction without notice, so the session asks the server for the state of its
// transaction again wherever it matters.
type mysql struct {
	conn         Conn
	version      string
	charsetStale bool // character_set_results may have changed since the version was asked
	autocommit   bool // known to be on; false may also mean unknown
	tablesLocked bool // LOCK TABLES is in force: BEGIN would release the locks
	replicated   bool // a node of a Galera cluster

	thread       string // " thread id N,", which marks this connection in SHOW ENGINE INNODB STATUS
	noDictionary bool   // the account may not read InnoDB's dictionary, or the server has none
	cascades     cascadeCounting
	noFastPath   bool
	backoffs     map[tableUse]backoff // tables that skip the fast path for a while

	sessionKnown        bool              // the four fields below are current (see seesTriggers)
	database            string            // the session's current one
	visibility          triggerVisibility // of triggers to this account
	canCheckDefinitions bool              // definition checks work here (mysql_definition.go)
	logsRows            bool              // there is no binary log, or what only runs here is logged as rows

	argsAsked, argsWritten bool // whether the driver writes arguments into texts

	views          map[string]map[string]hiddenView // views that call stored functions, by name and schema
	viewsMisspelt  bool                             // their names may be others in a text
	mayBeElsewhere bool                             // a statement may have been prepared in another database (mysql_database.go)

	wrappers     map[wrapperKey]*preparedWrapper
	wrapperCount int // prepared so far
	texts        guardedTexts
	endedTxs     int // transactions of the caller's that have ended
	txCache          // what is known within the caller's transaction
}

func (m *mysql) system() string {
	if containsFold(m.version, "mariadb") {
		return "mariadb"
	}
	return "mysql"
}

// checkTransaction fails if a node of a cluster has lost the transaction. Galera ends
// it for a conflict with another node, and the queries to information_schema and SHOW
// that precede a statement swallow the error: the statement would then run and commit
// on its own.
func (m *mysql) checkTransaction(ctx context.Context) error {
	if !m.replicated || m.tablesLocked {
		return nil
	}
	open, err := askInts(ctx, m.conn, "SELECT @@in_transaction")
	if err == nil && open[0] == 0 {
		err = errConflict
	}
	return err
}

func (m *mysql) detectServer(ctx context.Context) error {
	if m.version != "" && !m.charsetStale {
		return nil
	}
	version, err := askText(ctx, m.conn, "SELECT version()")
	if err == nil {
		err = checkCharset(version)
	}
	if err == nil {
		m.version, m.charsetStale = version, false
	}
	return err
}

// checkCharset fails for an answer in a character set of several bytes per ASCII
// letter.
func checkCharset(answer string) error {
	if strings.Contains(answer, "\x00") {
		return errUnreadableCharset
	}
	return nil
}

var errUnreadableCharset = errors.New("dbguard: in this session's character_set_results (utf16, utf32, ucs2) the guard cannot read what the server answers: SET character_set_results = utf8mb4")

func (m *mysql) forget() {
	m.charsetStale = true
	m.autocommit, m.tablesLocked, m.sessionKnown = false, false, false
	m.wrappers, m.maybeSerializable, m.mayBeElsewhere = nil, true, true
	m.texts.forget()
	m.dropTxCache()
}

func (m *mysql) noteChanges(st *statement, _ bool) {
	m.invalidate(st)
	m.autocommit = m.autocommit && !st.opaque && st.control != controlUnknown
	if now := st.sets.locks; now != locksUnchanged {
		m.tablesLocked = now == locksTables
	}
}

func (m *mysql) ping(ctx context.Context) error {
	_, err := askInts(ctx, m.conn, "SELECT 1")
	return err
}

func (m *mysql) mode(ctx context.Context) (sqlscan.Mode, error) {
	text, err := askText(ctx, m.conn, "SELECT CONCAT(@@sql_mode, '/', @@character_set_client)")
	sqlMode, charset, _ := strings.Cut(text, "/")
	if err == nil {
		err = checkCharset(text)
	}
	if err == nil && m.version == "" {
		err = m.detectServer(ctx)
	}
	mode := modeOf(sqlMode) | versionMode(m.version)
	switch charset {
	case "big5", "cp932", "gb18030", "gbk", "sjis":
		mode |= sqlscan.WideLetters
	case "armscii8", "cp1250", "dec8", "geostd8", "greek", "hebrew", "latin1", "latin2", "latin5", "latin7":
		mode |= sqlscan.SpaceA0
	case "cp852", "cp866", "keybcs2":
		mode |= sqlscan.SpaceFF
	}
	return mode, err
}

// state sets a savepoint and rolls back to it: outside of a transaction the first has
// no effect, and the second fails.
func (m *mysql) state(ctx context.Context) (txState, error) {
	m.dropTxCache()
	on, err := askInts(ctx, m.conn, "SELECT @@autocommit")
	if err != nil {
		return txUnknown, err
	}
	if m.autocommit = on[0] != 0; !m.autocommit {
		return txCaller, nil
	}
	for _, text := range m.savepointFrame().open {
		_, err = m.conn.Exec(ctx, text)
		switch {
		case err != nil && m.isNoTransaction(err):
			return txIdle, nil
		case err != nil:
			return txUnknown, err
		}
	}
	_, err = m.conn.Exec(ctx, underSavepoint.keep[0])
	return txCaller, err
}

// savepointFrame rolls back to the savepoint right after setting it. That fails,
// harmlessly, if a deadlock or DDL has ended the transaction unnoticed.
func (m *mysql) savepointFrame() frame {
	f := underSavepoint
	f.open = []string{f.open[0], f.undo[0]}
	return f
}

func (m *mysql) frame(f *Flight) frame {
	switch {
	case f.strategy == inCallerTx:
		m.savepointSet = false
		return m.savepointFrame()
	case m.tablesLocked:
		return frame{
			open: []string{"SET autocommit = 0"},
			keep: []string{"SET autocommit = 1"}, // also commits
			undo: []string{rollbackText, "SET autocommit = 1"},
			fail: []string{rollbackText, "SET autocommit = 1"},
		}
	}
	return startTransaction
}

// startTransaction is ownTransaction for sql_mode ORACLE, too, where BEGIN opens a
// block.
var startTransaction = transaction("START TRANSACTION", commitText, rollbackText)

// COMMIT and ROLLBACK that ignore completion_type, which may make either chain a new
// transaction or release the connection.
const (
	commitText   = "COMMIT AND NO CHAIN NO RELEASE"
	rollbackText = "ROLLBACK AND NO CHAIN NO RELEASE"
)

// isNoTransaction recognizes ER_SP_DOES_NOT_EXIST, which is also what a missing savepoint is.
func (m *mysql) isNoTransaction(err error) bool { return mysqlError(err, "1305") }

func (m *mysql) isTxAborted(error) bool { return false }

func (m *mysql) isTxControlError(error) bool { return false }

func (m *mysql) txEnded() txState {
	m.txCache = txCache{}
	m.endedTxs++
	if m.autocommit {
		return txIdle
	}
	return txUnknown
}

func (m *mysql) counter(f *Flight) counter { return &mysqlCounter{m: m, f: f} }

// find uses SHOW CREATE TABLE for tables, which also shows temporary ones: before
// MariaDB 11.2 information_schema does not list them.
func (m *mysql) find(ctx context.Context, x *target) (existence, error) {
	found := missing
	switch x.class {
	case "DATABASE", "SCHEMA":
		text := "SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = " + quoteString(sqlscan.MySQL, x.name[0])
		err := m.conn.Query(ctx, text, func([]any) error { found = existing; return nil })
		if err != nil {
			return existing, err
		}
		return found, nil
	case "", "TABLE", "VIEW":
		err := m.conn.Query(ctx, "SHOW CREATE TABLE "+x.raw, func(v []any) error {
			found = existing
			if len(v) > 1 && strings.HasPrefix(AsText(v[1]), "CREATE TEMPORARY TABLE") {
				found = temporary
			}
			return nil
		})
		switch {
		case err == nil && found == temporary:
			is := "SELECT 1 FROM information_schema.TABLES t WHERE t.TABLE_TYPE <> 'TEMPORARY' AND " + m.tableCondition(x.name)
			err = m.conn.Query(ctx, is, func([]any) error { found = shadowing; return nil })
			return found, err
		case err == nil:
			return found, nil
		case mysqlError(err, "1146"): // ER_NO_SUCH_TABLE
			return missing, nil
		}
	default:
		if text := m.existsQuery(x); text != "" {
			if err := m.conn.Query(ctx, text, func([]any) error { found = existing; return nil }); err == nil {
				return found, nil
			}
		}
	}
	return existing, nil
}

// existsQuery is the query that finds an object other than a table. An account cannot
// drop what it cannot see there.
func (m *mysql) existsQuery(x *target) string {
	name, is := quoteString(sqlscan.MySQL, x.name[len(x.name)-1]), m.tableCondition(x.name)
	within := "_SCHEMA = " + m.schemaExpr(x.name)
	switch x.class {
	case "PROCEDURE":
		return "SELECT 1 FROM information_schema.ROUTINES WHERE ROUTINE" + within + " AND ROUTINE_NAME = " + name
	case "FUNCTION": // a loadable function belongs to no schema
		return "SELECT 1 FROM information_schema.ROUTINES WHERE ROUTINE" + within + " AND ROUTINE_NAME = " + name +
			" UNION ALL SELECT 1 FROM mysql.func WHERE name = " + name
	case "TRIGGER":
		return "SELECT 1 FROM information_schema.TRIGGERS WHERE TRIGGER" + within + " AND TRIGGER_NAME = " + name
	case "EVENT":
		return "SELECT 1 FROM information_schema.EVENTS WHERE EVENT" + within + " AND EVENT_NAME = " + name
	case "SEQUENCE":
		return "SELECT 1 FROM information_schema.TABLES t WHERE " + is
	case "INDEX":
		if x.part != "" {
			return "SELECT 1 FROM information_schema.STATISTICS t WHERE " + is + " AND t.INDEX_NAME = " + quoteString(sqlscan.MySQL, x.part)
		}
	}
	return ""
}

// refineReading corrects the reading of a text that does not commit, or does not undo its own
// changes, although it looks so.
func (m *mysql) refineReading(ctx context.Context, t *sqlscan.Text, _ Form) error {
	if err := m.reclassifyAutocommit(ctx, t); err != nil {
		return err
	}
	return m.reclassifyUndone(ctx, t)
}

// reclassifyAutocommit turns SET autocommit = 1 from a Commit into a Session
// operation where autocommit is on already: it then leaves a transaction opened by
// BEGIN open.
func (m *mysql) reclassifyAutocommit(ctx context.Context, t *sqlscan.Text) error {
	if t.Statements != 1 || len(t.Ops) != 1 || t.Ops[0].Kind != sqlscan.Commit || keyword(t, &t.Ops[0]) != "SET" {
		return nil
	}
	if !m.autocommit {
		on, err := askInts(ctx, m.conn, "SELECT @@autocommit")
		if err != nil {
			return err
		}
		m.autocommit = on[0] != 0
	}
	if m.autocommit {
		t.Ops[0].Kind = sqlscan.Session
	}
	return nil
}

// reclassifyUndone clears UndoneByText if a table of the text is not transactional,
// or has triggers, which may lead to one that is not.
func (m *mysql) reclassifyUndone(ctx context.Context, t *sqlscan.Text) error {
	var tables []string // conditions
	for i := range t.Ops {
		if t.Ops[i].Flags&sqlscan.UndoneByText == 0 {
			continue
		}
		if name := nameParts(t, t.Ops[i].Object); len(name) > 0 && !slices.Contains(tables, m.tableCondition(name)) {
			tables = append(tables, m.tableCondition(name))
		}
	}
	if len(tables) == 0 {
		return nil
	}
	undo, err := askInts(ctx, m.conn, "SELECT COUNT(*) FROM information_schema.TABLES t JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE"+
		" WHERE e.TRANSACTIONS = 'YES' AND ("+strings.Join(tables, " OR ")+") AND NOT EXISTS (SELECT 1 FROM information_schema.TRIGGERS g"+
		" WHERE g.EVENT_OBJECT_SCHEMA = t.TABLE_SCHEMA AND g.EVENT_OBJECT_TABLE = t.TABLE_NAME)")
	if err != nil || undo[0] == int64(len(tables)) {
		return err
	}
	for i := range t.Ops {
		t.Ops[i].Flags &^= sqlscan.UndoneByText
	}
	return nil
}

// tableCondition matches the table's row in information_schema.TABLES t.
func (m *mysql) tableCondition(name []string) string {
	return "t.TABLE_SCHEMA = " + m.schemaExpr(name) + " AND t.TABLE_NAME = " + quoteString(sqlscan.MySQL, name[len(name)-1])
}

// schemaExpr is an SQL expression for the schema of a name.
func (m *mysql) schemaExpr(name []string) string {
	if len(name) > 1 {
		return quoteString(sqlscan.MySQL, name[len(name)-2])
	}
	return "DATABASE()"
}
