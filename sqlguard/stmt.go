package sqlguard

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// stmt is a guarded prepared statement. It is judged each time it runs, with
// the bound of that call; what kind it is was remembered with its text.
type stmt struct {
	bare statement
	conn *conn
	text string

	inPlace     statement // of a text of the session's, prepared when it first runs
	inPlaceText string
}

var (
	_ driver.Stmt             = (*stmt)(nil)
	_ driver.StmtExecContext  = (*stmt)(nil)
	_ driver.StmtQueryContext = (*stmt)(nil)
)

func (s *stmt) NumInput() int { return s.bare.NumInput() }

// Close closes what was prepared in its place, too.
func (s *stmt) Close() error {
	err := s.bare.Close()
	if s.inPlace.Stmt != nil {
		err = errors.Join(err, s.inPlace.Close())
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
	return s.conn.judgedExec(ctx, s.text, &sender[driver.Result, int64]{
		own:  func(ctx context.Context) (driver.Result, error) { return s.bare.exec(ctx, args) },
		form: engine.Counted,
		inPlace: func(ctx context.Context, text string, tagged bool) (int64, error) {
			if err := s.prepareInPlace(ctx, text); err != nil {
				return -1, err
			}
			if tagged {
				return tagOf(s.inPlace.exec(ctx, args))
			}
			return numberIn(s.inPlace.query(ctx, args))
		},
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
	return s.conn.judgedQuery(ctx, s.text, &sender[driver.Rows, *rows]{
		own:  func(ctx context.Context) (driver.Rows, error) { return s.bare.query(ctx, args) },
		form: engine.Rows,
		inPlace: func(ctx context.Context, text string, _ bool) (*rows, error) {
			if err := s.prepareInPlace(ctx, text); err != nil {
				return nil, err
			}
			return readAll(s.inPlace.query(ctx, args))
		},
	})
}

// prepareInPlace prepares a text of the session's, once for each bound, as the
// bound stands in it.
func (s *stmt) prepareInPlace(ctx context.Context, text string) error {
	if s.inPlaceText == text {
		return nil
	}
	if s.inPlace.Stmt != nil {
		_ = s.inPlace.Close() // another one takes its place
		s.inPlace, s.inPlaceText = statement{}, ""
	}
	prepared, err := s.conn.bare.prepare(ctx, text)
	if err != nil {
		return err
	}
	s.inPlace, s.inPlaceText = newStatement(prepared), text
	return nil
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
