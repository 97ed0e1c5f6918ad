package sqlguard_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// While the gate is closed nothing that changes anything is sent, inserts and
// prepared statements included; a transaction that is under way can end.
func TestGate(t *testing.T) {
	t.Run("writes", func(t *testing.T) { testGate(t, false) })
	t.Run("reads too", func(t *testing.T) { testGate(t, true) })
}

func testGate(t *testing.T, reads bool) {
	var ready atomic.Bool
	gate := dbguard.NewGate(func(context.Context) error {
		if ready.Load() {
			return nil
		}
		return errors.New("it is not synced")
	}, dbguard.GateOptions{Every: 10 * time.Millisecond, Timeout: time.Second, Reads: reads})
	defer gate.Stop()
	require.Eventually(t, func() bool { r := gate.Reasons(); return len(r) > 0 && r[0] == "it is not synced" }, 5*time.Second, time.Millisecond)

	f := &fake{version: countsNothing}
	db, err := sqlguard.Open(register(t, f), "dsn", newGuard(t, dbguard.Policy{}),
		sqlguard.WithDialect(sqlguard.PostgreSQL), sqlguard.WithGate(gate))
	require.NoError(t, err)
	defer db.Close()
	ctx := dbguard.AtMost(t.Context(), 1)
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	for _, text := range []string{"INSERT INTO users (id) VALUES (1)", "DELETE FROM users WHERE id = 1", "CREATE TABLE t (id int)", "'"} {
		_, err := tx.ExecContext(ctx, text)
		require.ErrorIs(t, err, dbguard.NotReady, text)
		require.ErrorContains(t, err, "goes to a server that is not ready (it is not synced); nothing was changed")
	}
	prepared, err := tx.PrepareContext(ctx, "INSERT INTO users (id) VALUES (1)")
	require.NoError(t, err)
	_, err = prepared.ExecContext(ctx)
	require.ErrorIs(t, err, dbguard.NotReady)
	rows, err := tx.QueryContext(ctx, "SELECT id FROM users")
	if reads {
		require.ErrorIs(t, err, dbguard.NotReady)
	} else {
		require.NoError(t, err)
		require.NoError(t, rows.Close())
		require.NoError(t, rows.Err())
	}
	_, err = tx.ExecContext(ctx, "SET LOCAL statement_timeout = 100")
	require.NoError(t, err, "the session is set up")
	require.NoError(t, tx.Commit(), "what is under way ends")
	for _, call := range f.log() {
		require.False(t, strings.Contains(call, "exec") && (strings.Contains(call, "INSERT") || strings.Contains(call, "DELETE")), call)
	}

	ready.Store(true)
	require.NoError(t, gate.Wait(t.Context()))
	_, err = db.ExecContext(ctx, "INSERT INTO users (id) VALUES (1)")
	require.NoError(t, err)
}
