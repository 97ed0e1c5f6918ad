package pgxguard

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// tracer is where pgx tells of everything that it is about to send, whoever
// asked for it. What was judged by a guarded handle passes; the rest is judged
// here, and vetoed where it would have to be counted. A tracer of the user's
// own is told of everything, as if this one were not there.
type tracer struct {
	settings settings
	next     followers
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
	l := linkOf(conn, t.settings)
	if l.quiet {
		return ctx
	}
	w := l.watch(ctx, ofQuery, pgx.QueuedQuery{SQL: data.SQL, Arguments: data.Args})
	if told := l.told; told != nil {
		l.told = nil
		return w.on(told)
	}
	return w.on(t.next.queryStart(ctx, conn, data))
}

// TraceQueryEnd tells how it went.
func (t *tracer) TraceQueryEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryEndData) {
	if linkOf(conn, t.settings).quiet {
		return
	}
	watched(ctx).saw(data.CommandTag, data.Err).end(data.Err)
	t.next.queryEnd(ctx, conn, data)
}

// TraceBatchStart judges every text of a batch.
func (t *tracer) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	l := linkOf(conn, t.settings)
	if l.quiet {
		return ctx
	}
	queries := make([]pgx.QueuedQuery, len(data.Batch.QueuedQueries))
	for i, q := range data.Batch.QueuedQueries {
		queries[i] = pgx.QueuedQuery{SQL: q.SQL, Arguments: q.Arguments}
	}
	w := l.watch(ctx, ofBatch, queries...)
	return w.on(t.next.batchStart(ctx, conn, data))
}

// TraceBatchQuery tells how one of its texts went.
func (t *tracer) TraceBatchQuery(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchQueryData) {
	if linkOf(conn, t.settings).quiet {
		return
	}
	watched(ctx).saw(data.CommandTag, data.Err)
	t.next.batchQuery(ctx, conn, data)
}

// TraceBatchEnd tells how the batch went.
func (t *tracer) TraceBatchEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchEndData) {
	if linkOf(conn, t.settings).quiet {
		return
	}
	watched(ctx).end(data.Err)
	t.next.batchEnd(ctx, conn, data)
}

// TraceCopyFromStart judges a COPY.
func (t *tracer) TraceCopyFromStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	text := copyText(data.TableName, data.ColumnNames)
	w := linkOf(conn, t.settings).watch(ctx, ofBatch, pgx.QueuedQuery{SQL: text})
	return w.on(t.next.copyStart(ctx, conn, data))
}

// TraceCopyFromEnd tells how it went.
func (t *tracer) TraceCopyFromEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromEndData) {
	watched(ctx).saw(data.CommandTag, data.Err).end(data.Err)
	t.next.copyEnd(ctx, conn, data)
}

// TracePrepareStart vetoes nothing: a statement is judged when it runs.
func (t *tracer) TracePrepareStart(ctx context.Context, conn *pgx.Conn, data pgx.TracePrepareStartData) context.Context {
	l := linkOf(conn, t.settings)
	if l.quiet {
		return ctx
	}
	l.statements.next = data
	return t.next.prepareStart(ctx, conn, data)
}

// TracePrepareEnd learns the statement's name.
func (t *tracer) TracePrepareEnd(ctx context.Context, conn *pgx.Conn, data pgx.TracePrepareEndData) {
	l := linkOf(conn, t.settings)
	if l.quiet {
		l.statements.kept = data.AlreadyPrepared
		return
	}
	l.statements.done(data, l.session.PrepareCount())
	t.next.prepareEnd(ctx, conn, data)
}
