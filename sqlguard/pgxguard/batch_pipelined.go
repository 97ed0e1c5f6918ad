package pgxguard

import (
	"cmp"
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/engine"
)

// pipelinedBatch is a batch that goes to the server at once, although some of its statements
// need a verdict: those are rewritten so that they fail where they would be refused. All
// results are read before the caller sees any, because they may have to be undone.
type pipelinedBatch struct {
	*sequentialBatch
	statements []batchStatement
	inTx       bool // in the caller's transaction; each judged statement has a savepoint
}

// batchStatement is one statement of a pipelinedBatch.
type batchStatement struct {
	sql    string
	args   []any
	flight *engine.Flight // nil: it goes as it is
}

// result is the result of a statement.
type result struct {
	rows *bufferedRows
	err  error
}

const (
	savepointText = "SAVEPOINT dbguard"
	releaseText   = "RELEASE SAVEPOINT dbguard"
	undoText      = "ROLLBACK TO SAVEPOINT dbguard; RELEASE SAVEPOINT dbguard"
)

// sendPipelined sends the batch at once and keeps its results, or reports that nothing has
// happened: then the statements run one by one.
func (r *sequentialBatch) sendPipelined(b *pgx.Batch) bool {
	c := &pipelinedBatch{sequentialBatch: r, inTx: r.guard.conn.PgConn().TxStatus() != 'I'}
	if !c.inTx {
		r.guard.session.TxBegan(false) // a batch is a transaction
	}
	fits, refusal := c.plan()
	if !fits || refusal != nil && !c.inTx {
		dropFlights(c.statements)
		c.endTx(false, nil)
		r.err = refusal
		return refusal != nil
	}
	traceCtx := r.guard.userTracer.batchStart(r.ctx, r.guard.conn, pgx.TraceBatchStartData{Batch: b})
	again := false
	r.guard.asInternal(func() { again = c.send(traceCtx) })
	if again && !c.inTx {
		r.ready, r.err = nil, nil
	} else if refusal != nil && !c.lastFailed() {
		r.ready = append(r.ready, result{err: refusal})
	}
	c.trace(traceCtx)
	return !again || c.inTx
}

// lastFailed reports that the last of the results is an error.
func (c *pipelinedBatch) lastFailed() bool {
	return len(c.ready) > 0 && c.ready[len(c.ready)-1].err != nil
}

// plan rewrites each statement, up to the first that is refused.
func (c *pipelinedBatch) plan() (fits bool, refusal error) {
	g := c.guard
	if g.conn.PgConn().TxStatus() == 'E' {
		return false, nil
	}
	for _, q := range c.queries {
		r, err := g.read(c.ctx, ofBatch, q.SQL, q.Arguments)
		if err != nil {
			return false, nil // it is returned when the statement's turn comes
		}
		st := batchStatement{sql: r.sql, args: r.args}
		if !g.session.IsRead(r.text) {
			st.flight, err = g.session.StartInBatch(c.ctx, r.text, r.arguments()...)
		}
		switch {
		case errors.Is(err, engine.ErrNotInBatch):
			return false, nil
		case err != nil:
			return true, err
		case st.flight != nil:
			st.sql, st.args = st.flight.Text(), r.values
		}
		if c.statements = append(c.statements, st); st.flight != nil && !r.batchable(g) {
			return false, nil
		}
	}
	return true, nil
}

func dropFlights(statements []batchStatement) {
	for _, st := range statements {
		if st.flight != nil {
			st.flight.DropFromBatch()
		}
	}
}

// underSavepoint reports that a statement has a savepoint of its own.
func (c *pipelinedBatch) underSavepoint(st batchStatement) bool { return c.inTx && st.flight != nil }

// send sends the statements and reads their results. again says that one needs a way of its own:
// it and those after it in the caller's transaction, otherwise the whole batch.
func (c *pipelinedBatch) send(ctx context.Context) (again bool) {
	b := &pgx.Batch{}
	for _, st := range c.statements {
		if c.underSavepoint(st) {
			b.Queue(savepointText)
		}
		b.Queue(st.sql, st.args...)
		if c.underSavepoint(st) {
			b.Queue(releaseText)
		}
	}
	results := c.guard.conn.SendBatch(ctx, b)
	for _, st := range c.statements {
		if c.ready = append(c.ready, c.readResult(results, st)); c.lastFailed() {
			break
		}
	}
	err := results.Close()
	if c.lastFailed() {
		return c.endFailed(len(c.ready) - 1)
	}
	c.endFirst(len(c.statements))
	if err = c.endTx(true, err); err != nil { // of deferred constraints, or the connection
		c.ready = []result{{err: err}}
	}
	return false
}

// readResult reads the result of one of them.
func (c *pipelinedBatch) readResult(results pgx.BatchResults, st batchStatement) (r result) {
	if c.underSavepoint(st) {
		_, r.err = results.Exec()
	}
	if r.err == nil {
		r.rows, r.err = c.guard.buffer(results.Query())
	}
	if r.err == nil && st.flight != nil && st.flight.AnswerForm() == engine.Counted {
		r.rows.tag, r.err = countTag(r.rows, nil)
	}
	if r.err != nil {
		return r
	}
	if c.underSavepoint(st) {
		_, r.err = results.Exec()
	}
	return r
}

// endFailed ends a batch whose statement n has failed: those before it have run, those after it
// have not.
func (c *pipelinedBatch) endFailed(n int) (again bool) {
	err, f := c.ready[n].err, c.statements[n].flight
	var server *pgconn.PgError
	lost := !errors.As(err, &server) && c.guard.conn.IsClosed()
	dropFlights(c.statements[n+1:])
	if f != nil {
		again, err = f.FailInBatch(err, !c.inTx)
	}
	if again && !c.inTx {
		dropFlights(c.statements[:n])
		c.endTx(false, nil)
		return true
	}
	c.endFirst(n)
	if again || errors.Is(err, dbguard.ErrRefused) {
		again = c.undoFailed() && again
	}
	if again {
		c.ready = c.ready[:n]
		return true
	}
	c.ready[n].err = c.endTx(lost, cmp.Or(err, c.ready[n].err))
	return false
}

// endFirst ends the first n statements, which have run.
func (c *pipelinedBatch) endFirst(n int) {
	for i, st := range c.statements[:n] {
		if st.flight != nil {
			_ = st.flight.EndInBatch(c.ready[i].rows.tag.RowsAffected()) // the server has judged it
			c.ready[i].rows.withTag(tagged(st.flight, c.ready[i].rows.tag), st.flight.AnswerForm())
		}
	}
}

// undoFailed undoes the failed statement, in the caller's transaction.
func (c *pipelinedBatch) undoFailed() bool {
	pg := wire{c.guard.conn.PgConn()}
	if !c.inTx || pg.TxStatus() != 'E' {
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), undoTime)
	defer cancel()
	_, err := pg.Exec(ctx, undoText)
	return err == nil
}

// endTx ends the batch's own transaction, outside of one of the caller's. If the connection was
// lost it may have been committed.
func (c *pipelinedBatch) endTx(committed bool, err error) error {
	if c.inTx {
		return err
	}
	if committed {
		err = c.guard.session.TxEnded(context.WithoutCancel(c.ctx), true, err)
	} else if undone := c.guard.session.TxEnded(context.WithoutCancel(c.ctx), false, nil); err == nil {
		err = undone
	}
	c.guard.closeIfBroken()
	return err
}

// trace tells the user's tracer of the statements as the user wrote them.
func (c *pipelinedBatch) trace(ctx context.Context) {
	data := pgx.TraceBatchEndData{}
	for i, r := range c.ready {
		q := pgx.TraceBatchQueryData{SQL: c.queries[i].SQL, Args: c.queries[i].Arguments, Err: r.err}
		if r.err == nil {
			q.CommandTag = r.rows.tag
		}
		c.guard.userTracer.batchQuery(ctx, c.guard.conn, q)
		data.Err = r.err
	}
	c.guard.userTracer.batchEnd(ctx, c.guard.conn, data)
}
