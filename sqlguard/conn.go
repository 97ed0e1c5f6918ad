package sqlguard

import (
	"context"
	"database/sql/driver"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/engine"
)

// conn is a guarded connection: what every one of its types has. These
// interfaces are neutral where the driver lacks them, database/sql falls back
// on the same as without them. The others are in execer, queryer, resetter and
// validator.
type conn struct {
	bare       *bare
	session    *engine.Session
	guard      *dbguard.Guard
	observing  bool
	dialect    Dialect
	namespace  string // for traces
	execSkips  skips
	querySkips skips
	streaming  *rows // of a judged statement, not read to the end yet
	kept       kept
}

var (
	_ driver.Conn               = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
)

// Prepare is there for drivers of an older age; database/sql calls PrepareContext.
func (c *conn) Prepare(text string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), text)
}

// PrepareContext judges nothing but what takes rows at once: the bound is known
// only when the statement runs.
func (c *conn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	if c.session.Broken() {
		return nil, driver.ErrBadConn
	}
	if err := c.session.Prepare(ctx, text); err != nil {
		return nil, err
	}
	s, err := c.bare.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	c.session.AddPrepared(1)
	return composeStmt(&stmt{bare: newStatement(s), conn: c, text: text, place: c.session.Database()}), nil
}

// Begin is there for drivers of an older age; database/sql calls BeginTx.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// Ping asks the driver if it can be asked; without that a connection is taken for alive.
func (c *conn) Ping(ctx context.Context) error {
	if c.session.Broken() {
		return driver.ErrBadConn
	}
	if c.bare.pinger == nil {
		return nil
	}
	return c.bare.pinger.Ping(ctx)
}

// CheckNamedValue is the driver's; without it ErrSkip sends database/sql to the
// statement's converter or its own.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if c.bare.checker == nil {
		return driver.ErrSkip
	}
	return c.bare.checker.CheckNamedValue(v)
}

func (c *conn) Close() error {
	_ = c.kept.close() // with the connection
	err := c.bare.Close()
	c.session.Closed()
	return err
}

// start judges a text that is not a read. form is what the caller asked for.
func (c *conn) start(ctx context.Context, text string, args []driver.NamedValue, form engine.Form) (*engine.Flight, error) {
	if err := c.settle(); err != nil {
		return nil, err
	}
	return c.session.Start(ctx, text, form, args...)
}

// settle ends a statement of which rows are still to be read: what comes now
// must neither be counted nor undone with it.
func (c *conn) settle() error {
	if c.streaming == nil {
		return nil
	}
	return c.streaming.hold()
}

// from tells the session where the statement that comes next was prepared.
func (c *conn) from(ctx context.Context, p *engine.CurrentDatabase) error {
	if c.session.InDatabase(p) {
		return nil
	}
	if err := c.settle(); err != nil {
		return err
	}
	return c.session.RunsPreparedIn(ctx, p)
}
