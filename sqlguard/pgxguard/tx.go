package pgxguard

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// tx is a transaction of the caller's, or one nested in it by a savepoint. The guard never
// ends it, but has to know how it ended: a rollback refunds budgets, and a lost reply to
// COMMIT is reported.
type tx struct {
	base        pgx.Tx
	guard       *connGuard
	parent      *tx   // nil: not nested
	pooled      *Conn // released at the end; nil: not owned
	plainCommit bool  // pgx's own COMMIT, not a text of the caller's
	closed      bool
}

var _ pgx.Tx = (*tx)(nil)

// begin begins the caller's transaction. The tracer judges its BEGIN like any text, since the
// options may contain SQL of the caller's.
func (g *connGuard) begin(ctx context.Context, conn *pgx.Conn, opts pgx.TxOptions, pooled *Conn) (*tx, error) {
	base, err := conn.BeginTx(ctx, opts)
	if err != nil {
		g.closeIfBroken()
		return nil, err
	}
	g.session.TxBegan(opts.IsoLevel != "" || opts.BeginQuery != "")
	return &tx{base: base, guard: g, pooled: pooled, plainCommit: opts.CommitQuery == ""}, nil
}

func (t *tx) isClosed() bool {
	return t.closed || t.parent != nil && t.parent.isClosed()
}

// Begin nests a transaction.
func (t *tx) Begin(ctx context.Context) (pgx.Tx, error) {
	if t.isClosed() {
		return nil, pgx.ErrTxClosed
	}
	base, err := t.base.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &tx{base: base, guard: t.guard, parent: t}, nil
}

func (t *tx) Commit(ctx context.Context) error   { return t.finish(ctx, t.base.Commit, true) }
func (t *tx) Rollback(ctx context.Context) error { return t.finish(ctx, t.base.Rollback, false) }

func (t *tx) finish(ctx context.Context, do func(context.Context) error, commits bool) (err error) {
	if t.isClosed() {
		return pgx.ErrTxClosed
	}
	t.closed = true
	if t.parent != nil {
		return do(ctx)
	}
	if t.pooled != nil {
		defer t.pooled.Release()
	}
	if commits {
		err = t.guard.session.BeforeCommit(ctx) // deferred triggers may exceed their bound
	}
	if err != nil {
		return joinErr(err, t.end(ctx, t.base.Rollback, false))
	}
	return t.end(ctx, do, commits)
}

// end has pgx end the transaction.
func (t *tx) end(ctx context.Context, do func(context.Context) error, commits bool) (err error) {
	if t.plainCommit || !commits {
		t.guard.asJudged(func() { err = do(ctx) })
	} else {
		t.guard.tracerErr = nil
		if err = do(ctx); err != nil && t.guard.tracerErr != nil {
			err = t.guard.tracerErr
		}
	}
	switch {
	case errors.Is(err, pgx.ErrTxClosed):
	case commits && pgconn.SafeToRetry(err): // it was not sent; pgx has closed the connection
		_ = t.guard.session.TxEnded(context.WithoutCancel(ctx), false, nil) // err says why
		t.guard.closeIfBroken()
	default:
		err = t.guard.session.TxEnded(context.WithoutCancel(ctx), commits, err)
		t.guard.closeIfBroken()
	}
	return err
}

// joinErr is err, joined with besides if that is an error.
func joinErr(err, besides error) error {
	if besides == nil {
		return err
	}
	return errors.Join(err, besides)
}

func (t *tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if t.isClosed() {
		return pgconn.CommandTag{}, pgx.ErrTxClosed
	}
	return t.guard.exec(ctx, t.base, sql, args)
}

func (t *tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if t.isClosed() {
		return failed(pgx.ErrTxClosed), pgx.ErrTxClosed
	}
	return t.guard.query(ctx, t.base, sql, args)
}

func (t *tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, _ := t.Query(ctx, sql, args...) // Scan returns the error
	return row{rows}
}

func (t *tx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if t.isClosed() {
		return pgx.FailedBatchResults(b, pgx.ErrTxClosed)
	}
	return t.guard.sendBatch(ctx, t.base, b, nil)
}

func (t *tx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	if t.isClosed() {
		return 0, pgx.ErrTxClosed
	}
	return t.guard.copyFrom(ctx, t.base, table, columns, src)
}

// Prepare is pgx's: a statement is judged when it runs.
func (t *tx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	return t.base.Prepare(ctx, name, sql)
}

// LargeObjects are pgx's, which use pgx's own transaction. Write, Truncate and Unlink are
// refused, because they would not be counted, unless dbguard.Opaque is granted in the context
// that the object is opened with.
func (t *tx) LargeObjects() pgx.LargeObjects { return t.base.LargeObjects() }

// Conn is the bare connection: what is done with it is judged by the tracer.
func (t *tx) Conn() *pgx.Conn {
	t.guard.connExposed = true
	return t.base.Conn()
}
