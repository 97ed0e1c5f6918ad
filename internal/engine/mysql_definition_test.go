package engine

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// aged makes everything that the session has prepared older.
func (r *rig) aged(by time.Duration) {
	for _, p := range r.backend.(*mysql).wrappers {
		p.preparedAt = p.preparedAt.Add(-by)
		if !p.readAt.IsZero() {
			p.readAt = p.readAt.Add(-by)
		}
	}
}

// What the catalogue answered is trusted for a while, where the definition check
// confirms it.
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

// Without a definition check nothing is trusted.
func TestNoTrustWithoutDefinitionCheck(t *testing.T) {
	r := newRig(t, my)
	assert.Equal(t, []string{"prepare own, looks"}, r.exec(t, deletes7))
	r.aged(settlePeriod)
	r.exec(t, deletes7)
	r.backend.(*mysql).canCheckDefinitions = true // the prepared wrapper has no check
	assert.Equal(t, []string{"execute 0"}, r.exec(t, deletes7))
}

// In the transaction in which a wrapper was prepared no answer is trusted.
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
