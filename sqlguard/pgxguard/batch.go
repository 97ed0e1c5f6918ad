package pgxguard

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// batcher is a connection or a transaction of pgx.
type batcher interface {
	runner
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// sendBatch sends a batch as it is if nothing in it needs a verdict. Otherwise each statement
// runs within its own bound, and all of them in one transaction, as in any batch: pipelined,
// if each can be rewritten so that the server refuses too many rows, or else one by one.
func (g *connGuard) sendBatch(ctx context.Context, on batcher, b *pgx.Batch, pooled *Conn) pgx.BatchResults {
	if len(b.QueuedQueries) == 0 || g.pgxRefuses(ctx) || g.observing { // the tracer reports what is only observed
		return g.passThrough(on.SendBatch(ctx, b), pooled)
	}
	_, inTx := on.(pgx.Tx)
	begins := pgx.FailedBatchResults(b, errUnsent).Tx() != nil // nothing else reveals a call of Batch.BeginTx
	if begins && inTx {
		return on.SendBatch(ctx, b) // pgx refuses it
	}
	need, oneByOne, err := g.classify(ctx, b, begins)
	switch {
	case err != nil:
		return g.passThrough(pgx.FailedBatchResults(b, err), pooled)
	case need == engine.Plain && !oneByOne:
		var results pgx.BatchResults
		g.asJudged(func() { results = on.SendBatch(ctx, b) })
		return g.passThrough(results, pooled)
	}
	r := &sequentialBatch{guard: g, ctx: ctx, on: on, queries: b.QueuedQueries, pooled: pooled}
	if begins {
		return r.sendBegin(on, b)
	}
	if need == engine.Guarded && !oneByOne && r.sendPipelined(b) {
		return r
	}
	if need != engine.Control && g.conn.PgConn().TxStatus() == 'I' {
		r.beginOwnTx()
	}
	return r
}

// classify finds what the texts of a batch need: the most that any one does, except that a
// text which begins or ends a transaction decides over all others. oneByOne says that one
// text changes what later ones run, so that each has to be judged when its turn comes.
func (g *connGuard) classify(ctx context.Context, b *pgx.Batch, begins bool) (need engine.Nature, oneByOne bool, err error) {
	if g.connExposed {
		g.session.RawTouched()
	}
	renamed, shifted := g.session.PrepareCount(), g.session.SchemaChanges()
	for i, q := range b.QueuedQueries {
		if begins && i == 0 {
			continue
		}
		oneByOne = oneByOne || g.session.PrepareCount() != renamed || g.session.SchemaChanges() != shifted
		r, err := g.read(ctx, ofBatch, q.SQL, q.Arguments)
		if err != nil {
			return need, oneByOne, err
		}
		q.Arguments = r.args
		nature, err := g.session.Nature(ctx, r.text)
		switch {
		case err != nil:
			return need, oneByOne, err
		case nature == engine.Control:
			need = engine.Control
		case nature == engine.Guarded && need == engine.Plain:
			need = engine.Guarded
		}
	}
	return need, oneByOne, nil
}

// passThrough are the results of a batch that was sent as it is.
func (g *connGuard) passThrough(results pgx.BatchResults, pooled *Conn) pgx.BatchResults {
	r := &sentBatch{BatchResults: results, guard: g, pooled: pooled}
	if base := results.Tx(); base != nil {
		r.tx = &tx{base: base, guard: g, pooled: pooled, plainCommit: false} // its COMMIT is not known
		r.pooled = nil
	}
	return r
}

// sentBatch are pgx's results, and what is to be done when they are closed.
type sentBatch struct {
	pgx.BatchResults
	guard  *connGuard
	pooled *Conn
	tx     *tx
}

// Close returns the connection to the pool, unless a transaction holds it.
func (r *sentBatch) Close() error {
	err := r.BatchResults.Close()
	if r.pooled != nil {
		r.pooled.Release()
		r.pooled = nil
	}
	return err
}

// Tx is the transaction of Batch.BeginTx.
func (r *sentBatch) Tx() pgx.Tx {
	if r.tx == nil {
		return nil
	}
	return r.tx
}

// sequentialBatch runs the statements of a batch one by one, when their results are asked for,
// and the rest when it is closed. Some may have run already, pipelined.
type sequentialBatch struct {
	guard    *connGuard
	ctx      context.Context //nolint:containedctx // results are given none
	on       runner
	queries  []*pgx.QueuedQuery
	pooled   *Conn
	ownTx    bool // in a transaction of its own, which Close ends
	tx       *tx  // of Batch.BeginTx
	beginTag *pgconn.CommandTag

	ready    []result // of statements that have run already
	last     pgx.Rows
	err      error // of a statement: the batch has failed
	localErr error // of a callback, or of reading rows: the statements go on
	closed   bool
}

var (
	errBatchClosed = errors.New("batch already closed") // pgx's words
	errBatchEnd    = errors.New("no more results in batch")
)

// beginOwnTx opens the batch's own transaction. Its statements are nested in it, as in one of
// the caller's.
func (r *sequentialBatch) beginOwnTx() {
	if _, r.err = (wire{r.guard.conn.PgConn()}).Exec(r.ctx, "BEGIN"); r.err == nil {
		r.ownTx = true
		r.guard.session.TxBegan(false)
	}
}

// sendBegin sends only what Batch.BeginTx has queued.
func (r *sequentialBatch) sendBegin(on batcher, b *pgx.Batch) pgx.BatchResults {
	head := *b
	head.QueuedQueries = b.QueuedQueries[:1]
	results := on.SendBatch(r.ctx, &head) // the tracer judges it: it may be the caller's own words
	tag, err := results.Exec()
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	base := results.Tx()
	r.tx = &tx{base: base, guard: r.guard, pooled: r.pooled}
	r.pooled = nil
	if err != nil {
		r.err = err
		return r
	}
	r.guard.session.TxBegan(true)
	r.on, r.beginTag = base, &tag
	return r
}

// Exec runs the next statement.
func (r *sequentialBatch) Exec() (pgconn.CommandTag, error) {
	rows, err := r.Query()
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	r.closeLast()
	return rows.CommandTag(), rows.Err()
}

// Query runs the next statement.
func (r *sequentialBatch) Query() (pgx.Rows, error) {
	r.closeLast()
	err := r.batchErr()
	switch {
	case err != nil:
	case r.closed:
		err = errBatchClosed
	case len(r.queries) == 0:
		err = errBatchEnd
	default:
		return r.run()
	}
	return failed(err), err
}

// run runs the next statement, with Query: for an Exec without arguments pgx would use the
// simple protocol, where a text may hold several statements.
func (r *sequentialBatch) run() (pgx.Rows, error) {
	q := r.queries[0]
	r.queries = r.queries[1:]
	if r.beginTag != nil {
		rows := noRows{failedRows{}, *r.beginTag}
		r.beginTag = nil
		return rows, nil
	}
	rows, err := r.next(q)
	if err != nil {
		r.err = err
		return rows, err
	}
	r.last = rows
	return rows, nil
}

// next is the result of a statement.
func (r *sequentialBatch) next(q *pgx.QueuedQuery) (pgx.Rows, error) {
	if len(r.ready) == 0 {
		return r.guard.query(r.ctx, r.on, q.SQL, q.Arguments)
	}
	next := r.ready[0]
	r.ready = r.ready[1:]
	if next.err != nil {
		return failed(next.err), next.err
	}
	return next.rows, nil
}

// closeLast closes the rows of the previous statement.
func (r *sequentialBatch) closeLast() {
	if r.last == nil {
		return
	}
	rows := r.last
	r.last = nil
	rows.Close()
	switch err := rows.Err(); {
	case err == nil:
	case r.guard.readFailed(rows.CommandTag(), err):
		r.localErr = err
	default:
		r.err = err
	}
}

// QueryRow runs the next statement.
func (r *sequentialBatch) QueryRow() pgx.Row {
	rows, _ := r.Query() // Scan returns the error
	return row{rows}
}

// Close runs the remaining statements and ends the batch's own transaction.
func (r *sequentialBatch) Close() error {
	if r.closed {
		return r.batchErr()
	}
	r.runRest()
	r.closed = true
	if r.ownTx {
		r.endOwnTx()
	}
	if r.pooled != nil {
		r.pooled.Release()
	}
	return r.batchErr()
}

func (r *sequentialBatch) batchErr() error {
	if r.err == nil {
		return r.localErr
	}
	return r.err
}

// runRest runs the remaining statements. After a callback has failed no more are called;
// without a guard the server would have all statements by then.
func (r *sequentialBatch) runRest() {
	for r.closeLast(); r.err == nil && len(r.queries) > 0; r.closeLast() {
		fn, left := r.queries[0].Fn, len(r.queries)
		if fn == nil || r.localErr != nil {
			_, _ = r.run() // kept as r.err
			continue
		}
		if err := fn(r); r.localErr == nil {
			r.localErr = err
		}
		if len(r.queries) == left && r.localErr == nil {
			r.localErr = errResultUnread
		}
	}
}

// errResultUnread ends a callback that reads no result: it would be called forever.
var errResultUnread = errors.New("pgxguard: a callback of the batch has not read its result")

// endOwnTx ends the transaction that beginOwnTx opened.
func (r *sequentialBatch) endOwnTx() {
	g, pg := r.guard, wire{r.guard.conn.PgConn()}
	if r.err == nil {
		r.err = r.ctx.Err()
	}
	if r.err == nil && pg.TxStatus() == 'E' {
		r.err = pgx.ErrTxCommitRollback
	}
	if r.err == nil {
		r.err = g.session.BeforeCommit(r.ctx)
	}
	ctx := context.WithoutCancel(r.ctx)
	if r.err == nil {
		_, err := pg.Exec(r.ctx, "COMMIT")
		r.err = g.session.TxEnded(ctx, true, err)
		g.closeIfBroken()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, undoTime)
	defer cancel()
	_, err := pg.Exec(ctx, "ROLLBACK")
	_ = g.session.TxEnded(ctx, false, err) // r.err says why
	g.closeIfBroken()
}

// Tx is the transaction of Batch.BeginTx.
func (r *sequentialBatch) Tx() pgx.Tx {
	if r.tx == nil {
		return nil
	}
	return r.tx
}

// noRows are those of a statement that returns none.
type noRows struct {
	failedRows
	tag pgconn.CommandTag
}

func (r noRows) CommandTag() pgconn.CommandTag { return r.tag }

// undoTime is how long a ROLLBACK may take after the caller's context has ended.
const undoTime = 5 * time.Second
