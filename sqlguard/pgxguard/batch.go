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

// sendBatch sends a batch as it is, in one flight, if nothing in it needs a
// verdict. Else each statement runs within its bound, and all of them in one
// transaction, as a batch does by nature: in one flight, if each can be written
// so that the server refuses what is too much, or one by one.
func (l *link) sendBatch(ctx context.Context, on batcher, b *pgx.Batch, pooled *Conn) pgx.BatchResults {
	if len(b.QueuedQueries) == 0 || l.mute(ctx) || l.observing { // what is only observed, the tracer reports
		return l.sent(on.SendBatch(ctx, b), pooled)
	}
	_, opened := on.(pgx.Tx)
	begins := pgx.FailedBatchResults(b, errUnsent).Tx() != nil // nothing else shows that Batch.BeginTx was called
	if begins && opened {
		return on.SendBatch(ctx, b) // pgx refuses it
	}
	need, apart, err := l.survey(ctx, b, begins)
	switch {
	case err != nil:
		return l.sent(pgx.FailedBatchResults(b, err), pooled)
	case need == engine.Plain && !apart:
		var results pgx.BatchResults
		l.vouch(func() { results = on.SendBatch(ctx, b) })
		return l.sent(results, pooled)
	}
	r := &series{link: l, ctx: ctx, on: on, queries: b.QueuedQueries, pooled: pooled}
	if begins {
		return r.begin(on, b)
	}
	if need == engine.Guarded && !apart && r.convoy(b) {
		return r
	}
	if need != engine.Control && l.conn.PgConn().TxStatus() == 'I' {
		r.open()
	}
	return r
}

// survey finds out what the texts of a batch need: the most that one does, but
// that a text which moves the transaction decides over all others. apart says that
// one has others do what they did not: each is judged when its turn comes.
func (l *link) survey(ctx context.Context, b *pgx.Batch, begins bool) (need engine.Nature, apart bool, err error) {
	if l.shared {
		l.session.RawTouched()
	}
	renamed, shifted := l.session.Renamed(), l.session.SchemaChanges()
	for i, q := range b.QueuedQueries {
		if begins && i == 0 {
			continue
		}
		apart = apart || l.session.Renamed() != renamed || l.session.SchemaChanges() != shifted
		r, err := l.read(ctx, ofBatch, q.SQL, q.Arguments)
		if err != nil {
			return need, apart, err
		}
		q.Arguments = r.args
		nature, err := l.session.Nature(ctx, r.text)
		switch {
		case err != nil:
			return need, apart, err
		case nature == engine.Control:
			need = engine.Control
		case nature == engine.Guarded && need == engine.Plain:
			need = engine.Guarded
		}
	}
	return need, apart, nil
}

// sent are the results of a batch that went as it was.
func (l *link) sent(results pgx.BatchResults, pooled *Conn) pgx.BatchResults {
	r := &sentBatch{BatchResults: results, link: l, pooled: pooled}
	if base := results.Tx(); base != nil {
		r.tx = &tx{base: base, link: l, pooled: pooled, plain: false} // its COMMIT is not known
		r.pooled = nil
	}
	return r
}

// sentBatch are pgx's results, and what is to be done when they are closed.
type sentBatch struct {
	pgx.BatchResults
	link   *link
	pooled *Conn
	tx     *tx
}

// Close gives the connection back, if no transaction has it.
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

// series is a batch of which the statements run one by one, when their results
// are asked for, and the rest when it is closed. Some may have run already.
type series struct {
	link    *link
	ctx     context.Context //nolint:containedctx // results are given none
	on      runner
	queries []*pgx.QueuedQuery
	pooled  *Conn
	own     bool // in a transaction of its own, which Close ends
	tx      *tx  // of Batch.BeginTx
	begun   *pgconn.CommandTag

	ready  []result // of statements that have run already
	last   pgx.Rows
	err    error // of a statement: the batch has failed
	told   error // of a callback, or of reading rows: the statements go on
	closed bool
}

var (
	errBatchClosed = errors.New("batch already closed") // pgx's words
	errBatchEnd    = errors.New("no more results in batch")
)

// open opens the transaction of the batch. Its statements are nested in it, as
// in one of the caller's.
func (r *series) open() {
	if _, r.err = (wire{r.link.conn.PgConn()}).Exec(r.ctx, "BEGIN"); r.err == nil {
		r.own = true
		r.link.session.TxBegan(false)
	}
}

// begin sends what Batch.BeginTx has queued, alone.
func (r *series) begin(on batcher, b *pgx.Batch) pgx.BatchResults {
	head := *b
	head.QueuedQueries = b.QueuedQueries[:1]
	results := on.SendBatch(r.ctx, &head) // the tracer judges it: it may be the caller's own words
	tag, err := results.Exec()
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	base := results.Tx()
	r.tx = &tx{base: base, link: r.link, pooled: r.pooled}
	r.pooled = nil
	if err != nil {
		r.err = err
		return r
	}
	r.link.session.TxBegan(true)
	r.on, r.begun = base, &tag
	return r
}

// Exec runs the next statement.
func (r *series) Exec() (pgconn.CommandTag, error) {
	rows, err := r.Query()
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	r.settle()
	return rows.CommandTag(), rows.Err()
}

// Query runs the next statement.
func (r *series) Query() (pgx.Rows, error) {
	r.settle()
	err := r.result()
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

// run runs the next statement. It is a query for pgx, which would send an Exec
// without arguments in the simple protocol, where a text may hold several.
func (r *series) run() (pgx.Rows, error) {
	q := r.queries[0]
	r.queries = r.queries[1:]
	if r.begun != nil {
		rows := tagRows{failedRows{}, *r.begun}
		r.begun = nil
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

// next is what comes of a statement.
func (r *series) next(q *pgx.QueuedQuery) (pgx.Rows, error) {
	if len(r.ready) == 0 {
		return r.link.query(r.ctx, r.on, q.SQL, q.Arguments)
	}
	next := r.ready[0]
	r.ready = r.ready[1:]
	if next.err != nil {
		return failed(next.err), next.err
	}
	return next.rows, nil
}

// settle closes the rows of the statement before.
func (r *series) settle() {
	if r.last == nil {
		return
	}
	rows := r.last
	r.last = nil
	rows.Close()
	switch err := rows.Err(); {
	case err == nil:
	case r.link.unread(rows.CommandTag(), err):
		r.told = err
	default:
		r.err = err
	}
}

// QueryRow runs the next statement.
func (r *series) QueryRow() pgx.Row {
	rows, _ := r.Query() // told by Scan
	return row{rows}
}

// Close runs what is left and ends the transaction of the batch.
func (r *series) Close() error {
	if r.closed {
		return r.result()
	}
	r.rest()
	r.closed = true
	if r.own {
		r.finish()
	}
	if r.pooled != nil {
		r.pooled.Release()
	}
	return r.result()
}

func (r *series) result() error {
	if r.err == nil {
		return r.told
	}
	return r.err
}

// rest runs the remaining statements. When a callback has failed there are no
// more callbacks; without a guard the server has had them all by then.
func (r *series) rest() {
	for r.settle(); r.err == nil && len(r.queries) > 0; r.settle() {
		fn, left := r.queries[0].Fn, len(r.queries)
		if fn == nil || r.told != nil {
			_, _ = r.run() // kept as r.err
			continue
		}
		if err := fn(r); r.told == nil {
			r.told = err
		}
		if len(r.queries) == left && r.told == nil {
			r.told = errUnread
		}
	}
}

// errUnread ends a callback that takes no result: it would be called for ever.
var errUnread = errors.New("pgxguard: a callback of the batch has not read its result")

// finish ends the transaction that open began.
func (r *series) finish() {
	l, pg := r.link, wire{r.link.conn.PgConn()}
	if r.err == nil {
		r.err = r.ctx.Err()
	}
	if r.err == nil && pg.TxStatus() == 'E' {
		r.err = pgx.ErrTxCommitRollback
	}
	if r.err == nil {
		r.err = l.session.Committing(r.ctx)
	}
	ctx := context.WithoutCancel(r.ctx)
	if r.err == nil {
		_, err := pg.Exec(r.ctx, "COMMIT")
		r.err = l.session.TxEnded(ctx, true, err)
		l.check()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, undoTime)
	defer cancel()
	_, err := pg.Exec(ctx, "ROLLBACK")
	_ = l.session.TxEnded(ctx, false, err) // r.err says why
	l.check()
}

// Tx is the transaction of Batch.BeginTx.
func (r *series) Tx() pgx.Tx {
	if r.tx == nil {
		return nil
	}
	return r.tx
}

// tagRows are those of a statement that has none.
type tagRows struct {
	failedRows
	tag pgconn.CommandTag
}

func (r tagRows) CommandTag() pgconn.CommandTag { return r.tag }

// undoTime is how long a ROLLBACK may take when the caller has given up.
const undoTime = 5 * time.Second
