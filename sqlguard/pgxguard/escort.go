package pgxguard

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// What stands around a statement, as its BEGIN and what counts it, goes to the
// server with it, as a batch of pgx's: it knows how to send each of them in the
// mode of the connection.

// maxMet is the number of texts that a connection remembers.
const maxMet = 512

// meet notes that pgx has sent the text. What it is to prepare for a batch it
// prepares before that: outside of the savepoint which the batch opens, where an
// error would end the caller's transaction.
func (l *link) meet(text string) {
	if len(l.met) >= maxMet || l.met == nil {
		l.met = map[string]bool{}
	}
	l.met[text] = true
}

// escorts reports that the flight has an escort that can go with the text, the
// caller's if it is empty.
func (l *link) escorts(f *engine.Flight, r request, text string) bool {
	if text == "" {
		text = r.text
	}
	before, _ := f.PipelinedTexts()
	return len(before) > 0 && l.met[text] && r.fits(l)
}

// escort sends a text with what goes before it and after it, and reads what is
// the text's own by among.
func (l *link) escort(ctx context.Context, f *engine.Flight, text string, values []any,
	among func(pgx.BatchResults) (pgconn.CommandTag, error),
) (tag pgconn.CommandTag, err error) {
	before, after := f.PipelinedTexts()
	b := &pgx.Batch{}
	for _, text := range before {
		b.Queue(text)
	}
	b.Queue(text, values...)
	for _, text := range after {
		b.Queue(text)
	}
	results := l.conn.SendBatch(ctx, b)
	opened, err := replies(results, len(before))
	var closed []engine.Reply
	if err == nil {
		tag, err = among(results)
	}
	if err == nil {
		closed, _ = replies(results, len(after)) // told with them
	}
	closeErr := results.Close()
	switch n := len(closed); {
	case closeErr == nil || err != nil:
	case n == 0:
		err = closeErr
	case closed[n-1].Err == nil:
		closed[n-1].Err = closeErr
	}
	var preparing pgx.ErrPreprocessingBatch
	if errors.As(err, &preparing) {
		err = preparing.Unwrap() // as pgx says it of a statement alone
	}
	f.TakeReplies(opened, closed)
	return tag, err
}

// replies are the next n, up to the first error.
func replies(results pgx.BatchResults, n int) (all []engine.Reply, err error) {
	for range n {
		r := replyOf(results.Query())
		if all = append(all, r); r.Err != nil {
			return all, r.Err
		}
	}
	return all, nil
}

func replyOf(rows pgx.Rows, err error) (r engine.Reply) {
	if err != nil {
		return engine.Reply{Err: err}
	}
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			break // told by rows
		}
		r.Rows = append(r.Rows, values)
	}
	rows.Close()
	r.Affected, r.Err = rows.CommandTag().RowsAffected(), rows.Err()
	return r
}
