package engine

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// wrapperKey identifies a wrapper of the session's. Preparing it halves its price,
// most of which is parsing. What differs from one statement to the next are its
// parameters: whether to check the catalogue, and either the caller's arguments or
// the whole text.
//
// A prepared statement runs in the database in which it was prepared. So the current
// one is a parameter, and the wrapper compares both with the one for which the text
// was written. Behind a proxy that shares server sessions among clients, a name may
// stand for somebody else's wrapper: so each has an id of its own, and checks it.
type wrapperKey struct {
	tableUse
	text       string // the caller's, with its LIMIT
	opening    opening
	tableKnown bool // engine and triggers were checked under a metadata lock that is still held
}

// opening is how a wrapper begins.
type opening uint8

const (
	beginsTransaction opening = iota // START TRANSACTION
	setsSavepoint                    // SAVEPOINT, and ROLLBACK to it, which fails if no transaction is open
	reusesSavepoint                  // the savepoint of the last wrapper, renewed: fails if it is gone
)

var (
	openingTexts = [...]string{
		"START TRANSACTION; ",
		"SAVEPOINT " + savepoint + "; ROLLBACK TO SAVEPOINT " + savepoint + "; ",
		"RELEASE SAVEPOINT " + savepoint + "; SAVEPOINT " + savepoint + "; ",
	}
	keepTexts = [...]string{commitText + "; ", "", ""}
	undoTexts = [...]string{rollbackText + "; ", "ROLLBACK TO SAVEPOINT " + savepoint + "; ", "ROLLBACK TO SAVEPOINT " + savepoint + "; "}
)

// maxWrappers is the number that a session keeps prepared, each with its definition
// check. The server limits prepared statements across all connections
// (max_prepared_stmt_count, 16,382).
const maxWrappers = 12

// send executes the statement's wrapper.
func (e *fastPath) send(f *Flight) (r reply, err error) {
	m := e.m
	if r, err = e.execute(f, e.chooseWrapper(f)); err == nil || f.strategy == ownTx {
		return r, err
	}
	if m.savepointSet && m.isNoTransaction(err) { // the savepoint was rolled back, or the transaction is gone
		m.dropTxCache()
		return e.execute(f, e.chooseWrapper(f))
	}
	return r, err
}

// chooseWrapper is the cheapest wrapper that suffices.
func (e *fastPath) chooseWrapper(f *Flight) wrapperKey {
	key := wrapperKey{tableUse: e.target.tableUse()}
	switch {
	case f.strategy == inCallerTx && e.m.savepointSet:
		key.opening, key.tableKnown = reusesSavepoint, e.m.plainTables[e.target.raw]&eventsOf(e.kind) != 0
	case f.strategy == inCallerTx:
		key.opening = setsSavepoint
	}
	if e.isReusable() {
		key.text, _ = e.boundedText(f.op.Limit(), false)
	}
	return key
}

// isReusable reports a text that will come again with other arguments. A subquery is
// parsed anew each time: executing its plan twice has caused many server bugs.
func (e *fastPath) isReusable() bool {
	return len(e.args) > 0 && len(e.text.Source) < 1<<12 && !containsFold(e.text.Source, "select") && !containsFold(e.text.Source, "dbguard")
}

func (e *fastPath) execute(f *Flight, key wrapperKey) (r reply, err error) {
	m := e.m
	if key.opening == setsSavepoint {
		m.dropTxCache() // what is cached may belong to an earlier transaction
	}
	w, fresh := m.wrapper(key)
	look := m.planCatalogueCheck(w, f.strategy == ownTx || m.endedTxs != w.preparedInTx)
	if look.alone = e.planAlone(f, w, look.at); look.alone != nil {
		look.skip = false
	}
	using, ok := e.usingClause(f, key, w, look)
	if !ok {
		if fresh {
			delete(m.wrappers, key)
		}
		return reply{}, nil // undecided
	}
	text := "EXECUTE " + w.name() + using
	if fresh {
		text = e.prepareText(key, w) + text
		if key.opening != beginsTransaction { // or a failing PREPARE would roll back to the previous statement's savepoint
			text = openingTexts[key.opening] + text
		}
		text = "BEGIN NOT ATOMIC " + text + "; END"
	}
	switch r, err = e.queryReply(f.ctx, text); {
	case err == nil:
		w.uses++
		m.savepointSet = key.opening != beginsTransaction
		w.noteAnswer(look, fresh, r)
		if e.kind == sqlscan.Update {
			m.cacheUpdate(key, w, look, r)
			r.id = 0
		}
	case !fresh && (mysqlError(err, "1243") || mysqlError(err, "1210")): // another session, or a reset one: nothing has run
		m.wrappers = nil
		return e.execute(f, key)
	case fresh, mysqlError(err, definitionChanged):
		delete(m.wrappers, key)
	}
	return r, err
}

// queryReply sends a text and reads its reply. No result row means that one row was
// changed and kept, except for an INSERT.
func (e *fastPath) queryReply(ctx context.Context, text string) (r reply, err error) {
	if r = (reply{answer: answerKept, rows: 1}); e.kind == sqlscan.Insert {
		r.answer = -1
	}
	err = e.m.conn.Query(ctx, text, func(v []any) (err error) {
		for i, into := range []*int64{&r.answer, &r.rows, &r.id} {
			if *into, err = asInt(v[i]); err != nil {
				return err
			}
		}
		r.safeUpdates, r.serializable = asBool(v[3]), AsText(v[4]) == "SERIALIZABLE"
		return nil
	})
	if err == nil && r.answer < 0 {
		err = errNoRow
	}
	return r, err
}

// wrapper is the prepared wrapper; fresh, if it is still to be prepared.
func (m *mysql) wrapper(key wrapperKey) (w *preparedWrapper, fresh bool) {
	if w = m.wrappers[key]; w != nil {
		return w, false
	}
	if m.wrappers == nil {
		m.wrappers = map[wrapperKey]*preparedWrapper{}
	}
	w = &preparedWrapper{
		number:       m.wrapperCount % maxWrappers,
		id:           fmt.Sprintf("%s %d", nonce, preparations.Add(1)),
		hasCheck:     m.checksDefinitions() && !key.tableKnown,
		preparedInTx: m.endedTxs,
	}
	m.wrapperCount++
	maps.DeleteFunc(m.wrappers, func(_ wrapperKey, old *preparedWrapper) bool { return old.number == w.number })
	m.wrappers[key] = w
	return w, true
}

// preparations counts all wrappers of the process.
var preparations atomic.Int64

// prepareText prepares a wrapper and its definition check.
func (e *fastPath) prepareText(key wrapperKey, w *preparedWrapper) string {
	from := func(text string) string { return " FROM '" + strings.ReplaceAll(text, "'", "''") + "'; " }
	text := "PREPARE " + w.name() + from(e.wrapperText(key, w))
	if w.hasCheck { // comes second: if it fails, the wrapper is not used
		text += "SET STATEMENT old_mode = '' FOR PREPARE " + w.checkName() + from(e.definitionCheck())
	}
	return text
}

// usingClause has the wrapper's parameters, as literals.
func (e *fastPath) usingClause(f *Flight, key wrapperKey, w *preparedWrapper, l catalogueCheck) (using string, ok bool) {
	using, ok = " USING '"+w.id+"', DATABASE()", true
	if !key.tableKnown {
		using += ", " + strconv.FormatBool(!l.skip)
	}
	if e.kind == sqlscan.Update && key.text != "" {
		using += ", " + strconv.FormatBool(e.m.asksUnindexed(key, l))
	}
	if key.text == "" {
		text, can := e.boundedText(f.op.Limit(), true)
		using, ok = using+", '"+strings.ReplaceAll(text, "'", "''")+"'", can
	} else {
		for _, a := range e.args {
			value, can := mysqlLiteral(a.Value)
			using, ok = using+", "+value, ok && can && a.Name == ""
		}
	}
	if e.kind == sqlscan.Update && key.text != "" {
		using += ", " + strconv.FormatBool(e.m.isUnindexed(key, w, l))
	}
	if e.kind != sqlscan.Insert {
		using += fmt.Sprintf(", %d, %d", f.op.AtLeast(), f.op.Limit())
	}
	if e.kind == sqlscan.Update {
		using += fmt.Sprintf(", %d", f.op.Limit())
	}
	return using, ok
}

// wrapperText is the compound statement. Its local variables are invisible to a text
// run by EXECUTE IMMEDIATE; where the text is a part of it, they are named unlike any
// column. If one row is changed and kept it sends no result row: that is the common
// case, and a result takes time.
func (e *fastPath) wrapperText(key wrapperKey, w *preparedWrapper) string {
	here, run := "NULL", key.text
	if e.m.database != "" {
		here = quoteString(sqlscan.MySQL, e.m.database)
	}
	if run == "" {
		run = "EXECUTE IMMEDIATE ?"
	}
	run += "; SET dbguard_n = ROW_COUNT(); "
	plain, looks, declare, body := "", "", "", ""
	if !key.tableKnown {
		declare, looks, plain = "DECLARE dbguard_plain BOOL DEFAULT TRUE; ", e.tableCheck(w), " AND dbguard_plain"
		if w.hasCheck {
			plain += " AND " + definitionCheckWorks
		}
	}
	keep, undo := keepTexts[key.opening], undoTexts[key.opening]
	switch e.kind {
	case sqlscan.Insert:
		handler := ""
		handler, body = e.insertParts(run, keep, undo)
		declare += handler
	case sqlscan.Update:
		declaring, asking, finding, answer := e.updateParts(key)
		declare, looks = declare+declaring+"SET @dbguard = 0; ", looks+asking
		body = run + finding + "IF dbguard_n BETWEEN ? AND ? AND @dbguard <= ? AND dbguard_alone THEN " + keep + answer
	default:
		declare += declareNoCascade
		body = run + e.noCascadeCheck() + "IF dbguard_n BETWEEN ? AND ? AND dbguard_alone THEN " + keep + replyUnlessOneRow
	}
	return "BEGIN NOT ATOMIC DECLARE dbguard_n BIGINT DEFAULT 0; " + declare + openingTexts[key.opening] +
		"IF NOT (? = '" + w.id + "' AND ? <=> " + here + " AND DATABASE() <=> " + here + ") THEN " + undo + replyText("3") + "ELSE " + looks +
		"IF @@sql_safe_updates = 0" + plain + " THEN " + body + "ELSE " + undo + replyText("0") + "END IF; " +
		"ELSE " + undo + replyText("0") + "END IF; END IF; END"
}

const replyUnlessOneRow = "IF dbguard_n <> 1 THEN SELECT 1, dbguard_n, 0, 0, ''; END IF; "

// replyText is the reply of a wrapper that keeps nothing.
func replyText(answer string) string {
	return "SELECT " + answer + ", dbguard_n, 0, @@sql_safe_updates, ''; "
}

// insertParts are the parts specific to an INSERT. The inserted id is
// LAST_INSERT_ID() if the statement has set it, which is found by first setting it to
// an impossible value. Otherwise it is 0 or a value from the statement itself, which
// only the driver knows.
func (e *fastPath) insertParts(run, keep, undo string) (declare, body string) {
	const nobodys = "18446744073709551615"
	declare = "DECLARE dbguard_i, dbguard_l BIGINT UNSIGNED DEFAULT LAST_INSERT_ID(); " +
		"DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN DO LAST_INSERT_ID(dbguard_l); RESIGNAL; END; "
	body = "DO LAST_INSERT_ID(" + nobodys + "); " + run + "SET dbguard_i = LAST_INSERT_ID(); " +
		"IF dbguard_i = " + nobodys + " THEN DO LAST_INSERT_ID(dbguard_l); SET dbguard_i = 0; END IF; " +
		"IF dbguard_i > 0 OR NOT EXISTS (SELECT 1 FROM information_schema.TABLES WHERE " + e.table().condition("") +
		" AND AUTO_INCREMENT IS NOT NULL) THEN " + keep + "SELECT 1, dbguard_n, dbguard_i, 0, @@tx_isolation; "
	return declare, body
}

func (e *fastPath) table() mysqlTable {
	name := e.target.name
	if len(name) > 1 {
		return mysqlTable{name[0], name[1]}
	}
	return mysqlTable{e.m.database, name[0]}
}

const declareNoCascade = "DECLARE dbguard_alone BIGINT DEFAULT 1; "

// noCascadeCheck finds out, after the statement, that no foreign key can have changed
// rows: all of them only restrict. An account that may not read the dictionary looks
// at which tables the statement opens (mysql_invisible_keys.go).
func (e *fastPath) noCascadeCheck() string {
	if e.m.noDictionary {
		column := ""
		if e.kind == sqlscan.Update {
			column = e.firstAssigned()
		}
		return "SET dbguard_alone = " + tablesOpened + "; " + emptyChange(e.target.raw, eventsOf(e.kind), column) + "; SET dbguard_alone = " + tablesOpened + " - dbguard_alone <= 1; "
	}
	bits := deleteCascade | deleteSetNull
	if e.kind == sqlscan.Update {
		bits = updateCascade | updateSetNull
	}
	return "SET dbguard_alone = NOT EXISTS (SELECT 1 FROM " + e.m.innodbForeign() + " WHERE " + e.m.referencesAny([]mysqlTable{e.table()}) +
		fmt.Sprintf(" AND TYPE & %d); ", bits)
}
