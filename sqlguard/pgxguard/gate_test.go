package pgxguard_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

// While the gate is closed nothing that changes anything is sent, in whatever
// way; a transaction that is under way can end.
func TestGate(t *testing.T) {
	var ready atomic.Bool
	gate := dbguard.NewGate(func(context.Context) error {
		if ready.Load() {
			return nil
		}
		return errors.New("it is not synced")
	}, dbguard.GateOptions{Every: 10 * time.Millisecond, Timeout: time.Second})
	defer gate.Stop()
	r := newRigWith(t, []pgxguard.Option{pgxguard.WithGate(gate)})
	ctx := atMost(t, 1)
	var n int
	require.NoError(t, r.QueryRow(ctx, "SELECT count(*) FROM users").Scan(&n))
	require.NoError(t, pgx.BeginFunc(ctx, r, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, deleteOne, 5)
		require.ErrorIs(t, err, dbguard.NotReady)
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"users"}, []string{"id"}, pgx.CopyFromRows([][]any{{6}}))
		require.ErrorIs(t, err, dbguard.NotReady)
		require.ErrorIs(t, tx.SendBatch(ctx, batch("SELECT 1", insertSix)).Close(), dbguard.NotReady)
		_, err = tx.Conn().Exec(ctx, insertSix)
		require.ErrorIs(t, err, dbguard.NotReady)
		return nil
	}))
	ready.Store(true)
	require.NoError(t, gate.Wait(ctx))
	_, err := r.Exec(ctx, insertSix)
	require.NoError(t, err)
	assert.Equal(t, 6, r.count("users"))
}
