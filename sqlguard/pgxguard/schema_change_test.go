package pgxguard_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

const wiping = `CREATE FUNCTION wipe() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.posts; RETURN NEW; END';
	CREATE FUNCTION wiped() RETURNS int LANGUAGE sql AS 'DELETE FROM posts; SELECT 1'; CREATE FUNCTION calm() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
	CREATE SCHEMA loud; CREATE TABLE loud.users (id int); CREATE TRIGGER t BEFORE INSERT ON loud.users FOR EACH ROW EXECUTE FUNCTION wipe()`

// shifting are batches in which one statement changes what the last one does.
var shifting = map[string][]string{
	"replaced":            {"CREATE OR REPLACE FUNCTION calm() RETURNS int LANGUAGE sql AS 'DELETE FROM posts; SELECT 1'", "SELECT calm()"},
	"function":            {"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DELETE FROM posts; SELECT 1'", "SELECT f()"},
	"view":                {"CREATE VIEW v AS SELECT wiped()", "SELECT * FROM v"},
	"trigger":             {"CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION wipe()", insertSix},
	"path":                {"SET search_path TO loud", insertSix},
	"path, by a function": {"SELECT set_config('search_path', 'loud', false)", insertSix},
}

// Each statement is judged by the schema as it is when its turn comes. For statements that
// bypass the handles that is not possible.
func TestBatchShifts(t *testing.T) {
	for name, texts := range shifting {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec} {
			r := newRig(t, func(cfg *pgxpool.Config, _ *dbguard.Policy) { cfg.ConnConfig.DefaultQueryExecMode = mode })
			_, err := r.bare.Exec(t.Context(), wiping)
			require.NoError(t, err)
			require.NoError(t, r.SendBatch(t.Context(), batch(insertSix, "SELECT calm()")).Close())
			_, err = r.bare.Exec(t.Context(), "DELETE FROM users WHERE id = 6")
			require.NoError(t, err)
			r.survives(func() {
				require.ErrorIs(t, r.SendBatch(t.Context(), batch(texts...)).Close(), dbguard.ErrRefused, "%s %v", name, mode)
				require.ErrorIs(t, r.SendBatch(atMost(t, 6), batch(texts...)).Close(), dbguard.OverLimit, "%s %v", name, mode)
				require.ErrorIs(t, r.Unwrap().SendBatch(atMost(t, 9), batch(texts...)).Close(), dbguard.Uncountable, "%s %v", name, mode)
			})
			assert.Equal(t, 7, r.count("posts"), "%s %v", name, mode)
			require.NoError(t, r.SendBatch(atMost(t, 7), batch(texts...)).Close(), "%s %v", name, mode)
			assert.Zero(t, r.count("posts"), "%s %v", name, mode)
		}
	}
}

// A batch that changes something else is sent as ever, and stays one transaction.
func TestBatchShiftsNothing(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.Unwrap().SendBatch(t.Context(), batch("CREATE TABLE x (id int)", insertSix)).Close())
	require.NoError(t, r.Unwrap().SendBatch(t.Context(), batch("SET statement_timeout TO 9000", "INSERT INTO users VALUES (7)", "SELECT 1")).Close())
	require.NoError(t, r.SendBatch(t.Context(), batch("SET search_path TO public", "INSERT INTO users VALUES (8)", "SELECT 1")).Close())
	require.Error(t, r.SendBatch(t.Context(), batch("SET search_path TO public", "INSERT INTO users VALUES (9)", "SELECT 1/0")).Close())
	assert.Equal(t, 8, r.count("users"))
}

// The same in one text that bypasses the handles.
func TestVetoOfTextThatShifts(t *testing.T) {
	r := newRig(t)
	_, err := r.bare.Exec(t.Context(), wiping)
	require.NoError(t, err)
	for _, name := range []string{"path", "path, by a function", "trigger"} {
		texts := shifting[name]
		_, err = r.Unwrap().Exec(atMost(t, 9), texts[0]+"; "+texts[1])
		require.ErrorIs(t, err, dbguard.Uncountable, name)
	}
	assert.Equal(t, 7, r.count("posts"))
}
