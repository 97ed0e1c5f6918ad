package engine

import (
	"context"
	"database/sql/driver"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// Texts that change the state of the transaction, in whatever way.
func TestStateFollowsTexts(t *testing.T) {
	tests := []struct {
		name  string
		d     sqlscan.Dialect
		texts []string
		want  txState
	}{
		{"begin", pg, []string{"BEGIN"}, txCaller},
		{"begin and commit", pg, []string{"BEGIN", "COMMIT"}, txIdle},
		{"begin and rollback", my, []string{"START TRANSACTION", "ROLLBACK"}, txIdle},
		{"commit and chain", pg, []string{"BEGIN", "COMMIT AND CHAIN"}, txUnknown},
		{"commit and release", my, []string{"BEGIN", "COMMIT RELEASE"}, txUnknown},
		{"autocommit off", my, []string{"SET autocommit = 0"}, txUnknown},
		{"rollback to", pg, []string{"BEGIN", "SAVEPOINT a", "ROLLBACK TO a"}, txCaller},
		{"savepoint of SQLite", sq, []string{"SAVEPOINT a"}, txCaller},
		{"release of SQLite", sq, []string{"SAVEPOINT a", "RELEASE a"}, txUnknown},
		{"a savepoint in a text", sq, []string{"SAVEPOINT a; INSERT INTO t VALUES (1); RELEASE a"}, txIdle},
		{"a savepoint in a text, within another", sq, []string{"BEGIN", "SAVEPOINT a; INSERT INTO t VALUES (1); RELEASE a"}, txCaller},
		{"closed text", pg, []string{"BEGIN; CREATE TABLE z (i int); COMMIT"}, txIdle},
		{"structure in a transaction of MySQL", my, []string{"BEGIN", "CREATE TABLE z (i int)"}, txUnknown},
		{"structure in a transaction of PostgreSQL", pg, []string{"BEGIN", "CREATE TABLE z (i int)"}, txCaller},
		{"insert", my, []string{"BEGIN", "INSERT INTO t VALUES (1)"}, txCaller},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.d)
			for _, text := range tt.texts {
				require.NoError(t, r.send(context.Background(), text, 0, nil))
			}
			assert.Equal(t, tt.want, r.tx)
			assert.Equal(t, tt.want == txCaller, r.ledger != nil)
		})
	}
}

func TestFailedControlLeavesStateUnknown(t *testing.T) {
	r := newRig(t, pg)
	err := r.send(context.Background(), "BEGIN", -1, errServer)
	assert.True(t, err == errServer)
	assert.Equal(t, txUnknown, r.tx)
}

func TestRawTouched(t *testing.T) {
	r := newRig(t, pg)
	require.True(t, r.IsRead("SELECT 1"))
	r.RawTouched()
	assert.Equal(t, txUnknown, r.tx)
	assert.False(t, r.readings.passes("SELECT 1"))
	assert.True(t, r.backend.(*postgres).stale)
}

// Budgets are refunded when the caller's transaction is rolled back, in whatever way,
// and not when it is committed or its outcome is unknown.
func TestBudgetOfTransaction(t *testing.T) {
	ends := []struct {
		name string
		end  func(*rig) error
		back bool
		err  error
	}{
		{"Rollback", func(r *rig) error { return r.TxEnded(context.Background(), false, nil) }, true, nil},
		{"Rollback on a dead connection", func(r *rig) error { return r.TxEnded(context.Background(), false, driver.ErrBadConn) }, true, driver.ErrBadConn},
		{"Commit", func(r *rig) error { return r.TxEnded(context.Background(), true, nil) }, false, nil},
		{"Commit refused", func(r *rig) error { return r.TxEnded(context.Background(), true, pgError("40001")) }, true, pgError("40001")},
		{"Commit lost", func(r *rig) error { return r.TxEnded(context.Background(), true, io.ErrUnexpectedEOF) }, false, dbguard.Unconfirmed},
		{"text ROLLBACK", func(r *rig) error { return r.send(context.Background(), "ROLLBACK", 0, nil) }, true, nil},
		{"text COMMIT", func(r *rig) error { return r.send(context.Background(), "COMMIT", 0, nil) }, false, nil},
		{"text COMMIT lost", func(r *rig) error { return r.send(context.Background(), "COMMIT", -1, driver.ErrBadConn) }, false, dbguard.Unconfirmed},
		{"BeginTx of another", func(r *rig) error { r.TxBegan(false); return nil }, false, nil},
		{"back to the pool", func(r *rig) error { r.Reset(); return nil }, false, nil},
	}
	for _, tt := range ends {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, pg)
			ctx := dbguard.Budget(context.Background(), 1)
			r.TxBegan(false)
			require.NoError(t, r.send(ctx, deleteOne, 1, nil))
			err := tt.end(r)
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
			} else {
				require.NoError(t, err)
			}
			again := newRig(t, pg)
			err = again.send(ctx, deleteOne, 1, nil)
			assert.Equal(t, tt.back, err == nil, "%v", err)
		})
	}
}

func TestCommitLost(t *testing.T) {
	r := newRig(t, pg)
	r.TxBegan(false)
	require.NoError(t, r.send(atMost(1), deleteOne, 1, nil))
	err := r.TxEnded(context.Background(), true, driver.ErrBadConn)
	neverRetried(t, err)
	require.ErrorIs(t, err, dbguard.Unconfirmed)
	assert.True(t, r.Broken())

	r = newRig(t, pg)
	r.TxBegan(false)
	err = r.TxEnded(context.Background(), true, driver.ErrBadConn)
	assert.Equal(t, driver.ErrBadConn, err, "nothing was destroyed: the driver's own error")
}

func TestDeadlockEndsTransaction(t *testing.T) {
	r := newRig(t, my)
	r.TxBegan(false)
	r.conn.fail(back, nil)
	f, err := r.Start(atMost(1), deleteOne, AsWritten)
	require.NoError(t, err)
	r.conn.fail(back, errNoPoint)
	deadlock := context.DeadlineExceeded
	err = f.End(context.Background(), -1, deadlock)
	assert.True(t, err == deadlock)
	assert.Equal(t, txUnknown, r.tx, "the next statement asks")
	assert.False(t, r.Broken())
}

func TestModeIsAsked(t *testing.T) {
	text := `SELECT '\'; DELETE FROM t; -- '`
	r := newRig(t, my)
	r.conn.on("SELECT CONCAT(@@sql_mode, '/', @@character_set_client)", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES")
	require.False(t, r.IsRead(text), "not before the mode is known")
	_, err := r.Start(atMost(1), text, AsWritten)
	require.ErrorIs(t, err, dbguard.Stacked, "the string ends at the second quote")

	r = newRig(t, my)
	r.conn.on("SELECT CONCAT(@@sql_mode, '/', @@character_set_client)", "STRICT_TRANS_TABLES")
	f, err := r.Start(atMost(1), text, AsWritten)
	require.NoError(t, err)
	assert.Nil(t, f)
	assert.True(t, r.IsRead(text))
	_, err = r.Start(atMost(1), "SET sql_mode = 'NO_BACKSLASH_ESCAPES'", AsWritten)
	require.NoError(t, err)
	r.conn.on("SELECT CONCAT(@@sql_mode, '/', @@character_set_client)", "NO_BACKSLASH_ESCAPES")
	assert.False(t, r.IsRead(text), "the mode has changed")
}
