package engine

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// wireConn is a connection whose protocol reports the transaction state.
type wireConn struct {
	*fakeConn
	status     byte
	conforming string
}

func (w *wireConn) TxStatus() byte { return w.status }

func (w *wireConn) ParameterStatus(name string) string {
	return map[string]string{"standard_conforming_strings": w.conforming, "client_encoding": "UTF8"}[name]
}

func newWireRig(t *testing.T) (*rig, *wireConn) {
	r := newRig(t, pg)
	w := &wireConn{r.conn, 'I', "on"}
	r.Session.conn, r.Session.backend.(*postgres).conn = w, w
	return r, w
}

// What the protocol reports takes precedence over what the session has seen.
func TestWireTellsOfTransactions(t *testing.T) {
	r, w := newWireRig(t)
	ctx := dbguard.Budget(context.Background(), 2)
	require.NoError(t, r.send(ctx, deleteOne, 1, nil))
	assert.Contains(t, r.sent(), "COMMIT")

	w.status = 'T' // BEGIN, past the session
	require.NoError(t, r.send(ctx, deleteOne, 1, nil))
	assert.NotContains(t, r.sent(), "COMMIT")
	assert.Equal(t, txCaller, r.tx)

	w.status = 'I' // ended unknown to the session, in whatever way
	require.ErrorIs(t, r.send(ctx, deleteOne, 1, nil), dbguard.OverBudget, "nothing is given back")
	assert.Equal(t, txIdle, r.tx)
	assert.Nil(t, r.ledger)
}

func TestWireTellsOfModes(t *testing.T) {
	r, w := newWireRig(t)
	w.conforming = "off"
	text := `SELECT '\'; DELETE FROM t; --'`
	f, err := r.Start(atMost(1), text, AsWritten)
	require.NoError(t, err)
	assert.Nil(t, f, "the quote is escaped, all of it is one string")
	assert.Empty(t, r.sent(), "nothing was asked")
}

// A text that bypasses the adapter is judged, and refused where it had to be counted.
func TestBypass(t *testing.T) {
	opaque := dbguard.Allow(atMost(1), "test", dbguard.Opaque())
	for _, tt := range []struct {
		name, text string
		ctx        context.Context
		flight     bool
		refused    error
	}{
		{"read", "SELECT 1", atMost(1), false, nil},
		{"insert", "INSERT INTO t VALUES (1)", atMost(1), false, nil},
		{"insert that sets something off", "INSERT INTO triggering VALUES (1)", atMost(1), false, dbguard.Uncountable},
		{"the same, with responsibility", "INSERT INTO triggering VALUES (1)", opaque, true, nil},
		{"no bound", deleteOne, context.Background(), false, dbguard.Unbounded},
		{"bound", deleteOne, atMost(1), false, dbguard.Uncountable},
		{"responsibility", deleteOne, opaque, true, nil},
		{"structure", "DROP TABLE t", atMost(1), false, dbguard.Drop},
		{"granted structure", "DROP TABLE t", dbguard.Allow(atMost(1), "test", dbguard.DropTable("t")), true, nil},
		{"control", "COMMIT", atMost(1), true, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, pg)
			r.conn.on("find", false)
			r.conn.on("adds", int64(1), "1", int64(0), false, false, false, false, !strings.Contains(tt.text, "triggering"), "read committed")
			f, err := r.StartBypass(tt.ctx, tt.text)
			require.ErrorIs(t, err, tt.refused)
			assert.Equal(t, tt.flight, f != nil)
			assert.NotContains(t, r.sent(), "BEGIN")
			if f != nil {
				require.NoError(t, f.End(tt.ctx, 1, nil))
			}
			_, err = r.Start(atMost(1), deleteOne, AsWritten)
			require.NoError(t, err, "it holds nothing up")
		})
	}
}

func TestNature(t *testing.T) {
	for text, want := range map[string]Nature{
		"SELECT 1": Plain, "": Plain, "INSERT INTO t VALUES (1)": Guarded, "SAVEPOINT a": Plain, "SET x.y = 1": Plain,
		"BEGIN": Control, "COMMIT": Control, "ROLLBACK": Control,
		deleteOne: Guarded, "DROP TABLE t": Guarded, "DO $$ BEGIN END $$": Guarded, "nonsense": Guarded,
	} {
		r := newRig(t, pg)
		n, err := r.Nature(context.Background(), text)
		require.NoError(t, err)
		assert.Equal(t, want, n, "%s", text)
		assert.Empty(t, r.sent())
		assert.Empty(t, r.events)
	}
}

// COMMIT of an aborted transaction rolls it back.
func TestWireTellsOfWhatHasFailed(t *testing.T) {
	for status, back := range map[byte]bool{'E': true, 'T': false} {
		r, w := newWireRig(t)
		ctx := dbguard.Budget(context.Background(), 1)
		require.NoError(t, r.send(ctx, "BEGIN", 0, nil))
		w.status = 'T' // BEGIN, unknown to the session
		require.NoError(t, r.send(ctx, deleteOne, 1, nil))
		w.status = status
		require.NoError(t, r.send(ctx, "COMMIT", 0, nil))
		w.status = 'I'
		err := r.send(ctx, deleteOne, 1, nil)
		assert.Equal(t, back, err == nil, "%v", err)
	}
}
