package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// byKey are statements on a table with the keys (id) and (a, b), and what is sent in a
// transaction that has verified it; "" if it is counted.
var byKey = []struct{ text, want string }{
	{"DELETE FROM t WHERE id = 1", "DELETE FROM ONLY t WHERE id = 1"},
	{`delete from t where "id" = $1 and c = 'x';`, `delete from ONLY t where "id" = $1 and c = 'x';`},
	{"DELETE FROM ONLY t AS x WHERE x.a = $1 AND b = $2 RETURNING *", "DELETE FROM ONLY t AS x WHERE x.a = $1 AND b = $2 RETURNING *"},
	{"UPDATE t SET c = lower($1) WHERE id = $2", "UPDATE ONLY t SET c = lower($1) WHERE id = $2"},
	{`DELETE FROM "t" WHERE "t"."id" = 1`, `DELETE FROM ONLY "t" WHERE "t"."id" = 1`},
	{"DELETE FROM t * WHERE id = 1", ""},
	{"DELETE FROM t WHERE a = 1", ""},
	{`DELETE FROM t WHERE "ID" = 1`, ""},
	{"DELETE FROM t WHERE id = 1 OR a = 1", ""},
	{"DELETE FROM t WHERE id = a", ""},
	{"DELETE FROM t WHERE id = -1", ""},
	{"DELETE FROM t WHERE t.a = 1 AND public.t.b = 2", "DELETE FROM ONLY t WHERE t.a = 1 AND public.t.b = 2"},
	{"DELETE FROM t WHERE id.a = 1", ""},
	{"DELETE FROM t WHERE NOT id = 1", ""},
	{"DELETE FROM t", ""},
	{"DELETE FROM u WHERE id = 1", ""},
	{"UPDATE t SET c = (SELECT x FROM v) WHERE id = 1", ""},
	{"UPDATE t SET c = f() WHERE id = 1", ""},
	{"DELETE FROM t USING u WHERE id = 1", ""},
	{"WITH w AS (SELECT 1) DELETE FROM t WHERE id = 1", ""},
	{"DELETE FROM t WHERE id = 1; DELETE FROM t WHERE id = 2", ""},
	{"TRUNCATE t", ""},
}

func verifiedTable(t *testing.T) *rig {
	r := newRig(t, pg)
	p := r.backend.(*postgres)
	p.isolation, p.tables, p.verified = "read committed", map[string]plainTable{}, map[string]bool{}
	for _, key := range []string{"DELETE t", "UPDATE t", `DELETE "t"`} {
		p.tables[key], p.verified[key] = plainTable{ok: true, keys: "id\na,b"}, true
	}
	r.TxBegan(false)
	return r
}

func TestKeyed(t *testing.T) {
	for _, tt := range byKey {
		r := verifiedTable(t)
		r.conn.on("probe", int64(1))
		form := Counted
		if strings.Contains(tt.text, "RETURNING") {
			form = Rows
		}
		f, err := r.Start(atMost(1), tt.text, form)
		if tt.want == "" {
			assert.False(t, err == nil && f.keyed, tt.text)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, tt.want, f.Text())
		assert.Equal(t, form == Counted, f.AnswerForm() == Tagged, "the server's own tag")
		assert.Empty(t, r.sent())
		again, err := f.Answer(atMost(1), 1, nil)
		require.NoError(t, err)
		assert.False(t, again)
		assert.Equal(t, int64(1), r.events[0].Rows)
	}
}

// A statement that the number of rows could refuse is not sent as keyed.
func TestKeyedAndBounds(t *testing.T) {
	const text = "DELETE FROM t WHERE id = $1"
	args := []driver.NamedValue{{Ordinal: 1, Value: int64(1)}}
	for name, tt := range map[string]struct {
		ctx  context.Context
		args []driver.NamedValue
		goes bool
	}{
		"one":         {atMost(1), args, true},
		"exactly one": {dbguard.Exactly(context.Background(), 1), args, true},
		"none":        {atMost(0), args, false},
		"exactly two": {dbguard.Exactly(context.Background(), 2), args, false},
		"a budget":    {dbguard.Budget(context.Background(), 5), args, false},
		"a float":     {atMost(1), []driver.NamedValue{{Ordinal: 1, Value: 1.0}}, false},
	} {
		f, err := verifiedTable(t).Start(tt.ctx, text, Counted, tt.args...)
		require.NoError(t, err)
		assert.Equal(t, tt.goes, f.keyed, name)
	}
}

// An error ends the transaction, as without a guard; no row may be too few; and should two rows
// have changed all the same, nothing is kept.
func TestKeyedEnds(t *testing.T) {
	start := func(ctx context.Context) (*rig, *Flight) {
		r := verifiedTable(t)
		f, err := r.Start(ctx, "DELETE FROM t WHERE id = 1", Counted)
		require.NoError(t, err)
		require.True(t, f.keyed)
		return r, f
	}
	failure := errors.New("no")
	r, f := start(atMost(1))
	_, err := f.Answer(context.Background(), -1, failure)
	require.ErrorIs(t, err, failure)
	assert.Equal(t, dbguard.EffectUndone, r.events[0].Effect)

	r, f = start(dbguard.Exactly(context.Background(), 1))
	_, err = f.Answer(context.Background(), 0, nil)
	require.ErrorIs(t, err, dbguard.UnderLimit)
	assert.Empty(t, r.sent())
	assert.False(t, r.Broken())

	r, f = start(atMost(1))
	_, err = f.Answer(context.Background(), 2, nil)
	require.ErrorIs(t, err, dbguard.OverLimit)
	assert.Equal(t, []string{"ROLLBACK"}, r.sent())
	assert.True(t, r.Broken(), "nothing else goes over this connection")
	require.Error(t, r.TxEnded(context.Background(), true, nil))
}
