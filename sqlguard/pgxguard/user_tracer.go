package pgxguard

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// userTracer is the user's own tracer, called for what it implements. Its optional interfaces
// are asserted once.
type userTracer struct {
	query   pgx.QueryTracer
	batch   pgx.BatchTracer
	copying pgx.CopyFromTracer
	prepare pgx.PrepareTracer
	connect pgx.ConnectTracer
	acquire pgxpool.AcquireTracer
	release pgxpool.ReleaseTracer
}

func newUserTracer(t pgx.QueryTracer) userTracer {
	f := userTracer{query: t}
	f.batch, _ = t.(pgx.BatchTracer)
	f.copying, _ = t.(pgx.CopyFromTracer)
	f.prepare, _ = t.(pgx.PrepareTracer)
	f.connect, _ = t.(pgx.ConnectTracer)
	f.acquire, _ = t.(pgxpool.AcquireTracer)
	f.release, _ = t.(pgxpool.ReleaseTracer)
	return f
}

func (f *userTracer) queryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if f.query == nil {
		return ctx
	}
	return f.query.TraceQueryStart(ctx, conn, data)
}

func (f *userTracer) queryEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryEndData) {
	if f.query != nil {
		f.query.TraceQueryEnd(ctx, conn, data)
	}
}

func (f *userTracer) batchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	if f.batch == nil {
		return ctx
	}
	return f.batch.TraceBatchStart(ctx, conn, data)
}

func (f *userTracer) batchQuery(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchQueryData) {
	if f.batch != nil {
		f.batch.TraceBatchQuery(ctx, conn, data)
	}
}

func (f *userTracer) batchEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchEndData) {
	if f.batch != nil {
		f.batch.TraceBatchEnd(ctx, conn, data)
	}
}

func (f *userTracer) copyStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	if f.copying == nil {
		return ctx
	}
	return f.copying.TraceCopyFromStart(ctx, conn, data)
}

func (f *userTracer) copyEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromEndData) {
	if f.copying != nil {
		f.copying.TraceCopyFromEnd(ctx, conn, data)
	}
}

func (f *userTracer) prepareStart(ctx context.Context, conn *pgx.Conn, data pgx.TracePrepareStartData) context.Context {
	if f.prepare == nil {
		return ctx
	}
	return f.prepare.TracePrepareStart(ctx, conn, data)
}

func (f *userTracer) prepareEnd(ctx context.Context, conn *pgx.Conn, data pgx.TracePrepareEndData) {
	if f.prepare != nil {
		f.prepare.TracePrepareEnd(ctx, conn, data)
	}
}

// TraceConnectStart and the four below only call the user's tracer.
func (t *tracer) TraceConnectStart(ctx context.Context, data pgx.TraceConnectStartData) context.Context {
	if t.user.connect == nil {
		return ctx
	}
	return t.user.connect.TraceConnectStart(ctx, data)
}

// TraceConnectEnd calls the user's tracer.
func (t *tracer) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	if t.user.connect != nil {
		t.user.connect.TraceConnectEnd(ctx, data)
	}
}

// TraceAcquireStart calls the user's tracer.
func (t *tracer) TraceAcquireStart(ctx context.Context, p *pgxpool.Pool, data pgxpool.TraceAcquireStartData) context.Context {
	if t.user.acquire == nil {
		return ctx
	}
	return t.user.acquire.TraceAcquireStart(ctx, p, data)
}

// TraceAcquireEnd calls the user's tracer.
func (t *tracer) TraceAcquireEnd(ctx context.Context, p *pgxpool.Pool, data pgxpool.TraceAcquireEndData) {
	if t.user.acquire != nil {
		t.user.acquire.TraceAcquireEnd(ctx, p, data)
	}
}

// TraceRelease tells the guard that the connection goes back to its pool, and calls the user's tracer.
func (t *tracer) TraceRelease(p *pgxpool.Pool, data pgxpool.TraceReleaseData) {
	guardOf(data.Conn, t.settings).released()
	if t.user.release != nil {
		t.user.release.TraceRelease(p, data)
	}
}
