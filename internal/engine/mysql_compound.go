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

// compound is which of the express's statements is meant. It is prepared under a
// name of the session's, which halves its price: most of that is reading it. What
// differs from one statement of the caller's to the next are its parameters: whether
// to look at the catalogue, and those of a text that comes with arguments, and else
// the text.
//
// A prepared statement runs in the database that it was prepared in. So the
// session's own travels as a parameter, and both are compared with the one that the
// text was written for. And a proxy that gives the sessions of many clients to one of
// the server's may have it run somebody else's: so a compound knows what it is called.
type compound struct {
	use
	text    string // the caller's, bounded; "": it is a parameter
	opening opening
	known   bool // what fires and its engine were seen under a lock that is held
}

// opening is how a compound begins.
type opening uint8

const (
	outside opening = iota // a transaction of its own
	first                  // a savepoint; going back to it at once fails where no transaction is open
	again                  // the savepoint that is there from the last one: it fails where that is gone
)

var (
	openings = [...]string{
		"START TRANSACTION; ",
		"SAVEPOINT " + savepoint + "; ROLLBACK TO SAVEPOINT " + savepoint + "; ",
		"RELEASE SAVEPOINT " + savepoint + "; SAVEPOINT " + savepoint + "; ",
	}
	keeps = [...]string{commits + "; ", "", ""}
	undos = [...]string{undoes + "; ", "ROLLBACK TO SAVEPOINT " + savepoint + "; ", "ROLLBACK TO SAVEPOINT " + savepoint + "; "}
)

// maxCompounds is how many a session keeps prepared, each with its proof. The server
// limits what all connections prepare together (max_prepared_stmt_count, 16,382).
const maxCompounds = 12

// send runs the statement's compound, preparing it where it is not.
func (e *express) send(f *Flight) (r reply, err error) {
	m := e.m
	if r, err = e.ask(f, e.compound(f)); err == nil || f.way == own {
		return r, err
	}
	if m.marked && m.gone(err) { // the savepoint went with what was rolled back, or the transaction is gone
		m.doubt()
		return e.ask(f, e.compound(f))
	}
	return r, err
}

// compound is the cheapest one that is known to be enough.
func (e *express) compound(f *Flight) compound {
	c := compound{use: e.x.use()}
	switch {
	case f.way == nested && e.m.marked:
		c.opening, c.known = again, e.m.plain[e.x.raw]&eventsOf(e.kind) != 0
	case f.way == nested:
		c.opening = first
	}
	if e.repeats() {
		c.text, _ = e.bounded(f.op.Limit(), false)
	}
	return c
}

// repeats reports a text that will come again, with other arguments. One with a
// query in it is read anew each time: a plan that is used twice has been the
// cause of many a bug.
func (e *express) repeats() bool {
	return len(e.args) > 0 && len(e.t.Source) < 1<<12 && !containsFold(e.t.Source, "select") && !containsFold(e.t.Source, "dbguard")
}

func (e *express) ask(f *Flight, c compound) (r reply, err error) {
	m := e.m
	if c.opening == first {
		m.doubt() // nothing that was seen before is certain to hold
	}
	p, fresh := m.prepared(c)
	look := m.look(p, f.way == own || m.turn != p.turn)
	using, ok := e.parameters(f, c, p, look)
	if !ok {
		if fresh {
			delete(m.compounds, c)
		}
		return reply{}, nil // unsure
	}
	text := "EXECUTE " + p.name() + using
	if fresh {
		opens := openings[c.opening] // or where this fails, what is gone back to is the savepoint of the statement before
		if c.opening == outside {
			opens = ""
		}
		text = "BEGIN NOT ATOMIC " + opens + e.prepare(c, p) + text + "; END"
	}
	switch r, err = e.replied(f.ctx, text); {
	case err == nil:
		m.marked = c.opening != outside
		p.answered(look, fresh, r)
		if e.kind == sqlscan.Update {
			m.sawUpdate(c, p, look, r)
			r.id = 0
		}
	case !fresh && (mysqlError(err, "1243") || mysqlError(err, "1210")): // another session, or one that was reset: nothing has run
		m.compounds = nil
		return e.ask(f, c)
	case fresh, mysqlError(err, disproved):
		delete(m.compounds, c)
	}
	return r, err
}

// replied is what the server says to a text. Of one row that was kept it says nothing,
// but of an INSERT.
func (e *express) replied(ctx context.Context, text string) (r reply, err error) {
	if r = (reply{answer: kept, rows: 1}); e.kind == sqlscan.Insert {
		r.answer = -1
	}
	err = e.m.conn.Query(ctx, text, func(v []any) (err error) {
		for i, into := range []*int64{&r.answer, &r.rows, &r.id} {
			if *into, err = asInt(v[i]); err != nil {
				return err
			}
		}
		r.safe, r.serial = asBool(v[3]), asText(v[4]) == "SERIALIZABLE"
		return nil
	})
	if err == nil && r.answer < 0 {
		err = errNoRow
	}
	return r, err
}

// prepared is the compound as it is prepared; fresh, if it is not yet.
func (m *mysql) prepared(c compound) (p *prepared, fresh bool) {
	if p = m.compounds[c]; p != nil {
		return p, false
	}
	if m.compounds == nil {
		m.compounds = map[compound]*prepared{}
	}
	p = &prepared{
		number: m.compounded % maxCompounds,
		id:     fmt.Sprintf("%s %d", nonce, preparations.Add(1)),
		proves: m.proving() && !c.known,
		turn:   m.turn,
	}
	m.compounded++
	maps.DeleteFunc(m.compounds, func(_ compound, old *prepared) bool { return old.number == p.number })
	m.compounds[c] = p
	return p, true
}

// preparations are all of the process's.
var preparations atomic.Int64

// prepare is the text that prepares a compound, and the proof that it asks for.
func (e *express) prepare(c compound, p *prepared) string {
	from := func(text string) string { return " FROM '" + strings.ReplaceAll(text, "'", "''") + "'; " }
	text := "PREPARE " + p.name() + from(e.script(c, p))
	if p.proves { // after it: where this fails, the compound is not used
		text += "SET STATEMENT old_mode = '' FOR PREPARE " + p.proof() + from(e.proof())
	}
	return text
}

// parameters are those of the compound, as literals.
func (e *express) parameters(f *Flight, c compound, p *prepared, l look) (using string, ok bool) {
	using, ok = " USING '"+p.id+"', DATABASE()", true
	if !c.known {
		using += ", " + strconv.FormatBool(!l.trusts)
	}
	if e.kind == sqlscan.Update && c.text != "" {
		using += ", " + strconv.FormatBool(e.m.asksApart(c, l))
	}
	if c.text == "" {
		text, can := e.bounded(f.op.Limit(), true)
		using, ok = using+", '"+strings.ReplaceAll(text, "'", "''")+"'", can
	} else {
		for _, a := range e.args {
			value, can := literal(a.Value)
			using, ok = using+", "+value, ok && can && a.Name == ""
		}
	}
	if e.kind == sqlscan.Update && c.text != "" {
		using += ", " + strconv.FormatBool(e.m.isApart(c, p, l))
	}
	if e.kind != sqlscan.Insert {
		using += fmt.Sprintf(", %d, %d", f.op.AtLeast(), f.op.Limit())
	}
	if e.kind == sqlscan.Update {
		using += fmt.Sprintf(", %d", f.op.Limit())
	}
	return using, ok
}

// script is the text of a compound. Its local variables are out of the sight of
// the caller's text where EXECUTE IMMEDIATE reads that by itself, and named so that
// no column is, where it is a part. One row that is changed and kept is told by
// silence: that it is the rule makes it worth the time that an answer takes.
func (e *express) script(c compound, p *prepared) string {
	here, run := "NULL", c.text
	if e.m.database != "" {
		here = quoteString(sqlscan.MySQL, e.m.database)
	}
	if run == "" {
		run = "EXECUTE IMMEDIATE ?"
	}
	run += "; SET dbguard_n = ROW_COUNT(); "
	plain, looks, declare, body := "", "", "", ""
	if !c.known {
		declare, looks, plain = "DECLARE dbguard_plain BOOL DEFAULT TRUE; ", e.looks(p), " AND dbguard_plain"
		if p.proves {
			plain += " AND @@old_mode = '" + oldMode + "'"
		}
	}
	keep, undo := keeps[c.opening], undos[c.opening]
	switch e.kind {
	case sqlscan.Insert:
		handler := ""
		handler, body = e.inserts(run, keep, undo)
		declare += handler
	case sqlscan.Update:
		declaring, asking, finding, answer := e.updates(c)
		declare, looks = declare+declaring+"SET @dbguard = 0; ", looks+asking
		body = run + finding + "IF dbguard_n BETWEEN ? AND ? AND @dbguard <= ? AND dbguard_alone THEN " + keep + answer
	default:
		declare += declareAlone
		body = run + e.alone() + "IF dbguard_n BETWEEN ? AND ? AND dbguard_alone THEN " + keep + silence
	}
	return "BEGIN NOT ATOMIC DECLARE dbguard_n BIGINT DEFAULT 0; " + declare + openings[c.opening] +
		"IF NOT (? = '" + p.id + "' AND ? <=> " + here + " AND DATABASE() <=> " + here + ") THEN " + undo + tell("3") + "ELSE " + looks +
		"IF @@sql_safe_updates = 0" + plain + " THEN " + body + "ELSE " + undo + tell("0") + "END IF; " +
		"ELSE " + undo + tell("0") + "END IF; END IF; END"
}

const silence = "IF dbguard_n <> 1 THEN SELECT 1, dbguard_n, 0, 0, ''; END IF; "

// tell is a compound's answer, where it does not keep.
func tell(answer string) string {
	return "SELECT " + answer + ", dbguard_n, 0, @@sql_safe_updates, ''; "
}

// inserts are the parts of an INSERT's compound. What the driver is told as the
// inserted id is LAST_INSERT_ID(), where the statement has set it, which a value
// that none has tells. Else it is 0, or the value that the statement gave itself,
// and that the driver alone is told.
func (e *express) inserts(run, keep, undo string) (declare, body string) {
	const nobodys = "18446744073709551615"
	declare = "DECLARE dbguard_i, dbguard_l BIGINT UNSIGNED DEFAULT LAST_INSERT_ID(); " +
		"DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN DO LAST_INSERT_ID(dbguard_l); RESIGNAL; END; "
	body = "DO LAST_INSERT_ID(" + nobodys + "); " + run + "SET dbguard_i = LAST_INSERT_ID(); " +
		"IF dbguard_i = " + nobodys + " THEN DO LAST_INSERT_ID(dbguard_l); SET dbguard_i = 0; END IF; " +
		"IF dbguard_i > 0 OR NOT EXISTS (SELECT 1 FROM information_schema.TABLES WHERE " + e.table().rows("") +
		" AND AUTO_INCREMENT IS NOT NULL) THEN " + keep + "SELECT 1, dbguard_n, dbguard_i, 0, @@tx_isolation; "
	return declare, body
}

func (e *express) table() mysqlTable {
	name := e.x.name
	if len(name) > 1 {
		return mysqlTable{name[0], name[1]}
	}
	return mysqlTable{e.m.database, name[0]}
}

const declareAlone = "DECLARE dbguard_alone BIGINT DEFAULT 1; "

// alone finds out afterwards that no row went with those that the statement named: no
// foreign key does more than to forbid. Who may not read the dictionary asks what the
// table opens (mysql_unseen.go).
func (e *express) alone() string {
	if e.m.noDictionary {
		column := ""
		if e.kind == sqlscan.Update {
			column = e.assignsFirst()
		}
		return "SET dbguard_alone = " + tablesOpened + "; " + emptyChange(e.x.raw, eventsOf(e.kind), column) + "; SET dbguard_alone = " + tablesOpened + " - dbguard_alone <= 1; "
	}
	bits := deleteCascade | deleteSetNull
	if e.kind == sqlscan.Update {
		bits = updateCascade | updateSetNull
	}
	return "SET dbguard_alone = NOT EXISTS (SELECT 1 FROM " + dictionary + " WHERE " + referenced([]mysqlTable{e.table()}) +
		fmt.Sprintf(" AND TYPE & %d); ", bits)
}
