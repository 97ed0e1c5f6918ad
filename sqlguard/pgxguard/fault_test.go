package pgxguard_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/dbguard/dbguardtest"
)

// slow deletes a row and then takes its time.
const slow = "WITH d AS (DELETE FROM users WHERE id = 5 RETURNING id) SELECT pg_sleep(20) FROM d"

// senders send a slow statement in every way.
var senders = map[string]func(context.Context, *rig) error{
	"Exec": func(ctx context.Context, r *rig) error {
		_, err := r.Exec(ctx, slow)
		return err
	},
	"Query": func(ctx context.Context, r *rig) error {
		rows, err := r.Query(ctx, slow)
		if err != nil {
			return err
		}
		rows.Close()
		return rows.Err()
	},
	"QueryRow": func(ctx context.Context, r *rig) error {
		return r.QueryRow(ctx, slow).Scan(nil)
	},
	"SendBatch": func(ctx context.Context, r *rig) error {
		return r.SendBatch(ctx, batch(insertSix, slow)).Close()
	},
	"Tx": func(ctx context.Context, r *rig) error {
		return pgx.BeginFunc(ctx, r, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, slow)
			return err
		})
	},
}

func TestCancelled(t *testing.T) {
	for name, send := range senders {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			ctx, cancel := context.WithTimeout(atMost(t, 1), 200*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, send(ctx, r), context.DeadlineExceeded)
			r.unharmed()
		})
	}
}

// unharmed asks for nothing to be changed, and the pool to work.
func (r *rig) unharmed() {
	r.t.Helper()
	require.NoError(r.t, r.Ping(context.Background()))
	assert.Zero(r.t, r.Stat().AcquiredConns())
	require.Eventually(r.t, func() bool {
		return r.count("pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(20)%' AND pid <> pg_backend_pid()") == 0
	},
		25*time.Second, 100*time.Millisecond)
	assert.Equal(r.t, 5, r.count("users"))
	_, err := r.Exec(dbguard.AtMost(context.Background(), 1), deleteOne, 5)
	require.NoError(r.t, err)
}

// A context that is done already costs no connection, as without a guard.
func TestCancelledBefore(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(atMost(t, 1))
	c, err := r.Acquire(ctx)
	require.NoError(t, err)
	defer c.Release()
	cancel()
	_, err = c.Exec(ctx, deleteOne, 5)
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.Query(ctx, deleteOne, 5)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, c.SendBatch(ctx, batch(dropFive)).Close(), context.Canceled)
	require.NoError(t, c.Ping(t.Context()))
}

// A server that is asked to cancel keeps the connection: so does the guard.
func TestCancelRequest(t *testing.T) {
	r := newRig(t, func(cfg *pgxpool.Config, _ *dbguard.Policy) {
		cfg.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
			return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: 10 * time.Second}
		}
	})
	r.survives(func() {
		ctx, cancel := context.WithTimeout(atMost(t, 1), 200*time.Millisecond)
		defer cancel()
		_, err := r.Exec(ctx, slow)
		require.True(t, pgErr("57014").matches(err) || errors.Is(err, context.DeadlineExceeded), "%v", err)
	})
	r.unharmed()
}

func TestKilledBackend(t *testing.T) {
	for name, send := range senders {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			pid := r.backend()
			go func() {
				time.Sleep(200 * time.Millisecond)
				_, _ = r.bare.Exec(context.Background(), "SELECT pg_terminate_backend($1)", pid)
			}()
			err := send(atMost(t, 1), r)
			require.True(t, pgErr("57P01").matches(err), "%v", err)
			assert.NotErrorIs(t, err, dbguard.Unconfirmed, "what was not committed is undone")
			r.unharmed()
		})
	}
}

// A connection that died in the pool is reported as pgx reports it.
func TestDeadInPool(t *testing.T) {
	r := newRig(t)
	c, err := r.Acquire(t.Context())
	require.NoError(t, err)
	_, err = r.bare.Exec(t.Context(), "SELECT pg_terminate_backend($1)", c.Conn().PgConn().PID())
	require.NoError(t, err)
	_, err = c.Exec(atMost(t, 1), deleteOne, 5)
	require.Error(t, err)
	require.NotErrorIs(t, err, dbguard.ErrRefused)
	_, err = c.Exec(atMost(t, 1), deleteOne, 5)
	require.ErrorContains(t, err, "conn closed")
	c.Release()
	r.unharmed()
}

// The rows of a guarded statement are open: the connection is busy, as ever.
func TestBusy(t *testing.T) {
	r := newRig(t)
	ctx := atMost(t, 5)
	require.NoError(t, pgx.BeginFunc(ctx, r, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, streaming, 4)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, deleteOne, 3)
		require.ErrorContains(t, err, "conn busy")
		_, err = tx.Conn().Exec(ctx, deleteOne, 3)
		require.ErrorContains(t, err, "conn busy")
		rows.Close()
		return rows.Err()
	}))
	assert.Equal(t, 3, r.count("users"))
}

// A hundred goroutines, within and beyond the bound: refused statements are undone, the others
// run once.
func TestConcurrent(t *testing.T) {
	r := newRig(t, func(cfg *pgxpool.Config, _ *dbguard.Policy) { cfg.MaxConns = 6 })
	const workers, each = 100, 4
	_, err := r.bare.Exec(t.Context(), fmt.Sprintf(`CREATE TABLE work (id int PRIMARY KEY, grp int, n int NOT NULL DEFAULT 0);
		INSERT INTO work (id, grp) SELECT g, g %% %d FROM generate_series(0, %d) g`, workers, workers*each-1))
	require.NoError(t, err)
	one := atMost(t, 1)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			_, err := r.Exec(one, "UPDATE work SET n = n + 1 WHERE id = $1", w)
			assert.NoError(t, err)
			_, err = r.Exec(one, "UPDATE work SET n = n + 100 WHERE grp = $1", w)
			assert.ErrorIs(t, err, dbguard.OverLimit)
			assert.NoError(t, pgx.BeginFunc(one, r, func(tx pgx.Tx) error {
				_, err := tx.Exec(one, "DELETE FROM work WHERE grp = $1", w)
				assert.ErrorIs(t, err, dbguard.OverLimit)
				var id int
				return tx.QueryRow(one, "UPDATE work SET n = n + 1 WHERE id = $1 RETURNING id", w).Scan(&id)
			}))
			b := batch(fmt.Sprintf("UPDATE work SET n = n + 1 WHERE id = %d", w), fmt.Sprintf("DELETE FROM work WHERE grp = %d", w))
			assert.ErrorIs(t, r.SendBatch(one, b).Close(), dbguard.OverLimit)
		})
	}
	wg.Wait()
	assert.Equal(t, workers*each, r.count("work"))
	assert.Equal(t, workers, r.count("work WHERE n = 2"))
	assert.Equal(t, workers*(each-1), r.count("work WHERE n = 0"))
}

// Observe mode changes nothing, and reports everything.
func TestObserve(t *testing.T) {
	r := newRig(t, func(_ *pgxpool.Config, p *dbguard.Policy) { p.Mode = dbguard.Observe })
	ctx := t.Context()
	r.survives(func() {
		_, err := r.Exec(ctx, "DELETE FROM posts WHERE id < 3")
		require.NoError(t, err)
		require.NoError(t, r.SendBatch(ctx, batch(insertSix, "DELETE FROM posts WHERE id = 3", "DELETE FROM posts WHERE id = 4")).Close())
		_, err = r.Unwrap().Exec(ctx, "DELETE FROM posts WHERE id = 5")
		require.NoError(t, err)
		rows, err := r.Query(ctx, "DELETE FROM posts WHERE id = 6 RETURNING id")
		require.NoError(t, err)
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int])
		require.NoError(t, err)
		assert.Equal(t, []int{6}, ids)
		require.Error(t, r.SendBatch(ctx, batch("DELETE FROM posts WHERE id = 7", "SELECT 1/0")).Close())
	})
	assert.Equal(t, 1, r.count("posts"))
	dbguardtest.AssertChanged(t, r.rec, "posts", 6)
	for _, e := range r.rec.Events() {
		assert.Equal(t, dbguard.Unbounded, e.Rule)
	}
}
