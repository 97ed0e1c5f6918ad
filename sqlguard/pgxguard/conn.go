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
	pooled *pgxpool.Conn
	link   *link
	gone   bool
}

// Release gives the connection back. Further calls of it do nothing.
func (c *Conn) Release() {
	if c.gone {
		return
	}
	c.gone = true
	c.link.rest()
	c.pooled.Release()
}

// Exec runs a statement within its bounds.
func (c *Conn) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return c.link.exec(ctx, c.pooled.Conn(), sql, args)
}

// Query runs a statement within its bounds. A refusal is its error or, of rows that
// stream, the one that they end with.
func (c *Conn) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return c.link.query(ctx, c.pooled.Conn(), sql, args)
}

// QueryRow is Query for one row; Scan returns the verdict.
func (c *Conn) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return c.link.queryRow(ctx, c.pooled.Conn(), sql, args)
}

// SendBatch runs the statements of a batch, each within its bounds.
func (c *Conn) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return c.link.sendBatch(ctx, c.pooled.Conn(), b, nil)
}

// CopyFrom adds rows. What triggers change besides needs a bound.
func (c *Conn) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	return c.link.copyFrom(ctx, c.pooled.Conn(), table, columns, src)
}

// Begin begins a transaction.
func (c *Conn) Begin(ctx context.Context) (pgx.Tx, error) { return c.BeginTx(ctx, pgx.TxOptions{}) }

// BeginTx begins a transaction with options.
func (c *Conn) BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error) {
	t, err := c.link.begin(ctx, c.pooled.Conn(), opts, nil)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Ping asks the connection whether it is alive.
func (c *Conn) Ping(ctx context.Context) error { return c.pooled.Ping(ctx) }

// Conn is the bare connection, for what has no method here: Prepare,
// WaitForNotification, LoadType. What deletes or changes rows is refused there,
// because nobody counts it, unless dbguard.Opaque is granted.
func (c *Conn) Conn() *pgx.Conn {
	c.link.shared = true
	return c.pooled.Conn()
}
