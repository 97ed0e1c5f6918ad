package sqlguard_test

import (
	"context"
	"database/sql/driver"
	"io"
	"reflect"
)

// The optional interfaces of a fake driver, one mixin each.

type (
	connShape func(*fakeConn) driver.Conn
	stmtShape func(*fakeStmt) driver.Stmt
	rowsShape func(*fakeRows) driver.Rows
)

type (
	execCtx   struct{ f *fakeConn }
	execOld   struct{ f *fakeConn }
	queryCtx  struct{ f *fakeConn }
	queryOld  struct{ f *fakeConn }
	reset     struct{ f *fakeConn }
	valid     struct{ f *fakeConn }
	ping      struct{ f *fakeConn }
	prepCtx   struct{ f *fakeConn }
	beginCtx  struct{ f *fakeConn }
	check     struct{ f *fakeConn }
	stmtExec  struct{ f *fakeStmt }
	stmtQuery struct{ f *fakeStmt }
	stmtCheck struct{ f *fakeStmt }
	stmtConv  struct{ f *fakeStmt }
	nextSet   struct{ f *fakeRows }
	colTypes  struct{ f *fakeRows }
)

func (m execCtx) ExecContext(_ context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	return m.f.exec("exec", text, args)
}

func (m execOld) Exec(text string, args []driver.Value) (driver.Result, error) {
	return m.f.exec("old exec", text, args)
}

func (m queryCtx) QueryContext(_ context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	return m.f.query("query", text, args)
}

func (m queryOld) Query(text string, args []driver.Value) (driver.Rows, error) {
	return m.f.query("old query", text, args)
}

func (m reset) ResetSession(context.Context) error {
	m.f.note("%d reset", m.f.id)
	return m.f.try("reset", "")
}

func (m valid) IsValid() bool {
	m.f.note("%d valid", m.f.id)
	return !m.f.invalid
}

func (m ping) Ping(context.Context) error {
	m.f.note("%d ping", m.f.id)
	return m.f.try("ping", "")
}

func (m prepCtx) PrepareContext(_ context.Context, text string) (driver.Stmt, error) {
	return m.f.prepare("prepare context", text)
}

func (m beginCtx) BeginTx(_ context.Context, o driver.TxOptions) (driver.Tx, error) {
	if o == (driver.TxOptions{}) {
		return m.f.begin("begin tx")
	}
	return m.f.begin("begin tx with options")
}

func (m check) CheckNamedValue(v *driver.NamedValue) error { return checkValue(m.f, "conn", v) }

func (m stmtCheck) CheckNamedValue(v *driver.NamedValue) error {
	return checkValue(m.f.fakeConn, "stmt", v)
}

// checkValue takes everything but strings, which it leaves to the next in
// line, and a marker that it removes.
func checkValue(f *fakeConn, who string, v *driver.NamedValue) error {
	f.note("%d %s check %s", f.id, who, showValue(v.Value))
	switch s := v.Value.(type) {
	case removed:
		return driver.ErrRemoveArgument
	case string:
		return driver.ErrSkip
	case unsupported:
		return errUnsupported
	case valuer:
		*s.calls++
	}
	return nil
}

func (m stmtConv) ColumnConverter(i int) driver.ValueConverter { return converter{m.f.fakeConn, i} }

type converter struct {
	f *fakeConn
	i int
}

func (c converter) ConvertValue(v any) (driver.Value, error) {
	c.f.note("%d convert %d %s", c.f.id, c.i, showValue(v))
	return driver.DefaultParameterConverter.ConvertValue(v)
}

func (m stmtExec) ExecContext(_ context.Context, args []driver.NamedValue) (driver.Result, error) {
	return m.f.exec("stmt exec context", m.f.text, args)
}

func (m stmtQuery) QueryContext(_ context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return m.f.query("stmt query context", m.f.text, args)
}

func (m nextSet) HasNextResultSet() bool {
	m.f.note("%d has next set", m.f.id)
	return len(m.f.sets) > 1
}

func (m nextSet) NextResultSet() error {
	m.f.note("%d next set", m.f.id)
	if len(m.f.sets) < 2 {
		return io.EOF
	}
	m.f.sets = m.f.sets[1:]
	return nil
}

func (colTypes) ColumnTypeScanType(int) reflect.Type        { return reflect.TypeFor[float32]() }
func (colTypes) ColumnTypeDatabaseTypeName(int) string      { return "FLOAT" }
func (colTypes) ColumnTypeLength(int) (int64, bool)         { return 7, true }
func (colTypes) ColumnTypeNullable(int) (nullable, ok bool) { return true, true }
func (colTypes) ColumnTypePrecisionScale(int) (precision, scale int64, ok bool) {
	return 5, 2, true
}

func modernStmt(s *fakeStmt) driver.Stmt {
	return struct {
		driver.Stmt
		stmtExec
		stmtQuery
	}{s, stmtExec{s}, stmtQuery{s}}
}

var stmtShapes = map[string]stmtShape{
	"contexts":        modernStmt,
	"of an older age": func(s *fakeStmt) driver.Stmt { return struct{ driver.Stmt }{s} },
	"checker": func(s *fakeStmt) driver.Stmt {
		return struct {
			driver.Stmt
			stmtExec
			stmtQuery
			stmtCheck
		}{s, stmtExec{s}, stmtQuery{s}, stmtCheck{s}}
	},
	"converter": func(s *fakeStmt) driver.Stmt {
		return struct {
			driver.Stmt
			stmtExec
			stmtQuery
			stmtConv
		}{s, stmtExec{s}, stmtQuery{s}, stmtConv{s}}
	},
	"checker, converter": func(s *fakeStmt) driver.Stmt {
		return struct {
			driver.Stmt
			stmtCheck
			stmtConv
		}{s, stmtCheck{s}, stmtConv{s}}
	},
}

var rowsShapes = map[string]rowsShape{
	"plain": func(r *fakeRows) driver.Rows { return struct{ driver.Rows }{r} },
	"sets": func(r *fakeRows) driver.Rows {
		return struct {
			driver.Rows
			nextSet
		}{r, nextSet{r}}
	},
	"types": func(r *fakeRows) driver.Rows {
		return struct {
			driver.Rows
			colTypes
		}{r, colTypes{r}}
	},
	"both": func(r *fakeRows) driver.Rows {
		return struct {
			driver.Rows
			nextSet
			colTypes
		}{r, nextSet{r}, colTypes{r}}
	},
}
