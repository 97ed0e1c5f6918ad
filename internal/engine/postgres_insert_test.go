package engine

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

const insertOne = "INSERT INTO t (id) VALUES (1)"

// An INSERT whose adapter can send only the caller's text is counted.
func TestInsertCounted(t *testing.T) {
	r := newRig(t, pg)
	r.conn.on("count", changedRow(16400, 0, "u")...)
	require.NoError(t, r.send(context.Background(), insertOne, 1, nil))
	assert.Equal(t, []string{"BEGIN", "> " + insertOne, due, "count", "COMMIT"}, r.sent())
	assert.Empty(t, r.events, "nobody is told of one that only adds")

	r.conn.on("count", changedRow(16400, 2, "u")...)
	err := r.send(context.Background(), insertOne, 1, nil)
	require.ErrorIs(t, err, dbguard.Unbounded)
	assert.ErrorContains(t, err, "INSERT on t has no bound: 2 rows of u (trigger, rule or function)")
	assert.Equal(t, []string{"BEGIN", "> " + insertOne, due, "count", "once", "routes", "ROLLBACK"}, r.sent())
	assert.Equal(t, dbguard.EffectUndone, r.last(t).Effect)
	r.conn.on("once", changedRow(16400, 0, "u")...)
	require.NoError(t, r.send(context.Background(), insertOne, 1, nil), "what was rolled back was not changed")
	r.conn.on("once", changedRow(16400, 2, "u")...)
	require.NoError(t, r.send(atMost(2), insertOne, 1, nil))
	assert.EqualValues(t, 2, r.last(t).Rows)
}

// An INSERT into a verified table is sent as written, until something may have released the
// lock or changed what the name means.
func TestInsertVerified(t *testing.T) {
	for text, stays := range map[string]bool{
		"SELECT 1":                         true,
		"INSERT INTO u VALUES (1)":         false, // it is counted: a trigger may have done anything
		"SAVEPOINT mine":                   true,
		"ROLLBACK TO SAVEPOINT mine":       false,
		"SET search_path = other":          false,
		"CREATE TABLE other.t (id int)":    false,
		"SELECT some_function()":           false,
		"COMMIT":                           false,
		"INSERT INTO t SELECT * FROM view": false,
	} {
		r := newRig(t, pg)
		r.conn.on("count", changedRow(16400, 0, "u")...).on("base", changedRow(16400, 0, "u")...)
		r.TxBegan(false)
		p := r.backend.(*postgres)
		x := newTarget(readText(insertOne), &readText(insertOne).Ops[0], nil)
		p.markVerified(&x, false)
		require.NoError(t, r.send(context.Background(), insertOne, 1, nil))
		require.Equal(t, []string{"> " + insertOne}, r.sent())
		if text == "SELECT some_function()" {
			p.functions = map[string]bool{"some_function": true}
		}
		require.NoError(t, r.send(context.Background(), text, 0, nil), text)
		assert.Equal(t, stays, p.isVerified(&x), text)
	}
}

// Which INSERTs can verify their table, and in which form.
func TestInsertWording(t *testing.T) {
	known := insertTable{addsOnly: true, hasForeignKey: true, unchanged: "same"}
	tests := []struct {
		name, text string
		form       Form
		inTx       bool
		want       string // "" if it is sent as it is, and counted
	}{
		{"a number is asked for", insertOne, Counted, false, "WITH dbguard AS (" + insertOne + "\nRETURNING 1\n)\nSELECT pg_catalog.count(*) FROM (SELECT FROM dbguard OFFSET CASE WHEN "},
		{"a tag is asked for", insertOne + " ;", Tagged, false, "WITH dbguard AS (" + insertOne + "\nRETURNING 1\n)\nSELECT FROM dbguard OFFSET CASE WHEN "},
		{"rows are asked for", insertOne + " RETURNING *", Rows, false, "WITH dbguard AS (" + insertOne + " RETURNING *\n)\nSELECT dbguard.* FROM dbguard OFFSET CASE WHEN "},
		{"in a transaction", insertOne, Counted, true, "WITH dbguard AS (" + insertOne},
		{"nothing can be sent in its place", insertOne, AsWritten, false, ""},
		{"rows are asked for that it has not", insertOne, Rows, false, ""},
		{"its rows come of a query", "INSERT INTO t (id) SELECT id FROM v", Counted, false, ""},
		{"rows of a query are returned", "INSERT INTO t (id) SELECT id FROM v RETURNING id", Rows, false, ""},
		{"a name that to_regclass reads otherwise", `INSERT INTO "a b" VALUES (1)`, Counted, false, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, pg)
			p := r.backend.(*postgres)
			known.queriedAt = time.Now()
			p.insertTables, p.isolation = map[string]insertTable{"t": known, `"a b"`: known}, "read committed"
			if tc.inTx {
				r.TxBegan(false)
			}
			r.lastReply = time.Now()
			f, err := r.Start(context.Background(), tc.text, tc.form)
			require.NoError(t, err)
			if tc.want == "" {
				assert.Empty(t, f.Text())
				return
			}
			assert.Contains(t, f.Text(), tc.want)
			assert.Equal(t, tc.form == Tagged, f.AnswerForm() == Tagged)
			assert.Empty(t, r.sent(), "nothing is sent besides")
			again, err := f.Answer(context.Background(), 1, nil)
			require.NoError(t, err)
			assert.False(t, again)
			assert.Empty(t, r.events)
			assert.Equal(t, tc.inTx, len(p.verified) > 0)
		})
	}
}

// If the table has changed, the INSERT is counted; in a transaction it is too late for that.
func TestInsertTableChanged(t *testing.T) {
	for _, inTx := range []bool{false, true} {
		r := newRig(t, pg)
		p := r.backend.(*postgres)
		p.insertTables, p.isolation = map[string]insertTable{"t": {queriedAt: time.Now(), addsOnly: true, hasForeignKey: true, unchanged: "same"}}, "read committed"
		unsure := serverError{"2201X", "OFFSET must not be negative"}
		if inTx {
			unsure = serverError{"22P02", `invalid input syntax for type integer: "dbguard ` + nonce + ` ` + raisedUnverified + ` 0.5"`}
			r.TxBegan(false)
		}
		r.lastReply = time.Now()
		f, err := r.Start(context.Background(), insertOne, Counted)
		require.NoError(t, err)
		again, err := f.Answer(context.Background(), -1, unsure)
		assert.Empty(t, p.insertTables)
		if inTx {
			require.ErrorIs(t, err, errTableChanged)
			continue
		}
		require.NoError(t, err)
		require.True(t, again)
		assert.Empty(t, f.Text(), "it is counted now")
		r.conn.on("count", changedRow(16400, 1, "u")...)
		require.ErrorIs(t, f.End(context.Background(), 1, nil), dbguard.Unbounded)
	}
}
