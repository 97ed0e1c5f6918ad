package engine

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

const (
	deleteOne = "DELETE FROM t WHERE id = 1"
	open      = "SAVEPOINT " + savepoint
	back      = "ROLLBACK TO SAVEPOINT " + savepoint
	release   = "RELEASE SAVEPOINT " + savepoint
	due       = "SET CONSTRAINTS ALL IMMEDIATE"
	changed   = "SELECT total_changes()"
	changes2  = "SELECT total_changes(), changes(), (SELECT schema_version FROM pragma_schema_version)"
	sizeOfT   = `, (SELECT count(*) FROM "main"."t")`
)

// What is sent around a statement, and in which order.
func TestOrder(t *testing.T) {
	tests := []struct {
		name   string
		d      sqlscan.Dialect
		inTx   bool
		limit  int64
		text   string
		err    error // the statement's own
		script func(*rig)
		want   []string
		effect dbguard.Effect
	}{
		{
			name: "PostgreSQL, kept", d: pg, limit: 1, text: deleteOne,
			want: []string{"BEGIN", "> " + deleteOne, due, "count", "COMMIT"}, effect: dbguard.EffectApplied,
		},
		{
			name: "PostgreSQL, taken back", d: pg, limit: 0, text: deleteOne,
			want: []string{"BEGIN", "> " + deleteOne, due, "count", "ROLLBACK"}, effect: dbguard.EffectUndone,
		},
		{
			name: "PostgreSQL, failed", d: pg, limit: 1, text: deleteOne, err: pgError("23503"),
			want: []string{"BEGIN", "> " + deleteOne, "ROLLBACK"}, effect: dbguard.EffectUndone,
		},
		{
			name: "PostgreSQL, counters not flushed", d: pg, limit: 1, text: deleteOne,
			script: func(r *rig) { r.backend.(*postgres).stale = true },
			want:   []string{"flush", "BEGIN", "> " + deleteOne, due, "count", "COMMIT"}, effect: dbguard.EffectApplied,
		},
		{
			name: "PostgreSQL 14, which cannot flush", d: pg, limit: 1, text: deleteOne,
			script: func(r *rig) {
				*r.backend.(*postgres) = postgres{conn: r.conn, major: 14, stale: true}
				r.conn.on("base", changedRow(16400, 0, "t")...)
			},
			want: []string{"BEGIN", "pending", "> " + deleteOne, due, "base", "COMMIT"}, effect: dbguard.EffectApplied,
		},
		{
			name: "PostgreSQL, every row of a full table", d: pg, limit: 9, text: "DELETE FROM t",
			script: func(r *rig) { r.conn.on("probe", int64(1)) },
			want:   []string{"probe"}, effect: dbguard.EffectNone,
		},
		{
			name: "PostgreSQL, every row of an empty table", d: pg, limit: 9, text: "DELETE FROM t",
			script: func(r *rig) { r.conn.on("probe", int64(0)).on("count", changedRow(16400, 0, "t")...) },
			want:   []string{"probe", "BEGIN", "> DELETE FROM t", due, "count", "COMMIT"}, effect: dbguard.EffectApplied,
		},
		{
			name: "PostgreSQL, hidden rows", d: pg, limit: 9, text: deleteOne,
			script: func(r *rig) { r.conn.on("count", changedRow(16500, 3, "posts")...) },
			want:   []string{"BEGIN", "> " + deleteOne, due, "count", "routes", "COMMIT"}, effect: dbguard.EffectApplied,
		},
		{
			name: "PostgreSQL, kept in the caller's transaction", d: pg, inTx: true, limit: 1, text: deleteOne,
			want: []string{open, "base", "> " + deleteOne, "count", release}, effect: dbguard.EffectApplied,
		},
		{
			name: "PostgreSQL, taken back in the caller's transaction", d: pg, inTx: true, limit: 0, text: deleteOne,
			want: []string{open, "base", "> " + deleteOne, "count", back, release}, effect: dbguard.EffectUndone,
		},
		{
			name: "PostgreSQL, failed in the caller's transaction, which stays aborted", d: pg, inTx: true, limit: 1,
			text: deleteOne, err: pgError("23503"),
			want: []string{open, "base", "> " + deleteOne}, effect: dbguard.EffectUndone,
		},
		{
			name: "PostgreSQL, the caller's transaction was aborted before", d: pg, inTx: true, limit: 1,
			text: deleteOne, err: pgError("25P02"),
			script: func(r *rig) { r.conn.fail(open, pgError("25P02")) },
			want:   []string{open, "> " + deleteOne}, effect: dbguard.EffectNone,
		},
		{
			name: "PostgreSQL, the caller's transaction is over, unseen", d: pg, inTx: true, limit: 1, text: deleteOne,
			script: func(r *rig) { r.conn.fail(open, pgError("25P01")) },
			want:   []string{open, "BEGIN", "> " + deleteOne, due, "count", "COMMIT"}, effect: dbguard.EffectApplied,
		},
		{
			name: "PostgreSQL, state unknown: none is open", d: pg, limit: 1, text: deleteOne,
			script: func(r *rig) { r.tx = txUnknown; r.conn.fail(open, pgError("25P01")) },
			want:   []string{open, "BEGIN", "> " + deleteOne, due, "count", "COMMIT"}, effect: dbguard.EffectApplied,
		},
		{
			name: "PostgreSQL, state unknown: the caller's", d: pg, limit: 1, text: deleteOne,
			script: func(r *rig) { r.tx = txUnknown },
			want:   []string{open, release, open, "base", "> " + deleteOne, "count", release}, effect: dbguard.EffectApplied,
		},
		{
			name: "MariaDB, kept", d: my, limit: 1, text: deleteOne,
			want: []string{"START TRANSACTION", "engines", "handled", "> " + deleteOne, "handled", commitText}, effect: dbguard.EffectApplied,
		},
		{
			name: "MariaDB, taken back", d: my, limit: 0, text: deleteOne,
			want: []string{"START TRANSACTION", "engines", "handled", "> " + deleteOne, "handled", rollbackText}, effect: dbguard.EffectUndone,
		},
		{
			name: "MariaDB, MyISAM", d: my, limit: 1, text: deleteOne,
			script: func(r *rig) { r.conn.on("engines", "db", "t", "BASE TABLE", "MyISAM", "NO", "") },
			want:   []string{"START TRANSACTION", "engines", rollbackText}, effect: dbguard.EffectNone,
		},
		{
			name: "MariaDB, in the caller's transaction", d: my, inTx: true, limit: 1, text: deleteOne,
			want: []string{open, back, "engines", "handled", "> " + deleteOne, "handled", release}, effect: dbguard.EffectApplied,
		},
		{
			name: "MariaDB, failed in the caller's transaction, which goes on", d: my, inTx: true, limit: 1,
			text: deleteOne, err: errServer,
			want: []string{open, back, "engines", "handled", "> " + deleteOne, back, release}, effect: dbguard.EffectUndone,
		},
		{
			name: "MariaDB, the caller's transaction is over, unseen", d: my, inTx: true, limit: 1, text: deleteOne,
			script: func(r *rig) { r.conn.fail(back, errNoPoint) },
			want:   []string{open, back, "START TRANSACTION", "engines", "handled", "> " + deleteOne, "handled", commitText}, effect: dbguard.EffectApplied,
		},
		{
			name: "MariaDB, tables locked", d: my, limit: 1, text: deleteOne,
			script: func(r *rig) { r.backend.(*mysql).tablesLocked = true },
			want:   []string{"SET autocommit = 0", "engines", "handled", "> " + deleteOne, "handled", "SET autocommit = 1"}, effect: dbguard.EffectApplied,
		},
		{
			name: "MariaDB, state unknown: autocommit is off", d: my, limit: 1, text: deleteOne,
			script: func(r *rig) { r.tx = txUnknown; r.conn.on("SELECT @@autocommit", int64(0)) },
			want:   []string{"SELECT @@autocommit", open, back, "engines", "handled", "> " + deleteOne, "handled", release},
			effect: dbguard.EffectApplied,
		},
		{
			name: "SQLite, kept", d: sq, limit: 1, text: deleteOne,
			want: []string{open, changed, "> " + deleteOne, changes2, release}, effect: dbguard.EffectApplied,
		},
		{
			name: "SQLite, taken back", d: sq, limit: 0, text: deleteOne,
			want: []string{open, changed, "> " + deleteOne, changes2, back, release}, effect: dbguard.EffectUndone,
		},
		{
			name: "SQLite, failed", d: sq, limit: 1, text: deleteOne, err: errServer,
			want: []string{open, changed, "> " + deleteOne, back, release}, effect: dbguard.EffectUndone,
		},
		{
			name: "SQLite, failed and rolled back by itself", d: sq, limit: 1, text: deleteOne, err: errServer,
			script: func(r *rig) { r.conn.fail(back, errNoSaved) },
			want:   []string{open, changed, "> " + deleteOne, back}, effect: dbguard.EffectUndone,
		},
		{
			name: "SQLite, upsert of more rows than the bound", d: sq, limit: 1,
			text: "INSERT INTO t VALUES (1), (2) ON CONFLICT DO UPDATE SET a = 1",
			script: func(r *rig) {
				r.conn.on(changed+sizeOfT, int64(10), int64(5)).on(changes2+sizeOfT, int64(12), int64(2), int64(7), int64(6))
			},
			want: []string{
				"BEGIN IMMEDIATE", changed + sizeOfT,
				"> INSERT INTO t VALUES (1), (2) ON CONFLICT DO UPDATE SET a = 1", changes2 + sizeOfT, "COMMIT",
			},
			effect: dbguard.EffectApplied,
		},
		{
			name: "SQLite, no journal", d: sq, limit: 1, text: deleteOne,
			script: func(r *rig) {
				r.backend.forget()
				r.conn.on("PRAGMA database_list", int64(0), "main", "").on("journal", "off")
			},
			want: []string{"PRAGMA database_list", "journal"}, effect: dbguard.EffectNone,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.d)
			if tt.inTx {
				r.TxBegan(false)
			}
			if tt.script != nil {
				tt.script(r)
			}
			err := r.send(atMost(tt.limit), tt.text, 1, tt.err)
			assert.Equal(t, tt.want, r.sent())
			assert.Equal(t, tt.effect, r.last(t).Effect)
			if tt.err != nil {
				assert.True(t, err == tt.err, "the driver's own error, unwrapped, not %v", err)
			}
			assert.False(t, r.Broken())
			assert.Nil(t, r.flight)
		})
	}
}

// Before version 15 the counters hold earlier transactions for a while: each transaction of the
// guard's has to be compared with what is there when it begins.
func TestCountsBeforeVersion15(t *testing.T) {
	r := newRig(t, pg)
	*r.backend.(*postgres) = postgres{conn: r.conn, major: 14, stale: true}
	for before := range int64(3) {
		r.conn.on("pending", changedRow(16400, before, "t")...).on("base", changedRow(16400, before+1, "t")...)
		require.NoError(t, r.send(atMost(1), deleteOne, 1, nil), "number %d", before)
		require.Equal(t, int64(1), r.last(t).Rows)
	}
}

// A ROLLBACK TO leaves counts behind on relations that are no longer locked.
func TestCountsAfterRollbackTo(t *testing.T) {
	r := newRig(t, pg)
	r.TxBegan(false)
	require.NoError(t, r.send(context.Background(), "SAVEPOINT a", 0, nil))
	require.NoError(t, r.send(atMost(1), deleteOne, 1, nil))
	require.NoError(t, r.send(context.Background(), "ROLLBACK TO a", 0, nil))
	r.sent()
	r.conn.on("pending", changedRow(16400, 1, "t")...).on("count", changedRow(16400, 2, "t")...)
	require.NoError(t, r.send(atMost(1), deleteOne, 1, nil), "one of the two was undone")
	assert.Equal(t, []string{open, "pending", "base", "> " + deleteOne, "count", release}, r.sent())
	assert.EqualValues(t, 1, r.last(t).Rows)
}

// Nothing is sent around statements that need no undo.
func TestNothingAround(t *testing.T) {
	granted := func(g ...dbguard.Grant) context.Context {
		return dbguard.Allow(context.Background(), "test", g...)
	}
	tests := []struct {
		name string
		d    sqlscan.Dialect
		ctx  context.Context
		text string
		want []string
	}{
		{"read", pg, atMost(1), "SELECT 1", []string{"> SELECT 1"}},
		{"insert that sets off nothing", my, atMost(1), "INSERT INTO t VALUES (1)", []string{"START TRANSACTION", "plainly", "> INSERT INTO t VALUES (1)", commitText}},
		{"begin", pg, atMost(1), "BEGIN", []string{"> BEGIN"}},
		{"granted structure", pg, granted(dbguard.Truncate("t")), "TRUNCATE t", []string{"find", "along", "SELECT 1", "> TRUNCATE t"}},
		{"code taken responsibility for", my, granted(dbguard.Opaque()), "CALL p()", []string{"routine", "SELECT 1", "> CALL p()"}},
		{
			"a transaction of its own, taken responsibility for", pg, dbguard.AtMost(granted(dbguard.Opaque()), 1),
			"BEGIN; DELETE FROM t WHERE id = 1; COMMIT",
			[]string{"SELECT 1", "> BEGIN; DELETE FROM t WHERE id = 1; COMMIT"},
		},
		{"structure that is not there", sq, atMost(1), "DROP TABLE IF EXISTS z", []string{"PRAGMA database_list", "> DROP TABLE IF EXISTS z"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.d)
			r.conn.on("find", false).on("SELECT 1", int64(1)).on("plainly", "db", "READ-COMMITTED")
			require.NoError(t, r.send(tt.ctx, tt.text, 1, nil))
			assert.Equal(t, tt.want, r.sent())
		})
	}
}

func TestObserveModeSendsNothing(t *testing.T) {
	for _, d := range []sqlscan.Dialect{pg, my, sq, ch} {
		t.Run(d.String(), func(t *testing.T) {
			r := newRig(t, d, func(p *dbguard.Policy) { p.Mode = dbguard.Observe })
			r.tx = txUnknown
			require.NoError(t, r.send(atMost(1), "DELETE FROM t", 5, nil))
			assert.Equal(t, []string{"> DELETE FROM t"}, r.sent())
			assert.NotEmpty(t, r.last(t).Findings)
		})
	}
}
