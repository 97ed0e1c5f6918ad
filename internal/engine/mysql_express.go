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

// The express is MariaDB's way in one round trip: a compound statement that
// opens the transaction or savepoint, runs the caller's text by EXECUTE
// IMMEDIATE, and keeps what it did only if that was within the bound and the
// table is one where nothing else can have changed: InnoDB, no trigger that it
// sets off, no foreign key that leads to it. It needs no multi-statements in the
// DSN. Arguments travel as literals, and the compound itself is prepared once for
// a table (mysql_compound.go).
//
// The schema is looked at under the table's metadata lock. A foreign key can be
// added to a child all the same, but none goes that the statement has followed:
// so they are looked for after it, and what is found too much errs on the safe
// side. An INSERT follows none, and needs no count: triggers alone can make it
// change rows that are there.
//
// Where it does not keep, nothing has changed, and the statement goes the
// ordinary way, unless more rows were over the bound already. LIMIT n+1 ends it
// early. It counts the rows that an UPDATE finds, not those that it changes: a
// variable in the WHERE counts them too, and tells whether the LIMIT cut. RAND()
// keeps the server from taking that condition for a constant, which it evaluates
// once; if it evaluates it too often, the ordinary way decides.

// Done is what a driver would have reported of a statement.
type Done struct{ RowsAffected, LastInsertID int64 }

// Exec runs a statement of the caller's by itself, if the engine has a way in one
// round trip. Not done: nothing has happened, and the statement takes its way through
// Start.
func (s *Session) Exec(ctx context.Context, text string, args []driver.NamedValue) (_ Done, done bool, err error) {
	e := s.expressed(ctx, text, args)
	if e == nil {
		return Done{}, false, nil
	}
	op, err := s.guard.Begin(ctx, e.st.op, s.ledger)
	if err != nil {
		return Done{}, true, err
	}
	f := &Flight{s: s, st: e.st, op: op, ctx: op.Context(), way: s.choose(e.st, op)}
	counted := op.Limit() >= 0 && op.Limit() < maxProbe && !op.Shares()
	if f.way < own || !counted && e.kind != sqlscan.Insert {
		op.Abandon()
		return Done{}, false, nil
	}
	return e.run(f)
}

// expressed is the statement of a text, if it can travel so. Of what keeps it from that
// Start will tell.
func (s *Session) expressed(ctx context.Context, text string, args []driver.NamedValue) *express {
	m, ok := s.backend.(*mysql)
	if !ok || s.flight != nil || s.broken || s.strayed || s.guard.Check() != nil || s.guard.Observing() ||
		len(text) > maxExpress || s.gate.Refuses(false) != nil {
		return nil
	}
	t, err := s.read(ctx, text)
	if err != nil || len(t.Ops) != 1 || t.Calls {
		return nil
	}
	if hides, err := s.hides(ctx, t); hides || err != nil {
		return nil
	}
	switch t.Ops[0].Kind {
	case sqlscan.Delete, sqlscan.Update, sqlscan.Insert:
	default:
		return nil
	}
	if s.findState(ctx, t, false) != nil {
		return nil
	}
	st := s.understand(t)
	if err := s.additions(ctx, t, st); err != nil || len(st.op.Acts) != 1 {
		return nil
	}
	return m.express(ctx, st, text, s.timed(args), s.modes.mode)
}

// maxExpress is the longest text that is written out once more.
const maxExpress = 1 << 20

// express is a statement that can travel so.
type express struct {
	m    *mysql
	st   *statement
	x    *target
	kind sqlscan.Kind
	t    *sqlscan.Text
	c    clauses
	args []driver.NamedValue
}

// express returns nil where the statement cannot travel so.
func (m *mysql) express(ctx context.Context, st *statement, text string, args []driver.NamedValue, mode sqlscan.Mode) *express {
	x := &st.targets[0]
	switch {
	case m.locked, m.noExpress, !containsFold(m.version, "mariadb"), st.op.Statements != 1, !embeds(text, x):
		return nil
	case len(x.name) == 0, len(x.name) > 2, x.op.Kind != sqlscan.Insert && splits(text):
		return nil
	case containsFold(text, "last_insert_id"), strings.Contains(text, "@") && containsFold(text, "dbguard"): // the compound's own
		return nil
	case m.held(x):
		return nil
	}
	e := &express{
		m: m, st: st, x: x, kind: x.op.Kind, args: args,
		t: &sqlscan.Text{Source: text, Dialect: sqlscan.MySQL, Mode: mode},
	}
	if e.kind == sqlscan.Insert {
		e.c = additionOf(e.t, x)
	} else {
		e.c = clausesOf(e.t, x)
		e.c.odd = e.c.odd || x.op.Where.Start >= x.op.Where.End
	}
	if !e.c.cover(text, args) || !m.seesTriggers(ctx) || !m.seesAll([]mysqlTable{e.table()}) {
		return nil
	}
	return e
}

// embeds reports a statement on one table that does the same as a part of another text.
func embeds(text string, x *target) bool {
	return x.op.Path == sqlscan.Top && x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised|sqlscan.Returning) == 0 &&
		plainText(text) && !containsFold(text[:x.op.Object.Start], "ignore")
}

// plainText reports a text that is the same inside and outside of quotes, in
// every sql_mode and character set.
func plainText(text string) bool {
	for i := range len(text) {
		if b := text[i]; b == '\\' || b == 0 || b >= 0x80 {
			return false
		}
	}
	return true
}

// sight is of which tables the account sees the triggers: without the privilege
// the catalogue shows none.
type sight uint8

const (
	blind sight = iota
	database
	everywhere
)

// seesTriggers finds out what the account sees, which database is the session's,
// whether the server is a node of a cluster, and whether it proves what a table was;
// it reports that triggers are seen.
func (m *mysql) seesTriggers(ctx context.Context) bool {
	if m.placed {
		return m.sees != blind
	}
	text := "SELECT DATABASE(), (SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'TRIGGER')," +
		" (SELECT COUNT(*) FROM information_schema.SCHEMA_PRIVILEGES WHERE PRIVILEGE_TYPE = 'TRIGGER' AND DATABASE() LIKE TABLE_SCHEMA), "
	if m.system() == "mariadb" {
		text += "(SELECT COUNT(*) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'wsrep_connected' AND VARIABLE_VALUE = 'ON')," +
			" @@old_mode = '" + oldMode + "' AND @@gtid_slave_pos = ''"
	} else {
		text += "0, 0" // it keeps such things elsewhere; handled asks for them
	}
	err := m.conn.Query(ctx, text, func(v []any) error {
		m.database, m.placed, m.sees = strings.Clone(asText(v[0])), true, blind
		switch {
		case asText(v[1]) != "0":
			m.sees = everywhere
		case asText(v[2]) != "0":
			m.sees = database
		}
		m.replicated = m.replicated || asText(v[3]) != "0"
		m.proves = asText(v[4]) == "1"
		return nil
	})
	return err == nil && m.placed && m.sees != blind
}

// seesAll reports that the account sees the triggers of all of these.
func (m *mysql) seesAll(tables []mysqlTable) bool {
	return m.sees == everywhere || m.sees == database && !slices.ContainsFunc(tables, func(t mysqlTable) bool {
		return !strings.EqualFold(t.schema, m.database)
	})
}

// bounded is the caller's text with a LIMIT, and for an UPDATE the count of the
// rows that it finds, with its arguments or without.
func (e *express) bounded(limit int64, complete bool) (text string, ok bool) {
	ok = true
	piece := func(from, to int32, skip int) string {
		if !complete {
			return e.t.Source[from:to]
		}
		part, can := spelled(e.t, from, to, e.args, skip)
		ok = ok && can
		return part
	}
	switch w := e.x.op.Where; e.kind {
	case sqlscan.Insert:
		return piece(0, e.c.end, 0), ok
	case sqlscan.Update:
		before, within := params(e.t, 0, w.Start), params(e.t, w.Start, w.End)
		text = piece(0, w.Start, 0) + "(" + piece(w.Start, w.End, before) +
			") AND (@dbguard := @dbguard + 1 + 0 * RAND()) > 0" + piece(w.End, e.c.end, before+within)
	default:
		text = piece(0, e.c.end, 0)
	}
	if e.x.op.Flags&sqlscan.HasLimit == 0 {
		text += fmt.Sprintf(" LIMIT %d", limit+1)
	}
	return text, ok
}

// The answers of a compound.
const (
	unsure = 0 // nothing has changed; there may have been too many rows
	kept   = 1
	moved  = 3 // the session's database is another one; nothing has changed
)

// reply is what a compound answers.
type reply struct {
	answer, rows, id int64
	safe             bool // sql_safe_updates is on
	serial           bool // the transaction is serializable: reads lock
}

// run sends the compound, and settles.
func (e *express) run(f *Flight) (_ Done, done bool, err error) {
	if f.frame = startedTransaction; f.way == nested {
		f.frame = e.m.nested()
	}
	r, err := e.send(f)
	if err == nil && r.answer == moved {
		e.m.placed, e.m.compounds = false, nil
		if e.m.seesTriggers(f.ctx) {
			r, err = e.send(f)
		}
	}
	if err != nil {
		return e.failed(f, err)
	}
	e.m.touched(f.st, f.way == own)
	switch r.answer {
	case kept:
		if f.way == nested {
			e.m.saw(e.x, r.serial)
		}
		count := dbguard.Count{Rows: r.rows}
		if e.kind == sqlscan.Insert {
			count.Rows = 0
		}
		// The bound held in the server; a budget that others have used up since
		// can only be told of.
		if v := f.op.Settle(count); v != nil {
			return Done{}, true, f.op.End(dbguard.EffectApplied, nil)
		}
		return Done{r.rows, r.id}, true, f.op.End(dbguard.EffectApplied, nil)
	case unsure:
		if e.kind != sqlscan.Insert && r.rows > f.op.Limit() && f.op.Settle(dbguard.Count{Rows: r.rows}) != nil {
			return Done{}, true, f.op.End(dbguard.EffectUndone, nil)
		}
	}
	e.m.hold(e.x, !r.safe)
	f.op.Abandon()
	return Done{}, false, nil
}

// failed tells a failure of the statement as the caller would have seen it.
// What may be the express's own is left to the ordinary way.
func (e *express) failed(f *Flight, err error) (_ Done, done bool, _ error) {
	ctx, cancel := outlive(f.ctx)
	defer cancel()
	s := f.s
	e.m.doubt()
	switch {
	case errors.Is(err, driver.ErrBadConn) && f.way == own: // written nothing
		f.op.Abandon()
		s.broken = true
		return Done{}, true, driver.ErrBadConn
	case s.lose(err):
		s.broken = true
		if f.way == nested {
			s.lost = true
			return Done{}, true, f.op.End(dbguard.EffectUndone, hide(err))
		}
		return Done{}, true, f.op.End(dbguard.EffectUnknown, hide(err))
	case deniesDictionary(err) && !e.m.noDictionary:
		e.m.noDictionary, e.m.compounds = true, nil
	case mysqlError(err, "1295"), mysqlError(err, "1461"), mysqlError(err, "1193"): // it prepares no compounds, or nothing more, or lacks a variable
		e.m.noExpress = true
	case tooLong(err): // the ordinary way's is shorter
		f.op.Abandon()
		return Done{}, false, nil
	case mysqlError(err, disproved):
	case mysqlError(err, "1064"), mysqlError(err, "1142"): // its own, or the server cannot read ours, or the account may not read the table
		e.m.hold(e.x, false)
	case f.way == nested && s.backend.gone(err): // Start finds out what has become of the transaction
		f.op.Abandon()
		return Done{}, false, nil
	default:
		return Done{}, true, f.endFailed(ctx, err)
	}
	f.op.Abandon()
	if undo := s.exec(ctx, f.frame.fail); undo != nil && !s.backend.gone(undo) {
		s.broken = true
		return Done{}, true, hide(undo)
	}
	return Done{}, false, nil
}

// tooLong reports a text that go-sql-driver/mysql does not send: nothing is to be undone.
func tooLong(err error) bool {
	return strings.HasPrefix(err.Error(), "packet for query is too large")
}
