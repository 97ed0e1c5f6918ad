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

// convoy is a batch that goes in one flight, although some of its statements need
// a verdict: each of those goes in words that fail where it would be refused. What
// the server answers is read before the caller sees any of it, as some of that may
// have to be taken back.
type convoy struct {
	*series
	ships []ship
	inTx  bool // in the caller's transaction, each that is judged under a savepoint
}

// ship is one statement of a convoy.
type ship struct {
	sql    string
	args   []any
	flight *engine.Flight // nil: it goes as it is
}

// result is what came of a statement.
type result struct {
	rows *heldRows
	err  error
}

const (
	saving    = "SAVEPOINT dbguard"
	releasing = "RELEASE SAVEPOINT dbguard"
	leaving   = "ROLLBACK TO SAVEPOINT dbguard; RELEASE SAVEPOINT dbguard"
)

// convoy sends the batch in one flight and keeps its results, or reports that
// nothing has happened: then it is for the series.
func (r *series) convoy(b *pgx.Batch) bool {
	c := &convoy{series: r, inTx: r.link.conn.PgConn().TxStatus() != 'I'}
	if !c.inTx {
		r.link.session.TxBegan(false) // a batch is a transaction
	}
	fits, refusal := c.plan()
	if !fits || refusal != nil && !c.inTx {
		drop(c.ships)
		c.ended(false, nil)
		r.err = refusal
		return refusal != nil
	}
	told := r.link.next.batchStart(r.ctx, r.link.conn, pgx.TraceBatchStartData{Batch: b})
	again := false
	r.link.quietly(func() { again = c.sail(told) })
	if again && !c.inTx {
		r.ready, r.err = nil, nil
	} else if refusal != nil && !c.failed() {
		r.ready = append(r.ready, result{err: refusal})
	}
	c.tell(told)
	return !again || c.inTx
}

// failed reports that the last of the results is an error.
func (c *convoy) failed() bool { return len(c.ready) > 0 && c.ready[len(c.ready)-1].err != nil }

// plan finds the words for each statement, up to one that is refused.
func (c *convoy) plan() (fits bool, refusal error) {
	l := c.link
	if l.conn.PgConn().TxStatus() == 'E' {
		return false, nil
	}
	for _, q := range c.queries {
		r, err := l.read(c.ctx, ofBatch, q.SQL, q.Arguments)
		if err != nil {
			return false, nil // and is told when its turn comes
		}
		s := ship{sql: r.sql, args: r.args}
		if !l.session.IsRead(r.text) {
			s.flight, err = l.session.StartInBatch(c.ctx, r.text)
		}
		switch {
		case errors.Is(err, engine.ErrNotInBatch):
			return false, nil
		case err != nil:
			return true, err
		case s.flight != nil:
			s.sql, s.args = s.flight.Text(), r.values
		}
		if c.ships = append(c.ships, s); s.flight != nil && !r.fits(l) {
			return false, nil
		}
	}
	return true, nil
}

func drop(ships []ship) {
	for _, s := range ships {
		if s.flight != nil {
			s.flight.DropFromBatch()
		}
	}
}

// saved reports that a statement stands under a savepoint.
func (c *convoy) saved(s ship) bool { return c.inTx && s.flight != nil }

// sail sends the statements and reads what comes of them. again says that one has
// to go its own way: in the caller's transaction with those behind it, else with all.
func (c *convoy) sail(ctx context.Context) (again bool) {
	b := &pgx.Batch{}
	for _, s := range c.ships {
		if c.saved(s) {
			b.Queue(saving)
		}
		b.Queue(s.sql, s.args...)
		if c.saved(s) {
			b.Queue(releasing)
		}
	}
	results := c.link.conn.SendBatch(ctx, b)
	for _, s := range c.ships {
		if c.ready = append(c.ready, c.read(results, s)); c.failed() {
			break
		}
	}
	err := results.Close()
	if c.failed() {
		return c.sunk(len(c.ready) - 1)
	}
	c.landed(len(c.ships))
	if err = c.ended(true, err); err != nil { // constraints that were deferred, or the connection
		c.ready = []result{{err: err}}
	}
	return false
}

// read is what came of one of them.
func (c *convoy) read(results pgx.BatchResults, s ship) (r result) {
	if c.saved(s) {
		_, r.err = results.Exec()
	}
	if r.err == nil {
		r.rows, r.err = c.link.hold(results.Query())
	}
	if r.err == nil && s.flight != nil && s.flight.AnswerForm() == engine.Counted {
		r.rows.tag, r.err = numbered(r.rows, nil)
	}
	if r.err != nil {
		return r
	}
	if c.saved(s) {
		_, r.err = results.Exec()
	}
	return r
}

// sunk ends a batch of which statement n has failed: those before it have run, those
// behind it have not.
func (c *convoy) sunk(n int) (again bool) {
	err, f := c.ready[n].err, c.ships[n].flight
	var server *pgconn.PgError
	lost := !errors.As(err, &server) && c.link.conn.IsClosed()
	drop(c.ships[n+1:])
	if f != nil {
		again, err = f.FailInBatch(err, !c.inTx)
	}
	if again && !c.inTx {
		drop(c.ships[:n])
		c.ended(false, nil)
		return true
	}
	c.landed(n)
	if again || errors.Is(err, dbguard.ErrRefused) {
		again = c.left() && again
	}
	if again {
		c.ready = c.ready[:n]
		return true
	}
	c.ready[n].err = c.ended(lost, cmp.Or(err, c.ready[n].err))
	return false
}

// landed ends the first n statements, which have run.
func (c *convoy) landed(n int) {
	for i, s := range c.ships[:n] {
		if s.flight != nil {
			_ = s.flight.EndInBatch(c.ready[i].rows.tag.RowsAffected()) // the server has judged it
			c.ready[i].rows.as(tagged(s.flight, c.ready[i].rows.tag), s.flight.AnswerForm())
		}
	}
}

// left undoes the statement that has failed, in the caller's transaction.
func (c *convoy) left() bool {
	pg := wire{c.link.conn.PgConn()}
	if !c.inTx || pg.TxStatus() != 'E' {
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), undoTime)
	defer cancel()
	_, err := pg.Exec(ctx, leaving)
	return err == nil
}

// ended ends the transaction that the batch is, outside of one of the caller's.
// One that was lost may have been committed.
func (c *convoy) ended(committed bool, err error) error {
	if c.inTx {
		return err
	}
	if committed {
		err = c.link.session.TxEnded(context.WithoutCancel(c.ctx), true, err)
	} else if undone := c.link.session.TxEnded(context.WithoutCancel(c.ctx), false, nil); err == nil {
		err = undone
	}
	c.link.check()
	return err
}

// tell tells the user's tracer of the statements as the user wrote them.
func (c *convoy) tell(ctx context.Context) {
	data := pgx.TraceBatchEndData{}
	for i, r := range c.ready {
		q := pgx.TraceBatchQueryData{SQL: c.queries[i].SQL, Args: c.queries[i].Arguments, Err: r.err}
		if r.err == nil {
			q.CommandTag = r.rows.tag
		}
		c.link.next.batchQuery(ctx, c.link.conn, q)
		data.Err = r.err
	}
	c.link.next.batchEnd(ctx, c.link.conn, data)
}
