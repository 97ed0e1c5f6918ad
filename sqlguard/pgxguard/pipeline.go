package pgxguard

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// What precedes and follows a statement, such as its BEGIN and the text that counts, is sent
// with it, as a pgx.Batch: pgx can send each text in the mode of the connection.

// maxSentBefore is the number of texts that a connection remembers.
const maxSentBefore = 512

// noteSent notes that pgx has sent the text. pgx prepares the texts of a batch before it sends
// the batch, and so outside of the savepoint in it, where an error would end the caller's
// transaction. So only texts that were sent before go in one.
func (g *connGuard) noteSent(text string) {
	if len(g.sentBefore) >= maxSentBefore || g.sentBefore == nil {
		g.sentBefore = map[string]bool{}
	}
	g.sentBefore[text] = true
}

// canPipeline reports that the flight has texts that can be sent with this one, the caller's if
// empty.
func (g *connGuard) canPipeline(f *engine.Flight, r request, text string) bool {
	if text == "" {
		text = r.text
	}
	before, _ := f.PipelinedTexts()
	return len(before) > 0 && g.sentBefore[text] && r.batchable(g)
}

// sendPipelined sends a text with what precedes and follows it, and reads the text's own result by
// inBatch.
func (g *connGuard) sendPipelined(ctx context.Context, f *engine.Flight, text string, values []any,
	inBatch func(pgx.BatchResults) (pgconn.CommandTag, error),
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
	results := g.conn.SendBatch(ctx, b)
	opened, err := replies(results, len(before))
	var closed []engine.Reply
	if err == nil {
		tag, err = inBatch(results)
	}
	if err == nil {
		closed, _ = replies(results, len(after)) // the last one has the error
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
		err = preparing.Unwrap() // as pgx returns it for a single statement
	}
	f.TakeReplies(opened, closed)
	return tag, err
}

// replies are the next n replies, up to the first error.
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
			break // rows.Err has it
		}
		r.Rows = append(r.Rows, values)
	}
	rows.Close()
	r.Affected, r.Err = rows.CommandTag().RowsAffected(), rows.Err()
	return r
}
