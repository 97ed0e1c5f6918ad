package engine

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// mysql is MySQL or MariaDB. Structure changes commit whatever is open, and so
// do BEGIN and a deadlock: what the session knows of a transaction is asked
// again wherever it matters.
type mysql struct {
	conn       Conn
	version    string
	respelt    bool // the session may have another character set since it told that
	autocommit bool // known to be on
	locked     bool // LOCK TABLES: BEGIN would release them
	replicated bool // a node of a Galera cluster

	thread       string // how the connection is called in SHOW ENGINE INNODB STATUS
	noDictionary bool   // the account may not read INNODB_SYS_FOREIGN, or there is none
	noExpress    bool
	slow         map[use]heldTable // what the express does not serve, for a while

	placed   bool   // these were asked for
	database string // the session's
	sees     sight  // of which tables the account sees triggers
	proves   bool   // a table can be proved to be what it was

	views  map[string]map[string]hiddenView // that call stored functions, by name and by schema
	astray bool                             // a statement may have been prepared in another database: see Place

	compounds  map[compound]*prepared
	compounded int // how many ever were prepared
	turn       int // how many transactions of the caller's have ended
	seen           // in the caller's transaction
}

func (m *mysql) system() string {
	if containsFold(m.version, "mariadb") {
		return "mariadb"
	}
	return "mysql"
}

// stays reports, on a node of a cluster, that the transaction is still there.
// Galera ends it for a conflict with another node, and a question to
// information_schema or SHOW, which come before a statement, swallows the error:
// the statement would run outside of any transaction, and stand.
func (m *mysql) stays(ctx context.Context) error {
	if !m.replicated || m.locked {
		return nil
	}
	open, err := askInts(ctx, m.conn, "SELECT @@in_transaction")
	if err == nil && open[0] == 0 {
		err = errConflict
	}
	return err
}

func (m *mysql) detectServer(ctx context.Context) error {
	if m.version != "" && !m.respelt {
		return nil
	}
	version, err := askText(ctx, m.conn, "SELECT version()")
	if err == nil {
		err = legible(version)
	}
	if err == nil {
		m.version, m.respelt = version, false
	}
	return err
}

// legible is an error for an answer in letters of several bytes each.
func legible(answer string) error {
	if strings.Contains(answer, "\x00") {
		return errIllegible
	}
	return nil
}

var errIllegible = errors.New("dbguard: in this session's character_set_results (utf16, utf32, ucs2) the guard cannot read what the server answers: SET character_set_results = utf8mb4")

func (m *mysql) forget() {
	m.respelt = true
	m.autocommit, m.locked, m.placed = false, false, false
	m.compounds, m.serial, m.astray = nil, true, true
	m.doubt()
}

func (m *mysql) noteChanges(st *statement, _ bool) {
	m.outlives(st)
	m.autocommit = m.autocommit && !st.opaque && st.control != controlUnknown
	if now := st.sets.locks; now != unmoved {
		m.locked = now == locked
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
		err = legible(text)
	}
	mode := modeOf(sqlMode)
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

// state asks by a savepoint: outside of a transaction it leaves no trace, and
// there is none to go back to.
func (m *mysql) state(ctx context.Context) (txState, error) {
	m.doubt()
	on, err := askInts(ctx, m.conn, "SELECT @@autocommit")
	if err != nil {
		return txUnknown, err
	}
	if m.autocommit = on[0] != 0; !m.autocommit {
		return txCaller, nil
	}
	for _, text := range m.nested().open {
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

// nested goes back to the savepoint at once: that fails, harmlessly, if a
// deadlock or a structure change has ended the transaction unseen.
func (m *mysql) nested() frame {
	f := underSavepoint
	f.open = []string{f.open[0], f.undo[0]}
	return f
}

func (m *mysql) frame(f *Flight) frame {
	switch {
	case f.strategy == inCallerTx:
		m.marked = false
		return m.nested()
	case m.locked:
		return frame{
			open: []string{"SET autocommit = 0"},
			keep: []string{"SET autocommit = 1"}, // commits
			undo: []string{undoes, "SET autocommit = 1"},
			fail: []string{undoes, "SET autocommit = 1"},
		}
	}
	return startedTransaction
}

// startedTransaction is ownTransaction where BEGIN may open a block: under sql_mode
// ORACLE.
var startedTransaction = transaction("START TRANSACTION", commits, undoes)

// What ends it, whatever completion_type has COMMIT and ROLLBACK do besides.
const (
	commits = "COMMIT AND NO CHAIN NO RELEASE"
	undoes  = "ROLLBACK AND NO CHAIN NO RELEASE"
)

// isNoTransaction knows ER_SP_DOES_NOT_EXIST by the number that the driver prints: the
// text is in the server's language.
func (m *mysql) isNoTransaction(err error) bool { return strings.Contains(err.Error(), "1305") }

func (m *mysql) isTxAborted(error) bool { return false }

func (m *mysql) isTxControlError(error) bool { return false }

func (m *mysql) txEnded() txState {
	m.seen = seen{}
	m.turn++
	if m.autocommit {
		return txIdle
	}
	return txUnknown
}

func (m *mysql) counter(f *Flight) counter { return &mysqlCounter{m: m, f: f} }

// find asks for a table by SHOW CREATE TABLE, which says whether it is one of
// the session's temporary tables; information_schema does not list them before
// MariaDB 11.2.
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
			if len(v) > 1 && strings.HasPrefix(asText(v[1]), "CREATE TEMPORARY TABLE") {
				found = temporary
			}
			return nil
		})
		switch {
		case err == nil && found == temporary:
			is := "SELECT 1 FROM information_schema.TABLES t WHERE t.TABLE_TYPE <> 'TEMPORARY' AND " + m.tableIs(x.name)
			err = m.conn.Query(ctx, is, func([]any) error { found = shadowing; return nil })
			return found, err
		case err == nil:
			return found, nil
		case strings.Contains(err.Error(), "1146"): // ER_NO_SUCH_TABLE
			return missing, nil
		}
	default:
		if text := m.findElse(x); text != "" {
			if err := m.conn.Query(ctx, text, func([]any) error { found = existing; return nil }); err == nil {
				return found, nil
			}
		}
	}
	return existing, nil
}

// findElse asks for what is not a table. What the user may not see it may not
// drop either.
func (m *mysql) findElse(x *target) string {
	name, is := quoteString(sqlscan.MySQL, x.name[len(x.name)-1]), m.tableIs(x.name)
	within := "_SCHEMA = " + m.schemaOf(x.name)
	switch x.class {
	case "PROCEDURE":
		return "SELECT 1 FROM information_schema.ROUTINES WHERE ROUTINE" + within + " AND ROUTINE_NAME = " + name
	case "FUNCTION": // a loadable one is in no schema
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

// refineReading takes back that a text commits, or undoes itself what it does, where it does not.
func (m *mysql) refineReading(ctx context.Context, t *sqlscan.Text, _ Form) error {
	if err := m.heedAutocommit(ctx, t); err != nil {
		return err
	}
	return m.heedUndone(ctx, t)
}

// heedAutocommit makes a setting of SET autocommit = 1 where it is on already: what is
// open was opened by BEGIN, and stays.
func (m *mysql) heedAutocommit(ctx context.Context, t *sqlscan.Text) error {
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

// heedUndone takes back that a text undoes itself what it does, where a table keeps it:
// one of an engine without transactions, or one whose triggers may lead to such a table.
func (m *mysql) heedUndone(ctx context.Context, t *sqlscan.Text) error {
	var tables []string // conditions
	for i := range t.Ops {
		if t.Ops[i].Flags&sqlscan.UndoneByText == 0 {
			continue
		}
		if name := nameParts(t, t.Ops[i].Object); len(name) > 0 && !slices.Contains(tables, m.tableIs(name)) {
			tables = append(tables, m.tableIs(name))
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

// tableIs is the condition that a row of information_schema.TABLES is a table.
func (m *mysql) tableIs(name []string) string {
	return "t.TABLE_SCHEMA = " + m.schemaOf(name) + " AND t.TABLE_NAME = " + quoteString(sqlscan.MySQL, name[len(name)-1])
}

// schemaOf is the schema of a name, as an expression.
func (m *mysql) schemaOf(name []string) string {
	if len(name) > 1 {
		return quoteString(sqlscan.MySQL, name[len(name)-2])
	}
	return "DATABASE()"
}
