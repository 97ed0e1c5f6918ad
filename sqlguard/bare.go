package sqlguard

import (
	"context"
	"database/sql/driver"
	"errors"
)

// bare is the driver's own connection. Its optional interfaces are asserted once;
// calls fall back where one is missing just as database/sql does, with the same error
// texts.
type bare struct {
	driver.Conn
	execer     driver.ExecerContext
	oldExecer  oldExecer
	queryer    driver.QueryerContext
	oldQueryer oldQueryer
	preparer   driver.ConnPrepareContext
	beginner   driver.ConnBeginTx
	pinger     driver.Pinger
	checker    driver.NamedValueChecker
	resetter   driver.SessionResetter
	validator  driver.Validator
}

// The interfaces of older drivers, spelled out because their names in package driver
// are deprecated: driver.Execer, Queryer and ColumnConverter.
type (
	oldExecer interface {
		Exec(text string, args []driver.Value) (driver.Result, error)
	}
	oldQueryer interface {
		Query(text string, args []driver.Value) (driver.Rows, error)
	}
	columnConverter interface {
		ColumnConverter(i int) driver.ValueConverter
	}
)

func newBare(c driver.Conn) *bare {
	b := &bare{Conn: c}
	b.execer, _ = c.(driver.ExecerContext)
	b.oldExecer, _ = c.(oldExecer)
	b.queryer, _ = c.(driver.QueryerContext)
	b.oldQueryer, _ = c.(oldQueryer)
	b.preparer, _ = c.(driver.ConnPrepareContext)
	b.beginner, _ = c.(driver.ConnBeginTx)
	b.pinger, _ = c.(driver.Pinger)
	b.checker, _ = c.(driver.NamedValueChecker)
	b.resetter, _ = c.(driver.SessionResetter)
	b.validator, _ = c.(driver.Validator)
	return b
}

func (b *bare) exec(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if b.execer != nil {
		return b.execer.ExecContext(ctx, text, args)
	}
	values, err := positional(ctx, args)
	if err != nil {
		return nil, err
	}
	return b.oldExecer.Exec(text, values)
}

func (b *bare) query(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if b.queryer != nil {
		return b.queryer.QueryContext(ctx, text, args)
	}
	values, err := positional(ctx, args)
	if err != nil {
		return nil, err
	}
	return b.oldQueryer.Query(text, values)
}

func (b *bare) prepare(ctx context.Context, text string) (driver.Stmt, error) {
	if b.preparer != nil {
		return b.preparer.PrepareContext(ctx, text)
	}
	s, err := b.Prepare(text)
	if err == nil && ctx.Err() != nil {
		_ = s.Close() // as database/sql does: the context says why
		return nil, ctx.Err()
	}
	return s, err
}

func (b *bare) begin(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if b.beginner != nil {
		return b.beginner.BeginTx(ctx, opts)
	}
	if opts.Isolation != 0 {
		return nil, errors.New("sql: driver does not support non-default isolation level")
	}
	if opts.ReadOnly {
		return nil, errors.New("sql: driver does not support read-only transactions")
	}
	tx, err := b.Begin()
	if err == nil && ctx.Err() != nil {
		_ = tx.Rollback() // as database/sql does: the context says why
		return nil, ctx.Err()
	}
	return tx, err
}

// positional are the arguments for calls that support neither names nor contexts.
func positional(ctx context.Context, args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, a := range args {
		if a.Name != "" {
			return nil, errors.New("sql: driver does not support the use of Named Parameters")
		}
		values[i] = a.Value
	}
	return values, ctx.Err()
}

// statement is a driver's prepared statement, called as database/sql does.
type statement struct {
	driver.Stmt
	execer  driver.StmtExecContext
	queryer driver.StmtQueryContext
}

func newStatement(s driver.Stmt) statement {
	b := statement{Stmt: s}
	b.execer, _ = s.(driver.StmtExecContext)
	b.queryer, _ = s.(driver.StmtQueryContext)
	return b
}

func (s *statement) exec(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if s.execer != nil {
		return s.execer.ExecContext(ctx, args)
	}
	values, err := positional(ctx, args)
	if err != nil {
		return nil, err
	}
	return s.Exec(values)
}

func (s *statement) query(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if s.queryer != nil {
		return s.queryer.QueryContext(ctx, args)
	}
	values, err := positional(ctx, args)
	if err != nil {
		return nil, err
	}
	return s.Query(values)
}
