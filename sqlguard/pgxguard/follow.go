package pgxguard

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// followers is a tracer of the user's own, which is told of what it asks for.
// Its optional interfaces are asserted once.
type followers struct {
	query   pgx.QueryTracer
	batch   pgx.BatchTracer
	copying pgx.CopyFromTracer
	prepare pgx.PrepareTracer
	connect pgx.ConnectTracer
	acquire pgxpool.AcquireTracer
	release pgxpool.ReleaseTracer
}

func newFollowers(t pgx.QueryTracer) followers {
	f := followers{query: t}
	f.batch, _ = t.(pgx.BatchTracer)
	f.copying, _ = t.(pgx.CopyFromTracer)
	f.prepare, _ = t.(pgx.PrepareTracer)
	f.connect, _ = t.(pgx.ConnectTracer)
	f.acquire, _ = t.(pgxpool.AcquireTracer)
	f.release, _ = t.(pgxpool.ReleaseTracer)
	return f
}

func (f *followers) queryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if f.query == nil {
		return ctx
	}
	return f.query.TraceQueryStart(ctx, conn, data)
}

func (f *followers) queryEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryEndData) {
	if f.query != nil {
		f.query.TraceQueryEnd(ctx, conn, data)
	}
}

func (f *followers) batchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	if f.batch == nil {
		return ctx
	}
	return f.batch.TraceBatchStart(ctx, conn, data)
}

func (f *followers) batchQuery(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchQueryData) {
	if f.batch != nil {
		f.batch.TraceBatchQuery(ctx, conn, data)
	}
}

func (f *followers) batchEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchEndData) {
	if f.batch != nil {
		f.batch.TraceBatchEnd(ctx, conn, data)
	}
}

func (f *followers) copyStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	if f.copying == nil {
		return ctx
	}
	return f.copying.TraceCopyFromStart(ctx, conn, data)
}

func (f *followers) copyEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromEndData) {
	if f.copying != nil {
		f.copying.TraceCopyFromEnd(ctx, conn, data)
	}
}

func (f *followers) prepareStart(ctx context.Context, conn *pgx.Conn, data pgx.TracePrepareStartData) context.Context {
	if f.prepare == nil {
		return ctx
	}
	return f.prepare.TracePrepareStart(ctx, conn, data)
}

func (f *followers) prepareEnd(ctx context.Context, conn *pgx.Conn, data pgx.TracePrepareEndData) {
	if f.prepare != nil {
		f.prepare.TracePrepareEnd(ctx, conn, data)
	}
}

// TraceConnectStart and the four below are the follower's alone.
func (t *tracer) TraceConnectStart(ctx context.Context, data pgx.TraceConnectStartData) context.Context {
	if t.next.connect == nil {
		return ctx
	}
	return t.next.connect.TraceConnectStart(ctx, data)
}

// TraceConnectEnd is the follower's.
func (t *tracer) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	if t.next.connect != nil {
		t.next.connect.TraceConnectEnd(ctx, data)
	}
}

// TraceAcquireStart is the follower's.
func (t *tracer) TraceAcquireStart(ctx context.Context, p *pgxpool.Pool, data pgxpool.TraceAcquireStartData) context.Context {
	if t.next.acquire == nil {
		return ctx
	}
	return t.next.acquire.TraceAcquireStart(ctx, p, data)
}

// TraceAcquireEnd is the follower's.
func (t *tracer) TraceAcquireEnd(ctx context.Context, p *pgxpool.Pool, data pgxpool.TraceAcquireEndData) {
	if t.next.acquire != nil {
		t.next.acquire.TraceAcquireEnd(ctx, p, data)
	}
}

// TraceRelease learns who gives the connection back. The rest is the follower's.
func (t *tracer) TraceRelease(p *pgxpool.Pool, data pgxpool.TraceReleaseData) {
	linkOf(data.Conn, t.settings).returned()
	if t.next.release != nil {
		t.next.release.TraceRelease(p, data)
	}
}
