package bench

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/network"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

// nativeSession is what pgxpool, the guard around it and their transactions have in common.
type nativeSession interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error)
	Begin(ctx context.Context) (pgx.Tx, error)
}

// A nativeHandle is one side of a pair, without database/sql.
type nativeHandle struct {
	nativeSession
	p *network.Proxy
}

func (h *nativeHandle) proxy() *network.Proxy { return h.p }

// nativeSetUp is a table like those of the other benchmarks, and one with a cascade.
var nativeSetUp = append(fill(target.Postgres, "t", tableRows),
	"CREATE TABLE parent (id INT PRIMARY KEY)",
	"INSERT INTO parent SELECT generate_series(1, 30000)",
	"CREATE TABLE child (id INT PRIMARY KEY, parent INT REFERENCES parent ON DELETE CASCADE)",
	"CREATE INDEX ON child (parent)",
	"CREATE TABLE log (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n INT, s TEXT)")

func newNativeHandle(b *testing.B, at place, guarded bool) *nativeHandle {
	b.Helper()
	var e nativeHandle
	tg := target.Target{Engine: target.Postgres, Name: "pgx", Driver: "pgx"}
	ready := &handle{d: tg.Database(b)}
	ready.setUp(b, nativeSetUp...)
	dsn := ready.d.DSN
	if at.trip > 0 {
		e.p, dsn = network.Through(b, dsn, at.trip)
	}
	cfg, err := pgxpool.ParseConfig(dsn)
	require.NoError(b, err)
	cfg.MaxConns = 1
	if !guarded {
		pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
		require.NoError(b, err)
		b.Cleanup(pool.Close)
		e.nativeSession = pool
		return &e
	}
	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(b, err)
	pool, err := pgxguard.New(b.Context(), cfg, g)
	require.NoError(b, err)
	b.Cleanup(pool.Close)
	e.nativeSession = pool
	return &e
}

// nativeWork is what is measured, in autocommit and in a transaction.
var nativeWork = []struct {
	name string
	do   func(ctx context.Context, on nativeSession, i int) error
}{
	{"DELETE", func(ctx context.Context, on nativeSession, i int) error {
		_, err := on.Exec(ctx, "DELETE FROM t WHERE id = $1", i+1)
		return err
	}},
	{"UPDATE", func(ctx context.Context, on nativeSession, i int) error {
		_, err := on.Exec(ctx, "UPDATE t SET n = n + 1 WHERE id = $1", i+1)
		return err
	}},
	{"UPDATE RETURNING", func(ctx context.Context, on nativeSession, i int) error {
		var n int
		return on.QueryRow(ctx, "UPDATE t SET n = n + 1 WHERE id = $1 RETURNING n", i+1).Scan(&n)
	}},
	{"DELETE with a cascade", func(ctx context.Context, on nativeSession, i int) error {
		_, err := on.Exec(ctx, "DELETE FROM parent WHERE id = $1", i+1)
		return err
	}},
	{"INSERT", func(ctx context.Context, on nativeSession, i int) error {
		_, err := on.Exec(ctx, "INSERT INTO log (n, s) VALUES ($1, $2)", i, "text")
		return err
	}},
	{"INSERT RETURNING", func(ctx context.Context, on nativeSession, i int) error {
		var id int64
		return on.QueryRow(ctx, "INSERT INTO log (n, s) VALUES ($1, $2) RETURNING id", i, "text").Scan(&id)
	}},
	{"batch of 10 INSERT", func(ctx context.Context, on nativeSession, i int) error {
		return send(ctx, on, i, "INSERT INTO log (n, s) VALUES ($1, 'text')")
	}},
	{"batch of 10 UPDATE", func(ctx context.Context, on nativeSession, i int) error {
		return send(ctx, on, i%1000*10, "UPDATE t SET n = n + 1 WHERE id = $1")
	}},
	{"CopyFrom 10", func(ctx context.Context, on nativeSession, i int) error {
		rows := make([][]any, 10)
		for j := range rows {
			rows[j] = []any{i + j, "text"}
		}
		_, err := on.CopyFrom(ctx, pgx.Identifier{"log"}, []string{"n", "s"}, pgx.CopyFromRows(rows))
		return err
	}},
}

func send(ctx context.Context, on nativeSession, first int, text string) error {
	b := &pgx.Batch{}
	for j := range 10 {
		b.Queue(text, first+j+1)
	}
	return on.SendBatch(ctx, b).Close()
}

// BenchmarkOneRowNative is BenchmarkOneRow without database/sql, with what only
// pgx has.
func BenchmarkOneRowNative(b *testing.B) {
	target.Postgres.Need(b)
	for _, at := range []place{loopback, oneMilli} {
		for _, w := range nativeWork {
			for _, sent := range []string{"autocommit", "in Tx"} {
				b.Run(strings.Join([]string{"postgres15 pgxpool", at.name, w.name, sent}, "/"), func(b *testing.B) {
					direct, guarded := newNativeHandle(b, at, false), newNativeHandle(b, at, true)
					if sent == "in Tx" {
						direct.begin(b)
						guarded.begin(b)
					}
					alternate(b, direct, guarded, func(ctx context.Context, h *nativeHandle, i int) error { return w.do(ctx, h.nativeSession, i) })
				})
			}
		}
	}
}

// begin moves the rest into a transaction, which is rolled back before the pool closes.
func (h *nativeHandle) begin(b *testing.B) {
	b.Helper()
	tx, err := h.Begin(context.WithoutCancel(b.Context()))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, tx.Rollback(context.Background())) })
	h.nativeSession = tx
}
