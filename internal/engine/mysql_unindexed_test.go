package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

const updates7 = "UPDATE t SET n = n + 1 WHERE id = ?"

// For an UPDATE of unindexed columns foreign keys are not looked up, as long as an
// answer of the server that its columns are unindexed is trusted.
func TestUnindexedUpdate(t *testing.T) {
	const asks = "execute 0, asks for indexes"
	for _, tt := range []struct {
		name  string
		apart int64
		age   time.Duration
		want  string
	}{
		{"in no index", 1, 0, "execute 0, trusts, apart"},
		{"in one", 0, 0, "execute 0, trusts"},
		{"too long ago", 1, trustPeriod, asks},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, my)
			r.backend.(*mysql).canCheckDefinitions = true
			r.conn.on(asks, int64(answerKept), int64(1), tt.apart, int64(0), "")
			assert.Equal(t, []string{"prepare own, looks, proof"}, r.exec(t, updates7))
			assert.Equal(t, []string{"execute 0"}, r.exec(t, updates7), "too early to trust an answer")
			r.aged(settlePeriod)
			assert.Equal(t, []string{asks}, r.exec(t, updates7))
			r.aged(tt.age)
			assert.Equal(t, []string{tt.want}, r.exec(t, updates7))
		})
	}
}

// The answer holds for the rest of the transaction, in which the table stays open.
func TestUnindexedUpdateInATransaction(t *testing.T) {
	r := newRig(t, my)
	m := r.backend.(*mysql)
	m.canCheckDefinitions = true
	r.conn.on("execute 0, asks for indexes", int64(answerKept), int64(1), int64(1), int64(0), "")
	r.TxBegan(false)
	assert.Equal(t, []string{"prepare first, looks, proof"}, r.exec(t, updates7))
	require.NoError(t, r.TxEnded(t.Context(), true, nil))
	r.aged(settlePeriod)
	r.TxBegan(false)
	r.sent()
	for _, want := range []string{"execute 0, asks for indexes", "prepare again", "execute 1, apart"} {
		assert.Equal(t, []string{want}, r.exec(t, updates7))
	}
	r.aged(trustPeriod)
	assert.Equal(t, []string{"execute 1, apart"}, r.exec(t, updates7))
	m.dropTxCache()
	assert.Equal(t, []string{"execute 0, asks for indexes"}, r.exec(t, updates7), "the transaction may have ended")
}

// A transaction that itself prepared the wrapper asks after some executions.
func TestUnindexedUpdateInALongTransaction(t *testing.T) {
	for answer, want := range map[int64]string{1: "execute 1, apart", 0: "execute 1"} {
		r := newRig(t, my)
		r.conn.on("execute 1, asks for indexes", int64(answerKept), int64(1), answer, int64(0), "")
		r.TxBegan(false)
		for _, want := range []string{"prepare first, looks", "prepare again", "execute 1", "execute 1, asks for indexes", want, want} {
			assert.Equal(t, []string{want}, r.exec(t, updates7))
		}
	}
}

// The names in SET, which include words that may be names.
func TestAssignedColumns(t *testing.T) {
	for text, want := range map[string]string{
		"UPDATE t SET n = n + 1 WHERE id = ?":                     " IN ('SET', 'n', 'n')",
		"UPDATE t AS x SET x.n = 'id', `o p` = ? WHERE id = ?":    " IN ('SET', 'x', 'n', 'o p')",
		`UPDATE t SET n = CASE WHEN "m" > 1 THEN ? END LIMIT 1`:   " IN ('SET', 'n', 'CASE', 'WHEN', 'm', 'THEN', 'END')",
		"UPDATE t SET n = ? ORDER BY id LIMIT 1":                  " IN ('SET', 'n')",
		"UPDATE t SET n = 1, -- id\n m = ? WHERE k = 'SET a = 1'": " IN ('SET', 'n', 'm')",
	} {
		var r sqlscan.Text
		sqlscan.Classify(&r, text, sqlscan.MySQL, sqlscan.MySQL.DefaultMode())
		x := newTarget(&r, &r.Ops[0], nil)
		e := &fastPath{m: &mysql{database: "d"}, target: &x, text: &r, clauses: clausesOf(&r, &x)}
		assert.Contains(t, e.unindexedCondition(), want, text)
	}
}
