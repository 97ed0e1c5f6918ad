package sqlguard

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// stmt is a guarded prepared statement. It is judged each time it runs, with the
// bound of that call; its parsed text is cached.
type stmt struct {
	bare  statement
	conn  *conn
	text  string
	place *engine.CurrentDatabase // where it was prepared

	rewrites stmtCache // of its rewritten texts, prepared when they first run
}

var (
	_ driver.Stmt             = (*stmt)(nil)
	_ driver.StmtExecContext  = (*stmt)(nil)
	_ driver.StmtQueryContext = (*stmt)(nil)
)

func (s *stmt) NumInput() int { return s.bare.NumInput() }

// Close also closes what was prepared for its rewrites.
func (s *stmt) Close() error {
	err := s.bare.Close()
	s.conn.session.AddPrepared(-1)
	if own := s.rewrites.close(); own != nil {
		err = errors.Join(err, own)
	}
	return err
}

// ExecContext runs the statement within its bounds.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if s.conn.session.Broken() {
		return nil, driver.ErrBadConn
	}
	if s.conn.session.IsRead(s.text) {
		return s.bare.exec(ctx, args)
	}
	if err := s.conn.atPlace(ctx, s.place); err != nil {
		return nil, err
	}
	defer s.conn.session.ClearPreparedIn()
	if res, done, err := s.conn.execFast(ctx, s.text, args); done {
		return res, err
	}
	return s.conn.judgedExec(ctx, s.text, &sender[driver.Result, execOutcome]{
		original: func(ctx context.Context) (driver.Result, error) { return s.bare.exec(ctx, args) },
		drained:  func(ctx context.Context) (driver.Result, error) { return s.drained(ctx, args) },
		form:     engine.Tagged,
		args:     args,
		rewritten: func(ctx context.Context, text string, tagged bool) (execOutcome, error) {
			own, err := s.rewrites.prepared(ctx, s.conn.bare, text)
			if err != nil {
				return execOutcome{rows: -1}, err
			}
			if tagged {
				return tagOutcome(own.exec(ctx, args))
			}
			return numberOutcome(own.query(ctx, args))
		},
	})
}

// drained is exec of a statement with RETURNING. The drivers of SQLite take a single
// step of it, and leave the rest of its rows to be read. Unless that step was the
// last one, the number of rows that they report is the previous value of changes().
func (s *stmt) drained(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	before, err := s.conn.lastResult(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := s.bare.query(ctx, args)
	if err != nil {
		return nil, err
	}
	dest := make([]driver.Value, len(rows.Columns()))
	n := -1
	for ; err == nil; n++ {
		err = rows.Next(dest)
	}
	if closeErr := rows.Close(); err == io.EOF {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	after, err := s.conn.lastResult(ctx)
	if n > 0 {
		after.changes = before.changes
	}
	return after, err
}

// lastResult is the result of the statement that SQLite has just finished.
func (c *conn) lastResult(ctx context.Context) (givenResult, error) {
	var r givenResult
	err := sessionConn{c.bare}.Query(ctx, "SELECT changes(), last_insert_rowid()", func(v []any) error {
		r.changes, _ = v[0].(int64)
		r.id, _ = v[1].(int64)
		return nil
	})
	return r, err
}

type givenResult struct{ changes, id int64 }

func (r givenResult) RowsAffected() (int64, error) { return r.changes, nil }
func (r givenResult) LastInsertId() (int64, error) { return r.id, nil }

// QueryContext runs the statement within its bounds; rows stream.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if s.conn.session.Broken() {
		return nil, driver.ErrBadConn
	}
	if s.conn.session.IsRead(s.text) {
		return s.bare.query(ctx, args)
	}
	if err := s.conn.atPlace(ctx, s.place); err != nil {
		return nil, err
	}
	defer s.conn.session.ClearPreparedIn()
	return s.conn.judgedQuery(ctx, s.text, &sender[driver.Rows, *rows]{
		original: func(ctx context.Context) (driver.Rows, error) { return s.bare.query(ctx, args) },
		form:     engine.Rows,
		args:     args,
		rewritten: func(ctx context.Context, text string, _ bool) (*rows, error) {
			own, err := s.rewrites.prepared(ctx, s.conn.bare, text)
			if err != nil {
				return nil, err
			}
			return s.conn.bufferWithTypes(own.query(ctx, args))
		},
	})
}

// Exec is for older drivers; database/sql calls ExecContext.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), namedValues(args))
}

// Query is for older drivers; database/sql calls QueryContext.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), namedValues(args))
}

func namedValues(args []driver.Value) []driver.NamedValue {
	named := make([]driver.NamedValue, len(args))
	for i, v := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return named
}

// converters is a statement whose driver converts each argument.
type converters struct{ base columnConverter }

func (c converters) ColumnConverter(i int) driver.ValueConverter { return c.base.ColumnConverter(i) }
