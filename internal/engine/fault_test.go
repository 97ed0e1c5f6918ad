package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// The connection dies at each query in turn, and stays dead.
func TestConnectionDies(t *testing.T) {
	for _, d := range []sqlscan.Dialect{pg, my} {
		for _, limit := range []int64{0, 1} {
			whole := newRig(t, d)
			whole.send(atMost(limit), deleteOne, 1, nil)
			log := whole.sent()
			statement := slices.Index(log, "> "+deleteOne) // which is no query of the guard's
			for at := 1; at < len(log); at++ {
				t.Run(fmt.Sprintf("%s bound %d question %d", d, limit, at), func(t *testing.T) {
					r := newRig(t, d)
					r.conn.diesAt = at
					err := r.send(atMost(limit), deleteOne, 1, nil)
					assert.True(t, r.Broken())
					sent := slices.Contains(r.conn.log, "> "+deleteOne)
					require.Equal(t, at > statement, sent)
					if !sent {
						assert.Equal(t, driver.ErrBadConn, err, "nothing has happened: database/sql tries another connection")
						assert.Empty(t, r.events, "it will come again")
						return
					}
					neverRetried(t, err)
					require.Error(t, err)
					want := dbguard.EffectUndone // the server rolls back what was not committed
					if strings.HasPrefix(r.conn.log[len(r.conn.log)-1], "ROLLBACK") && (slices.Contains(r.conn.log, "COMMIT") || slices.Contains(r.conn.log, commitText)) {
						want = dbguard.EffectUnknown
						require.ErrorIs(t, err, dbguard.Unconfirmed)
						require.NotErrorIs(t, err, dbguard.ErrRefused)
					}
					assert.Equal(t, want, r.last(t).Effect)
				})
			}
		}
	}
}

func TestStatementLosesConnection(t *testing.T) {
	for _, lost := range []error{driver.ErrBadConn, io.ErrUnexpectedEOF, errors.New("invalid connection"), pgError("57P01")} {
		t.Run(lost.Error(), func(t *testing.T) {
			r := newRig(t, pg)
			f, err := r.Start(atMost(1), deleteOne, AsWritten)
			require.NoError(t, err)
			r.conn.diesAt = 1
			err = f.End(context.Background(), -1, lost)
			neverRetried(t, err)
			require.ErrorContains(t, err, lost.Error())
			assert.Equal(t, dbguard.EffectUndone, r.last(t).Effect)
			assert.True(t, r.Broken())
			_, err = r.Start(atMost(1), deleteOne, AsWritten)
			assert.Equal(t, driver.ErrBadConn, err)
		})
	}
}

// Without a transaction the outcome is unknown.
func TestGrantedStatementLosesConnection(t *testing.T) {
	r := newRig(t, pg)
	r.conn.on("find", false).on("SELECT 1", int64(1))
	ctx := dbguard.Allow(context.Background(), "test", dbguard.Truncate("t"))
	err := r.send(ctx, "TRUNCATE t", -1, driver.ErrBadConn)
	neverRetried(t, err)
	require.ErrorIs(t, err, dbguard.Unconfirmed)
	assert.Equal(t, dbguard.EffectUnknown, r.last(t).Effect)
	assert.True(t, r.Broken())
}

func TestObserveModePassesEveryErrorOn(t *testing.T) {
	r := newRig(t, pg, func(p *dbguard.Policy) { p.Mode = dbguard.Observe })
	err := r.send(context.Background(), deleteOne, -1, driver.ErrBadConn)
	assert.Equal(t, driver.ErrBadConn, err, "as without a guard")
	assert.Empty(t, r.events, "it will come again")
}

func TestCommitRefused(t *testing.T) {
	for _, d := range []sqlscan.Dialect{pg, my} {
		t.Run(d.String(), func(t *testing.T) {
			r := newRig(t, d)
			refusal := errors.New("Error 1213 (40001): Deadlock found")
			r.conn.fail("COMMIT", refusal)
			r.conn.fail(commitText, refusal)
			ctx := dbguard.Budget(context.Background(), 1)
			err := r.send(ctx, deleteOne, 1, nil)
			assert.True(t, err == refusal, "the driver's own error, unwrapped, not %v", err)
			assert.Equal(t, dbguard.EffectUndone, r.last(t).Effect)
			assert.False(t, r.Broken())

			delete(r.conn.answers, "COMMIT")
			delete(r.conn.answers, commitText)
			if d == my {
				r.handled(1)
			}
			require.NoError(t, r.send(ctx, deleteOne, 1, nil), "the budget was given back")
		})
	}
}

// SQLite keeps a transaction open whose COMMIT it refuses.
func TestSQLiteCommitBusy(t *testing.T) {
	r := newRig(t, sq)
	busy := errors.New("database is locked (5) (SQLITE_BUSY)")
	r.conn.answers[release] = fakeAnswer{err: busy, then: func() { delete(r.conn.answers, release) }}
	err := r.send(atMost(1), deleteOne, 1, nil)
	assert.True(t, err == busy, "the driver's own error, unwrapped, not %v", err)
	assert.Equal(t, []string{open, changed, "> " + deleteOne, changes2, release, back, release}, r.sent())
	assert.Equal(t, dbguard.EffectUndone, r.last(t).Effect)
	assert.False(t, r.Broken())
}

func TestCancelled(t *testing.T) {
	for _, d := range []sqlscan.Dialect{pg, my, sq} {
		t.Run(d.String(), func(t *testing.T) {
			r := newRig(t, d)
			ctx, cancel := context.WithCancel(atMost(1))
			f, err := r.Start(ctx, deleteOne, AsWritten)
			require.NoError(t, err)
			cancel()
			err = f.End(ctx, -1, context.Canceled)
			assert.True(t, err == context.Canceled, "unwrapped, not %v", err)
			assert.Equal(t, dbguard.EffectUndone, r.last(t).Effect)
			assert.False(t, r.Broken(), "the undo outlives the caller's context")
		})
	}
}

// The caller's context ends after the statement has run: there is still a verdict.
func TestCancelledBeforeVerdict(t *testing.T) {
	r := newRig(t, pg)
	ctx, cancel := context.WithCancel(atMost(0))
	f, err := r.Start(ctx, deleteOne, AsWritten)
	require.NoError(t, err)
	cancel()
	require.ErrorIs(t, f.End(ctx, 1, nil), dbguard.OverLimit)
	assert.Equal(t, []string{"BEGIN", due, "count", "ROLLBACK"}, r.sent())
}

// An undo fails inside the caller's transaction: all of it is lost, and no COMMIT may
// claim otherwise.
func TestUndoFailsInCallersTransaction(t *testing.T) {
	r := newRig(t, pg)
	r.TxBegan(false)
	r.conn.fail(back, io.ErrUnexpectedEOF)
	err := r.send(atMost(0), deleteOne, 1, nil)
	require.ErrorIs(t, err, dbguard.OverLimit)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.True(t, r.Broken())
	_, err = r.Start(atMost(1), deleteOne, AsWritten)
	assert.Equal(t, driver.ErrBadConn, err)
	err = r.TxEnded(context.Background(), true, nil)
	require.ErrorIs(t, err, errTxLost)
}

func TestCountFails(t *testing.T) {
	r := newRig(t, pg)
	r.conn.fail("count", errServer)
	err := r.send(atMost(1), deleteOne, 1, nil)
	require.ErrorIs(t, err, dbguard.Uncountable)
	require.ErrorIs(t, err, errServer, "and says why")
	assert.Equal(t, []string{"BEGIN", "> " + deleteOne, due, "count", "ROLLBACK"}, r.sent())
}

func TestTrackCountsOff(t *testing.T) {
	r := newRig(t, pg)
	r.conn.on("count", int64(0), int64(0), "", "", "", false, false, false, "")
	require.ErrorIs(t, r.send(atMost(1), deleteOne, 1, nil), dbguard.Uncountable)
}

func TestProcedureThatCommits(t *testing.T) {
	r := newRig(t, pg)
	err := r.send(atMost(1), "CALL wipe()", -1, pgError("2D000"))
	require.ErrorIs(t, err, dbguard.Uncountable)
	require.ErrorIs(t, err, pgError("2D000"))
	assert.Equal(t, dbguard.EffectUndone, r.last(t).Effect)
}

func TestHiddenStructureChange(t *testing.T) {
	r := newRig(t, pg)
	r.conn.on("count", int64(16400), int64(0), "", "", "", false, true, false, "")
	require.ErrorIs(t, r.send(atMost(1), "DO $$ BEGIN PERFORM 1; END $$", 0, nil), dbguard.RuleOpaque)
	assert.Equal(t, dbguard.EffectUndone, r.last(t).Effect)
}

func TestSkip(t *testing.T) {
	r := newRig(t, my)
	f, err := r.Start(atMost(1), "DELETE FROM t WHERE id = ?", AsWritten)
	require.NoError(t, err)
	require.NoError(t, f.Skip(context.Background()))
	assert.Equal(t, []string{"START TRANSACTION", "engines", "handled", rollbackText}, r.sent())
	assert.Empty(t, r.events)
	_, err = r.Start(atMost(1), "DELETE FROM t WHERE id = ?", AsWritten)
	require.NoError(t, err, "it comes again")
}

func TestUnfinishedFlight(t *testing.T) {
	r := newRig(t, pg)
	f, err := r.Start(atMost(1), deleteOne+" RETURNING id", AsWritten)
	require.NoError(t, err)
	require.True(t, f.Streams())
	_, err = r.Start(atMost(1), "INSERT INTO t VALUES (1)", AsWritten)
	require.ErrorIs(t, err, errUnfinished, "it would share the first one's fate")
	assert.True(t, r.IsRead("SELECT 1"), "reads are harmless")
	require.NoError(t, f.End(context.Background(), 1, nil))
	_, err = r.Start(atMost(1), "INSERT INTO t VALUES (1)", AsWritten)
	require.NoError(t, err)
}

func TestNilFlight(t *testing.T) {
	var f *Flight
	assert.False(t, f.Streams())
	assert.False(t, f.NoOp())
	assert.NoError(t, f.Skip(context.Background()))
	assert.Equal(t, io.EOF, f.End(context.Background(), 0, io.EOF))
}
