package sqlguard

import (
	"context"
	"database/sql/driver"
)

// stmt is a guarded prepared statement. It is judged each time it runs, with
// the bound of that call; what kind it is was remembered with its text.
type stmt struct {
	bare statement
	conn *conn
	text string
}

var (
	_ driver.Stmt             = (*stmt)(nil)
	_ driver.StmtExecContext  = (*stmt)(nil)
	_ driver.StmtQueryContext = (*stmt)(nil)
)

func (s *stmt) Close() error  { return s.bare.Close() }
func (s *stmt) NumInput() int { return s.bare.NumInput() }

// ExecContext runs the statement within its bounds.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if s.conn.session.Broken() {
		return nil, driver.ErrBadConn
	}
	if s.conn.session.IsRead(s.text) {
		return s.bare.exec(ctx, args)
	}
	if res, done, err := s.conn.express(ctx, s.text, args); done {
		return res, err
	}
	return s.conn.judgedExec(ctx, s.text, args, func(ctx context.Context) (driver.Result, error) {
		return s.bare.exec(ctx, args)
	})
}

// QueryContext runs the statement within its bounds; rows stream.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if s.conn.session.Broken() {
		return nil, driver.ErrBadConn
	}
	if s.conn.session.IsRead(s.text) {
		return s.bare.query(ctx, args)
	}
	return s.conn.judgedQuery(ctx, s.text, args, func(ctx context.Context) (driver.Rows, error) {
		return s.bare.query(ctx, args)
	})
}

// Exec is there for drivers of an older age; database/sql calls ExecContext.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), ordinal(args))
}

// Query is there for drivers of an older age; database/sql calls QueryContext.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), ordinal(args))
}

func ordinal(args []driver.Value) []driver.NamedValue {
	named := make([]driver.NamedValue, len(args))
	for i, v := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return named
}

// columns is a statement whose driver knows how to convert each argument.
type columns struct{ base columnConverter }

func (c columns) ColumnConverter(i int) driver.ValueConverter { return c.base.ColumnConverter(i) }
