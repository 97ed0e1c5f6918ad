package engine

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

const selectWipes = "select `db`.`wipe`() AS `a`"

// viewing gives the server a stored function and these views.
func (r *rig) viewing(views ...[]any) *rig {
	r.hidden = nil
	r.conn.on("hidden", int64(1))
	r.conn.answers["views"] = fakeAnswer{rows: views}
	return r
}

func TestViewsThatCallStoredFunctions(t *testing.T) {
	views := [][]any{
		{"db", "over", "select `w`.`a` AS `a` from `db`.`W` `w`"}, // found before what it reads from
		{"db", "w", selectWipes},
		{"db", "plain", "select `db`.`t`.`id` AS `id`,lcase(`db`.`t`.`n`) AS `n` from `db`.`t` where `db`.`t`.`n` <> 'w('"},
		{"db", "dark", ""},
		{"db", "loop1", "select 1 from `db`.`loop2`"},
		{"db", "loop2", "select 1 from `db`.`loop1`,`db`.`w`"},
	}
	for text, hides := range map[string]bool{
		"SELECT * FROM w":                           true,
		"SELECT * FROM `W`":                         true,
		"SELECT * FROM db.over":                     true,
		"SELECT * FROM dark":                        true,
		"SELECT * FROM loop1":                       true,
		"SELECT 'w', \"w\" FROM plain -- w":         false,
		"SELECT @w":                                 false,
		"SET @a = (SELECT a FROM w)":                true,
		"SET @a = 1":                                false,
		"DO (SELECT a FROM w)":                      true,
		"EXPLAIN SELECT * FROM w":                   true,
		"CREATE TABLE z AS SELECT * FROM w":         true,
		"CREATE VIEW z AS SELECT * FROM w":          false,
		"DROP VIEW w":                               false,
		"UPDATE t SET n = (SELECT a FROM w)":        true,
		"CREATE OR REPLACE TABLE z SELECT * FROM w": true,
	} {
		r := newRig(t, sqlscan.MySQL).viewing(views...)
		x := r.classify(text)
		hidden, err := r.findsHiddenCode(context.Background(), x)
		require.NoError(t, err)
		assert.Equal(t, hides, hidden, text)
	}
}

func TestNoFunctionNoView(t *testing.T) {
	r := newRig(t, sqlscan.MySQL)
	r.hidden = nil
	require.NoError(t, r.send(context.Background(), "SELECT * FROM w", 0, nil))
	require.NoError(t, r.send(context.Background(), "SELECT * FROM v", 0, nil))
	assert.Equal(t, []string{"hidden", "> SELECT * FROM w", "> SELECT * FROM v"}, r.sent(), "no view is looked at")
}

func TestViewThatCannotBeReadIsRefused(t *testing.T) {
	r := newRig(t, sqlscan.MySQL).viewing([]any{"db", "dark", ""})
	require.ErrorIs(t, r.send(atMost(10), "SELECT * FROM dark", 0, nil), dbguard.Uncountable)
	require.NoError(t, r.send(context.Background(), "SELECT * FROM t", 0, nil))
}

// A server that only resembles MySQL has no such table, and is not asked again.
func TestNothingHidesWhereNothingCanBeAsked(t *testing.T) {
	r := newRig(t, sqlscan.MySQL)
	r.hidden = nil
	r.conn.fail("hidden", errUnknownTable)
	require.NoError(t, r.send(context.Background(), "SELECT * FROM w", 0, nil))
	require.NoError(t, r.send(context.Background(), "SELECT * FROM v", 0, nil))
	assert.Equal(t, []string{"hidden", "> SELECT * FROM w", "> SELECT * FROM v"}, r.sent())
	r.hidden = nil
	r.conn.fail("hidden", errServer)
	_, err := r.Start(context.Background(), "SELECT * FROM x", AsWritten)
	require.ErrorIs(t, err, errServer)
}

// Handler calls beyond the affected rows are rows with unchanged values, unless a
// trigger fired that was not seen.
func TestTriggersThatWereNotSeen(t *testing.T) {
	for fired, want := range map[int64]error{0: nil, 1: dbguard.Uncountable} {
		r := newRig(t, sqlscan.MySQL)
		n := int64(0)
		status := func() {
			r.conn.answers["handled"] = fakeAnswer{rows: [][]any{{"Executed_triggers", n * fired}, {"Handler_update", 3 * n}, {"Handler_write", int64(0)}}, then: r.conn.answers["handled"].then}
		}
		r.conn.answers["handled"] = fakeAnswer{then: func() { n++; status() }}
		status()
		require.ErrorIs(t, r.send(atMost(3), "UPDATE t SET n = 1 WHERE id < 4", 1, nil), want)
	}
}
