package pgxguard_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// A refusal leaves the caller's transaction as it was before the statement.
func TestTxGoesOnAfterRefusal(t *testing.T) {
	r := newRig(t)
	ctx := atMost(t, 1)
	require.NoError(t, pgx.BeginFunc(ctx, r, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, deleteOne, 5)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, deleteOne, 2)
		require.ErrorIs(t, err, dbguard.OverLimit)
		_, err = tx.Exec(ctx, deleteOne, 4)
		return err
	}))
	assert.Equal(t, 3, r.count("users"))
}

func TestTxNested(t *testing.T) {
	r := newRig(t)
	ctx := atMost(t, 1)
	own := errors.New("own")
	require.NoError(t, pgx.BeginTxFunc(ctx, r, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		require.ErrorIs(t, pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
			_, err := inner.Exec(ctx, deleteOne, 5)
			require.NoError(t, err)
			return own
		}), own)
		require.True(t, pgErr("22012").matches(pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
			_, err := inner.Exec(ctx, "SELECT 1/0")
			return err
		})))
		return pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
			_, err := inner.Exec(ctx, deleteOne, 2)
			require.ErrorIs(t, err, dbguard.OverLimit)
			_, err = inner.Exec(ctx, deleteOne, 4)
			return err
		})
	}))
	assert.Equal(t, 4, r.count("users"))
}

// pgErr matches an error of the server by its SQLSTATE.
type pgErr string

func (e pgErr) matches(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == string(e)
}

func TestTxClosed(t *testing.T) {
	r := newRig(t)
	ctx := atMost(t, 1)
	tx, err := r.Begin(ctx)
	require.NoError(t, err)
	inner, err := tx.Begin(ctx)
	require.NoError(t, err)
	require.NoError(t, tx.Commit(ctx))
	for name, tx := range map[string]pgx.Tx{"outer": tx, "nested": inner} {
		var n int
		_, execErr := tx.Exec(ctx, deleteOne, 5)
		_, queryErr := tx.Query(ctx, "SELECT 1")
		_, copyErr := tx.CopyFrom(ctx, pgx.Identifier{"users"}, []string{"id"}, pgx.CopyFromRows(nil))
		_, prepareErr := tx.Prepare(ctx, "p", "SELECT 1")
		_, beginErr := tx.Begin(ctx)
		for what, err := range map[string]error{
			"Exec": execErr, "Query": queryErr, "CopyFrom": copyErr, "Prepare": prepareErr, "Begin": beginErr,
			"QueryRow":  tx.QueryRow(ctx, "SELECT 1").Scan(&n),
			"SendBatch": tx.SendBatch(ctx, batch(dropFive)).Close(),
			"Commit":    tx.Commit(ctx), "Rollback": tx.Rollback(ctx),
		} {
			require.ErrorIs(t, err, pgx.ErrTxClosed, "%s of %s", what, name)
		}
	}
	assert.Equal(t, 5, r.count("users"))
}

func TestTxBudget(t *testing.T) {
	r := newRig(t)
	ctx := dbguard.Budget(t.Context(), 1)
	tx, err := r.Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, deleteOne, 5)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, deleteOne, 4)
	require.ErrorIs(t, err, dbguard.OverBudget)
	require.NoError(t, tx.Rollback(ctx))
	_, err = r.Exec(ctx, deleteOne, 5)
	require.NoError(t, err, "the rollback gave it back")
	_, err = r.Exec(ctx, deleteOne, 4)
	require.ErrorIs(t, err, dbguard.OverBudget)
}

// An error of the server aborts the transaction as ever.
// A transaction that is open when its connection is given back goes with it.
func TestTxLeftOpen(t *testing.T) {
	r := newRig(t)
	ctx := dbguard.Budget(t.Context(), 1)
	conn, err := r.Acquire(ctx)
	require.NoError(t, err)
	for _, text := range []string{"BEGIN", "DELETE FROM users WHERE id = 5"} {
		_, err = conn.Exec(ctx, text)
		require.NoError(t, err)
	}
	conn.Release()
	_, err = r.Exec(ctx, deleteOne, 4)
	require.NoError(t, err)
	assert.Equal(t, 4, r.count("users"))
}

func TestTxAborted(t *testing.T) {
	r := newRig(t)
	ctx := atMost(t, 1)
	tx, err := r.Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, "UPDATE users SET id = 1 WHERE id = 2")
	require.True(t, pgErr("23505").matches(err) || pgErr("23503").matches(err), "%v", err)
	_, err = tx.Exec(ctx, deleteOne, 5)
	require.True(t, pgErr("25P02").matches(err), "%v", err)
	require.ErrorIs(t, tx.Commit(ctx), pgx.ErrTxCommitRollback)
	assert.Zero(t, r.Stat().AcquiredConns())
}

// Words of the caller's own around a transaction are judged like any text.
func TestTxOwnWords(t *testing.T) {
	r := newRig(t)
	ctx := atMost(t, 1)
	require.NoError(t, pgx.BeginTxFunc(ctx, r, pgx.TxOptions{BeginQuery: "START TRANSACTION", CommitQuery: "END"}, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, deleteOne, 5)
		return err
	}))
	assert.Equal(t, 4, r.count("users"))
	_, err := r.BeginTx(ctx, pgx.TxOptions{BeginQuery: "BEGIN; DELETE FROM users"})
	require.ErrorIs(t, err, dbguard.ErrRefused)
	_, err = r.BeginTx(ctx, pgx.TxOptions{AccessMode: "read write; DELETE FROM users"})
	require.ErrorIs(t, err, dbguard.ErrRefused)
	tx, err := r.BeginTx(ctx, pgx.TxOptions{CommitQuery: "DELETE FROM users; COMMIT"})
	require.NoError(t, err)
	require.ErrorIs(t, tx.Commit(ctx), dbguard.ErrRefused)
	assert.Equal(t, 4, r.count("users"))
	require.NoError(t, r.Ping(ctx))
}

// What nobody counts needs a grant; a bound does not help.
func TestLargeObjects(t *testing.T) {
	r := newRig(t)
	granted := dbguard.Allow(t.Context(), "it keeps its files there", dbguard.Opaque())
	var oid uint32
	require.NoError(t, pgx.BeginFunc(granted, r, func(tx pgx.Tx) (err error) {
		objects := tx.LargeObjects()
		oid, err = objects.Create(granted, 0)
		require.NoError(t, err)
		o, err := objects.Open(granted, oid, pgx.LargeObjectModeWrite|pgx.LargeObjectModeRead)
		require.NoError(t, err)
		_, err = o.Write([]byte("large"))
		require.NoError(t, err)
		require.NoError(t, o.Truncate(3))
		return o.Close()
	}))
	require.NoError(t, pgx.BeginFunc(t.Context(), r, func(tx pgx.Tx) error {
		objects := tx.LargeObjects()
		o, err := objects.Open(atMost(t, 1), oid, pgx.LargeObjectModeWrite|pgx.LargeObjectModeRead)
		require.NoError(t, err)
		_, err = o.Write([]byte("lost"))
		require.ErrorIs(t, err, dbguard.Uncountable)
		require.ErrorIs(t, o.Truncate(0), dbguard.Uncountable)
		require.ErrorIs(t, objects.Unlink(t.Context(), oid), dbguard.ErrRefused)
		_, err = o.Seek(0, io.SeekStart)
		require.NoError(t, err)
		_, err = o.Tell()
		require.NoError(t, err)
		text, err := io.ReadAll(o)
		require.NoError(t, err)
		assert.Equal(t, "lar", string(text))
		_, err = tx.Exec(t.Context(), "SELECT lo_put($1, 0, 'lost')", oid)
		require.ErrorIs(t, err, dbguard.ErrRefused)
		_, err = tx.Exec(atMost(t, 1), "SELECT lo_put($1, 0, 'put')", oid)
		require.NoError(t, err, "counted")
		return o.Close()
	}))
	require.NoError(t, pgx.BeginFunc(granted, r, func(tx pgx.Tx) error {
		objects := tx.LargeObjects()
		return objects.Unlink(granted, oid)
	}))
	assert.Zero(t, r.count("pg_largeobject"))
}

// What was deferred to the COMMIT is counted before it.
func TestTxDeferredTrigger(t *testing.T) {
	r := newRig(t)
	_, err := r.bare.Exec(t.Context(), `CREATE TABLE log (n int); INSERT INTO log VALUES (1), (2);
		CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM log; RETURN NULL; END';
		CREATE CONSTRAINT TRIGGER late AFTER DELETE ON users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()`)
	require.NoError(t, err)
	run := func(n int64) error {
		return pgx.BeginFunc(t.Context(), r, func(tx pgx.Tx) error {
			_, err := tx.Exec(atMost(t, n), deleteOne, 5)
			return err
		})
	}
	require.ErrorIs(t, run(2), dbguard.OverLimit)
	assert.Equal(t, 5, r.count("users"), "rolled back")
	assert.Equal(t, 2, r.count("log"))
	require.NoError(t, run(3))
	assert.Equal(t, 0, r.count("log"))
}

// A COMMIT that was given up before it was sent is not in doubt.
func TestTxCommitUnsent(t *testing.T) {
	r := newRig(t)
	budget := dbguard.Budget(t.Context(), 1)
	ctx, cancel := context.WithCancel(budget)
	tx, err := r.Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, dropFive)
	require.NoError(t, err)
	cancel()
	err = tx.Commit(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, dbguard.Unconfirmed)
	_, err = r.Exec(budget, dropFour)
	require.NoError(t, err, "the budget was given back")
	assert.Equal(t, 4, r.count("users"))
}
