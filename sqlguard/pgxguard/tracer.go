package pgxguard

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// tracer is called by pgx for everything that it is about to send, whoever asked for it. What
// a guarded handle has judged passes; the rest is judged here, and vetoed if it would have to
// be counted. The user's own tracer is called as if this one did not exist.
type tracer struct {
	settings settings
	user     userTracer
}

var (
	_ pgx.QueryTracer       = (*tracer)(nil)
	_ pgx.BatchTracer       = (*tracer)(nil)
	_ pgx.CopyFromTracer    = (*tracer)(nil)
	_ pgx.PrepareTracer     = (*tracer)(nil)
	_ pgx.ConnectTracer     = (*tracer)(nil)
	_ pgxpool.AcquireTracer = (*tracer)(nil)
	_ pgxpool.ReleaseTracer = (*tracer)(nil)
)

// TraceQueryStart judges one text.
func (t *tracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	g := guardOf(conn, t.settings)
	if g.internal {
		return ctx
	}
	w := g.judgeBypass(ctx, ofQuery, pgx.QueuedQuery{SQL: data.SQL, Arguments: data.Args})
	if traceCtx := g.tracedCtx; traceCtx != nil {
		g.tracedCtx = nil
		return w.withParent(traceCtx)
	}
	return w.withParent(t.user.queryStart(ctx, conn, data))
}

// TraceQueryEnd tells how it went.
func (t *tracer) TraceQueryEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryEndData) {
	if guardOf(conn, t.settings).internal {
		return
	}
	vetoContextOf(ctx).record(data.CommandTag, data.Err).end(data.Err)
	t.user.queryEnd(ctx, conn, data)
}

// TraceBatchStart judges every text of a batch.
func (t *tracer) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	g := guardOf(conn, t.settings)
	if g.internal {
		return ctx
	}
	queries := make([]pgx.QueuedQuery, len(data.Batch.QueuedQueries))
	for i, q := range data.Batch.QueuedQueries {
		queries[i] = pgx.QueuedQuery{SQL: q.SQL, Arguments: q.Arguments}
	}
	w := g.judgeBypass(ctx, ofBatch, queries...)
	return w.withParent(t.user.batchStart(ctx, conn, data))
}

// TraceBatchQuery tells how one of its texts went.
func (t *tracer) TraceBatchQuery(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchQueryData) {
	if guardOf(conn, t.settings).internal {
		return
	}
	vetoContextOf(ctx).record(data.CommandTag, data.Err)
	t.user.batchQuery(ctx, conn, data)
}

// TraceBatchEnd tells how the batch went.
func (t *tracer) TraceBatchEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchEndData) {
	if guardOf(conn, t.settings).internal {
		return
	}
	vetoContextOf(ctx).end(data.Err)
	t.user.batchEnd(ctx, conn, data)
}

// TraceCopyFromStart judges a COPY.
func (t *tracer) TraceCopyFromStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	text := copyText(data.TableName, data.ColumnNames)
	w := guardOf(conn, t.settings).judgeBypass(ctx, ofBatch, pgx.QueuedQuery{SQL: text})
	return w.withParent(t.user.copyStart(ctx, conn, data))
}

// TraceCopyFromEnd tells how it went.
func (t *tracer) TraceCopyFromEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromEndData) {
	vetoContextOf(ctx).record(data.CommandTag, data.Err).end(data.Err)
	t.user.copyEnd(ctx, conn, data)
}

// TracePrepareStart vetoes nothing: a statement is judged when it runs.
func (t *tracer) TracePrepareStart(ctx context.Context, conn *pgx.Conn, data pgx.TracePrepareStartData) context.Context {
	g := guardOf(conn, t.settings)
	if g.internal {
		return ctx
	}
	g.statements.preparing = data
	return t.user.prepareStart(ctx, conn, data)
}

// TracePrepareEnd learns the statement's name.
func (t *tracer) TracePrepareEnd(ctx context.Context, conn *pgx.Conn, data pgx.TracePrepareEndData) {
	g := guardOf(conn, t.settings)
	if g.internal {
		g.statements.stillThere = data.AlreadyPrepared
		return
	}
	g.statements.record(data, g.session.PrepareCount())
	t.user.prepareEnd(ctx, conn, data)
}
