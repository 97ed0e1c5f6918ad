package engine

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// hiding scripts the answer to the query for hidden code, which the session has not
// sent yet.
func (r *rig) hiding(rows ...[]any) *rig {
	r.hidden = nil
	r.conn.answers["hidden"] = fakeAnswer{rows: rows}
	return r
}

// hidingWords are the catalogue's answer, and hidingTexts whether a text contains
// one.
var (
	hidingWords = [][]any{
		{"name", "w"},
		{"name", "My View"},
		{"field", "gone"},
		{"operator", "##"},
		{"operator", "-"},
		{"operator", "~~"},
		{"cast", "int4"},
		{"kept", "mv"},
		{"name", strings.Repeat("n", 63)},
	}
	hidingTexts = map[string]bool{
		"SELECT 1":                                 false,
		"SELECT * FROM w":                          true,
		"SELECT * FROM public.W":                   true,
		`SELECT * FROM "w"`:                        true,
		`SELECT * FROM "W"`:                        false,
		`SELECT * FROM "My View"`:                  true,
		`SELECT * FROM U&"\0077"`:                  true,
		"SELECT 'w', $$w$$ /* w */ -- w":           false,
		"SELECT x.gone FROM x":                     true,
		"SELECT (x) . gone FROM x":                 true,
		"SELECT gone FROM x":                       false,
		"SELECT 1 ## 2":                            true,
		"SELECT 1 OPERATOR(s.##) 2":                true,
		"SELECT 1 # 2, 1 ### 2, 1 #/**/# 2":        false,
		"SELECT a FROM x WHERE a=-1":               true,
		"SELECT a FROM x WHERE a @- 1":             false,
		"SELECT a FROM x WHERE a LIKE 'b'":         true,
		"SELECT a::text FROM x":                    true,
		"SELECT CAST(a AS text) FROM x":            true,
		"SELECT int4 '1'":                          true,
		"SELECT * FROM mv":                         false,
		"REFRESH MATERIALIZED VIEW mv":             true,
		"ANALYZE x, mv":                            true,
		"CREATE TABLE z AS TABLE w":                true,
		"CREATE INDEX CONCURRENTLY ON w (id)":      false, // not within a transaction
		"DECLARE c CURSOR FOR SELECT * FROM w":     false, // FETCH runs it
		"SELECT * FROM " + strings.Repeat("n", 70): true,
	}
)

func TestNamesThatHideCode(t *testing.T) {
	for text, hides := range hidingTexts {
		r := newRig(t, pg).hiding(hidingWords...)
		require.False(t, r.IsRead(text), "nothing is known yet")
		st, op, err := r.judge(context.Background(), text)
		require.NoError(t, err)
		assert.Equal(t, hides, st != nil && st.calls, text)
		assert.Equal(t, []string{"hidden"}, r.sent()[:1])
		if !hides && st == nil {
			assert.True(t, r.IsRead(text), text)
		}
		if op != nil {
			op.Abandon()
		}
	}
}

func TestNothingHides(t *testing.T) {
	r := newRig(t, pg).hiding()
	require.NoError(t, r.send(context.Background(), "SELECT 1 FROM a", 0, nil))
	assert.Equal(t, []string{"hidden", "> SELECT 1 FROM a"}, r.sent())
	require.True(t, r.IsRead("SELECT 1 FROM b"))
	assert.Zero(t, testing.AllocsPerRun(100, func() { r.IsRead("SELECT 1 FROM b") }))
	for _, text := range []string{"BEGIN", "SET x = 1", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "LOCK TABLE a", "SAVEPOINT s", "COMMIT"} {
		r.hidden = nil
		require.NoError(t, r.send(context.Background(), text, 0, nil))
		assert.Equal(t, []string{"> " + text}, r.sent(), "it evaluates nothing")
	}
}

func TestHiddenCodeIsAskedFor(t *testing.T) {
	t.Run("of a server that only says what it is", func(t *testing.T) {
		r := newRig(t, pg).hiding()
		r.conn.fail("hidden", pgError("42P01"))
		require.NoError(t, r.send(context.Background(), "SELECT 1 FROM a", 0, nil))
		require.NoError(t, r.send(context.Background(), "SELECT 1 FROM b", 0, nil))
		assert.Equal(t, []string{"hidden", "> SELECT 1 FROM a", "> SELECT 1 FROM b"}, r.sent())
	})
	t.Run("in vain in an aborted transaction", func(t *testing.T) {
		r := newRig(t, pg).hiding()
		r.conn.fail("hidden", pgError("25P02"))
		require.NoError(t, r.send(context.Background(), "SELECT 1 FROM a", 0, nil))
		require.NoError(t, r.send(context.Background(), "SELECT 1 FROM a", 0, nil))
		assert.Equal(t, []string{"hidden", "> SELECT 1 FROM a", "hidden", "> SELECT 1 FROM a"}, r.sent())
	})
	t.Run("in vain", func(t *testing.T) {
		r := newRig(t, pg).hiding()
		r.conn.fail("hidden", pgError("57014"))
		_, err := r.Start(context.Background(), "SELECT 1 FROM a", AsWritten)
		require.ErrorIs(t, err, pgError("57014"))
		assert.Nil(t, r.hidden)
	})
}

func TestHiddenCodeIsAskedForAgain(t *testing.T) {
	for _, text := range []string{
		"CREATE VIEW v AS SELECT 1", "CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'",
		"ALTER FUNCTION g() VOLATILE", "CREATE DOMAIN d AS int",
	} {
		t.Run("after "+text, func(t *testing.T) {
			r := newRig(t, pg)
			require.True(t, r.IsRead("SELECT 1 FROM a"))
			ctx := dbguard.Allow(context.Background(), "test", dbguard.Opaque(), dbguard.AlterTable("g"))
			require.NoError(t, r.send(ctx, text, 0, nil))
			assert.False(t, r.IsRead("SELECT 1 FROM a"))
		})
	}
	t.Run("not after a table", func(t *testing.T) {
		r := newRig(t, pg)
		require.NoError(t, r.send(context.Background(), "CREATE TABLE z (id INT)", 0, nil))
		assert.True(t, r.IsRead("SELECT 1 FROM a"))
	})
	t.Run("after a ROLLBACK", func(t *testing.T) {
		r := newRig(t, pg)
		require.NoError(t, r.send(context.Background(), "BEGIN", 0, nil))
		require.NoError(t, r.send(context.Background(), "CREATE VIEW v AS SELECT 1", 0, nil))
		require.NoError(t, r.send(context.Background(), "SELECT 1 FROM a", 0, nil))
		require.True(t, r.IsRead("SELECT 1 FROM a"))
		require.NoError(t, r.send(context.Background(), "ROLLBACK", 0, nil))
		assert.False(t, r.IsRead("SELECT 1 FROM a"))
	})
}

// A cursor runs its query when rows are fetched.
func TestCursorOverHiddenCode(t *testing.T) {
	r := newRig(t, pg).hiding([]any{"name", "w"})
	const declare, fetch = "DECLARE c CURSOR FOR SELECT * FROM w", "FETCH c"
	require.NoError(t, r.send(context.Background(), "BEGIN", 0, nil))
	require.NoError(t, r.send(context.Background(), fetch, 0, nil), "of a harmless one")
	require.NoError(t, r.send(context.Background(), declare, 0, nil))
	r.sent()
	err := r.send(context.Background(), fetch, 0, nil)
	require.ErrorIs(t, err, dbguard.RuleOpaque)
	require.NoError(t, r.send(context.Background(), "ROLLBACK", 0, nil))
	r.sent()
	require.NoError(t, r.send(context.Background(), fetch, 0, nil))
	assert.Equal(t, []string{"> " + fetch}, r.sent(), "it is gone")

	err = r.send(atMost(10), "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM w", 0, nil)
	require.ErrorIs(t, err, dbguard.Uncountable)
}

func TestRunsAlone(t *testing.T) {
	for text, alone := range map[string]bool{
		"CREATE INDEX CONCURRENTLY i ON t (f(id))":                       true,
		"CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)":                    true,
		"REINDEX (VERBOSE) TABLE CONCURRENTLY t":                         true,
		"CREATE MATERIALIZED VIEW m AS SELECT index concurrently FROM w": false,
		"CREATE TABLE z AS SELECT 1 AS concurrently FROM w":              false,
		"DROP INDEX CONCURRENTLY i":                                      true,
		"REFRESH MATERIALIZED VIEW CONCURRENTLY w":                       false,
		"VACUUM t":                    true,
		"CREATE DATABASE d":           true,
		"REINDEX DATABASE d":          true,
		"REINDEX TABLE t":             false,
		"CLUSTER":                     true,
		"CLUSTER t":                   false,
		"ALTER SYSTEM SET a = 1":      true,
		"CREATE TABLE system (a INT)": false,
		"ALTER TABLE t DETACH PARTITION p CONCURRENTLY": true,
	} {
		var x sqlscan.Text
		sqlscan.Classify(&x, text, pg, pg.DefaultMode())
		assert.Equal(t, alone, runsOutsideTx(&x), text)
	}
}
