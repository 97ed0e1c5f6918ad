package postgres

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

// onNative is onEachDriver for pgx without database/sql.
func onNative(t *testing.T, policy dbguard.Policy, test func(*testing.T, *fixture, *pgxguard.Pool)) {
	t.Helper()
	onEachDriver(t, func(t *testing.T, f *fixture) {
		if f.driver != "pgx" {
			t.Skip("the same server")
		}
		test(t, f, f.native(policy, f.dsn))
	})
}

func (f *fixture) native(policy dbguard.Policy, dsn string) *pgxguard.Pool {
	f.t.Helper()
	cfg, err := pgxpool.ParseConfig(dsn)
	require.NoError(f.t, err)
	cfg.MaxConns = 1
	g, err := dbguard.New(policy)
	require.NoError(f.t, err)
	pool, err := pgxguard.New(f.t.Context(), cfg, g)
	require.NoError(f.t, err)
	f.t.Cleanup(pool.Close)
	return pool
}

// nativeSession is what pools and transactions of pgx have in common.
type nativeSession interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error)
}

// observer needs the tables of the rows, so that the server's judgement is not enough.
type observer struct{}

func (observer) Observe(context.Context, dbguard.Event) {}

func execOne(text string) func(context.Context, nativeSession, int) error {
	return func(ctx context.Context, on nativeSession, i int) error {
		tag, err := on.Exec(ctx, text, i)
		if err == nil && tag.RowsAffected() != 1 {
			return assert.AnError
		}
		return err
	}
}

func sendBatch(texts ...string) func(context.Context, nativeSession, int) error {
	return func(ctx context.Context, on nativeSession, i int) error {
		b := &pgx.Batch{}
		for _, text := range texts {
			b.Queue(text, i)
		}
		return on.SendBatch(ctx, b).Close()
	}
}

var nativeTrips = []struct {
	name               string
	limit              int64
	alone, heard, inTx int64 // round trips: in autocommit, with an observer, in a transaction
	do                 func(context.Context, nativeSession, int) error
}{
	{"a change", 1, 1, 1, 1, execOne("UPDATE t SET v = v + 1 WHERE id = $1")},
	{"a plain table", 1, 1, 1, 1, execOne("DELETE FROM t WHERE id = $1")},
	{"a cascade", 9, 1, 3, 1, execOne("DELETE FROM parent WHERE id = $1")},
	{"something else in a WITH", 9, 1, 2, 1, execOne("WITH d AS (DELETE FROM kept WHERE id = $1 + 1 RETURNING id) DELETE FROM t WHERE id IN (SELECT id - 1 FROM d)")},
	{"rows", 1, 1, 1, 1, func(ctx context.Context, on nativeSession, i int) error {
		var v int
		return on.QueryRow(ctx, "UPDATE t SET v = v + 1 WHERE id = $1 RETURNING v", i).Scan(&v)
	}},
	{"an INSERT", 1, 1, 1, 1, execOne("INSERT INTO t VALUES ($1 + 100)")},
	{"a batch", 1, 1, 1, 1, sendBatch("UPDATE t SET v = 0 WHERE id = $1", "INSERT INTO t VALUES ($1 + 100)", "SELECT v FROM t WHERE id = $1")},
}

func TestNativeRoundTrips(t *testing.T) {
	target.Postgres.Since(t, 15, flushes)
	for _, tc := range nativeTrips {
		t.Run(tc.name, func(t *testing.T) {
			measure := func(t *testing.T, f *fixture, on nativeSession, want int64) {
				ctx := atMost(t, tc.limit)
				for i := 1; i <= 6; i++ {
					n := f.trips(func() { require.NoError(t, tc.do(ctx, on, i)) })
					if i > 3 { // once it is met, prepared and known
						assert.Equal(t, want, n, "number %d", i)
					}
				}
			}
			onNative(t, dbguard.Policy{}, func(t *testing.T, f *fixture, pool *pgxguard.Pool) { measure(t, f, pool, tc.alone) })
			onNative(t, dbguard.Policy{Observers: []dbguard.Observer{observer{}}}, func(t *testing.T, f *fixture, pool *pgxguard.Pool) {
				measure(t, f, pool, tc.heard)
			})
			onNative(t, dbguard.Policy{}, func(t *testing.T, f *fixture, pool *pgxguard.Pool) {
				require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
					measure(t, f, tx, tc.inTx)
					return nil
				}))
			})
		})
	}
}

// What was changed before, within its bound, does not count for a statement that takes one
// round trip.
func TestNativeCountsOnlyItsOwn(t *testing.T) {
	onNative(t, dbguard.Policy{}, func(t *testing.T, f *fixture, pool *pgxguard.Pool) {
		one, four := atMost(t, 1), atMost(t, 4)
		const drop = "DELETE FROM parent WHERE id = $1"
		for i := 1; i <= 4; i++ {
			_, err := pool.Exec(four, drop, i)
			require.NoError(t, err)
			_, err = pool.Exec(four, drop, i+10)
			require.NoError(t, err)
			_, err = pool.Exec(one, drop, 20)
			require.ErrorIs(t, err, dbguard.OverLimit)
			assert.Contains(t, err.Error(), "1 row of parent and 3 rows of child (ON DELETE CASCADE)")
			_, err = pool.Exec(one, "INSERT INTO child VALUES ($1, 20)", 100+i)
			require.NoError(t, err)
			_, err = f.bare.Exec("DELETE FROM child WHERE id > 100")
			require.NoError(t, err)
		}
		_, err := pool.Exec(atMost(t, 60), "UPDATE child SET id = id + 1000 WHERE parent > 4") // which the counters still hold
		require.NoError(t, err)
		require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			for i := 5; i < 8; i++ {
				_, err := tx.Exec(four, drop, i)
				require.NoError(t, err)
				_, err = tx.Exec(atMost(t, 3), drop, 20)
				require.ErrorIs(t, err, dbguard.OverLimit)
				assert.Contains(t, err.Error(), "1 row of parent and 3 rows of child (ON DELETE CASCADE)")
				_, err = tx.Exec(t.Context(), "SAVEPOINT mine")
				require.NoError(t, err)
				_, err = tx.Exec(four, drop, 20)
				require.NoError(t, err)
				_, err = tx.Exec(t.Context(), "ROLLBACK TO SAVEPOINT mine")
				require.NoError(t, err)
			}
			return nil
		}))
		assert.Equal(t, 9, f.count("parent"))
		assert.Equal(t, 27, f.count("child"))
	})
}

// A lost reply leaves the outcome of a statement unknown that was sent with its COMMIT. In
// the caller's transaction the server rolls back.
func TestNativeLostReply(t *testing.T) {
	target.Postgres.Since(t, 15, flushes)
	for _, inTx := range []bool{false, true} {
		onNative(t, dbguard.Policy{}, func(t *testing.T, f *fixture, pool *pgxguard.Pool) {
			drop := func(id int) error {
				if !inTx {
					_, err := pool.Exec(atMost(t, 4), "DELETE FROM parent WHERE id = $1", id)
					return err
				}
				return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
					_, err := tx.Exec(atMost(t, 4), "DELETE FROM parent WHERE id = $1", id)
					return err
				})
			}
			for id := 1; id <= 3; id++ {
				require.NoError(t, drop(id))
			}
			f.proxy.CutAfter("stmtcache_") // what is prepared goes by its name
			err := drop(4)
			require.True(t, f.proxy.Cut())
			require.Error(t, err)
			if inTx {
				assert.NotErrorIs(t, err, dbguard.Unconfirmed)
				assert.Equal(t, 17, f.count("parent"))
			} else {
				require.ErrorIs(t, err, dbguard.Unconfirmed)
				assert.Equal(t, 16, f.count("parent"), "it was done")
			}
			require.NoError(t, drop(5), "on another connection")

			// The same, cut before it is sent.
			for id := 6; id <= 8; id++ {
				require.NoError(t, drop(id))
			}
			left := f.count("parent")
			f.proxy.CutBefore("stmtcache_")
			require.Error(t, drop(9))
			assert.Equal(t, left, f.count("parent"))
		})
	}
}

var nativeChanges = map[string]string{
	"cascade": `CREATE TABLE late (t INT REFERENCES t ON DELETE CASCADE); INSERT INTO late SELECT 1 + i % 10 FROM generate_series(1, 100) i`,
	"row trigger": `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM kept WHERE id > 5; RETURN OLD; END';
		CREATE TRIGGER late AFTER DELETE OR INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()`,
	"deferred trigger": `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM kept WHERE id > 5; RETURN NULL; END';
		CREATE CONSTRAINT TRIGGER late AFTER DELETE OR INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()`,
	"rule": `CREATE RULE late AS ON DELETE TO t DO ALSO DELETE FROM kept WHERE id > 5; CREATE RULE later AS ON INSERT TO t DO ALSO DELETE FROM kept WHERE id > 5`,
	"view": `ALTER TABLE t RENAME TO old; CREATE VIEW t AS SELECT * FROM old; CREATE RULE late AS ON DELETE TO t DO INSTEAD DELETE FROM kept WHERE id > 5;
		CREATE RULE later AS ON INSERT TO t DO INSTEAD DELETE FROM kept WHERE id > 5`,
}

var nativeSends = map[string]func(context.Context, nativeSession, int) error{
	"Exec": func(ctx context.Context, on nativeSession, id int) error {
		_, err := on.Exec(ctx, "DELETE FROM t WHERE id = $1", id)
		return err
	},
	"QueryRow": func(ctx context.Context, on nativeSession, id int) error {
		err := on.QueryRow(ctx, "DELETE FROM t WHERE id = $1 RETURNING id", id).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	},
	"SendBatch": func(ctx context.Context, on nativeSession, id int) error {
		b := &pgx.Batch{}
		b.Queue("UPDATE t SET v = 0 WHERE id = $1", id)
		b.Queue("DELETE FROM t WHERE id = $1", id)
		return on.SendBatch(ctx, b).Close()
	},
	"SendBatch of INSERT": func(ctx context.Context, on nativeSession, id int) error {
		b := &pgx.Batch{}
		b.Queue("INSERT INTO t VALUES ($1 + 100)", id)
		b.Queue("INSERT INTO t VALUES ($1 + 200)", id)
		return on.SendBatch(ctx, b).Close()
	},
	"CopyFrom": func(ctx context.Context, on nativeSession, id int) error {
		_, err := on.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{id + 100}}))
		return err
	},
}

// Another connection changes what a statement fires, between two statements of one round trip
// each.
func TestNativeSchemaChanges(t *testing.T) {
	for name, change := range nativeChanges {
		for sent, send := range nativeSends {
			switch name + " " + sent {
			case "cascade CopyFrom", "cascade SendBatch of INSERT", "rule CopyFrom":
				continue // sets nothing off
			case "view CopyFrom", "view QueryRow":
				continue // the server refuses it
			}
			t.Run(name+" "+sent, func(t *testing.T) {
				for _, inTx := range []bool{false, true} {
					onNative(t, dbguard.Policy{}, func(t *testing.T, f *fixture, pool *pgxguard.Pool) {
						work := func(id int) error {
							if !inTx {
								return send(atMost(t, 1), pool, id)
							}
							return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error { return send(atMost(t, 1), tx, id) })
						}
						for id := 11; id < 15; id++ {
							require.NoError(t, work(id))
						}
						f.execBare(change)
						kept := f.count("kept")
						for range 3 {
							require.Error(t, work(2))
						}
						require.ErrorIs(t, work(2), dbguard.ErrRefused)
						assert.Equal(t, kept, f.count("kept"))
						if name == "cascade" {
							assert.Equal(t, 100, f.count("late"))
						}
					})
				}
			})
		}
	}
}

// pgx does not quote arguments for a server of another encoding, or one that reads a \ as
// an escape. Where there are none nothing has to be quoted.
func TestNativeWhereNothingCanBeQuoted(t *testing.T) {
	for _, setting := range []string{"client_encoding=SQL_ASCII", "standard_conforming_strings=off"} {
		onNative(t, dbguard.Policy{}, func(t *testing.T, f *fixture, _ *pgxguard.Pool) {
			pool := f.native(dbguard.Policy{}, f.dsn+"&"+setting)
			for range 2 {
				tag, err := pool.Exec(atMost(t, 500), "UPDATE t SET v = 0 WHERE id > 5")
				require.NoError(t, err)
				assert.Equal(t, "UPDATE 15", tag.String())
			}
			_, err := pool.Exec(t.Context(), "INSERT INTO keeper SELECT id FROM kept")
			require.NoError(t, err)
		})
	}
}
