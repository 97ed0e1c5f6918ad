package corpus

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// A Mode is a way through database/sql. A guard has to hold on each.
type Mode struct {
	Name string
	// inTx leaves the transaction to the runner.
	inTx bool
	run  func(ctx context.Context, s session, text string) (answer, error)
}

// Modes are the ways that the corpus is run.
var Modes = []Mode{
	{Name: "exec", run: exec},
	{Name: "query", run: query},
	{Name: "query closed early", run: queryOneRow},
	{Name: "prepared", run: prepared},
	{Name: "tx", run: exec, inTx: true},
}

// session is what *sql.DB and *sql.Tx have in common.
type session interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// answer is what the caller sees of a statement that succeeded: bare and
// guarded, it has to be the same.
type answer struct {
	result string // of Exec
	shape  string // of Query: columns and the number of rows
	rows   string
}

func exec(ctx context.Context, s session, text string) (answer, error) {
	res, err := s.ExecContext(ctx, text)
	return execAnswer(res), err
}

func execAnswer(res sql.Result) (a answer) {
	if res == nil {
		return a
	}
	// modernc answers an empty text with no driver.Result: asking it panics.
	defer func() {
		if recover() != nil {
			a.result = "panics"
		}
	}()
	n, err := res.RowsAffected()
	id, idErr := res.LastInsertId()
	a.result = fmt.Sprintf("%d rows affected (%v), last insert id %d (%v)", n, err, id, idErr)
	return a
}

func prepared(ctx context.Context, s session, text string) (answer, error) {
	stmt, err := s.PrepareContext(ctx, text)
	if err != nil {
		return answer{}, err
	}
	res, err := stmt.ExecContext(ctx)
	return execAnswer(res), errors.Join(err, stmt.Close())
}

func query(ctx context.Context, s session, text string) (a answer, err error) {
	rows, err := s.QueryContext(ctx, text)
	if err != nil {
		return a, err
	}
	var b strings.Builder
	for more := true; more; more = rows.NextResultSet() {
		columns, n, err := drain(rows, &b)
		if err != nil {
			return a, errors.Join(err, rows.Close())
		}
		a.shape += fmt.Sprintf("%q: %d rows\n", columns, n)
	}
	a.rows = b.String()
	if err := rows.Err(); err != nil {
		return a, errors.Join(err, rows.Close())
	}
	return a, rows.Close()
}

func drain(rows *sql.Rows, b *strings.Builder) (columns []string, n int, err error) {
	columns, err = rows.Columns()
	if err != nil {
		return nil, 0, err
	}
	values := make([]any, len(columns))
	targets := make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	for ; rows.Next(); n++ {
		if err := rows.Scan(targets...); err != nil {
			return columns, n, err
		}
		fmt.Fprintf(b, "%T%q\n", values, fmt.Sprint(values...))
	}
	return columns, n, nil
}

// queryOneRow closes after the first row: drivers finish the statement nonetheless.
func queryOneRow(ctx context.Context, s session, text string) (a answer, err error) {
	rows, err := s.QueryContext(ctx, text)
	if err != nil {
		return a, err
	}
	rows.Next()
	return a, errors.Join(rows.Err(), rows.Close())
}
