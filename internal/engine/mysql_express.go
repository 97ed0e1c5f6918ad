package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// The express is MariaDB's way in one round trip: a compound statement that
// opens the transaction or savepoint, runs the caller's text by EXECUTE
// IMMEDIATE, and keeps what it did only if that was within the bound and the
// table is one where nothing else can have changed: InnoDB, no trigger, no
// foreign key that leads to it. It needs no multi-statements in the DSN, and
// arguments travel as literals, so that nothing is prepared.
//
// The schema is looked at under the table's metadata lock. A foreign key can be
// added to a child all the same, but none goes that the statement has followed:
// so they are looked for after it, and what is found too much errs on the safe
// side.
//
// Where it does not keep, nothing has changed, and the statement goes the
// ordinary way, unless more rows were over the bound already. LIMIT n+1 ends it
// early. It counts the rows that an UPDATE finds, not those that it changes: a
// variable in the WHERE counts them too, and tells whether the LIMIT cut. RAND()
// keeps the server from taking that condition for a constant, which it evaluates
// once; if it evaluates it too often, the ordinary way decides.

// Exec runs a statement of the caller's by itself, if the engine has a way in one
// round trip. Not done: nothing has happened, and the statement takes its way through
// Start. affected is what the driver would have reported; nothing was inserted.
func (s *Session) Exec(ctx context.Context, text string, args []driver.NamedValue) (affected int64, done bool, err error) {
	m, ok := s.backend.(*mysql)
	if !ok || s.flight != nil || s.broken || s.guard.Check() != nil || s.guard.Observing() || len(text) > maxExpress {
		return 0, false, nil
	}
	t, err := s.read(ctx, text)
	if err != nil || len(t.Ops) != 1 || t.Calls {
		return 0, false, nil
	}
	switch t.Ops[0].Kind {
	case sqlscan.Delete, sqlscan.Update:
	default:
		return 0, false, nil
	}
	if err := s.findState(ctx, t, false); err != nil {
		return 0, false, nil // Start will tell
	}
	st := s.understand(t)
	x := m.express(ctx, st, text, args, s.modes.mode)
	if x == nil {
		return 0, false, nil
	}
	op, err := s.guard.Begin(ctx, st.op, s.ledger)
	if err != nil {
		return 0, true, err
	}
	f := &Flight{s: s, st: st, op: op, ctx: op.Context(), way: s.choose(st, op)}
	if f.way < own || op.Limit() < 0 || op.Limit() >= maxProbe || op.Shares() {
		op.Abandon()
		return 0, false, nil
	}
	return x.run(f)
}

// maxExpress is the longest text that is written out once more.
const maxExpress = 1 << 20

// express is a statement that can travel so.
type express struct {
	m      *mysql
	st     *statement
	t      *sqlscan.Text
	c      clauses
	values string // of USING
}

// express returns nil where the statement cannot travel so.
func (m *mysql) express(ctx context.Context, st *statement, text string, args []driver.NamedValue, mode sqlscan.Mode) *express {
	x := st.simple()
	if x == nil || m.locked || m.noExpress || !containsFold(m.version, "mariadb") || len(x.name) == 0 || len(x.name) > 2 ||
		x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised|sqlscan.Returning) != 0 || x.op.Where.Start >= x.op.Where.End ||
		!plainText(text) || containsFold(text, "last_insert_id") || containsFold(text[:x.op.Object.Start], "ignore") || m.held(x) {
		return nil
	}
	e := &express{m: m, st: st, t: &sqlscan.Text{Source: text, Dialect: sqlscan.MySQL, Mode: mode}}
	if e.c = clausesOf(e.t, x); e.c.odd || e.c.all != len(args) || strings.TrimRight(text[e.c.end:], "; \t\r\n") != "" {
		return nil
	}
	for i, a := range args {
		value, ok := literal(a.Value)
		if !ok || a.Name != "" {
			return nil
		}
		if i > 0 {
			e.values += ", "
		}
		e.values += value
	}
	if !m.seesTriggers(ctx) {
		return nil
	}
	return e
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

// held reports that the table was met lately where the express does not keep.
func (m *mysql) held(x *target) bool {
	h, ok := m.slow[x.raw]
	if !ok {
		return false
	}
	if h.left--; h.left > 0 {
		m.slow[x.raw] = h
	} else {
		delete(m.slow, x.raw) // the schema may have changed
	}
	return true
}

// heldTable is one that the express does not serve.
type heldTable struct {
	left int
	// limits says that a LIMIT of ours does no harm: in a session with
	// sql_safe_updates it would let pass what the server refuses.
	limits bool
}

// limited is the text of a DELETE on a table that the express does not serve,
// with its arguments written out and a LIMIT of one more row than the bound; ""
// if it must be sent as it is.
func (m *mysql) limited(f *Flight) string {
	x, limit := f.st.simple(), f.op.Limit()
	if x == nil || x.op.Kind != sqlscan.Delete || !m.slow[x.raw].limits || limit < 0 || limit >= maxProbe ||
		x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised|sqlscan.Returning|sqlscan.HasLimit) != 0 || !plainText(f.callers) || containsFold(f.callers[:x.op.Object.Start], "ignore") {
		return ""
	}
	t := &sqlscan.Text{Source: f.callers, Dialect: sqlscan.MySQL, Mode: f.s.modes.mode}
	c := clausesOf(t, x)
	text, ok := spelled(t, 0, c.end, f.args, 0)
	if c.odd || !ok || c.all != len(f.args) || strings.TrimRight(f.callers[c.end:], "; \t\r\n") != "" {
		return ""
	}
	return fmt.Sprintf("%s LIMIT %d", text, limit+1)
}

// retryAfter is how many statements on a table go the ordinary way before the
// express is tried again.
const retryAfter = 100

// hold keeps the next statements on the table from the express.
func (m *mysql) hold(x *target, limits bool) {
	if m.slow == nil || len(m.slow) > 1000 {
		m.slow = map[string]heldTable{}
	}
	m.slow[x.raw] = heldTable{left: retryAfter, limits: limits}
}

// seesTriggers reports that the account may see triggers: without the
// privilege the catalogue shows none.
func (m *mysql) seesTriggers(ctx context.Context) bool {
	if !m.privileged {
		n, err := askInts(ctx, m.conn, "SELECT COUNT(*) FROM (SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'TRIGGER'"+
			" UNION ALL SELECT 1 FROM information_schema.SCHEMA_PRIVILEGES WHERE PRIVILEGE_TYPE = 'TRIGGER' AND DATABASE() LIKE TABLE_SCHEMA) p")
		m.privileged = err == nil && n[0] > 0
		m.noExpress = !m.privileged
	}
	return m.privileged
}

// bounded is the caller's text with a LIMIT, and for an UPDATE the count of the
// rows that it finds.
func (e *express) bounded(limit int64) string {
	x, src := &e.st.targets[0], e.t.Source
	text := src[:e.c.end]
	if x.op.Kind == sqlscan.Update {
		text = src[:x.op.Where.Start] + "(" + src[x.op.Where.Start:x.op.Where.End] +
			") AND (@dbguard := @dbguard + 1 + 0 * RAND()) > 0" + src[x.op.Where.End:e.c.end]
	}
	if x.op.Flags&sqlscan.HasLimit == 0 {
		text += fmt.Sprintf(" LIMIT %d", limit+1)
	}
	return text
}

// compound is what is sent. Its local variables are out of the sight of the
// caller's text, which EXECUTE IMMEDIATE reads by itself.
func (e *express) compound(f *Flight, limit int64) string {
	run := "EXECUTE IMMEDIATE '" + strings.ReplaceAll(e.bounded(limit), "'", "''") + "'"
	if e.values != "" {
		run += " USING " + e.values
	}
	found := "0"
	reset := ""
	if e.st.targets[0].op.Kind == sqlscan.Update {
		found, reset = "@dbguard", "SET @dbguard = 0; "
	}
	open, keep, undo := "START TRANSACTION; ", "COMMIT; ", "ROLLBACK; "
	if f.way == nested {
		open = "SAVEPOINT dbguard; ROLLBACK TO SAVEPOINT dbguard; "
		keep = "RELEASE SAVEPOINT dbguard; "
		undo = "ROLLBACK TO SAVEPOINT dbguard; RELEASE SAVEPOINT dbguard; "
	}
	plain, alone := e.conditions()
	return "BEGIN NOT ATOMIC DECLARE n BIGINT; " + reset + open + "IF " + plain + " THEN " + run + "; SET n = ROW_COUNT(); " +
		"IF n > " + fmt.Sprint(limit) + " THEN " + undo + "SELECT 2, n, 0; " +
		"ELSEIF n >= " + fmt.Sprint(f.op.AtLeast()) + " AND " + found + " <= " + fmt.Sprint(limit) + " AND " + alone +
		" THEN " + keep + "SELECT 1, n, 0; ELSE " + undo + "SELECT 0, n, @@sql_safe_updates; END IF; " +
		"ELSE " + undo + "SELECT 0, 0, @@sql_safe_updates; END IF; END"
}

// conditions are those that must hold before the statement runs, so that it can
// be undone and does nothing but what it says, and afterwards, so that no row
// went with those that it named. The first opens the table: from then on nobody
// alters it, or gives it a trigger.
func (e *express) conditions() (plain, alone string) {
	name := e.st.targets[0].name
	schema, table := "DATABASE()", quoteString(sqlscan.MySQL, name[len(name)-1])
	if len(name) > 1 {
		schema = quoteString(sqlscan.MySQL, name[0])
	}
	// The dictionary's names are compared as bytes of the file name's character set.
	alone = "NOT EXISTS (SELECT 1 FROM " + dictionary + " WHERE REF_NAME = CONVERT(CONCAT(CAST(CONVERT(" + schema +
		" USING filename) AS BINARY), '/', CAST(CONVERT(" + table + " USING filename) AS BINARY)) USING utf8mb3))"
	if e.m.noDictionary {
		alone = "NOT EXISTS (SELECT 1 FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE REFERENCED_TABLE_NAME = " + table + ")"
	}
	plain = "(SELECT COUNT(*) FROM (SELECT 1 FROM " + e.st.targets[0].raw + " LIMIT 0) dbguard) = 0 AND @@sql_safe_updates = 0" +
		" AND EXISTS (SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = " + schema + " AND TABLE_NAME = " + table +
		" AND TABLE_TYPE = 'BASE TABLE' AND ENGINE = 'InnoDB')" +
		" AND NOT EXISTS (SELECT 1 FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = " + schema + " AND EVENT_OBJECT_TABLE = " + table + ")"
	return plain, alone
}

// The answers of a compound.
const (
	unsure = iota // nothing has changed
	kept
	over // and undone
)

// run sends the compound, and settles.
func (e *express) run(f *Flight) (affected int64, done bool, err error) {
	limit := f.op.Limit()
	answer, safe := int64(-1), true
	f.frame = e.m.frame(f)
	err = e.m.conn.Query(f.ctx, e.compound(f, limit), func(v []any) error {
		var err error
		if answer, err = asInt(v[0]); err == nil {
			affected, err = asInt(v[1])
			safe = asBool(v[2])
		}
		return err
	})
	if err == nil && answer < 0 {
		err = errNoRow
	}
	if err != nil {
		return e.failed(f, err)
	}
	e.m.touched(f.st, f.way == own)
	switch answer {
	case kept:
		// The bound held in the server; a budget that others have used up since
		// can only be told of.
		if v := f.op.Settle(dbguard.Count{Rows: affected}); v != nil {
			return 0, true, f.op.End(dbguard.EffectApplied, nil)
		}
		return affected, true, f.op.End(dbguard.EffectApplied, nil)
	case over:
		if f.op.Settle(dbguard.Count{Rows: affected}) != nil {
			return 0, true, f.op.End(dbguard.EffectUndone, nil)
		}
	}
	e.m.hold(&f.st.targets[0], !safe)
	f.op.Abandon()
	return 0, false, nil
}

// failed tells a failure of the statement as the caller would have seen it.
// What may be the express's own is left to the ordinary way.
func (e *express) failed(f *Flight, err error) (affected int64, done bool, _ error) {
	ctx, cancel := outlive(f.ctx)
	defer cancel()
	s := f.s
	switch {
	case errors.Is(err, driver.ErrBadConn) && f.way == own: // written nothing
		f.op.Abandon()
		s.broken = true
		return 0, true, driver.ErrBadConn
	case s.lose(err):
		s.broken = true
		if f.way == nested {
			s.lost = true
			return 0, true, f.op.End(dbguard.EffectUndone, hide(err))
		}
		return 0, true, f.op.End(dbguard.EffectUnknown, hide(err))
	case deniesDictionary(err) && !e.m.noDictionary:
		e.m.noDictionary = true
	case mysqlError(err, "1064"): // its own, or the server cannot read ours
		e.m.hold(&f.st.targets[0], false)
	case f.way == nested && s.backend.gone(err): // Start finds out what has become of the transaction
		f.op.Abandon()
		return 0, false, nil
	default:
		return 0, true, f.endFailed(ctx, err)
	}
	f.op.Abandon()
	if undo := s.exec(ctx, f.frame.fail); undo != nil && !s.backend.gone(undo) {
		s.broken = true
		return 0, true, hide(undo)
	}
	return 0, false, nil
}
