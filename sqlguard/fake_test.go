package sqlguard_test

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// countsNothing is a server that speaks like PostgreSQL but has not its
// counters: the guard takes the rows that the driver reports.
const countsNothing = "CockroachDB CCL v24.1.0"

// fake is a driver without a database. It writes down every call that
// database/sql makes of it, and answers as its script says.
type fake struct {
	mu    sync.Mutex
	calls []string
	conns int

	shape connShape
	stmts stmtShape
	rows  rowsShape

	// fail is asked before each call, with its name ("exec", "prepare",
	// "commit", …) and text; an error that it returns is the call's.
	fail func(call, text string) error
	// did is told of each text that was executed.
	did func(text string)
	// result sets: each a list of rows.
	sets [][][]driver.Value
	// changed is what RowsAffected says.
	changed int64
	counts  map[string]int64 // or, by what the text holds, this
	version string           // what SELECT version() answers; "": countsNothing
	file    string           // the main database's in PRAGMA database_list
	empty   string           // whether sqlite_master is
	invalid bool
	failed  bool
}

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
}

func (f *fake) try(call, text string) error {
	if f.fail == nil {
		return nil
	}
	return f.fail(call, text)
}

func (f *fake) log() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Connector

func (f *fake) Connect(context.Context) (driver.Conn, error) {
	f.mu.Lock()
	f.conns++
	c := &fakeConn{fake: f, id: f.conns}
	f.mu.Unlock()
	f.note("connect")
	if err := f.try("connect", ""); err != nil {
		return nil, err
	}
	if f.shape == nil {
		return fullShape(c), nil
	}
	return f.shape(c), nil
}

func (f *fake) Driver() driver.Driver { return fakeDriver{f} }

type fakeDriver struct{ f *fake }

func (d fakeDriver) Open(dsn string) (driver.Conn, error) {
	d.f.note("open %s", dsn)
	return d.f.Connect(context.Background())
}

type closingFake struct{ *fake }

func (c closingFake) Close() error { c.note("connector close"); return errors.New("connector close") }

// Connection

type fakeConn struct {
	*fake
	id     int
	closed bool
}

func (c *fakeConn) Prepare(text string) (driver.Stmt, error) { return c.prepare("prepare", text) }

func (c *fakeConn) prepare(call, text string) (driver.Stmt, error) {
	c.note("%d %s %q", c.id, call, text)
	if err := c.try("prepare", text); err != nil {
		return nil, err
	}
	s := &fakeStmt{fakeConn: c, text: text}
	if c.stmts == nil {
		return modernStmt(s), nil
	}
	return c.stmts(s), nil
}

func (c *fakeConn) Close() error {
	c.closed = true
	c.note("%d close", c.id)
	return c.try("close", "")
}

func (c *fakeConn) Begin() (driver.Tx, error) { return c.begin("begin") }

func (c *fakeConn) begin(what string) (driver.Tx, error) {
	c.note("%d %s", c.id, what)
	if err := c.try("begin", ""); err != nil {
		return nil, err
	}
	return &fakeTx{c}, nil
}

func (c *fakeConn) exec(call, text string, args any) (driver.Result, error) {
	c.note("%d %s %q %s", c.id, call, text, show(args))
	if err := c.try("exec", text); err != nil {
		return nil, err
	}
	if c.did != nil {
		c.did(text)
	}
	return &fakeResult{c.fake, text}, nil
}

func (c *fakeConn) query(call, text string, args any) (driver.Rows, error) {
	c.note("%d %s %q %s", c.id, call, text, show(args))
	if err := c.try("query", text); err != nil {
		return nil, err
	}
	if c.did != nil {
		c.did(text)
	}
	r := &fakeRows{fakeConn: c, text: text, sets: c.answers(text)}
	if c.rows == nil || !strings.Contains(text, "app") {
		return r, nil
	}
	return c.rows(r), nil
}

// answers are the script's for the application's texts, and what an engine
// answers to the guard's own questions.
func (c *fakeConn) answers(text string) [][][]driver.Value {
	if strings.Contains(text, "app") || strings.Contains(text, "RETURNING") {
		return slices.Clone(c.sets)
	}
	switch {
	case text == "SELECT version()" && c.version != "-":
		return [][][]driver.Value{{{cmp.Or(c.version, countsNothing)}}}
	case text == "PRAGMA database_list":
		return [][][]driver.Value{{{int64(0), "main", c.file}, {int64(1), []byte("temp"), ""}}}
	case strings.Contains(text, "sqlite_master"):
		return [][][]driver.Value{{{c.empty}}}
	}
	return [][][]driver.Value{{{int64(0)}}}
}

// show prints arguments without the addresses that %v would show.
func show(args any) string {
	switch args := args.(type) {
	case []driver.NamedValue:
		var parts []string
		for _, a := range args {
			parts = append(parts, fmt.Sprintf("%s#%d:%s", a.Name, a.Ordinal, showValue(a.Value)))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case []driver.Value:
		var parts []string
		for _, a := range args {
			parts = append(parts, showValue(a))
		}
		return "(" + strings.Join(parts, " ") + ")"
	}
	return fmt.Sprint(args)
}

func showValue(v any) string {
	if reflect.ValueOf(v).Kind() == reflect.Struct {
		return fmt.Sprintf("%T", v)
	}
	return fmt.Sprintf("%T(%v)", v, v)
}

// Statement

type fakeStmt struct {
	*fakeConn
	text string
}

func (s *fakeStmt) Close() error { s.note("%d stmt close", s.id); return s.try("stmt close", s.text) }

func (s *fakeStmt) NumInput() int {
	if strings.Contains(s.text, "any") {
		return -1
	}
	return strings.Count(s.text, "?")
}

func (s *fakeStmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.exec("stmt exec", s.text, args)
}

func (s *fakeStmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.query("stmt query", s.text, args)
}

// Result

type fakeResult struct {
	*fake
	text string
}

func (r *fakeResult) LastInsertId() (int64, error) {
	if strings.Contains(r.text, "noid") {
		return 0, errors.New("no id")
	}
	return 42, nil
}

func (r *fakeResult) RowsAffected() (int64, error) {
	if strings.Contains(r.text, "nocount") {
		return 0, errors.New("no count")
	}
	for part, n := range r.counts {
		if strings.Contains(r.text, part) {
			return n, nil
		}
	}
	return r.changed, nil
}

// Transaction

type fakeTx struct{ c *fakeConn }

func (t *fakeTx) Commit() error   { t.c.note("%d commit", t.c.id); return t.c.try("commit", "") }
func (t *fakeTx) Rollback() error { t.c.note("%d rollback", t.c.id); return t.c.try("rollback", "") }

// Rows

type fakeRows struct {
	*fakeConn
	text  string
	sets  [][][]driver.Value
	width int
}

func (r *fakeRows) Columns() []string {
	for _, set := range r.sets {
		for _, row := range set {
			r.width = len(row)
		}
	}
	return []string{"a", "b", "c"}[:max(r.width, 1)]
}

func (r *fakeRows) Close() error {
	r.note("%d rows close", r.id)
	return r.try("rows close", r.text)
}

func (r *fakeRows) Next(dest []driver.Value) error {
	r.note("%d rows next", r.id)
	if err := r.try("next", r.text); err != nil {
		return err
	}
	if len(r.sets) == 0 || len(r.sets[0]) == 0 {
		return io.EOF
	}
	copy(dest, r.sets[0][0])
	r.sets[0] = r.sets[0][1:]
	return nil
}
