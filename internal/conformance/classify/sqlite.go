package classify

import (
	"database/sql/driver"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/mattn/go-sqlite3"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// An engine is SQLite itself: it runs a text on a small database in memory while its
// authorizer records what every statement is about to do.
type engine struct {
	conn  *sqlite3.SQLiteConn
	dirty bool            // the text may have changed what the next one finds
	seen  map[string]bool // "DELETE t"
	gone  map[string]bool // "DELETE t" of tables that are dropped
	other bool            // it does something other than changing rows
}

// schema is what generated texts are about; it has no trigger and no foreign
// key, which would add to what a statement does by itself.
var schema = []string{
	"ATTACH ':memory:' AS s",
	`CREATE TABLE t (id INTEGER PRIMARY KEY, a INT UNIQUE, b TEXT, c INT)`,
	`CREATE TABLE u (id INTEGER PRIMARY KEY, a INT UNIQUE, b TEXT, c INT)`,
	`CREATE TABLE "a b" (id INTEGER PRIMARY KEY, a INT UNIQUE, b TEXT, c INT)`,
	`CREATE TABLE "where" (id INTEGER PRIMARY KEY, a INT UNIQUE, b TEXT, c INT)`,
	`CREATE TABLE s.far (id INTEGER PRIMARY KEY, a INT UNIQUE, b TEXT, c INT)`,
	`CREATE TABLE "update" (id INTEGER PRIMARY KEY, a INT UNIQUE, b TEXT, c INT)`,
}

func (e *engine) fresh() error {
	if e.conn != nil {
		if err := e.conn.Close(); err != nil {
			return err
		}
	}
	conn, err := (&sqlite3.SQLiteDriver{}).Open(":memory:")
	if err != nil {
		return err
	}
	e.conn, e.dirty = conn.(*sqlite3.SQLiteConn), false
	for _, text := range schema {
		if err := e.exec(text); err != nil {
			return err
		}
	}
	e.conn.RegisterAuthorizer(e.authorize)
	return nil
}

func (e *engine) exec(text string) error {
	_, err := e.conn.Exec(text, []driver.Value{})
	return err
}

// recursive is SQLITE_RECURSIVE, which the driver does not name.
const recursive = 33

// actions are the authorizer's codes for what happens to rows.
var actions = map[int]string{sqlite3.SQLITE_DELETE: "DELETE", sqlite3.SQLITE_INSERT: "INSERT", sqlite3.SQLITE_UPDATE: "UPDATE"}

func (e *engine) authorize(op int, arg1, _, _ string) int {
	switch verb, rows := actions[op]; {
	case op == sqlite3.SQLITE_SELECT, op == sqlite3.SQLITE_READ, op == sqlite3.SQLITE_FUNCTION, op == recursive:
		return sqlite3.SQLITE_OK
	case op == sqlite3.SQLITE_ATTACH, op == sqlite3.SQLITE_PRAGMA:
		return sqlite3.SQLITE_DENY // files, and settings that outlive the text
	case rows && strings.HasPrefix(arg1, "sqlite_"): // the schema's own tables, behind CREATE and DROP
		e.other = true
	case rows:
		e.seen[verb+" "+strings.ToLower(arg1)] = true
	case op == sqlite3.SQLITE_DROP_TABLE:
		e.gone["DELETE "+strings.ToLower(arg1)], e.other = true, true
	default:
		e.other = true
	}
	e.dirty = true
	return sqlite3.SQLITE_OK
}

// sqliteEffects are what one text does.
type sqliteEffects struct {
	rows, gone map[string]bool
	other      bool // structure, transactions, …
}

// observe is what the engine did; ok is false if it rejects the text or a part of it.
func (e *engine) observe(text string) (d sqliteEffects, ok bool, err error) {
	if e.conn == nil || e.dirty {
		if err := e.fresh(); err != nil {
			return d, false, err
		}
	}
	e.seen, e.gone, e.other = map[string]bool{}, map[string]bool{}, false
	err = e.exec(text)
	var failed sqlite3.Error
	if errors.As(err, &failed) && failed.Code == sqlite3.ErrConstraint && !strings.Contains(text, ";") {
		err = nil // it was understood, and ran
	}
	return sqliteEffects{e.seen, e.gone, e.other}, err == nil, nil
}

// sqliteEffectsOf is how we classify a text, in the same terms.
func sqliteEffectsOf(t *sqlscan.Text) (d sqliteEffects, unreadable bool) {
	d.rows = map[string]bool{}
	for i := range t.Ops {
		op := &t.Ops[i]
		name := t.Name(op.Object)
		name = strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
		switch op.Kind {
		case sqlscan.Unreadable:
			unreadable = true
		case sqlscan.Delete:
			d.rows["DELETE "+name] = true
		case sqlscan.Update:
			d.rows["UPDATE "+name] = true
		case sqlscan.Replace:
			d.rows["INSERT "+name] = true
		case sqlscan.Upsert:
			d.rows["INSERT "+name], d.rows["UPDATE "+name] = true, true
		case sqlscan.Insert:
			if strings.EqualFold(t.Source[op.At.Start:op.At.End], "create") {
				d.other = true // CREATE TABLE AS
			} else {
				d.rows["INSERT "+name] = true
			}
		case sqlscan.Read, sqlscan.Session:
		default:
			d.other = true
		}
	}
	return d, unreadable
}

// compareSQLite compares how we classify a text with what the engine did.
func compareSQLite(ours sqliteEffects, unread bool, theirs sqliteEffects) outcome {
	switch {
	case unread:
		return unreadable
	case len(ours.rows) == 0 && !ours.other && (len(theirs.rows) > 0 || theirs.other):
		return missed
	case !slices.Equal(ours.without(theirs.gone), theirs.without(theirs.gone)):
		return different
	case ours.other && !theirs.other:
		return overcareful
	}
	return agree
}

// without are the rows but those of tables that are dropped: their DELETE may be
// a part of the DROP.
func (d sqliteEffects) without(gone map[string]bool) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(d.rows)), func(s string) bool { return gone[s] })
}

// list is the effects in one line.
func (d sqliteEffects) list() string {
	return strings.Join(slices.Sorted(maps.Keys(d.rows)), ", ") + map[bool]string{true: " and more"}[d.other]
}
