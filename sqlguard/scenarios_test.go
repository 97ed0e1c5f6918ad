package sqlguard_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// app is an application that a scenario plays, and what it sees.
type app struct {
	db           *sql.DB
	f            *fake
	ctx          context.Context
	write, query string // its statements: with one argument each
	seen         []string
}

func (a *app) saw(what string, args ...any) { a.seen = append(a.seen, fmt.Sprintf(what, args...)) }

// result writes down all that shows of a result and an error.
func (a *app) result(res sql.Result, err error) {
	if err != nil {
		a.err(err)
		return
	}
	id, idErr := res.LastInsertId()
	n, nErr := res.RowsAffected()
	a.saw("result %d %v %d %v", id, idErr, n, nErr)
}

func (a *app) err(err error) {
	a.saw("error %v; bad connection %v, skip %v, end %v, canceled %v", err, errors.Is(err, driver.ErrBadConn),
		errors.Is(err, driver.ErrSkip), err == io.EOF, errors.Is(err, context.Canceled))
}

// read writes down all that shows of rows.
func (a *app) read(rows *sql.Rows, err error) {
	if err != nil {
		a.err(err)
		return
	}
	for set := true; set; set = rows.NextResultSet() {
		for rows.Next() {
			cols, _ := rows.Columns()
			values := make([]any, len(cols))
			for i := range values {
				values[i] = new(any)
			}
			err := rows.Scan(values...)
			a.saw("row of %v, %v", cols, err)
			for _, v := range values {
				a.saw("value %v", *v.(*any))
			}
		}
		a.saw("end of set, %v", rows.Err())
	}
	a.saw("close %v", rows.Close())
}

// settle waits until database/sql has done in the background what it does there.
func (a *app) settle() {
	for range 5000 {
		if a.db.Stats().InUse == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	a.saw("a connection stays in use")
}

// outlivesRollback reports that database/sql keeps the connection when it rolls
// back a transaction whose context has ended.
func outlivesRollback(c *sql.Conn) (keeps bool) {
	_ = c.Raw(func(conn any) error {
		_, resets := conn.(driver.SessionResetter)
		_, valid := conn.(driver.Validator)
		keeps = resets && valid
		return nil
	})
	return keeps
}

type (
	removed     struct{}
	unsupported struct{}
	valuer      struct{ calls *int }
)

// Value counts how often database/sql converts an argument.
func (v valuer) Value() (driver.Value, error) { *v.calls++; return int64(5), nil }

var errUnsupported = errors.New("unsupported argument")

// failing makes the nth call of a kind fail, and with it the rest if always is set.
func failing(call string, nth int, err error, always bool) func(*fake) {
	return func(f *fake) {
		n := 0
		f.fail = func(c, text string) error {
			if c != call || (text != "" && !strings.Contains(text, "app")) {
				return nil
			}
			n++
			if n == nth || (always && n > nth) {
				return err
			}
			return nil
		}
	}
}

var errDriver = errors.New("the driver's own error")

type scenario struct {
	name string
	set  func(*fake)
	run  func(*app)
}

// refused are scenarios that a bound cannot allow, and why.
var refused = map[string]string{
	"two result sets": "a statement that answers with several sets is more than one: what they count is unknown",
}

var scenarios = []scenario{
	{"exec", nil, func(a *app) { a.result(a.db.ExecContext(a.ctx, a.write, 1)) }},
	{"exec without arguments", nil, func(a *app) { a.result(a.db.ExecContext(a.ctx, strings.ReplaceAll(a.write, "?", "7"))) }},
	{"exec again on the same connection", nil, func(a *app) {
		a.result(a.db.ExecContext(a.ctx, a.write, 1))
		a.result(a.db.ExecContext(a.ctx, a.write, 2))
	}},
	{"a Valuer is asked once", nil, func(a *app) {
		calls := 0
		a.result(a.db.ExecContext(a.ctx, a.write, valuer{&calls}))
		a.saw("asked %d times", calls)
	}},
	{"exec is skipped", failing("exec", 1, driver.ErrSkip, false), func(a *app) {
		a.result(a.db.ExecContext(a.ctx, a.write, 1))
	}},
	{"exec fails", failing("exec", 1, errDriver, true), func(a *app) { a.result(a.db.ExecContext(a.ctx, a.write, 1)) }},
	{"exec with too few arguments", nil, func(a *app) { a.result(a.db.ExecContext(a.ctx, a.write)) }},
	{"exec with too many arguments", nil, func(a *app) { a.result(a.db.ExecContext(a.ctx, a.write, 1, 2)) }},
	{"exec under a context that is done", nil, func(a *app) {
		ctx, cancel := context.WithCancel(a.ctx)
		cancel()
		a.result(a.db.ExecContext(ctx, a.write, 1))
	}},
	{"results without id or count", nil, func(a *app) {
		a.result(a.db.ExecContext(a.ctx, a.write+" /* noid */", 1))
	}},
	{"named argument", nil, func(a *app) { a.result(a.db.ExecContext(a.ctx, a.write, sql.Named("id", 1))) }},
	{"named argument of a query", nil, func(a *app) { a.read(a.db.QueryContext(a.ctx, a.query, sql.Named("id", 1))) }},
	{"sql.Out", nil, func(a *app) {
		var out int64
		a.result(a.db.ExecContext(a.ctx, a.write, sql.Out{Dest: &out}))
	}},
	{"an argument is removed", nil, func(a *app) { a.result(a.db.ExecContext(a.ctx, a.write, 1, removed{})) }},
	{"an argument is not supported", nil, func(a *app) { a.result(a.db.ExecContext(a.ctx, a.write, unsupported{})) }},
	{"the checker passes a string on", nil, func(a *app) { a.result(a.db.ExecContext(a.ctx, a.write, "text")) }},
	{"query", nil, func(a *app) { a.read(a.db.QueryContext(a.ctx, a.query, 1)) }},
	{"query without arguments", nil, func(a *app) { a.read(a.db.QueryContext(a.ctx, strings.ReplaceAll(a.query, "?", "7"))) }},
	{"query is skipped", failing("query", 1, driver.ErrSkip, false), func(a *app) { a.read(a.db.QueryContext(a.ctx, a.query, 1)) }},
	{"query fails", failing("query", 1, errDriver, true), func(a *app) { a.read(a.db.QueryContext(a.ctx, a.query, 1)) }},
	{"a row fails", failing("next", 2, errDriver, true), func(a *app) { a.read(a.db.QueryContext(a.ctx, a.query, 1)) }},
	{"closing rows fails", failing("rows close", 1, errDriver, true), func(a *app) { a.read(a.db.QueryContext(a.ctx, a.query, 1)) }},
	{"rows are closed early", nil, func(a *app) {
		rows, err := a.db.QueryContext(a.ctx, a.query, 1)
		if err != nil {
			a.err(err)
			return
		}
		a.saw("next %v", rows.Next())
		a.saw("close %v, %v", rows.Close(), rows.Err())
	}},
	{"two result sets", twoSets, func(a *app) { a.read(a.db.QueryContext(a.ctx, a.query, 1)) }},
	{"no rows", func(f *fake) { f.sets = [][][]driver.Value{{}} }, func(a *app) { a.read(a.db.QueryContext(a.ctx, a.query, 1)) }},
	{"QueryRow", nil, func(a *app) {
		var x, y any
		a.saw("scan %v", a.db.QueryRowContext(a.ctx, a.query, 1).Scan(&x, &y))
		a.saw("values %v %v", x, y)
	}},
	{"QueryRow finds nothing", func(f *fake) { f.sets = [][][]driver.Value{{}} }, func(a *app) {
		var x any
		a.saw("scan %v", a.db.QueryRowContext(a.ctx, a.query, 1).Scan(&x))
	}},
	{"column types", nil, func(a *app) {
		rows, err := a.db.QueryContext(a.ctx, a.query, 1)
		if err != nil {
			a.err(err)
			return
		}
		types, err := rows.ColumnTypes()
		for _, t := range types {
			length, hasLength := t.Length()
			precision, scale, isDecimal := t.DecimalSize()
			nullable, known := t.Nullable()
			a.saw("column %s %s %s %d %v %d %d %v %v %v", t.Name(), t.DatabaseTypeName(), t.ScanType(),
				length, hasLength, precision, scale, isDecimal, nullable, known)
		}
		a.saw("types %v, close %v", err, rows.Close())
	}},
	{"rows under a context that ends", nil, func(a *app) {
		ctx, cancel := context.WithCancel(a.ctx)
		rows, err := a.db.QueryContext(ctx, a.query, 1)
		cancel()
		a.settle()
		if err == nil {
			a.saw("next %v, %v", rows.Next(), rows.Err())
			err = rows.Close()
		}
		a.saw("%v", err)
	}},
	{"prepared", nil, func(a *app) {
		s, err := a.db.PrepareContext(a.ctx, a.write)
		a.saw("prepare %v", err)
		a.result(s.ExecContext(a.ctx, 1))
		a.result(s.ExecContext(a.ctx, "text"))
		a.result(s.ExecContext(a.ctx))
		a.saw("close %v", s.Close())
	}},
	{"prepared query", nil, func(a *app) {
		s, err := a.db.PrepareContext(a.ctx, a.query)
		a.saw("prepare %v", err)
		a.read(s.QueryContext(a.ctx, 1))
		a.read(s.QueryContext(a.ctx, "text"))
		a.saw("close %v", s.Close())
	}},
	{"prepared for any number of arguments", nil, func(a *app) {
		s, err := a.db.PrepareContext(a.ctx, a.write+" /* any */")
		a.saw("prepare %v", err)
		a.result(s.ExecContext(a.ctx, 1, removed{}, 3))
		a.result(s.ExecContext(a.ctx, unsupported{}))
		a.saw("close %v", s.Close())
	}},
	{"preparing fails", failing("prepare", 1, errDriver, true), func(a *app) {
		_, err := a.db.PrepareContext(a.ctx, a.write)
		a.saw("prepare %v", err)
	}},
	{"preparing under a context that is done", nil, func(a *app) {
		ctx, cancel := context.WithCancel(a.ctx)
		c, err := a.db.Conn(ctx)
		cancel()
		a.saw("conn %v", err)
		_, err = c.PrepareContext(ctx, a.write)
		a.saw("prepare %v, close %v", err, c.Close())
	}},
	{"prepared outside, used in two transactions", nil, func(a *app) {
		s, err := a.db.PrepareContext(a.ctx, a.write)
		a.saw("prepare %v", err)
		for range 2 {
			tx, err := a.db.BeginTx(a.ctx, nil)
			a.saw("begin %v", err)
			a.result(tx.StmtContext(a.ctx, s).ExecContext(a.ctx, 1))
			a.saw("commit %v", tx.Commit())
		}
		a.saw("close %v", s.Close())
	}},
	{"commit", nil, func(a *app) {
		tx, err := a.db.BeginTx(a.ctx, nil)
		a.saw("begin %v", err)
		a.result(tx.ExecContext(a.ctx, a.write, 1))
		a.read(tx.QueryContext(a.ctx, a.query, 1))
		a.saw("commit %v, %v", tx.Commit(), tx.Rollback())
	}},
	{"roll back", nil, func(a *app) {
		tx, err := a.db.BeginTx(a.ctx, nil)
		a.saw("begin %v", err)
		a.result(tx.ExecContext(a.ctx, a.write, 1))
		a.saw("rollback %v, %v", tx.Rollback(), tx.Commit())
	}},
	{"commit fails", failing("commit", 1, errDriver, true), func(a *app) {
		tx, err := a.db.BeginTx(a.ctx, nil)
		a.saw("begin %v", err)
		a.saw("commit %v", tx.Commit())
	}},
	{"begin fails", failing("begin", 1, errDriver, true), func(a *app) {
		_, err := a.db.BeginTx(a.ctx, nil)
		a.saw("begin %v", err)
	}},
	{"isolation", nil, func(a *app) {
		tx, err := a.db.BeginTx(a.ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
		a.saw("begin %v", err)
		if err == nil {
			a.saw("commit %v", tx.Commit())
		}
	}},
	{"read only", nil, func(a *app) {
		tx, err := a.db.BeginTx(a.ctx, &sql.TxOptions{ReadOnly: true})
		a.saw("begin %v", err)
		if err == nil {
			a.saw("commit %v", tx.Commit())
		}
	}},
	{"begin under a context that is done", nil, func(a *app) {
		ctx, cancel := context.WithCancel(a.ctx)
		c, err := a.db.Conn(ctx)
		a.saw("conn %v", err)
		keeps := outlivesRollback(c)
		cancel()
		_, err = c.BeginTx(ctx, nil)
		a.saw("begin %v", err)
		if err == nil && !keeps {
			a.settle() // or it is chance whether Close or the rollback comes first
		}
		_ = c.Close()
		a.settle()
	}},
	{"a transaction's context ends", nil, func(a *app) {
		ctx, cancel := context.WithCancel(a.ctx)
		tx, err := a.db.BeginTx(ctx, nil)
		a.saw("begin %v", err)
		cancel()
		a.settle()
		a.saw("commit %v", tx.Commit() != nil)
		a.result(a.db.ExecContext(a.ctx, a.write, 1))
	}},
	{"ping", nil, func(a *app) { a.saw("ping %v", a.db.PingContext(a.ctx)) }},
	{"ping fails", failing("ping", 1, errDriver, true), func(a *app) { a.saw("ping %v", a.db.PingContext(a.ctx)) }},
	{"one connection, twice", nil, func(a *app) {
		for range 2 {
			c, err := a.db.Conn(a.ctx)
			a.saw("conn %v", err)
			a.result(c.ExecContext(a.ctx, a.write, 1))
			a.saw("close %v", c.Close())
		}
	}},
	{"resetting fails", failing("reset", 1, errDriver, true), func(a *app) {
		a.result(a.db.ExecContext(a.ctx, a.write, 1))
		a.result(a.db.ExecContext(a.ctx, a.write, 2))
	}},
	{"a bad connection is found when resetting", failing("reset", 1, driver.ErrBadConn, false), func(a *app) {
		a.result(a.db.ExecContext(a.ctx, a.write, 1))
		a.result(a.db.ExecContext(a.ctx, a.write, 2))
	}},
	{"a connection becomes invalid", func(f *fake) { f.invalid = true }, func(a *app) {
		a.result(a.db.ExecContext(a.ctx, a.write, 1))
		a.result(a.db.ExecContext(a.ctx, a.write, 2))
	}},
	{"a bad connection when beginning", failing("begin", 1, driver.ErrBadConn, false), func(a *app) {
		tx, err := a.db.BeginTx(a.ctx, nil)
		a.saw("begin %v", err)
		a.saw("rollback %v", tx.Rollback())
	}},
	{"a bad connection when preparing", failing("prepare", 1, driver.ErrBadConn, false), func(a *app) {
		s, err := a.db.PrepareContext(a.ctx, a.write)
		a.saw("prepare %v", err)
		a.saw("close %v", s.Close())
	}},
	{"connecting fails", failing("connect", 1, errDriver, true), func(a *app) { a.saw("ping %v", a.db.PingContext(a.ctx)) }},
	{"closing a statement fails", failing("stmt close", 1, errDriver, true), func(a *app) {
		s, err := a.db.PrepareContext(a.ctx, a.write)
		a.saw("prepare %v, close %v", err, s.Close())
	}},
	{"closing the database", failing("close", 1, errDriver, true), func(a *app) {
		a.saw("ping %v", a.db.PingContext(a.ctx))
		a.saw("close %v", a.db.Close())
	}},
	{"the driver", nil, func(a *app) { a.saw("%T", a.db.Driver()) }},
}

func twoSets(f *fake) {
	f.sets = [][][]driver.Value{{{int64(1), "one"}}, {{int64(2), "two"}, {int64(3), "three"}}}
}
