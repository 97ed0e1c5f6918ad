package sqlguard

import (
	"context"
	"database/sql/driver"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/engine"
)

// conn is a guarded connection: the part that all connection types have. Where the
// driver lacks one of these interfaces, database/sql behaves as it would without it.
// The others are in execer, queryer, resetter and validator.
type conn struct {
	bare       *bare
	session    *engine.Session
	guard      *dbguard.Guard
	observing  bool
	dialect    Dialect
	namespace  string // for traces
	execSkips  skipRecord
	querySkips skipRecord
	streaming  *rows // of a judged statement, not yet read to the end
	rewrites   stmtCache
}

var (
	_ driver.Conn               = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
)

// Prepare is for older drivers; database/sql calls PrepareContext.
func (c *conn) Prepare(text string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), text)
}

// PrepareContext judges only what takes effect when it is prepared: for anything else
// the bound is known only when the statement runs.
func (c *conn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	if c.session.Broken() {
		return nil, driver.ErrBadConn
	}
	if err := c.session.Prepare(ctx, text); err != nil {
		return nil, err
	}
	s, err := c.bare.prepare(ctx, text)
	if c.session.FreePrepared(err) {
		s, err = c.bare.prepare(ctx, text)
	}
	if err != nil {
		return nil, err
	}
	c.session.AddPrepared(1)
	return composeStmt(&stmt{bare: newStatement(s), conn: c, text: text, place: c.session.Database()}), nil
}

// Begin is for older drivers; database/sql calls BeginTx.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// Ping pings the driver if it can; otherwise the connection is assumed to be alive.
func (c *conn) Ping(ctx context.Context) error {
	if c.session.Broken() {
		return driver.ErrBadConn
	}
	if c.bare.pinger == nil {
		return nil
	}
	return c.bare.pinger.Ping(ctx)
}

// CheckNamedValue is the driver's; without one, ErrSkip makes database/sql use the
// statement's converter or its own.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if c.bare.checker == nil {
		return driver.ErrSkip
	}
	return c.bare.checker.CheckNamedValue(v)
}

func (c *conn) Close() error {
	_ = c.rewrites.close() // they end with the connection
	err := c.bare.Close()
	c.session.Closed()
	return err
}

// start judges a text that is not a read. form is what the caller asked for.
func (c *conn) start(ctx context.Context, text string, args []driver.NamedValue, form engine.Form) (*engine.Flight, error) {
	if err := c.finishStreaming(); err != nil {
		return nil, err
	}
	return c.session.Start(ctx, text, form, args...)
}

// finishStreaming ends a statement whose rows are not read to the end: the next one
// must not be counted or undone with it.
func (c *conn) finishStreaming() error {
	if c.streaming == nil {
		return nil
	}
	return c.streaming.bufferRest()
}

// atPlace tells the session where the next statement was prepared.
func (c *conn) atPlace(ctx context.Context, p *engine.CurrentDatabase) error {
	if c.session.InDatabase(p) {
		return nil
	}
	if err := c.finishStreaming(); err != nil {
		return err
	}
	return c.session.RunsPreparedIn(ctx, p)
}
