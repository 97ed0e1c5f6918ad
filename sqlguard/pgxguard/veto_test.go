package pgxguard_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/dbguard/dbguardtest"
)

const deleteOne = "DELETE FROM users WHERE id = $1"

// rewriter makes every text this one.
type rewriter string

func (r rewriter) RewriteQuery(context.Context, *pgx.Conn, string, []any) (string, []any, error) {
	return string(r), nil, nil
}

// bypasses are ways around the guarded handles, each to delete user 5.
var bypasses = map[string]func(ctx context.Context, c *pgx.Conn) error{
	"Exec": func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, deleteOne, 5)
		return err
	},
	"Exec without arguments": func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "DELETE FROM users WHERE id = 5")
		return err
	},
	"Query": func(ctx context.Context, c *pgx.Conn) error {
		rows, err := c.Query(ctx, deleteOne+" RETURNING id", 5)
		rows.Close()
		return errors.Join(err, rows.Err())
	},
	"Query, simple protocol": func(ctx context.Context, c *pgx.Conn) error {
		rows, err := c.Query(ctx, deleteOne, pgx.QueryExecModeSimpleProtocol, 5)
		if err == nil {
			rows.Close()
			err = rows.Err()
		}
		return err
	},
	"QueryRow": func(ctx context.Context, c *pgx.Conn) error {
		var id int
		return c.QueryRow(ctx, deleteOne+" RETURNING id", 5).Scan(&id)
	},
	"SendBatch": func(ctx context.Context, c *pgx.Conn) error {
		b := &pgx.Batch{}
		b.Queue("INSERT INTO users VALUES (6)")
		b.Queue(deleteOne, 5)
		return c.SendBatch(ctx, b).Close()
	},
	"prepared": func(ctx context.Context, c *pgx.Conn) error {
		if _, err := c.Prepare(ctx, "drop one", deleteOne); err != nil {
			return err
		}
		_, err := c.Exec(ctx, "drop one", 5)
		return err
	},
	"named arguments": func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "DELETE FROM users WHERE id = @id", pgx.NamedArgs{"id": 5})
		return err
	},
	"rewriter": func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "SELECT 1", rewriter("DELETE FROM users WHERE id = 5"))
		return err
	},
	"Tx": func(ctx context.Context, c *pgx.Conn) error {
		return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, deleteOne, 5)
			return err
		})
	},
}

func TestVeto(t *testing.T) {
	for name, way := range bypasses {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			past := func(ctx context.Context) (err error) {
				require.NoError(t, r.Unwrap().AcquireFunc(t.Context(), func(c *pgxpool.Conn) error {
					err = way(ctx, c.Conn())
					return nil
				}))
				return err
			}
			r.survives(func() {
				err := past(t.Context())
				require.ErrorIs(t, err, dbguard.Unbounded)
				err = past(atMost(t, 1))
				require.ErrorIs(t, err, dbguard.Uncountable, "a bound does not help: nobody counts")
				dbguardtest.AssertRefused(t, err, dbguard.Uncountable)
			})
			assert.Equal(t, 5, r.count("users"))

			r.survives(func() {
				ctx := dbguard.Allow(t.Context(), "the library takes no interface", dbguard.Opaque())
				require.NoError(t, past(dbguard.AtMost(ctx, 1)))
			})
			assert.Zero(t, r.count("users WHERE id = 5"))
			events := r.rec.Events()
			last := events[len(events)-1]
			assert.Equal(t, dbguard.OutcomeDone, last.Outcome)
			assert.Equal(t, "the library takes no interface", last.Reason)
		})
	}
}

// What is taken out of the pool reads and inserts as ever.
func TestNoVeto(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.Unwrap().AcquireFunc(t.Context(), func(c *pgxpool.Conn) error {
		var n int
		require.NoError(t, c.QueryRow(t.Context(), "SELECT count(*) FROM users WHERE id < $1", 3).Scan(&n))
		assert.Equal(t, 2, n)
		_, err := c.Exec(t.Context(), "INSERT INTO users VALUES ($1)", 6)
		require.NoError(t, err)
		_, err = c.CopyFrom(t.Context(), pgx.Identifier{"users"}, []string{"id"}, pgx.CopyFromRows([][]any{{7}}))
		require.NoError(t, err)
		b := &pgx.Batch{}
		b.Queue("INSERT INTO users VALUES (8)")
		b.Queue("SELECT count(*) FROM users").QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
		require.NoError(t, c.SendBatch(t.Context(), b).Close())
		assert.Equal(t, 8, n)
		require.NoError(t, pgx.BeginFunc(t.Context(), c, func(tx pgx.Tx) error {
			for id := 9; id < 12; id++ {
				if _, err := tx.Exec(t.Context(), "INSERT INTO users VALUES ($1, lower($2))", id, "U"); err != nil {
					return err
				}
			}
			return nil
		}))
		_, err = c.Exec(t.Context(), "CREATE TEMPORARY TABLE scratch (id int)")
		return err
	}))
	dbguardtest.AssertNothingDestroyed(t, r.rec)
}

// sideEffects are ways around the handles to delete posts that the text does not name.
var sideEffects = map[string]func(ctx context.Context, c *pgx.Conn) error{
	"function": func(ctx context.Context, c *pgx.Conn) error {
		var n int
		return c.QueryRow(ctx, "SELECT wipe($1)", 5).Scan(&n)
	},
	"INSERT": func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "INSERT INTO archive (post) VALUES ($1)", 1)
		return err
	},
	"CopyFrom": func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.CopyFrom(ctx, pgx.Identifier{"archive"}, []string{"post"}, pgx.CopyFromRows([][]any{{1}}))
		return err
	},
	"SendBatch": func(ctx context.Context, c *pgx.Conn) error {
		return c.SendBatch(ctx, batch("SELECT 1", "INSERT INTO archive (post) VALUES (1)")).Close()
	},
}

// Side effects of a text are looked up there, too, as they would not be counted.
func TestVetoOfSideEffects(t *testing.T) {
	for name, way := range sideEffects {
		for _, inTx := range []bool{false, true} {
			r := newRig(t)
			_, err := r.bare.Exec(t.Context(), archiving+`; CREATE FUNCTION wipe(int) RETURNS int LANGUAGE sql AS 'DELETE FROM posts; SELECT $1'`)
			require.NoError(t, err)
			past := func(ctx context.Context) (err error) {
				require.NoError(t, r.Unwrap().AcquireFunc(t.Context(), func(c *pgxpool.Conn) error {
					if inTx {
						err = pgx.BeginFunc(ctx, c, func(pgx.Tx) error { return way(ctx, c.Conn()) })
					} else {
						err = way(ctx, c.Conn())
					}
					return nil
				}))
				return err
			}
			r.survives(func() {
				require.ErrorIs(t, past(t.Context()), dbguard.ErrRefused, name)
				require.ErrorIs(t, past(atMost(t, 9)), dbguard.Uncountable, name)
			})
			assert.Equal(t, 7, r.count("posts"), name)
			require.NoError(t, past(dbguard.Allow(atMost(t, 9), "it archives", dbguard.Opaque())), name)
			assert.Less(t, r.count("posts"), 7, name)
		}
	}
}

// The *pgx.Conn of a guarded handle is judged, too.
func TestVetoOfHandedOutConn(t *testing.T) {
	r := newRig(t)
	ctx := atMost(t, 1)
	require.NoError(t, pgx.BeginFunc(ctx, r, func(tx pgx.Tx) error {
		_, err := tx.Conn().Exec(ctx, deleteOne, 5)
		require.ErrorIs(t, err, dbguard.Uncountable)
		_, err = tx.Exec(ctx, deleteOne, 5)
		return err
	}))
	assert.Equal(t, 4, r.count("users"))
}

// tracing records what it is called with.
type tracing struct{ told []string }

type tracingKey struct{}

func (tr *tracing) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	tr.told = append(tr.told, "> "+data.SQL)
	return context.WithValue(ctx, tracingKey{}, data.SQL)
}

func (tr *tracing) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	sql, _ := ctx.Value(tracingKey{}).(string)
	how := data.CommandTag.String()
	if data.Err != nil {
		how = "failed"
	}
	tr.told = append(tr.told, "< "+sql+": "+how)
}

// A tracer of the user's own is told of the user's statements, and of no other.
func TestUsersTracer(t *testing.T) {
	tr := &tracing{}
	r := newRig(t, func(cfg *pgxpool.Config, _ *dbguard.Policy) { cfg.ConnConfig.Tracer = tr })
	_, err := r.Exec(atMost(t, 1), deleteOne, 1)
	require.NoError(t, err)
	_, err = r.bare.Exec(t.Context(), "INSERT INTO users VALUES (1)") // which post 2 is to have
	require.NoError(t, err)
	_, err = r.Exec(atMost(t, 1), "DELETE FROM posts WHERE id = 1")
	require.NoError(t, err)
	rows, err := r.Query(atMost(t, 1), "UPDATE posts SET author = 1 WHERE id = 2 RETURNING id")
	require.NoError(t, err)
	rows.Close()
	_, err = r.Exec(atMost(t, 1), "DELETE FROM posts WHERE id > 1")
	require.ErrorIs(t, err, dbguard.OverLimit)
	_, err = r.Unwrap().Exec(atMost(t, 1), deleteOne, 2)
	require.ErrorIs(t, err, dbguard.Uncountable)
	assert.Equal(t, []string{
		"> " + deleteOne, "< " + deleteOne + ": DELETE 1", // in two tries: a cascade hangs on it
		"> DELETE FROM posts WHERE id = 1", "< DELETE FROM posts WHERE id = 1: DELETE 1",
		"> UPDATE posts SET author = 1 WHERE id = 2 RETURNING id", "< UPDATE posts SET author = 1 WHERE id = 2 RETURNING id: UPDATE 1",
		"> DELETE FROM posts WHERE id > 1", "< DELETE FROM posts WHERE id > 1: failed",
		"> " + deleteOne, "< " + deleteOne + ": failed",
	}, tr.told)
}

// A hook that exchanges the tracer does not lose the guard.
func TestTracerOfBeforeConnect(t *testing.T) {
	tr := &tracing{}
	r := newRig(t, func(cfg *pgxpool.Config, _ *dbguard.Policy) {
		cfg.BeforeConnect = func(_ context.Context, cc *pgx.ConnConfig) error {
			cc.Tracer = tr
			return nil
		}
	})
	_, err := r.Unwrap().Exec(atMost(t, 1), deleteOne, 2)
	require.ErrorIs(t, err, dbguard.Uncountable)
	assert.Len(t, tr.told, 2)
}

// Deferred triggers of guarded statements are counted before a COMMIT that bypasses the handles,
// too.
func TestVetoOfDeferred(t *testing.T) {
	ends := map[string]func(ctx context.Context, tx pgx.Tx) error{
		"Commit": func(ctx context.Context, tx pgx.Tx) error { return tx.Commit(ctx) },
		"text":   func(ctx context.Context, tx pgx.Tx) error { _, err := tx.Exec(ctx, "COMMIT"); return err },
		"batch": func(ctx context.Context, tx pgx.Tx) error {
			return tx.Conn().SendBatch(ctx, batch("SELECT 1", "END")).Close()
		},
		"at once": func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE")
			return err
		},
	}
	for name, end := range ends {
		r := newRig(t)
		_, err := r.bare.Exec(t.Context(), `CREATE TABLE late (id int);
			CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM posts; RETURN NULL; END';
			CREATE CONSTRAINT TRIGGER t AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()`)
		require.NoError(t, err)
		for _, bound := range []int64{0, 7} {
			c, err := r.Acquire(t.Context())
			require.NoError(t, err)
			tx, err := c.Conn().Begin(t.Context())
			require.NoError(t, err)
			_, err = c.Exec(atMost(t, bound), "INSERT INTO late VALUES (1)")
			require.NoError(t, err)
			err = end(t.Context(), tx)
			if bound == 0 {
				require.ErrorIs(t, err, dbguard.OverLimit, name)
				_ = tx.Rollback(t.Context())
			} else {
				require.NoError(t, err, name)
				_ = tx.Commit(t.Context())
			}
			c.Release()
			assert.Equal(t, 7-int(bound), r.count("posts"), name)
		}
	}
}
