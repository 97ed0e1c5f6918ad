package pgxguard_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/dbguard/dbguardtest"
)

func batch(texts ...string) *pgx.Batch {
	b := &pgx.Batch{}
	for _, text := range texts {
		b.Queue(text)
	}
	return b
}

const (
	insertSix = "INSERT INTO users VALUES (6)"
	dropFive  = "DELETE FROM users WHERE id = 5"
	dropFour  = "DELETE FROM users WHERE id = 4"
	dropTwo   = "DELETE FROM users WHERE id = 2" // and seven posts
)

// Each statement has the bound for itself.
func TestBatchCountsEachStatement(t *testing.T) {
	r := newRig(t)
	r.survives(func() {
		results := r.SendBatch(atMost(t, 1), batch(insertSix, dropFive, dropFour, "SELECT count(*) FROM users"))
		for _, want := range []string{"INSERT 0 1", "DELETE 1", "DELETE 1"} {
			tag, err := results.Exec()
			require.NoError(t, err)
			assert.Equal(t, want, tag.String())
		}
		var n int
		require.NoError(t, results.QueryRow().Scan(&n))
		assert.Equal(t, 4, n)
		_, err := results.Exec()
		require.ErrorContains(t, err, "no more results in batch")
		require.NoError(t, results.Close())
		require.NoError(t, results.Close())
	})
	assert.Equal(t, 4, r.count("users"))
	dbguardtest.AssertChanged(t, r.rec, "users", 2)
}

// A batch is one transaction: what is refused undoes all of it.
func TestBatchRefused(t *testing.T) {
	r := newRig(t)
	r.survives(func() {
		require.ErrorIs(t, r.SendBatch(t.Context(), batch(insertSix, dropFive)).Close(), dbguard.Unbounded)
		require.ErrorIs(t, r.SendBatch(atMost(t, 1), batch(insertSix, dropFive, dropTwo)).Close(), dbguard.OverLimit)

		results := r.SendBatch(atMost(t, 1), batch(insertSix, dropTwo, dropFive))
		_, err := results.Exec()
		require.NoError(t, err)
		_, err = results.Exec()
		require.ErrorIs(t, err, dbguard.OverLimit)
		_, err = results.Exec()
		require.ErrorIs(t, err, dbguard.OverLimit, "as with any error in a batch, the rest does not run")
		require.ErrorIs(t, results.Close(), dbguard.OverLimit)
		assert.Zero(t, r.Stat().AcquiredConns())
	})
	assert.Equal(t, 5, r.count("users"))
}

func TestBatchBudgetIsGivenBack(t *testing.T) {
	r := newRig(t)
	ctx := dbguard.Budget(t.Context(), 2)
	require.ErrorIs(t, r.SendBatch(ctx, batch(dropFive, dropFour, "DELETE FROM users WHERE id = 3")).Close(), dbguard.OverBudget)
	require.NoError(t, r.SendBatch(ctx, batch(dropFive, dropFour)).Close())
	assert.Equal(t, 3, r.count("users"))
}

func TestBatchInTransaction(t *testing.T) {
	r := newRig(t)
	require.NoError(t, pgx.BeginFunc(t.Context(), r, func(tx pgx.Tx) error {
		require.ErrorIs(t, tx.SendBatch(atMost(t, 1), batch(insertSix, dropTwo)).Close(), dbguard.OverLimit)
		require.NoError(t, tx.SendBatch(atMost(t, 1), batch(dropFive)).Close(), "the transaction goes on")
		return nil
	}))
	assert.Equal(t, 5, r.count("users"), "the statements before the refused one were the transaction's")
}

// A callback's error is the caller's own: without a guard the server has
// committed by then.
func TestBatchCallbacks(t *testing.T) {
	for _, first := range []string{insertSix, "UPDATE users SET name = 'y' WHERE id = 1"} {
		t.Run(first, func(t *testing.T) {
			r := newRig(t)
			b := batch(first)
			var rows, tags []string
			b.Queue(dropFive + " RETURNING name").Query(func(rs pgx.Rows) (err error) {
				rows, err = pgx.CollectRows(rs, pgx.RowTo[string])
				return err
			})
			own := errors.New("own")
			b.Queue(dropFour).Exec(func(tag pgconn.CommandTag) error {
				tags = append(tags, tag.String())
				return own
			})
			b.Queue("DELETE FROM users WHERE id = 3").Exec(func(pgconn.CommandTag) error {
				t.Error("called after an error")
				return nil
			})
			require.ErrorIs(t, r.SendBatch(atMost(t, 1), b).Close(), own)
			assert.Equal(t, []string{"u5"}, rows)
			assert.Equal(t, []string{"DELETE 1"}, tags)
			assert.Zero(t, r.count("users WHERE id IN (3, 4, 5)"))
		})
	}
}

// The same batches without a guard, as the reference.
func TestBatchFailsAsBare(t *testing.T) {
	r := newRig(t)
	for _, texts := range [][]string{
		{insertSix, "INSERT INTO users VALUES (6)", dropFive},
		{dropFive, "SELECT 1/0", dropFour},
		{dropFive, "INSERT INTO posts VALUES (1, 1)"},
		{dropFive + "; " + dropFour},
		{"BEGIN", dropFive, "SELECT 1/0"},
	} {
		bare := r.bare.SendBatch(atMost(t, 1), batch(texts...)).Close()
		guarded := r.SendBatch(atMost(t, 1), batch(texts...)).Close()
		var was, is *pgconn.PgError
		require.ErrorAs(t, bare, &was)
		require.Error(t, guarded, "%q", texts)
		if errors.As(guarded, &is) {
			assert.Equal(t, was.Code, is.Code, "%q", texts)
		} else {
			require.ErrorIs(t, guarded, dbguard.ErrRefused)
		}
		assert.Equal(t, 5, r.count("users"), "%q", texts)
	}
}

func TestBatchOfOwnTransaction(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.SendBatch(atMost(t, 1), batch("BEGIN", dropFive, "COMMIT")).Close())
	require.NoError(t, r.SendBatch(atMost(t, 1), batch("BEGIN", dropFour, "ROLLBACK")).Close())
	assert.Equal(t, 4, r.count("users"))
}

// Batch.BeginTx begins a transaction that outlives the batch.
func TestBatchBeginTx(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(pgx.Tx) error
		left int
	}{
		"commit":   {func(tx pgx.Tx) error { return tx.Commit(t.Context()) }, 3},
		"rollback": {func(tx pgx.Tx) error { return tx.Rollback(t.Context()) }, 5},
	} {
		for _, inBatch := range []string{dropFive, "SELECT 1"} {
			t.Run(name+" "+inBatch, func(t *testing.T) {
				r := newRig(t)
				ctx := atMost(t, 1)
				b := &pgx.Batch{}
				b.BeginTx(pgx.TxOptions{IsoLevel: pgx.Serializable})
				b.Queue("SHOW transaction_isolation")
				b.Queue(inBatch)
				results := r.SendBatch(ctx, b)
				tx := results.Tx()
				require.NotNil(t, tx)
				tag, err := results.Exec()
				require.NoError(t, err)
				assert.Equal(t, "BEGIN", tag.String())
				var level string
				require.NoError(t, results.QueryRow().Scan(&level))
				assert.Equal(t, "serializable", level)
				require.NoError(t, results.Close())

				_, err = tx.Exec(ctx, dropTwo)
				require.ErrorIs(t, err, dbguard.OverLimit)
				_, err = tx.Exec(ctx, dropFour)
				require.NoError(t, err)
				if inBatch != dropFive {
					_, err = tx.Exec(ctx, dropFive)
					require.NoError(t, err)
				}
				assert.Equal(t, int32(1), r.Stat().AcquiredConns())
				require.NoError(t, end.do(tx))
				require.ErrorIs(t, tx.Rollback(ctx), pgx.ErrTxClosed)
				assert.Zero(t, r.Stat().AcquiredConns())
				assert.Equal(t, end.left, r.count("users"))
			})
		}
	}
}

func TestBatchBeginTxFails(t *testing.T) {
	r := newRig(t)
	b := &pgx.Batch{}
	b.BeginTx(pgx.TxOptions{BeginQuery: "BEGIN NONSENSE"})
	b.Queue(dropFive)
	results := r.SendBatch(atMost(t, 1), b)
	require.Error(t, results.Close())
	require.ErrorIs(t, results.Tx().Rollback(t.Context()), pgx.ErrTxClosed)
	assert.Zero(t, r.Stat().AcquiredConns())

	require.NoError(t, pgx.BeginFunc(t.Context(), r, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.BeginTx(pgx.TxOptions{})
		require.ErrorContains(t, tx.SendBatch(t.Context(), b).Close(), "cannot be used within a transaction")
		return nil
	}))
}

func TestBatchNamedArguments(t *testing.T) {
	r := newRig(t)
	b := &pgx.Batch{}
	b.Queue("DELETE FROM users WHERE id = @id", pgx.NamedArgs{"id": 5})
	b.Queue("DELETE FROM users WHERE id = $1", 4)
	require.NoError(t, r.SendBatch(atMost(t, 1), b).Close())
	assert.Equal(t, 3, r.count("users"))
	b = &pgx.Batch{}
	b.Queue("SELECT 1", rewriter("DELETE FROM users WHERE id IN (1, 3)"))
	require.ErrorIs(t, r.SendBatch(atMost(t, 1), b).Close(), dbguard.OverLimit)
	assert.Equal(t, 3, r.count("users"))
}

func TestEmptyBatch(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.SendBatch(t.Context(), &pgx.Batch{}).Close())
	assert.Zero(t, r.Stat().AcquiredConns())
}
