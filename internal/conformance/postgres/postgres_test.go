// Package postgres holds the PostgreSQL engine to what it promises beyond the
// other engines: one round trip, an early stop, and a count of everything that
// hides behind a statement, whatever another connection does to the schema.
package postgres

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/network"
	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/sqlguard"
)

func TestMain(m *testing.M) { servers.Main(m) }

// world is a database with one guarded connection and one that is not.
type world struct {
	t       *testing.T
	driver  string
	db      *sql.DB // guarded, through a proxy
	direct  *sql.DB // bare, through the proxy
	bare    *sql.DB // somebody else
	network *network.Proxy
}

// setup is the schema that every test starts from.
var setup = []string{
	"CREATE TABLE t (id INT PRIMARY KEY, v INT)",
	"INSERT INTO t SELECT i, i FROM generate_series(1, 20) i",
	"CREATE TABLE parent (id INT PRIMARY KEY)",
	"INSERT INTO parent SELECT generate_series(1, 20)",
	"CREATE TABLE child (id INT, parent INT REFERENCES parent ON DELETE CASCADE)",
	"INSERT INTO child SELECT i, 1 + i % 20 FROM generate_series(1, 60) i",
	"CREATE TABLE kept (id INT PRIMARY KEY)",
	"INSERT INTO kept SELECT generate_series(1, 20)",
	"CREATE TABLE keeper (kept INT REFERENCES kept)",
	"INSERT INTO keeper VALUES (1)",
}

func onBoth(t *testing.T, test func(*testing.T, *world)) {
	for _, tg := range target.All() {
		if tg.Engine != target.Postgres {
			continue
		}
		t.Run(tg.Name, func(t *testing.T) {
			d := tg.Database(t)
			w := &world{t: t, driver: tg.Name, bare: d.Bare(t)}
			t.Cleanup(func() { w.bare.Close() })
			for _, text := range setup {
				w.change(text)
			}
			g, err := dbguard.New(dbguard.Policy{})
			require.NoError(t, err)
			proxy, dsn := network.Through(t, d.DSN, 0)
			w.network = proxy
			w.db, err = sqlguard.Open(tg.Driver, dsn, g)
			require.NoError(t, err)
			t.Cleanup(func() { w.db.Close() })
			w.db.SetMaxOpenConns(1)
			w.direct, err = sql.Open(tg.Driver, dsn)
			require.NoError(t, err)
			t.Cleanup(func() { w.direct.Close() })
			w.direct.SetMaxOpenConns(1)
			test(t, w)
		})
	}
}

// change runs a text on somebody else's connection.
func (w *world) change(text string) {
	w.t.Helper()
	_, err := w.bare.Exec(text)
	require.NoError(w.t, err, text)
}

func (w *world) count(table string) (n int) {
	w.t.Helper()
	require.NoError(w.t, w.bare.QueryRow("SELECT count(*) FROM "+table).Scan(&n))
	return n
}

// trips counts what fn sends.
func (w *world) trips(fn func()) int64 {
	before := w.network.Trips()
	fn()
	return w.network.Trips() - before
}

func atMost(t *testing.T, n int64) context.Context { return dbguard.AtMost(t.Context(), n) }

func TestRoundTrips(t *testing.T) {
	tests := []struct {
		name, text string
		limit      int64
		want       int64 // with the connection warm and the counters flushed
		rows       int64
	}{
		{"a change", "UPDATE t SET v = v + 1 WHERE id = $1", 1, 1, 1},
		{"a plain table", "DELETE FROM t WHERE id = $1", 1, 1, 1},
		{"a cascade", "DELETE FROM parent WHERE id = $1", 9, 3, 1},
	}
	onBoth(t, func(t *testing.T, w *world) {
		for _, tc := range tests {
			stmt, err := w.db.PrepareContext(t.Context(), tc.text)
			require.NoError(t, err)
			for i := 1; i <= 6; i++ {
				n := w.trips(func() {
					res, err := stmt.ExecContext(atMost(t, tc.limit), i)
					require.NoError(t, err)
					affected, err := res.RowsAffected()
					require.NoError(t, err)
					assert.Equal(t, tc.rows, affected)
				})
				if i > 3 {
					assert.Equal(t, tc.want, n, "%s, number %d", tc.name, i)
				}
			}
			require.NoError(t, stmt.Close())
		}
		assert.Equal(t, 14, w.count("t"))
		assert.Equal(t, 14, w.count("parent"))
		assert.Equal(t, 42, w.count("child"))
	})
}

// Another connection changes what a statement sets off, between two of them.
func TestSchemaChangesBetweenTwo(t *testing.T) {
	changes := map[string]string{
		"cascade":  `CREATE TABLE late (t INT REFERENCES t ON DELETE CASCADE); INSERT INTO late SELECT 1 + i % 10 FROM generate_series(1, 100) i`,
		"set null": `CREATE TABLE late (t INT REFERENCES t ON DELETE SET NULL); INSERT INTO late SELECT 1 + i % 10 FROM generate_series(1, 100) i`,
		"row trigger": `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM kept WHERE id > 5; RETURN OLD; END';
			CREATE TRIGGER late AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()`,
		"before trigger": `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM kept WHERE id > 5; RETURN OLD; END';
			CREATE TRIGGER late BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()`,
		"statement trigger": `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM kept WHERE id > 5; RETURN NULL; END';
			CREATE TRIGGER late BEFORE DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION f()`,
		"deferred trigger": `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM kept WHERE id > 5; RETURN NULL; END';
			CREATE CONSTRAINT TRIGGER late AFTER DELETE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()`,
		"rule":    `CREATE RULE late AS ON DELETE TO t DO ALSO DELETE FROM kept WHERE id > 5`,
		"instead": `CREATE RULE late AS ON DELETE TO t DO INSTEAD DELETE FROM kept WHERE id > 5`,
		"view":    `ALTER TABLE t RENAME TO old; CREATE VIEW t AS SELECT * FROM old; CREATE RULE late AS ON DELETE TO t DO INSTEAD DELETE FROM kept WHERE id > 5`,
		"row security": `CREATE FUNCTION f() RETURNS bool LANGUAGE plpgsql AS 'BEGIN DELETE FROM kept WHERE id > 5; RETURN true; END';
			ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; CREATE POLICY late ON t USING (f());
			CREATE ROLE plain NOSUPERUSER; GRANT ALL ON ALL TABLES IN SCHEMA public TO plain`,
		"operator": `CREATE FUNCTION f(int, int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN DELETE FROM kept WHERE id > 5; RETURN $1 = $2; END'`,
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				text := "DELETE FROM t WHERE id = $1"
				if name == "operator" {
					w.change(change + "; CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = f)")
					text = "DELETE FROM t WHERE id === $1"
				}
				stmt, err := w.db.PrepareContext(t.Context(), text)
				require.NoError(t, err)
				defer stmt.Close()
				if name != "operator" {
					for i := 11; i < 14; i++ {
						_, err = stmt.ExecContext(atMost(t, 1), i)
						require.NoError(t, err)
					}
					w.change(change)
				}
				if name == "row security" {
					defer w.change("DROP OWNED BY plain; DROP ROLE plain")
					_, err := w.db.ExecContext(t.Context(), "SET ROLE plain")
					require.NoError(t, err)
				}
				kept, late := w.count("kept"), 0
				if name == "cascade" || name == "set null" {
					late = w.count("late WHERE t IS NOT NULL")
				}
				for range 2 {
					_, err = stmt.ExecContext(atMost(t, 1), 2)
					assert.ErrorIs(t, err, dbguard.OverLimit)
					_, err = w.db.ExecContext(atMost(t, 1), text, 2)
					assert.ErrorIs(t, err, dbguard.OverLimit)
				}
				assert.Equal(t, kept, w.count("kept"))
				if late > 0 {
					assert.Equal(t, late, w.count("late WHERE t IS NOT NULL"))
				}
				_, err = stmt.ExecContext(atMost(t, 30), 2)
				require.NoError(t, err, "within a bound that covers it")
			})
		})
	}
}

// What the caller sees of an error is what it would see without a guard.
func TestErrors(t *testing.T) {
	texts := []string{
		"DELETE FROM kept WHERE id = 1",
		"DELETE FROM missing WHERE id = 1",
		"DELETE FROM t WHERE nothing = 1",
		"UPDATE t SET v = 1 / (v - v) WHERE id = 1",
		"UPDATE t SET id = 2 WHERE id = 1",
		"DELETE FROM t WHERE id = 'one'",
		"UPDATE t SET v = 1, v = 2 WHERE id = 1",
		"DELETE FROM t WHERE id = 1 RETURNING nothing",
		"DELETE FROM t WHERE CURRENT OF c",
	}
	onBoth(t, func(t *testing.T, w *world) {
		for _, text := range texts {
			_, want := w.direct.ExecContext(t.Context(), text)
			require.Error(t, want, text)
			_, err := w.db.ExecContext(atMost(t, 1), text)
			assert.Equal(t, want.Error(), err.Error(), text)
			if w.driver == "pgx" { // lib/pq keeps the text that was sent in a field of its own
				assert.Equal(t, want, err, text)
			}
		}
		var v *dbguard.Violation
		_, err := w.db.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id < 10")
		require.ErrorAs(t, err, &v)
		assert.NoError(t, v.Err, "the error by which the server stopped is not the caller's business")
	})
}

// Forms that have to be put into other words with care.
func TestForms(t *testing.T) {
	texts := []struct {
		text string
		rows int64
	}{
		{"DELETE FROM t WHERE id = 1 -- a comment", 1},
		{"DELETE FROM t WHERE id = 2 /* a comment */ ; -- another", 1},
		{"/* first */ DELETE FROM ONLY public.t AS x WHERE x.id = 3;", 1},
		{`DELETE FROM "t" USING kept WHERE kept.id = t.id AND t.id = 4;;`, 1},
		{"WITH w AS (SELECT 5 AS id) DELETE FROM t WHERE id IN (SELECT id FROM w)", 1},
		{"WITH RECURSIVE w(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM w WHERE n < 6) DELETE FROM t WHERE id = (SELECT max(n) FROM w)", 1},
		{"UPDATE t SET v = NULL WHERE id = 7 RETURNING *", 1},
		{"UPDATE t AS dbguard SET v = 1 FROM kept s WHERE s.id = dbguard.id AND s.id = 8 RETURNING dbguard.id, s.id, s.id", 1},
		{"DELETE FROM t WHERE id = 99", 0},
		{"UPDATE t SET v = 2 WHERE id IN (9, 10)", 2},
		{"WITH a AS (INSERT INTO child VALUES (1, 1)) DELETE FROM t WHERE id = 10", 1},
		{"SELECT 1 FROM t WHERE id = 11", 1},
	}
	onBoth(t, func(t *testing.T, w *world) {
		for _, f := range texts {
			res, err := w.db.ExecContext(atMost(t, 2), f.text)
			require.NoError(t, err, f.text)
			n, err := res.RowsAffected()
			require.NoError(t, err)
			assert.Equal(t, f.rows, n, f.text)
		}
		rows, err := w.db.QueryContext(atMost(t, 2), "DELETE FROM t WHERE id > 18 RETURNING id, id, 'x', NULL, v -- all")
		require.NoError(t, err)
		columns, err := rows.Columns()
		require.NoError(t, err)
		assert.Equal(t, []string{"id", "id", "?column?", "?column?", "v"}, columns)
		var ids []int
		for rows.Next() {
			var id, again, v int
			var x, null *string
			require.NoError(t, rows.Scan(&id, &again, &x, &null, &v))
			assert.Equal(t, "x", *x)
			assert.Nil(t, null)
			ids = append(ids, id)
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
		assert.Equal(t, []int{19, 20}, ids)
	})
}

func TestRoundTripsInTransaction(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for _, text := range []string{"UPDATE t SET v = v + 1 WHERE id = $1", "DELETE FROM public.t AS x WHERE x.id = $1 -- one"} {
			tx, err := w.db.Begin()
			require.NoError(t, err)
			stmt, err := tx.PrepareContext(t.Context(), text)
			require.NoError(t, err)
			for i := 1; i <= 5; i++ {
				n := w.trips(func() {
					res, err := stmt.ExecContext(atMost(t, 1), i)
					require.NoError(t, err)
					affected, err := res.RowsAffected()
					require.NoError(t, err)
					assert.EqualValues(t, 1, affected)
				})
				if i > 2 {
					assert.EqualValues(t, 1, n, "%s, number %d", text, i)
				}
			}
			_, err = tx.ExecContext(atMost(t, 2), "UPDATE t SET v = 0 WHERE id > 10")
			require.ErrorIs(t, err, dbguard.OverLimit)
			res, err := tx.ExecContext(atMost(t, 10), "UPDATE t SET v = 0 WHERE id > 10")
			require.NoError(t, err, "the transaction goes on")
			affected, err := res.RowsAffected()
			require.NoError(t, err)
			assert.EqualValues(t, 10, affected)
			require.NoError(t, tx.Commit())
		}
		assert.Equal(t, 15, w.count("t"))
		assert.Equal(t, 10, w.count("t WHERE v = 0"))
	})
}

// Another connection changes what a statement in a transaction sets off.
func TestSchemaChangesBetweenTransactions(t *testing.T) {
	changes := map[string]string{
		"cascade": `CREATE TABLE late (t INT REFERENCES t ON DELETE CASCADE); INSERT INTO late SELECT 1 + i % 10 FROM generate_series(1, 100) i`,
		"row trigger": `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM kept WHERE id > 5; RETURN OLD; END';
			CREATE TRIGGER late AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()`,
		"statement trigger": `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM kept WHERE id > 5; RETURN NULL; END';
			CREATE TRIGGER late BEFORE DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION f()`,
		"rule":    `CREATE RULE late AS ON DELETE TO t DO ALSO DELETE FROM kept WHERE id > 5`,
		"instead": `CREATE RULE late AS ON DELETE TO t DO INSTEAD DELETE FROM kept WHERE id > 5`,
		"view":    `ALTER TABLE t RENAME TO old; CREATE VIEW t AS SELECT * FROM old; CREATE RULE late AS ON DELETE TO t DO INSTEAD DELETE FROM kept WHERE id > 5`,
		"child":   `CREATE TABLE late () INHERITS (t); INSERT INTO late SELECT 1, 1 FROM generate_series(1, 10); CREATE RULE late AS ON DELETE TO late DO INSTEAD NOTHING`,
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				const text = "DELETE FROM t WHERE id = $1"
				tx, err := w.db.Begin()
				require.NoError(t, err)
				for i := 11; i < 14; i++ {
					_, err = tx.ExecContext(atMost(t, 1), text, i)
					require.NoError(t, err)
				}
				require.NoError(t, tx.Commit())
				w.change(change)
				kept, all := w.count("kept"), w.count("t")
				for range 3 {
					tx, err := w.db.Begin()
					require.NoError(t, err)
					_, err = tx.ExecContext(atMost(t, 1), text, 1)
					require.Error(t, err)
					_ = tx.Commit() // refused, or rolled back
				}
				assert.Equal(t, kept, w.count("kept"))
				assert.Equal(t, all, w.count("t"))
				tx, err = w.db.Begin()
				require.NoError(t, err)
				_, err = tx.ExecContext(atMost(t, 1), text, 1)
				assert.ErrorIs(t, err, dbguard.OverLimit, "once it is known")
				_, err = tx.ExecContext(atMost(t, 1), "DELETE FROM parent WHERE id = 99")
				require.NoError(t, err, "the transaction goes on")
				require.NoError(t, tx.Commit())
			})
		})
	}
}

// Two transactions want the same row: what the second finds is looked at again.
func TestConcurrentChanges(t *testing.T) {
	for _, level := range []sql.IsolationLevel{sql.LevelReadCommitted, sql.LevelRepeatableRead} {
		t.Run(level.String(), func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				tx, err := w.db.BeginTx(t.Context(), &sql.TxOptions{Isolation: level})
				require.NoError(t, err)
				_, err = tx.ExecContext(atMost(t, 1), "UPDATE t SET v = v + 1 WHERE id = 2")
				require.NoError(t, err)
				other, err := w.bare.Begin()
				require.NoError(t, err)
				_, err = other.Exec("UPDATE t SET v = 100 WHERE id = 1")
				require.NoError(t, err)
				done := make(chan error)
				go func() {
					_, err := tx.ExecContext(atMost(t, 1), "UPDATE t SET v = v + 1 WHERE id = 1")
					done <- err
				}()
				time.Sleep(100 * time.Millisecond)
				require.NoError(t, other.Commit())
				if err = <-done; level == sql.LevelRepeatableRead {
					var coded interface{ SQLState() string }
					require.ErrorAs(t, err, &coded)
					assert.Equal(t, "40001", coded.SQLState())
					require.NoError(t, tx.Rollback())
					return
				}
				require.NoError(t, err)
				require.NoError(t, tx.Commit())
				assert.Equal(t, 1, w.count("t WHERE v = 101"), "on top of the other's change")
			})
		})
	}
}

func TestTemporaryRowsDoNotCount(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		tx, err := w.db.Begin() // pins the connection
		require.NoError(t, err)
		_, err = tx.Exec("CREATE TEMPORARY TABLE mine AS SELECT i FROM generate_series(1, 9) i")
		require.NoError(t, err)
		_, err = tx.ExecContext(atMost(t, 1), "DELETE FROM mine WHERE i < 4")
		require.NoError(t, err)
		require.NoError(t, tx.Commit())
		res, err := w.db.ExecContext(atMost(t, 1), "DELETE FROM mine WHERE i > $1", 6)
		require.NoError(t, err)
		n, err := res.RowsAffected()
		require.NoError(t, err)
		assert.EqualValues(t, 3, n)
	})
}

// A table that another one refers to without action is checked by a lock, which
// a sealed statement cannot take.
func TestReferencedTable(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for i := 2; i < 6; i++ {
			_, err := w.db.ExecContext(atMost(t, 1), "DELETE FROM kept WHERE id = $1", i)
			require.NoError(t, err)
		}
		_, err := w.db.ExecContext(atMost(t, 1), "DELETE FROM kept WHERE id > $1", 5)
		require.ErrorIs(t, err, dbguard.OverLimit)
		assert.Equal(t, 16, w.count("kept"))
	})
}

func TestHiddenRowsAreNamed(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for range 3 {
			_, err := w.db.ExecContext(atMost(t, 2), "DELETE FROM parent WHERE id = $1", 3)
			require.ErrorIs(t, err, dbguard.OverLimit)
			assert.Contains(t, err.Error(), "1 row of parent and 3 rows of child (ON DELETE CASCADE)")
		}
		assert.Equal(t, 60, w.count("child"))
	})
}

// A runaway statement is stopped, not undone.
func TestEarlyStop(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.change("CREATE TABLE big AS SELECT i AS id, i AS v FROM generate_series(1, 200000) i")
		w.change("CREATE TABLE tail (id INT)")
		w.change("CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO tail VALUES (OLD.id); RETURN NULL; END'")
		for _, setup := range []string{"", "CREATE TRIGGER late AFTER DELETE OR UPDATE ON big FOR EACH ROW EXECUTE FUNCTION audit()"} {
			if setup != "" {
				w.change(setup)
			}
			for _, text := range []string{"DELETE FROM big WHERE id > 0", "UPDATE big SET v = v + 1 WHERE id > 0", "DELETE FROM big"} {
				ctx := dbguard.Allow(atMost(t, 100), "all are meant", dbguard.AllRows("big"))
				for range 2 {
					before := w.wal()
					_, err := w.db.ExecContext(ctx, text)
					require.ErrorIs(t, err, dbguard.OverLimit)
					assert.Less(t, w.wal()-before, int64(100_000), text)
				}
				tx, err := w.db.BeginTx(t.Context(), nil)
				require.NoError(t, err)
				before := w.wal()
				_, err = tx.ExecContext(ctx, text)
				require.ErrorIs(t, err, dbguard.OverLimit)
				assert.Less(t, w.wal()-before, int64(100_000), text)
				_, err = tx.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = 1")
				require.NoError(t, err, "the transaction goes on")
				require.NoError(t, tx.Rollback())
			}
		}
		assert.Equal(t, 200000, w.count("big"))
		assert.Equal(t, 20, w.count("t"))
	})
}

// A legitimate change of many rows, and one that is more than was meant.
func TestBulk(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.change("CREATE TABLE big AS SELECT i AS id, i AS v FROM generate_series(1, 60000) i")
		stmt, err := w.db.PrepareContext(t.Context(), "UPDATE big b SET v = -1 WHERE b.id <= $1 -- these")
		require.NoError(t, err)
		defer stmt.Close()
		for _, n := range []int64{10_000, 20_000} {
			res, err := stmt.ExecContext(atMost(t, n), n)
			require.NoError(t, err)
			affected, err := res.RowsAffected()
			require.NoError(t, err)
			assert.Equal(t, n, affected)
		}
		before := w.wal()
		_, err = stmt.ExecContext(atMost(t, 20_000), 20_001)
		require.ErrorIs(t, err, dbguard.OverLimit)
		assert.Less(t, w.wal()-before, int64(100_000))
		assert.Equal(t, 20_000, w.count("big WHERE v = -1"))
		every := dbguard.Allow(atMost(t, 59_999), "all are meant", dbguard.AllRows("big"))
		_, err = w.db.ExecContext(every, "DELETE FROM big;")
		require.ErrorIs(t, err, dbguard.OverLimit)
		tx, err := w.db.Begin()
		require.NoError(t, err)
		_, err = tx.ExecContext(every, "DELETE FROM big")
		require.ErrorIs(t, err, dbguard.OverLimit)
		_, err = tx.ExecContext(atMost(t, 40_000), "DELETE FROM big WHERE v > 0")
		require.NoError(t, err)
		require.NoError(t, tx.Commit())
		assert.Equal(t, 20_000, w.count("big"))
		_, err = w.db.ExecContext(dbguard.AtMost(every, 20_000), "DELETE FROM big")
		require.NoError(t, err)
		assert.Zero(t, w.count("big"))
	})
}

// wal is how much has been logged so far.
func (w *world) wal() (n int64) {
	w.t.Helper()
	require.NoError(w.t, w.bare.QueryRow("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&n))
	return n
}

func TestTransactions(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		tx, err := w.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		del := func(text string, n int64, args ...any) error {
			_, err := tx.ExecContext(atMost(t, n), text, args...)
			return err
		}
		require.NoError(t, del("DELETE FROM t WHERE id = $1", 1, 1))
		require.ErrorIs(t, del("DELETE FROM t WHERE id > $1", 1, 1), dbguard.OverLimit)
		require.NoError(t, del("DELETE FROM t WHERE id = $1", 1, 2), "the transaction goes on")
		require.ErrorIs(t, del("DELETE FROM parent WHERE id = $1", 3, 1), dbguard.OverLimit)
		require.NoError(t, del("DELETE FROM parent WHERE id = $1", 4, 1))
		require.ErrorIs(t, del("DELETE FROM parent WHERE id = $1", 3, 2), dbguard.OverLimit)
		_, err = tx.Exec("INSERT INTO t VALUES (100, 100)")
		require.NoError(t, err, "and writes")
		_, err = tx.Exec("SAVEPOINT mine")
		require.NoError(t, err)
		require.NoError(t, del("DELETE FROM t WHERE id IN (3, 4, 5)", 3))
		_, err = tx.Exec("ROLLBACK TO SAVEPOINT mine")
		require.NoError(t, err)
		require.NoError(t, del("DELETE FROM parent WHERE id = $1", 4, 2))
		require.NoError(t, del("DELETE FROM t WHERE id = $1", 1, 3))
		require.NoError(t, tx.Commit())
		assert.Equal(t, 18, w.count("t"))
		assert.Equal(t, 18, w.count("parent"))
		assert.Equal(t, 54, w.count("child"))
	})
}

func TestCalls(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.change(`CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM t WHERE id < 4; SELECT 1';
			CREATE FUNCTION looks() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM t';
			CREATE FUNCTION lies() RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN wipe(); END';
			CREATE FUNCTION notes() RETURNS int LANGUAGE sql AS 'INSERT INTO keeper VALUES (2); SELECT 1'`)
		ctx := t.Context()
		one := func(ctx context.Context, text string) error {
			var n int
			return w.db.QueryRowContext(ctx, text).Scan(&n)
		}
		for _, text := range []string{"SELECT wipe()", "SELECT lies()", "SELECT looks() + wipe()", "SELECT id FROM t WHERE id = lies()"} {
			assert.ErrorIs(t, one(ctx, text), dbguard.RuleOpaque, text)
			err := one(atMost(t, 2), text)
			if err != nil || !strings.Contains(text, "lies") { // PostgreSQL keeps what an IMMUTABLE function said before
				assert.ErrorIs(t, err, dbguard.OverLimit, text)
			}
			assert.Equal(t, 20, w.count("t"), text)
		}
		_, err := w.db.ExecContext(atMost(t, 1), "UPDATE kept SET id = id WHERE id = 3 AND lies() = 1")
		assert.ErrorIs(t, err, dbguard.OverLimit)
		_, err = w.db.ExecContext(ctx, "INSERT INTO keeper SELECT wipe()")
		assert.ErrorIs(t, err, dbguard.RuleOpaque)
		assert.Equal(t, 20, w.count("t"))
		require.NoError(t, one(ctx, "SELECT looks()"))
		require.NoError(t, one(dbguard.Exactly(ctx, 1), "SELECT looks()"))
		require.NoError(t, one(ctx, "SELECT notes()"))
		assert.Equal(t, 2, w.count("keeper"), "what it inserted is kept")
		require.NoError(t, one(atMost(t, 3), "SELECT wipe()"))
		assert.Equal(t, 17, w.count("t"))
	})
}

func TestExactly(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := dbguard.Exactly(t.Context(), 2)
		for text, rule := range map[string]error{
			"DELETE FROM t WHERE id = 1":  dbguard.UnderLimit,
			"DELETE FROM t WHERE id = 99": dbguard.UnderLimit,
			"DELETE FROM t WHERE id < 4":  dbguard.OverLimit,
		} {
			_, err := w.db.ExecContext(ctx, text)
			assert.ErrorIs(t, err, rule, text)
		}
		assert.Equal(t, 20, w.count("t"))
		_, err := w.db.ExecContext(ctx, "DELETE FROM t WHERE id < 3")
		require.NoError(t, err)
		assert.Equal(t, 18, w.count("t"))
	})
}

// A statement that is cut off leaves the connection, or what replaces it, in order.
func TestTimeouts(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		tx, err := w.bare.Begin()
		require.NoError(t, err)
		_, err = tx.Exec("DELETE FROM t WHERE id = 1")
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(atMost(t, 1), 200*time.Millisecond)
		_, err = w.db.ExecContext(ctx, "DELETE FROM t WHERE id = 1")
		cancel()
		require.Error(t, err) // each driver has its own
		assert.NotErrorIs(t, err, dbguard.OverLimit)
		_, err = w.db.ExecContext(t.Context(), "SET statement_timeout = '200ms'")
		require.NoError(t, err)
		_, err = w.db.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = 1")
		var coded interface{ SQLState() string }
		require.ErrorAs(t, err, &coded)
		assert.Equal(t, "57014", coded.SQLState())
		assert.NotErrorIs(t, err, dbguard.ErrRefused)
		require.NoError(t, tx.Rollback())
		_, err = w.db.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = 1")
		require.NoError(t, err)
		assert.Equal(t, 19, w.count("t"))
	})
}
