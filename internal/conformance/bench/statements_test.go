package bench

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

func TestMain(m *testing.M) { servers.Main(m) }

// numbered is a text with ? in the placeholder style of the engine.
func numbered(e target.Engine, text string) string {
	if e == target.Postgres {
		return strings.Replace(text, "?", "$1", 1)
	}
	return text
}

// tableRows is more than any benchmark of single rows takes.
const tableRows = 30_000

var oneRow = []struct{ name, text string }{
	{"DELETE", "DELETE FROM t WHERE id = ?"},
	{"UPDATE", "UPDATE t SET n = n + 1 WHERE id = ?"},
	{"INSERT", "INSERT INTO fresh (id) VALUES (?)"},
}

// BenchmarkOneRow is a write by key, by text and prepared, in autocommit and in a
// transaction of the caller's, whose BEGIN and COMMIT are not counted.
func BenchmarkOneRow(b *testing.B) {
	for _, tg := range target.All() {
		for _, at := range places(tg) {
			for _, st := range oneRow {
				text := numbered(tg.Engine, st.text)
				for _, way := range ways {
					b.Run(strings.Join([]string{tg.String(), at.name, st.name, way.name}, "/"), func(b *testing.B) {
						p := newPair(b, tg, at)
						p.setUp(b, append(fill(tg.Engine, "t", tableRows), "DROP TABLE IF EXISTS fresh", "CREATE TABLE fresh (id INT PRIMARY KEY)")...)
						p.alternate(b, way.work(b, p, text))
					})
				}
			}
		}
	}
}

// A way sends the statement of a benchmark.
type way struct {
	name string
	work func(b *testing.B, p pair, text string) func(ctx context.Context, h *handle, i int) error
}

// execer is a handle or a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

var ways = []way{
	{"autocommit", func(_ *testing.B, _ pair, text string) func(context.Context, *handle, int) error {
		return func(ctx context.Context, h *handle, i int) error {
			_, err := h.ExecContext(ctx, text, i+1)
			return err
		}
	}},
	{"autocommit, prepared", func(b *testing.B, p pair, text string) func(context.Context, *handle, int) error {
		return prepare(b, p, text, func(h *handle) execer { return h })
	}},
	{"in Tx", func(b *testing.B, p pair, text string) func(context.Context, *handle, int) error {
		tx := p.begin(b)
		return func(ctx context.Context, h *handle, i int) error {
			_, err := tx[h].ExecContext(ctx, text, i+1)
			return err
		}
	}},
	{"in Tx, prepared", func(b *testing.B, p pair, text string) func(context.Context, *handle, int) error {
		tx := p.begin(b)
		return prepare(b, p, text, func(h *handle) execer { return tx[h] })
	}},
}

// begin opens a transaction on both handles, and rolls it back before they are closed.
func (p pair) begin(b *testing.B) map[*handle]*sql.Tx {
	txs := map[*handle]*sql.Tx{}
	for _, h := range []*handle{p.direct, p.guarded} {
		tx, err := h.BeginTx(context.WithoutCancel(b.Context()), nil)
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, tx.Rollback()) })
		txs[h] = tx
	}
	return txs
}

func prepare(b *testing.B, p pair, text string, on func(*handle) execer) func(context.Context, *handle, int) error {
	stmts := map[*handle]*sql.Stmt{}
	for _, h := range []*handle{p.direct, p.guarded} {
		stmt, err := on(h).PrepareContext(b.Context(), text)
		require.NoError(b, err)
		b.Cleanup(func() { _ = stmt.Close() })
		stmts[h] = stmt
	}
	return func(ctx context.Context, h *handle, i int) error {
		_, err := stmts[h].ExecContext(ctx, i+1)
		return err
	}
}

// BenchmarkTx10k is 10,000 writes by key in one transaction, with its BEGIN and COMMIT.
func BenchmarkTx10k(b *testing.B) {
	for _, tg := range target.All() {
		b.Run(tg.String(), func(b *testing.B) {
			p := newPair(b, tg, places(tg)[0])
			p.setUp(b, fill(tg.Engine, "t", 10_000)...)
			text := numbered(tg.Engine, "UPDATE t SET n = n + 1 WHERE id = ?")
			p.rounds(b, nil, func(ctx context.Context, h *handle) error { return updateMany(ctx, h, text) })
		})
	}
}

func updateMany(ctx context.Context, h *handle, text string) error {
	tx, err := h.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	ctx = dbguard.AtMost(ctx, 1)
	for id := range 10_000 {
		if _, err := tx.ExecContext(ctx, text, id+1); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// rounds does long work on both handles, after reset if that is set.
func (p pair) rounds(b *testing.B, reset func(h *handle), work func(ctx context.Context, h *handle) error) {
	b.Helper()
	var direct, guarded timings
	for b.Loop() {
		for h, t := range map[*handle]*timings{p.direct: &direct, p.guarded: &guarded} {
			if reset != nil {
				reset(h)
			}
			require.NoError(b, t.measure(h.p, func() error { return work(b.Context(), h) }))
		}
	}
	report(b, &direct, &guarded)
}

// BenchmarkBulk is a legitimate delete of 100,000 rows.
func BenchmarkBulk(b *testing.B) {
	const rows = 100_000
	for _, tg := range target.All() {
		b.Run(tg.String(), func(b *testing.B) {
			p := newPair(b, tg, places(tg)[0])
			reset := func(h *handle) { h.setUp(b, fill(tg.Engine, "t", rows)...) }
			p.rounds(b, reset, func(ctx context.Context, h *handle) error {
				_, err := h.ExecContext(dbguard.AtMost(ctx, rows), "DELETE FROM t WHERE id > 0")
				return err
			})
		})
	}
}
