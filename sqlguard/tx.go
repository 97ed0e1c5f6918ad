package sqlguard

import (
	"context"
	"database/sql/driver"
	"errors"
)

// tx is the caller's transaction. The guard never ends it, but must know how it
// ended: a rollback refunds budgets, a lost reply to COMMIT is reported.
type tx struct {
	base driver.Tx
	conn *conn
	ctx  context.Context // of BeginTx: Commit and Rollback get none
}

var _ driver.Tx = (*tx)(nil)

// BeginTx begins the caller's transaction.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if c.session.Broken() {
		return nil, driver.ErrBadConn
	}
	if err := c.finishStreaming(); err != nil {
		return nil, err
	}
	base, err := c.bare.begin(ctx, opts)
	if err != nil {
		return nil, err
	}
	c.session.TxBegan(opts.Isolation != 0)
	return &tx{base, c, context.WithoutCancel(ctx)}, nil
}

// Commit commits, unless triggers that were deferred to it exceed the bounds.
func (t *tx) Commit() error {
	if err := t.conn.session.BeforeCommit(t.ctx); err != nil {
		if undo := t.Rollback(); undo != nil {
			err = errors.Join(err, undo)
		}
		return err
	}
	return t.conn.session.TxEnded(t.ctx, true, t.base.Commit())
}

func (t *tx) Rollback() error {
	return t.conn.session.TxEnded(t.ctx, false, t.base.Rollback())
}
