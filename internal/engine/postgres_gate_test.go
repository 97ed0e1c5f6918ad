package engine

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// A gated statement checks its table once in a transaction, and the table's keys only from the
// first statement on that selects its row by them.
func TestGateChecksOnce(t *testing.T) {
	const (
		table = "relchecks = "
		keys  = "pg_index"
	)
	r := verifiedTable(t)
	p := r.backend.(*postgres)
	clear(p.verified)
	for _, tt := range []struct {
		text        string
		table, keys bool
	}{
		{"DELETE FROM t", true, false},
		{"DELETE FROM t WHERE c > 1", false, false},
		{"UPDATE t SET c = 1", true, false},
		{"DELETE FROM t WHERE id = 1", true, true},
		{"DELETE FROM t;", false, false},
		{"DELETE FROM t WHERE id = 1", false, false},
		{"UPDATE t SET c = 1 WHERE id = 1", true, true},
	} {
		ctx := dbguard.Allow(atMost(5), "a test", dbguard.AllRows("t"))
		f, err := r.Start(ctx, tt.text, Counted)
		require.NoError(t, err)
		require.True(t, f.gated, tt.text)
		assert.Equal(t, [2]bool{tt.table, tt.keys}, [2]bool{strings.Contains(f.Text(), table), strings.Contains(f.Text(), keys)}, tt.text)
		_, err = f.Answer(ctx, 1, nil)
		require.NoError(t, err)
		assert.Empty(t, r.sent())
	}
}

// A statement without a condition is given one, and changes nothing if there are too many rows.
func TestGateWithoutACondition(t *testing.T) {
	r := verifiedTable(t)
	ctx := dbguard.Allow(atMost(5), "a test", dbguard.AllRows("t"))
	f, err := r.Start(ctx, "UPDATE t AS x SET c = 1 -- all\n;", Counted)
	require.NoError(t, err)
	assert.Contains(t, f.Text(), "FROM  ONLY t AS x \nWHERE (true\n) LIMIT 6)")
	assert.Contains(t, f.Text(), "UPDATE ONLY t AS x SET c = 1\nWHERE (SELECT dbguard_k.n FROM dbguard_k) <= 5 AND (true\n) RETURNING 1)")
	_, err = f.Answer(ctx, 6, nil)
	require.ErrorIs(t, err, dbguard.OverLimit)
	assert.Empty(t, r.sent(), "there is nothing to undo")
}
