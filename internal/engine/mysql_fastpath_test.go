package engine

import (
	"context"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

func seven() []driver.NamedValue { return []driver.NamedValue{{Ordinal: 1, Value: int64(7)}} }

// exec runs a text with one argument on the fast path.
func (r *rig) exec(t *testing.T, text string) []string {
	t.Helper()
	_, done, err := r.Exec(atMost(1), text, seven())
	require.NoError(t, err)
	require.True(t, done, text)
	return r.sent()
}

const (
	deletes7 = "DELETE FROM t WHERE id = ?"
	inserts7 = "INSERT INTO t VALUES (?)"
)

// What the server is asked again, and what not.
func TestFastPathInATransaction(t *testing.T) {
	const (
		looks = "prepare first, looks"
		trust = "prepare again"
		same  = "execute 1" // prepared by trust
		anew  = "execute 0" // prepared by looks
	)
	tests := []struct {
		name string
		do   func(t *testing.T, r *rig) error
		want []string
	}{
		{"nothing between", nil, []string{same}},
		{"a read", func(_ *testing.T, r *rig) error { return r.send(atMost(1), "SELECT 1", 0, nil) }, []string{same}},
		{"another statement", func(t *testing.T, r *rig) error { r.exec(t, "DELETE FROM u WHERE id = ?"); return nil }, []string{same}},
		{"a savepoint of the caller's", func(_ *testing.T, r *rig) error { return r.send(atMost(1), "SAVEPOINT a", 0, nil) }, []string{anew}},
		{"back to a savepoint", func(_ *testing.T, r *rig) error { return r.send(atMost(1), "ROLLBACK TO SAVEPOINT a", 0, nil) }, []string{anew}},
		{"a setting", func(_ *testing.T, r *rig) error { return r.send(atMost(1), "SET NAMES latin1", 0, nil) }, []string{looks}},
		{"the server lost it", func(_ *testing.T, r *rig) error { r.conn.fail(same, errNoPoint); return nil }, []string{same, anew}},
		{"an error", func(_ *testing.T, r *rig) error {
			_ = r.send(atMost(1), "INSERT INTO t VALUES (1)", 0, errServer)
			return nil
		}, []string{anew}},
		{"a statement that goes the ordinary way", func(_ *testing.T, r *rig) error { return r.send(atMost(1), "DELETE FROM t WHERE id = 7", 1, nil) }, []string{anew}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, my)
			r.TxBegan(false)
			assert.Equal(t, []string{looks}, r.exec(t, deletes7), "and leaves its savepoint")
			assert.Equal(t, []string{trust}, r.exec(t, deletes7), "the server says that the savepoint is there")
			if tt.do != nil {
				require.NoError(t, tt.do(t, r))
			}
			r.sent()
			assert.Equal(t, tt.want, r.exec(t, deletes7))
		})
	}
}

// An INSERT into a table in the transaction's cache is sent as it is, while the cache
// is valid.
func TestCachedInsertsAreQuiet(t *testing.T) {
	tests := []struct {
		name  string
		do    func(r *rig) error
		quiet bool
	}{
		{"nothing between", func(*rig) error { return nil }, true},
		{"a read", func(r *rig) error { return r.send(atMost(1), "SELECT 1", 0, nil) }, true},
		{"a savepoint of the caller's", func(r *rig) error { return r.send(atMost(1), "SAVEPOINT a", 0, nil) }, true},
		{"another INSERT", func(r *rig) error { return r.send(atMost(1), "INSERT INTO t VALUES (8)", 1, nil) }, true},
		{"a read that locks", func(r *rig) error { return r.send(atMost(1), "SELECT 1 FROM t FOR UPDATE", 0, nil) }, false},
		{"back to a savepoint", func(r *rig) error { return r.send(atMost(1), "ROLLBACK TO SAVEPOINT a", 0, nil) }, false},
		{"a setting", func(r *rig) error { return r.send(atMost(1), "SET NAMES latin1", 0, nil) }, false},
		{"structure", func(r *rig) error { return r.send(atMost(1), "CREATE TABLE z (id INT)", 0, nil) }, false},
		{"an INSERT that failed", func(r *rig) error { _ = r.send(atMost(1), "INSERT INTO t VALUES (8)", 0, errServer); return nil }, false},
		{"its end", func(r *rig) error { return r.TxEnded(context.Background(), true, nil) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, my)
			r.conn.on("SELECT @@autocommit", int64(1)).on("prepare first, looks", int64(answerKept), int64(1), int64(5), int64(0), "REPEATABLE-READ")
			r.TxBegan(false)
			res, done, err := r.Exec(context.Background(), inserts7, seven())
			require.NoError(t, err)
			require.True(t, done)
			assert.Equal(t, ExecResult{RowsAffected: 1, LastInsertID: 5}, res)
			require.NoError(t, tt.do(r))
			r.sent()
			require.NoError(t, r.send(context.Background(), "INSERT INTO t VALUES (9)", 1, nil))
			assert.Equal(t, tt.quiet, len(r.sent()) == 1)
		})
	}
	for name, change := range map[string]func(r *rig){
		"a level of isolation was chosen": func(r *rig) { r.TxBegan(true) },
		"a cluster":                       func(r *rig) { r.TxBegan(false); r.backend.(*mysql).replicated = true },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, my)
			change(r)
			r.conn.on("SELECT @@in_transaction", int64(1)).on("prepare first, looks", int64(answerKept), int64(1), int64(5), int64(0), "REPEATABLE-READ")
			r.exec(t, inserts7)
			require.NoError(t, r.send(context.Background(), "INSERT INTO t VALUES (9)", 1, nil))
			assert.NotEqual(t, []string{"> INSERT INTO t VALUES (9)"}, r.sent())
		})
	}
}

// The server notices that the current database is not the one for which the wrapper
// was written; nothing has run.
func TestFastPathInAnotherDatabase(t *testing.T) {
	r := newRig(t, my)
	asked := 0
	r.conn.answers["prepare own, looks"] = fakeAnswer{rows: [][]any{{int64(answerOtherDatabase), int64(0), int64(0), int64(0), ""}}, then: func() {
		asked++
		delete(r.conn.answers, "prepare own, looks")
	}}
	_, done, err := r.Exec(atMost(1), deletes7, seven())
	require.NoError(t, err)
	assert.False(t, done, "the account may see no triggers there, for all that is known")
	assert.Equal(t, 1, asked)
	assert.Empty(t, r.events)
}

// Beyond maxWrappers the oldest is replaced, and a server that has forgotten one gets
// it again.
func TestPreparedWrappers(t *testing.T) {
	r := newRig(t, my)
	for i := range maxWrappers + 1 {
		assert.Equal(t, []string{"prepare own, looks"}, r.exec(t, "DELETE FROM t"+string(rune('a'+i))+" WHERE id = ?"))
	}
	assert.Equal(t, []string{"execute 1"}, r.exec(t, "DELETE FROM tb WHERE id = ?"))
	assert.Equal(t, []string{"prepare own, looks"}, r.exec(t, "DELETE FROM ta WHERE id = ?"))
	r.conn.fail("execute 3", errNoStatement)
	assert.Equal(t, []string{"execute 3", "prepare own, looks"}, r.exec(t, "DELETE FROM td WHERE id = ?"))
	var v *dbguard.Violation
	r.conn.on("prepare own, looks", int64(answerUndecided), int64(2), int64(0), int64(0), "")
	_, done, err := r.Exec(atMost(1), "DELETE FROM tz WHERE id = ?", seven())
	require.ErrorAs(t, err, &v)
	assert.True(t, done)
	assert.EqualValues(t, 2, v.Rows)
}
