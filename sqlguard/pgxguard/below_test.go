package pgxguard_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

// The pool's hooks are given bare connections, and new ones are made of its
// configuration: their statements are judged, too.
func TestVetoOfHooks(t *testing.T) {
	var lock sync.Mutex
	refused := map[string]int{}
	try := func(where string, c *pgx.Conn) {
		_, err := c.Exec(atMost(t, 1), deleteOne, 5)
		lock.Lock()
		defer lock.Unlock()
		if errors.Is(err, dbguard.Uncountable) {
			refused[where]++
		}
	}
	r := newRig(t, func(cfg *pgxpool.Config, _ *dbguard.Policy) {
		cfg.AfterConnect = func(_ context.Context, c *pgx.Conn) error { try("AfterConnect", c); return nil }
		cfg.PrepareConn = func(_ context.Context, c *pgx.Conn) (bool, error) { try("PrepareConn", c); return true, nil }
		cfg.AfterRelease = func(c *pgx.Conn) bool { try("AfterRelease", c); return true }
	})
	require.NoError(t, r.Ping(t.Context()))
	require.Eventually(t, func() bool { return r.Stat().IdleConns() == 1 }, time.Second, time.Millisecond)
	c, err := pgx.ConnectConfig(t.Context(), r.Config().ConnConfig)
	require.NoError(t, err)
	try("Config", c)
	require.NoError(t, c.Close(t.Context()))
	hijacked, err := r.Unwrap().Acquire(t.Context())
	require.NoError(t, err)
	c = hijacked.Hijack()
	try("Hijack", c)
	require.NoError(t, c.Close(t.Context()))
	lock.Lock()
	defer lock.Unlock()
	assert.Equal(t, map[string]int{"AfterConnect": 1, "PrepareConn": 2, "AfterRelease": 1, "Config": 1, "Hijack": 1}, refused)
	assert.Equal(t, 5, r.count("users"))
}

// belowPgx are the ways below pgx, which no tracer sees; the package documentation lists them.
var belowPgx = map[string]func(ctx context.Context, c *pgconn.PgConn) error{
	"Exec": func(ctx context.Context, c *pgconn.PgConn) error {
		_, err := c.Exec(ctx, dropFive).ReadAll()
		return err
	},
	"ExecParams": func(ctx context.Context, c *pgconn.PgConn) error {
		return c.ExecParams(ctx, dropFive, nil, nil, nil, nil).Read().Err
	},
	"ExecBatch": func(ctx context.Context, c *pgconn.PgConn) error {
		b := &pgconn.Batch{}
		b.ExecParams(dropFive, nil, nil, nil, nil)
		_, err := c.ExecBatch(ctx, b).ReadAll()
		return err
	},
	"ExecPrepared": func(ctx context.Context, c *pgconn.PgConn) error {
		if _, err := c.Prepare(ctx, "below", dropFive, nil); err != nil {
			return err
		}
		return c.ExecPrepared(ctx, "below", nil, nil, nil).Read().Err
	},
	"StartPipeline": func(ctx context.Context, c *pgconn.PgConn) error {
		p := c.StartPipeline(ctx)
		p.SendQueryParams(dropFive, nil, nil, nil, nil)
		return errors.Join(p.Sync(), p.Close())
	},
	"CopyTo": func(ctx context.Context, c *pgconn.PgConn) error {
		_, err := c.CopyTo(ctx, io.Discard, "COPY ("+dropFive+" RETURNING id) TO STDOUT")
		return err
	},
}

// What is done there is not refused, and the handles count on as if it had not happened.
func TestBelowPgxIsNotSeen(t *testing.T) {
	for name, way := range belowPgx {
		r := newRig(t)
		c, err := r.Acquire(t.Context())
		require.NoError(t, err)
		require.NoError(t, way(t.Context(), c.Conn().PgConn()), name)
		assert.Equal(t, 4, r.count("users"), name)
		_, err = c.Exec(atMost(t, 1), dropFour)
		require.NoError(t, err, name)
		_, err = c.Exec(atMost(t, 1), "DELETE FROM users WHERE id < 4")
		require.ErrorIs(t, err, dbguard.OverLimit, name)
		c.Release()
		assert.Equal(t, 3, r.count("users"), name)
	}
}

// What is done below pgx is not attributed to the caller: the counters of the server hold it,
// and the next statement is not charged for it.
func TestBelowPgx(t *testing.T) {
	r := newRig(t)
	ctx := atMost(t, 1)
	c, err := r.Acquire(ctx)
	require.NoError(t, err)
	defer c.Release()
	raw := c.Conn().PgConn()
	_, err = c.Exec(ctx, deleteOne, 1)
	require.NoError(t, err)
	_, err = raw.Exec(ctx, "UPDATE posts SET author = 3").ReadAll()
	require.NoError(t, err)
	_, err = c.Exec(ctx, deleteOne, 5)
	require.NoError(t, err)
	_, err = raw.Exec(ctx, "BEGIN; UPDATE posts SET author = 4").ReadAll()
	require.NoError(t, err)
	_, err = c.Exec(ctx, deleteOne, 3)
	require.NoError(t, err)
	_, err = c.Exec(ctx, "DELETE FROM users")
	require.ErrorIs(t, err, dbguard.ErrRefused)
	_, err = raw.Exec(ctx, "ROLLBACK").ReadAll()
	require.NoError(t, err)
	assert.Equal(t, 3, r.count("users"), "the transaction was the caller's to end")
}

// holders are who may have had the connection in between.
var holders = map[string]func(ctx context.Context, p *pgxguard.Pool, do func(*pgconn.PgConn) error) error{
	"Acquire": func(ctx context.Context, p *pgxguard.Pool, do func(*pgconn.PgConn) error) error {
		return p.AcquireFunc(ctx, func(c *pgxguard.Conn) error { return do(c.Conn().PgConn()) })
	},
	"Tx": func(ctx context.Context, p *pgxguard.Pool, do func(*pgconn.PgConn) error) error {
		return pgx.BeginFunc(ctx, p, func(tx pgx.Tx) error { return do(tx.Conn().PgConn()) })
	},
	"Unwrap": func(ctx context.Context, p *pgxguard.Pool, do func(*pgconn.PgConn) error) error {
		return p.Unwrap().AcquireFunc(ctx, func(c *pgxpool.Conn) error { return do(c.Conn().PgConn()) })
	},
	"all that are idle": func(ctx context.Context, p *pgxguard.Pool, do func(*pgconn.PgConn) error) error {
		c := p.Unwrap().AcquireAllIdle(ctx)[0]
		defer c.Release()
		return do(c.Conn().PgConn())
	},
}

// Rows that were added below pgx, which the server still counts, do not stand for those
// that the next one changes.
func TestBelowPgxByTheHolderBefore(t *testing.T) {
	for name, hold := range holders {
		r := newRig(t, func(_ *pgxpool.Config, p *dbguard.Policy) { p.Observers = nil })
		_, err := r.bare.Exec(t.Context(), `CREATE FUNCTION renames() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE users SET name = name || 1; RETURN NULL; END';
			CREATE TRIGGER renames AFTER INSERT ON posts FOR EACH ROW EXECUTE FUNCTION renames()`)
		require.NoError(t, err)
		const post = "INSERT INTO posts VALUES ($1, 2)"
		_, err = r.Exec(atMost(t, 5), post, 8)
		require.NoError(t, err)
		require.NoError(t, hold(t.Context(), r.Pool, func(c *pgconn.PgConn) error {
			_, err := c.CopyFrom(t.Context(), strings.NewReader("6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n"), "COPY users (id) FROM STDIN")
			return err
		}))
		_, err = r.Exec(atMost(t, 14), post, 9)
		require.ErrorIs(t, err, dbguard.OverLimit, name)
		_, err = r.Exec(atMost(t, 15), post, 9)
		require.NoError(t, err, name)
	}
}
