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

// BenchmarkRunaway is a delete that finds a million rows where a hundred were meant: bare,
// run and rolled back, which is all that can be done without a guard, and guarded, until
// the refusal. It also reports what was written to the server's log, and the rows that
// were locked or marked.
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
					p.guarded.runaway(b, refusalsPerRun, &guarded, func(ctx context.Context, tx *sql.Tx) {
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
				report(b, &direct.timings, &guarded.timings)
				reportCosts(b, "direct", direct)
				reportCosts(b, "guarded", guarded)
			})
		}
	}
}

// costs are the times of runaway statements, and the most log bytes and rows locked; -1
// if that is not known.
type costs struct {
	timings
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

// refusalsPerRun refusals are measured in a row: a single one is so short that it would
// measure how long the machine takes to wake up.
const refusalsPerRun = 9

// runaway runs the work a few times, each in a transaction, and adds what it took to the
// costs.
func (h *handle) runaway(b *testing.B, times int64, c *costs, work func(ctx context.Context, tx *sql.Tx)) {
	b.Helper()
	ctx := b.Context()
	look := h.d.Bare(b)
	defer look.Close()
	before := h.logBytes(b, look)
	locked := h.watchLocks(b)
	for i := range times {
		tx, err := h.BeginTx(ctx, nil)
		require.NoError(b, err)
		require.NoError(b, c.measure(nil, func() error { work(ctx, tx); return nil }))
		require.NoError(b, tx.Rollback())
		if i == 0 && h.d.Engine != target.SQLite { // the next ones find pages written that the first has written
			c.log = max(c.log, h.logBytes(b, look)-before)
		}
	}
	c.rows = max(c.rows, locked())
	if h.d.Engine == target.Postgres {
		// PostgreSQL keeps no list of row locks: the transaction writes its ID into the
		// row (xmax), where it stays until somebody cleans up.
		var marked int64
		require.NoError(b, look.QueryRowContext(ctx, "SELECT count(*) FROM t WHERE xmax <> '0'::xid").Scan(&marked))
		c.rows = max(c.rows, marked)
	}
	var rows int
	require.NoError(b, look.QueryRowContext(ctx, "SELECT count(*) FROM t").Scan(&rows))
	require.Equal(b, 1_000_000, rows)
}

// logBytes is how much the server has ever written to its log.
func (h *handle) logBytes(b *testing.B, look *sql.DB) (n int64) {
	b.Helper()
	var name string
	switch h.d.Engine {
	case target.Postgres:
		require.NoError(b, look.QueryRowContext(b.Context(), "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").Scan(&n))
	case target.MariaDB, target.MySQL:
		require.NoError(b, look.QueryRowContext(b.Context(), "SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_lsn_current', 'Innodb_redo_log_current_lsn')").Scan(&name, &n))
	}
	return n
}

// watchLocks polls how many rows the connection has locked. The function that it returns
// stops that and returns the maximum. MariaDB's list is a copy, renewed when it was not
// read for 100 ms.
func (h *handle) watchLocks(b *testing.B) (most func() int64) {
	b.Helper()
	if h.d.Engine != target.MariaDB {
		return func() int64 { return -1 }
	}
	var id int64
	require.NoError(b, h.QueryRowContext(b.Context(), "SELECT connection_id()").Scan(&id))
	ctx, stop := context.WithCancel(b.Context())
	seen := make(chan int64)
	go func() {
		look := h.d.Bare(b)
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
