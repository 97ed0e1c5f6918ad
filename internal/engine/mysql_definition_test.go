package engine

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// aged makes all that the session has prepared so much older.
func (r *rig) aged(by time.Duration) {
	for _, p := range r.backend.(*mysql).wrappers {
		p.preparedAt = p.preparedAt.Add(-by)
		if !p.readAt.IsZero() {
			p.readAt = p.readAt.Add(-by)
		}
	}
}

// What the catalogue has said is trusted where the server proves that it still
// holds, for a while.
func TestTrust(t *testing.T) {
	const (
		looks  = "execute 0"
		trusts = "execute 0, trusts"
	)
	later := func(_ *testing.T, r *rig) { r.aged(settlePeriod) }
	looked := func(t *testing.T, r *rig) { later(t, r); r.exec(t, deletes7) }
	tests := []struct {
		name string
		do   []func(t *testing.T, r *rig)
		want string
	}{
		{"at once", nil, looks},
		{"it was not asked since", []func(*testing.T, *rig){later}, looks},
		{"it was asked since", []func(*testing.T, *rig){looked}, trusts},
		{"too long ago", []func(*testing.T, *rig){looked, func(_ *testing.T, r *rig) { r.aged(trustPeriod) }}, looks},
		{"it spoke against a statement", []func(*testing.T, *rig){looked, func(t *testing.T, r *rig) {
			r.conn.on(trusts, int64(answerUndecided), int64(0), int64(0), int64(0), "")
			_, done, err := r.Exec(atMost(1), deletes7, seven())
			require.NoError(t, err)
			require.False(t, done)
			r.backend.(*mysql).backoffs = nil
			delete(r.conn.answers, trusts)
		}}, looks},
		{"the proof failed", []func(*testing.T, *rig){looked, func(t *testing.T, r *rig) {
			r.conn.fail(trusts, errDisproved)
			_, done, err := r.Exec(atMost(1), deletes7, seven())
			require.NoError(t, err)
			require.False(t, done, "nothing has happened")
		}}, "prepare own, looks, proof"},
		{"the node has joined a cluster", []func(*testing.T, *rig){looked, func(_ *testing.T, r *rig) { r.backend.(*mysql).replicated = true }}, looks},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, my)
			r.backend.(*mysql).canCheckDefinitions = true
			assert.Equal(t, []string{"prepare own, looks, proof"}, r.exec(t, deletes7))
			for _, do := range tt.do {
				do(t, r)
			}
			r.sent()
			assert.Equal(t, []string{tt.want}, r.exec(t, deletes7))
		})
	}
}

// Without a proof there is no trust.
func TestNoTrustWithoutProof(t *testing.T) {
	r := newRig(t, my)
	assert.Equal(t, []string{"prepare own, looks"}, r.exec(t, deletes7))
	r.aged(settlePeriod)
	r.exec(t, deletes7)
	r.backend.(*mysql).canCheckDefinitions = true // what is prepared has none
	assert.Equal(t, []string{"execute 0"}, r.exec(t, deletes7))
}

// In the transaction in which a compound was prepared the catalogue is asked in vain.
func TestNoTrustOfTheTransactionOfThePreparation(t *testing.T) {
	r := newRig(t, my)
	r.backend.(*mysql).canCheckDefinitions = true
	looks := func() []string {
		r.backend.(*mysql).dropTxCache()
		sent := r.exec(t, deletes7)
		r.aged(settlePeriod)
		return sent
	}
	r.TxBegan(false)
	assert.Equal(t, []string{"prepare first, looks, proof"}, looks())
	for range 2 {
		assert.Equal(t, []string{"execute 0"}, looks())
	}
	require.NoError(t, r.TxEnded(t.Context(), true, nil))
	r.TxBegan(false)
	r.sent()
	assert.Equal(t, []string{"execute 0"}, looks())
	assert.Equal(t, []string{"execute 0, trusts"}, looks())
}

var errDisproved = errors.New("Error 1253 (42000): COLLATION 'utf8mb4_general_ci' is not valid for CHARACTER SET 'utf8mb3'")
