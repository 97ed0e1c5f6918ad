package bench

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// BenchmarkRunaway is a delete that finds a million rows where a hundred were
// meant, until its error: once run, counted and rolled back, which is all that
// can be done without a guard, and once guarded. Beside the time: what it wrote
// to the server's log, and the rows that it locked or marked.
func BenchmarkRunaway(b *testing.B) {
	for _, tg := range target.All() {
		for _, st := range []struct{ name, text string }{
			{"filtered", "DELETE FROM t WHERE id > 0"},
			{"all rows", "DELETE FROM t"},
		} {
			b.Run(tg.String()+"/"+st.name, func(b *testing.B) {
				p := newPair(b, tg, places(tg)[0])
				texts := fill(tg.Engine, "t", 1_000_000)
				texts[2] = strings.Replace(texts[2], "that a row has", strings.Repeat("that a row has ", 14), 1)
				p.setUp(b, append(texts, "CREATE INDEX by_n ON t (n)")...)
				direct, guarded := costs{log: -1, rows: -1}, costs{log: -1, rows: -1}
				for b.Loop() {
					p.guarded.runaway(b, refusals, &guarded, func(ctx context.Context, tx *sql.Tx) {
						ctx = dbguard.Allow(dbguard.AtMost(ctx, 100), "measured", dbguard.AllRows("t"))
						_, err := tx.ExecContext(ctx, st.text)
						require.ErrorIs(b, err, dbguard.OverLimit)
					})
					p.direct.runaway(b, 1, &direct, func(ctx context.Context, tx *sql.Tx) {
						_, err := tx.ExecContext(ctx, "SAVEPOINT mine")
						require.NoError(b, err)
						_, err = tx.ExecContext(ctx, st.text)
						require.NoError(b, err)
						_, err = tx.ExecContext(ctx, "ROLLBACK TO SAVEPOINT mine")
						require.NoError(b, err)
					})
				}
				report(b, &direct.tally, &guarded.tally)
				reportCosts(b, "direct", direct)
				reportCosts(b, "guarded", guarded)
			})
		}
	}
}

// costs are what runaway statements took: each its time, and the most of the log and of
// rows; -1 where it is not known.
type costs struct {
	tally
	log  int64
	rows int64
}

func reportCosts(b *testing.B, who string, c costs) {
	for unit, n := range map[string]int64{"-log-B": c.log, "-rows-locked": c.rows} {
		if n >= 0 {
			b.ReportMetric(float64(n), who+unit)
		}
	}
}

// refusals is how many are measured at a time: one is over so soon that alone it tells
// of how long the machine takes to wake up.
const refusals = 9

// runaway runs the work a few times, each in a transaction, looks at what they hold, and
// adds to the costs.
func (e *end) runaway(b *testing.B, times int64, c *costs, work func(ctx context.Context, tx *sql.Tx)) {
	b.Helper()
	ctx := b.Context()
	look := e.d.Bare(b)
	defer look.Close()
	before := e.written(b, look)
	locked := e.watch(b)
	for i := range times {
		tx, err := e.BeginTx(ctx, nil)
		require.NoError(b, err)
		require.NoError(b, c.measure(nil, func() error { work(ctx, tx); return nil }))
		require.NoError(b, tx.Rollback())
		if i == 0 && e.d.Engine != target.SQLite { // it writes pages that the next ones find written
			c.log = max(c.log, e.written(b, look)-before)
		}
	}
	c.rows = max(c.rows, locked())
	if e.d.Engine == target.Postgres {
		// No list is kept: the transaction writes its number into a row, where
		// it stays until somebody cleans up.
		var marked int64
		require.NoError(b, look.QueryRowContext(ctx, "SELECT count(*) FROM t WHERE xmax <> '0'::xid").Scan(&marked))
		c.rows = max(c.rows, marked)
	}
	var rows int
	require.NoError(b, look.QueryRowContext(ctx, "SELECT count(*) FROM t").Scan(&rows))
	require.Equal(b, 1_000_000, rows)
}

// written is how much the server has ever written to its log.
func (e *end) written(b *testing.B, look *sql.DB) (n int64) {
	b.Helper()
	var name string
	switch e.d.Engine {
	case target.Postgres:
		require.NoError(b, look.QueryRowContext(b.Context(), "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").Scan(&n))
	case target.MariaDB:
		require.NoError(b, look.QueryRowContext(b.Context(), "SHOW GLOBAL STATUS LIKE 'Innodb_lsn_current'").Scan(&name, &n))
	}
	return n
}

// watch looks again and again how many rows the connection has locked, and
// stops and tells the most when it is asked. MariaDB's list is a copy, made
// anew when nobody has read it for 100 ms.
func (e *end) watch(b *testing.B) (most func() int64) {
	b.Helper()
	if e.d.Engine != target.MariaDB {
		return func() int64 { return -1 }
	}
	var id int64
	require.NoError(b, e.QueryRowContext(b.Context(), "SELECT connection_id()").Scan(&id))
	ctx, stop := context.WithCancel(b.Context())
	seen := make(chan int64)
	go func() {
		look := e.d.Bare(b)
		defer look.Close()
		var most int64
		for ctx.Err() == nil {
			var n int64
			const ask = "SELECT trx_rows_locked FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = ?"
			if look.QueryRowContext(ctx, ask, id).Scan(&n) == nil { // or the transaction has done nothing yet
				most = max(most, n)
			}
			time.Sleep(150 * time.Millisecond)
		}
		seen <- most
	}()
	return func() int64 {
		stop()
		return <-seen
	}
}
