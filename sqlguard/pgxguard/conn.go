package pgxguard

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Conn is a guarded connection that was taken out of a Pool. Like one of
// pgxpool it is used by one goroutine at a time, and not after Release.
type Conn struct {
	pooled   *pgxpool.Conn
	guard    *connGuard
	released bool
}

// Release returns the connection to the pool. Further calls do nothing.
func (c *Conn) Release() {
	if c.released {
		return
	}
	c.released = true
	c.guard.reset()
	c.pooled.Release()
}

// Exec runs a statement within its bounds.
func (c *Conn) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return c.guard.exec(ctx, c.pooled.Conn(), sql, args)
}

// Query runs a statement within its bounds. A refusal is the error of Query or, if the rows
// stream, of Rows.Err at their end.
func (c *Conn) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return c.guard.query(ctx, c.pooled.Conn(), sql, args)
}

// QueryRow is Query for one row; Scan returns the verdict.
func (c *Conn) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return c.guard.queryRow(ctx, c.pooled.Conn(), sql, args)
}

// SendBatch runs the statements of a batch, each within its bounds.
func (c *Conn) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return c.guard.sendBatch(ctx, c.pooled.Conn(), b, nil)
}

// CopyFrom inserts rows. Changes by triggers need a bound.
func (c *Conn) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	return c.guard.copyFrom(ctx, c.pooled.Conn(), table, columns, src)
}

// Begin begins a transaction.
func (c *Conn) Begin(ctx context.Context) (pgx.Tx, error) { return c.BeginTx(ctx, pgx.TxOptions{}) }

// BeginTx begins a transaction with options.
func (c *Conn) BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error) {
	t, err := c.guard.begin(ctx, c.pooled.Conn(), opts, nil)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Ping asks the connection whether it is alive.
func (c *Conn) Ping(ctx context.Context) error { return c.pooled.Ping(ctx) }

// Conn is the bare connection, for what has no method here: Prepare, WaitForNotification,
// LoadType. What deletes or changes rows is refused there, because it would not be counted,
// unless dbguard.Opaque is granted.
func (c *Conn) Conn() *pgx.Conn {
	c.guard.connExposed = true
	return c.pooled.Conn()
}
