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
	pg = sqlscan.PostgreSQL
	my = sqlscan.MySQL
	sq = sqlscan.SQLite
	ch = sqlscan.ClickHouse
)

func act(v dbguard.Verb, object string) dbguard.Act { return dbguard.Act{Verb: v, Object: object} }

func every(v dbguard.Verb, object string) dbguard.Act {
	return dbguard.Act{Verb: v, Object: object, Filter: dbguard.NoFilter}
}

func TestUnderstand(t *testing.T) {
	tests := []struct {
		name    string
		d       sqlscan.Dialect
		text    string
		summary string
		acts    []dbguard.Act
	}{
		{"delete", pg, "DELETE FROM Users WHERE id = 7", "DELETE users", []dbguard.Act{act(dbguard.Delete, "users")}},
		{"quoted name", pg, `DELETE FROM "Ts" WHERE id = 7`, "DELETE Ts", []dbguard.Act{act(dbguard.Delete, "Ts")}},
		{"escaped name", pg, `DELETE FROM U&"!0074" UESCAPE '!'`, "DELETE t", []dbguard.Act{every(dbguard.Delete, "t")}},
		{"always true", pg, "DELETE FROM t WHERE 1 = 1", "DELETE t", []dbguard.Act{{Verb: dbguard.Delete, Object: "t", Filter: dbguard.AlwaysMet}}},
		{"constant limit", my, "DELETE FROM t LIMIT 1", "DELETE t", []dbguard.Act{act(dbguard.Delete, "t")}},
		{"limit that is none", my, "UPDATE t SET a = 1 LIMIT 18446744073709551615", "UPDATE t", []dbguard.Act{every(dbguard.Update, "t")}},
		{"limit as parameter", my, "DELETE FROM t LIMIT ?", "DELETE t", []dbguard.Act{every(dbguard.Delete, "t")}},
		{"modifying CTE", pg, "WITH d AS (DELETE FROM t RETURNING *) SELECT count(*) FROM d", "DELETE t", []dbguard.Act{every(dbguard.Delete, "t")}},
		{"upsert", pg, "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1", "INSERT t", []dbguard.Act{every(dbguard.Upsert, "t")}},
		{"replace", sq, "REPLACE INTO t VALUES (1)", "REPLACE t", []dbguard.Act{every(dbguard.Replace, "t")}},
		{"merge", pg, "MERGE INTO t USING o ON t.id = o.id WHEN MATCHED THEN DELETE", "MERGE t", []dbguard.Act{every(dbguard.Merge, "t")}},
		{"truncate", my, "TRUNCATE TABLE s.t", "TRUNCATE s.t", []dbguard.Act{every(dbguard.Empty, "s.t")}},
		{"drop", pg, "DROP MATERIALIZED VIEW IF EXISTS v", "DROP VIEW v", []dbguard.Act{every(dbguard.Remove, "v")}},
		{"drop schema", pg, "DROP SCHEMA app CASCADE", "DROP SCHEMA app", []dbguard.Act{every(dbguard.RemoveDatabase, "app")}},
		{"alter", pg, "ALTER TABLE t DROP COLUMN c", "ALTER TABLE t", []dbguard.Act{every(dbguard.Reshape, "t")}},
		{"create database", my, "CREATE DATABASE d", "CREATE DATABASE d", []dbguard.Act{every(dbguard.Create, "d")}},
		{"attach", sq, "ATTACH DATABASE 'x.db' AS x", "ATTACH DATABASE", []dbguard.Act{every(dbguard.Create, "x.db")}},
		{"code that PostgreSQL counts", pg, "CALL wipe()", "CALL wipe", []dbguard.Act{every(dbguard.Call, "wipe")}},
		{"code that nobody counts", my, "CALL wipe()", "CALL wipe", []dbguard.Act{every(dbguard.Run, "wipe")}},
		{"code outside of the server", pg, "COPY t FROM PROGRAM 'cat'", "COPY t, t", []dbguard.Act{every(dbguard.Run, "t")}},
		{
			"mutation of ClickHouse", ch, "ALTER TABLE t DELETE WHERE id = 1", "DELETE t",
			[]dbguard.Act{{Verb: dbguard.Uncounted, Object: "t", Note: "mutations run on their own time and are not undone"}},
		},
		{"insert", pg, "INSERT INTO t VALUES (1)", "", nil},
		{"definition", pg, "CREATE TABLE t (id int)", "", nil},
		{"preparation", pg, "PREPARE q AS DELETE FROM t", "", nil},
		{"one's own temporary table", pg, "CREATE TEMP TABLE x AS SELECT 1; DELETE FROM x; DROP TABLE x", "", nil},
		{"rolled back by itself", my, "START TRANSACTION; DELETE FROM t; ROLLBACK", "", nil},
		{"migration", pg, "BEGIN; CREATE TABLE t (id int); INSERT INTO t VALUES (1); COMMIT", "", nil},
		{"control alone", pg, "COMMIT", "", nil},
		{
			"commit in a longer text", pg, "DELETE FROM t WHERE id = 1; COMMIT", "DELETE t COMMIT",
			[]dbguard.Act{act(dbguard.Delete, "t"), every(dbguard.EndTransaction, "")},
		},
		{
			"not rolled back: structure commits", my, "BEGIN; DELETE FROM t; CREATE TABLE z (i int); ROLLBACK", "BEGIN DELETE t CREATE TABLE z ROLLBACK",
			[]dbguard.Act{every(dbguard.Delete, "t")},
		},
		{
			"guard off", my, "SET foreign_key_checks = 0", "SET foreign_key_checks",
			[]dbguard.Act{{Verb: dbguard.Unprotect, Object: "foreign_key_checks", Filter: dbguard.NoFilter, Note: "SET foreign_key_checks = ?"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.d)
			st := r.understand(r.classify(tt.text))
			assert.Equal(t, tt.acts, st.op.Acts)
			assert.Equal(t, tt.summary, st.op.Summary)
			assert.Len(t, st.targets, len(st.op.Acts))
		})
	}
}

func TestUnderstandInsideTransaction(t *testing.T) {
	r := newRig(t, my)
	r.TxBegan(false)
	st := r.understand(r.classify("START TRANSACTION; DELETE FROM t; ROLLBACK"))
	require.Len(t, st.op.Acts, 3, "it would commit and undo what is the caller's")
	assert.Equal(t, dbguard.EndTransaction, st.op.Acts[0].Verb)
	assert.Equal(t, dbguard.Delete, st.op.Acts[1].Verb)
	assert.Equal(t, dbguard.EndTransaction, st.op.Acts[2].Verb)
}

// The queries for the objects of a DDL statement, one by one.
func TestTargets(t *testing.T) {
	tests := []struct {
		name    string
		d       sqlscan.Dialect
		text    string
		class   string
		part    string
		objects []string
	}{
		{"a table", pg, "DROP TABLE IF EXISTS s.a", "TABLE", "", []string{"a"}},
		{"a list", pg, "DROP MATERIALIZED VIEW IF EXISTS a, s.b CASCADE", "MATERIALIZED VIEW", "", []string{"a", "b"}},
		{"a function", pg, "DROP FUNCTION IF EXISTS f(int), g()", "FUNCTION", "", []string{"f", "g"}},
		{"a trigger of a table", pg, `DROP TRIGGER IF EXISTS "G" ON s.t`, "TRIGGER", "G", []string{"t"}},
		{"a trigger of none", my, "DROP TRIGGER IF EXISTS g", "TRIGGER", "", []string{"g"}},
		{"an index of a table", my, "DROP INDEX IF EXISTS `i` ON t", "INDEX", "i", []string{"t"}},
		{"an index of none", pg, "DROP INDEX CONCURRENTLY IF EXISTS i", "INDEX", "", []string{"i"}},
		{"an alteration", pg, "ALTER TABLE IF EXISTS ONLY t DROP COLUMN a", "TABLE", "", []string{"t"}},
		{"a keyword for a name", my, "DROP TABLE IF EXISTS `IF`, `view`", "TABLE", "", []string{"IF", "view"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.d)
			st := r.understand(r.classify(tt.text))
			var objects []string
			for _, x := range st.targets {
				assert.Equal(t, tt.class, x.class)
				assert.Equal(t, tt.part, x.part)
				objects = append(objects, x.name[len(x.name)-1])
			}
			assert.Equal(t, tt.objects, objects)
		})
	}
}

// A missing object is nothing to lose, of whatever class.
func TestMissing(t *testing.T) {
	tests := []struct {
		d        sqlscan.Dialect
		text     string
		question string // the answer: no row
	}{
		{pg, "DROP FUNCTION IF EXISTS f(int)", "SELECT false FROM pg_catalog.pg_proc WHERE proname = 'f'"},
		{pg, "DROP TYPE IF EXISTS s.e", "SELECT false FROM pg_catalog.pg_type WHERE typname = 'e'"},
		{pg, "DROP TRIGGER IF EXISTS g ON t", "SELECT false FROM pg_catalog.pg_trigger WHERE tgname = 'g'"},
		{pg, "DROP EXTENSION IF EXISTS hstore", "SELECT false FROM pg_catalog.pg_extension WHERE extname = 'hstore'"},
		{my, "DROP PROCEDURE IF EXISTS p", "SELECT 1 FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_NAME = 'p'"},
		{my, "DROP TRIGGER IF EXISTS d.g", "SELECT 1 FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'd' AND TRIGGER_NAME = 'g'"},
		{
			my, "DROP INDEX IF EXISTS i ON t",
			"SELECT 1 FROM information_schema.STATISTICS t WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_NAME = 't' AND t.INDEX_NAME = 'i'",
		},
	}
	for _, tt := range tests {
		r := newRig(t, tt.d)
		f, err := r.Start(context.Background(), tt.text, AsWritten)
		require.NoError(t, err, tt.text)
		assert.True(t, f.NoOp(), tt.text)
		assert.Contains(t, r.conn.log, tt.question)

		r = newRig(t, tt.d)
		r.conn.on(tt.question, false)
		_, err = r.Start(context.Background(), tt.text, AsWritten)
		require.ErrorIs(t, err, dbguard.Drop, tt.text)

		r = newRig(t, tt.d)
		r.conn.fail(tt.question, errServer)
		_, err = r.Start(context.Background(), tt.text, AsWritten)
		require.Error(t, err, tt.text)
	}
	r := newRig(t, pg)
	_, err := r.Start(context.Background(), "DROP CAST IF EXISTS (a AS b)", AsWritten)
	require.ErrorIs(t, err, dbguard.Drop, "nobody knows how to ask")
}

// The verdict on whole texts, as a caller sees it.
func TestVerdicts(t *testing.T) {
	tests := []struct {
		name string
		d    sqlscan.Dialect
		ctx  context.Context
		text string
		want dbguard.RuleID // "": it passes
	}{
		{"unbounded", pg, context.Background(), "DELETE FROM t WHERE id = 1", dbguard.Unbounded},
		{"bounded", pg, atMost(1), "DELETE FROM t WHERE id = 1", ""},
		{"over", pg, atMost(0), "DELETE FROM t WHERE id = 1", dbguard.OverLimit},
		{"unfiltered", pg, atMost(9), "DELETE FROM t", dbguard.Unfiltered},
		{"a join with a condition", my, atMost(1), "DELETE t FROM t JOIN u ON t.id = u.id", ""},
		{"a join without", my, atMost(1), "DELETE t FROM t JOIN u", dbguard.Unfiltered},
		{"a savepoint of its own", sq, atMost(1), "SAVEPOINT a; INSERT INTO t VALUES (1); RELEASE SAVEPOINT A", ""},
		{"a savepoint of somebody else", sq, atMost(1), "SAVEPOINT a; INSERT INTO t VALUES (1); RELEASE b", dbguard.TransactionControl},
		{"drop", pg, atMost(1), "DROP TABLE t", dbguard.Drop},
		{"stacked", pg, atMost(1), "SELECT 1; DELETE FROM t WHERE id = 1", dbguard.Stacked},
		{"own transaction", pg, atMost(1), "BEGIN; DELETE FROM t WHERE id = 1; COMMIT", dbguard.Stacked},
		{"commit behind an insert", pg, atMost(1), "INSERT INTO t VALUES (1); COMMIT", dbguard.TransactionControl},
		{"unreadable", pg, atMost(1), "DELETE FROM t WHERE name = 'x", dbguard.Unreadable},
		{"code counted", pg, atMost(1), "DO $$ BEGIN PERFORM 1; END $$", ""},
		{"code not bounded", pg, context.Background(), "DO $$ BEGIN PERFORM 1; END $$", dbguard.RuleOpaque},
		{"code not counted", my, atMost(1), "CALL p()", dbguard.RuleOpaque},
		{"mutation", ch, atMost(1), "DELETE FROM t WHERE id = 1", dbguard.Uncountable},
		{"insert", my, context.Background(), "INSERT INTO t VALUES (1)", ""},
		{"empty", pg, context.Background(), "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.d)
			r.conn.on("probe", int64(1)).on("find", false)
			err := r.send(tt.ctx, tt.text, 1, nil)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, tt.want)
			require.ErrorIs(t, err, dbguard.ErrRefused)
		})
	}
}
