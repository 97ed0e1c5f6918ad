package pgxguard_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/dbguard/dbguardtest"
)

// batches is a tracer that counts them.
type batches struct {
	tracing
	sent int
}

func (b *batches) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	b.sent++
	return ctx
}

func (b *batches) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	b.told = append(b.told, data.SQL+": "+data.CommandTag.String())
}

func (b *batches) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// plain is a table with 20 rows, without triggers or foreign keys.
const plain = "CREATE TABLE plain (id int PRIMARY KEY, n int CHECK (n >= 0)); INSERT INTO plain SELECT g, 0 FROM generate_series(1, 20) g"

// batchOf is a batch that can be pipelined: its third statement deletes first to last.
func batchOf(first, last int) *pgx.Batch {
	b := &pgx.Batch{}
	b.Queue("UPDATE plain SET n = n + 1 WHERE id = $1", 1)
	b.Queue("INSERT INTO plain VALUES (@id, 1) RETURNING id, n", pgx.NamedArgs{"id": 21})
	b.Queue("DELETE FROM plain WHERE id BETWEEN $1 AND $2 RETURNING id", first, last)
	b.Queue("INSERT INTO plain VALUES ($1)", 22)
	b.Queue("SELECT id FROM plain WHERE n = 1 ORDER BY id")
	return b
}

// A batch of bounded statements still is one batch.
func TestPipelinedBatch(t *testing.T) {
	tr := &batches{}
	r := newRig(t, func(cfg *pgxpool.Config, _ *dbguard.Policy) { cfg.ConnConfig.Tracer = tr })
	_, err := r.bare.Exec(t.Context(), plain)
	require.NoError(t, err)
	results := r.SendBatch(atMost(t, 1), batchOf(5, 5))
	tag, err := results.Exec()
	require.NoError(t, err)
	assert.Equal(t, "UPDATE 1", tag.String())
	var id, n int
	require.NoError(t, results.QueryRow().Scan(&id, &n))
	assert.Equal(t, [2]int{21, 1}, [2]int{id, n})
	require.NoError(t, results.QueryRow().Scan(&id))
	assert.Equal(t, 5, id)
	tag, err = results.Exec()
	require.NoError(t, err)
	assert.Equal(t, "INSERT 0 1", tag.String())
	rows, err := results.Query()
	require.NoError(t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	require.NoError(t, err)
	assert.Equal(t, []int{1, 21}, ids)
	require.NoError(t, results.Close())
	assert.Equal(t, 1, tr.sent)
	assert.Equal(t, []string{
		"UPDATE plain SET n = n + 1 WHERE id = $1: UPDATE 1",
		"INSERT INTO plain VALUES (@id, 1) RETURNING id, n: INSERT 0 1",
		"DELETE FROM plain WHERE id BETWEEN $1 AND $2 RETURNING id: DELETE 1",
		"INSERT INTO plain VALUES ($1): INSERT 0 1",
		"SELECT id FROM plain WHERE n = 1 ORDER BY id: SELECT 2",
	}, tr.told)
	dbguardtest.AssertChanged(t, r.rec, "plain", 2)
}

func TestPipelinedBatchRefused(t *testing.T) {
	r := newRig(t)
	_, err := r.bare.Exec(t.Context(), plain)
	require.NoError(t, err)
	r.survives(func() {
		require.ErrorIs(t, r.SendBatch(atMost(t, 1), batchOf(5, 6)).Close(), dbguard.OverLimit)
		require.ErrorIs(t, r.SendBatch(dbguard.Exactly(t.Context(), 1), batchOf(30, 30)).Close(), dbguard.UnderLimit)
		require.ErrorIs(t, r.SendBatch(t.Context(), batchOf(5, 5)).Close(), dbguard.Unbounded)
		require.True(t, pgErr("23514").matches(r.SendBatch(atMost(t, 1), batch(
			"UPDATE plain SET n = 1 WHERE id = 1", "UPDATE plain SET n = -1 WHERE id = 2", "DELETE FROM plain WHERE id = 3",
		)).Close()))
	})
	assert.Equal(t, 20, r.count("plain WHERE n = 0"), "a batch stands or falls as a whole")
	assert.Zero(t, r.count("plain WHERE id > 20"))
}

// In the caller's transaction the statements before the refused one stand, and the transaction
// goes on.
func TestPipelinedBatchInTransaction(t *testing.T) {
	r := newRig(t)
	_, err := r.bare.Exec(t.Context(), plain)
	require.NoError(t, err)
	require.NoError(t, pgx.BeginFunc(t.Context(), r, func(tx pgx.Tx) error {
		require.NoError(t, tx.SendBatch(atMost(t, 1), batch("UPDATE plain SET n = 5 WHERE id = 20")).Close())
		results := tx.SendBatch(atMost(t, 1), batchOf(5, 6))
		_, err := results.Exec()
		require.NoError(t, err)
		_, err = results.Exec()
		require.NoError(t, err)
		_, err = results.Exec()
		require.ErrorIs(t, err, dbguard.OverLimit)
		require.ErrorIs(t, results.Close(), dbguard.OverLimit)
		require.ErrorIs(t, tx.SendBatch(t.Context(), batch("INSERT INTO plain VALUES (30)", "DELETE FROM plain WHERE id = 3")).Close(), dbguard.Unbounded)
		return tx.SendBatch(atMost(t, 2), batch("DELETE FROM plain WHERE id IN (6, 7)")).Close()
	}))
	assert.Equal(t, 1, r.count("plain WHERE id = 1 AND n = 1"))
	assert.Equal(t, 2, r.count("plain WHERE id IN (21, 30)"))
	assert.Equal(t, 1, r.count("plain WHERE id = 5"))
	assert.Zero(t, r.count("plain WHERE id IN (6, 7, 22)"))

	tx, err := r.Begin(t.Context())
	require.NoError(t, err)
	require.True(t, pgErr("23514").matches(tx.SendBatch(atMost(t, 1), batch("UPDATE plain SET n = -1 WHERE id = 2")).Close()))
	_, err = tx.Exec(t.Context(), "SELECT 1")
	require.True(t, pgErr("25P02").matches(err), "an error of its own aborts the transaction, as bare")
	require.NoError(t, tx.Rollback(t.Context()))
}

// The table changes between two batches.
func TestPipelinedBatchOnChangedTable(t *testing.T) {
	for _, inTx := range []bool{false, true} {
		r := newRig(t)
		_, err := r.bare.Exec(t.Context(), plain)
		require.NoError(t, err)
		send := func(first, last int) error {
			if !inTx {
				return r.SendBatch(atMost(t, 2), batchOf(first, last)).Close()
			}
			return pgx.BeginFunc(t.Context(), r, func(tx pgx.Tx) error { return tx.SendBatch(atMost(t, 2), batchOf(first, last)).Close() })
		}
		require.NoError(t, send(5, 5))
		_, err = r.bare.Exec(t.Context(), `DELETE FROM plain WHERE id > 20;
			CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM plain WHERE id IN (11, 12); RETURN NULL; END$$;
			CREATE TRIGGER late AFTER DELETE ON plain FOR EACH ROW WHEN (OLD.id < 11) EXECUTE FUNCTION late()`)
		require.NoError(t, err)
		r.survives(func() {
			require.ErrorIs(t, send(6, 6), dbguard.OverLimit)
			require.ErrorIs(t, send(6, 6), dbguard.OverLimit)
			require.NoError(t, send(14, 14))
		})
		assert.Equal(t, 2, r.count("plain WHERE id IN (11, 12)"))
		assert.Equal(t, 1, r.count("plain WHERE id = 6"))
		assert.Zero(t, r.count("plain WHERE id IN (5, 14)"))
	}
}

func TestPipelinedBatchBudget(t *testing.T) {
	r := newRig(t)
	_, err := r.bare.Exec(t.Context(), plain)
	require.NoError(t, err)
	ctx := dbguard.Budget(t.Context(), 3)
	require.NoError(t, r.SendBatch(ctx, batchOf(5, 5)).Close())
	require.ErrorIs(t, r.SendBatch(ctx, batch("DELETE FROM plain WHERE id IN (6, 7)")).Close(), dbguard.OverBudget)
	require.NoError(t, r.SendBatch(ctx, batch("DELETE FROM plain WHERE id = 6")).Close())
	assert.Equal(t, 20, r.count("plain"))
}
