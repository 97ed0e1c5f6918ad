package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// deleteTrigger is a trigger function that deletes 15 rows of kept and one of keeper.
const deleteTrigger = `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM keeper; DELETE FROM kept WHERE id > 5; RETURN NEW; END'`

// insertSideEffects are the ways in which inserting a row into t deletes 16 rows elsewhere.
var insertSideEffects = map[string][]string{
	"after trigger":     {deleteTrigger, `CREATE TRIGGER late AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()`},
	"before trigger":    {deleteTrigger, `CREATE TRIGGER late BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()`},
	"statement trigger": {deleteTrigger, `CREATE TRIGGER late BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION f()`},
	"rule":              {`CREATE RULE late AS ON INSERT TO t DO ALSO DELETE FROM kept WHERE id > 4`},
	"instead":           {`CREATE RULE late AS ON INSERT TO t DO INSTEAD DELETE FROM kept WHERE id > 4`},
	"view":              {`ALTER TABLE t RENAME TO old; CREATE VIEW t AS SELECT * FROM old; CREATE RULE late AS ON INSERT TO t DO INSTEAD DELETE FROM kept WHERE id > 4`},
	"default": {
		`CREATE FUNCTION g() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM kept WHERE id > 4; RETURN 1; END'`,
		`ALTER TABLE t ALTER v SET DEFAULT g()`,
	},
	"check": {
		`CREATE FUNCTION g(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN DELETE FROM kept WHERE id > 4; RETURN true; END'`,
		`ALTER TABLE t ADD CONSTRAINT late CHECK (g(id)) NOT VALID`,
	},
	"deferred": {deleteTrigger, `CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()`},
	"partition": {
		deleteTrigger, `DROP TABLE t; CREATE TABLE t (id INT, v INT) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF t DEFAULT`,
		`CREATE TRIGGER late AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION f()`,
	},
}

// waysToSend runs a text by Exec, prepared, by Query, and in transactions.
func (f *fixture) waysToSend(ctx context.Context, text string, args ...any) map[string]func() error {
	return map[string]func() error{
		"exec": func() error { _, err := f.db.ExecContext(ctx, text, args...); return err },
		"prepared": func() error {
			stmt, err := f.db.PrepareContext(ctx, text)
			if err != nil {
				return err
			}
			defer stmt.Close()
			_, err = stmt.ExecContext(ctx, args...)
			return err
		},
		"query": func() error {
			var id int
			return f.db.QueryRowContext(ctx, text+" RETURNING id", args...).Scan(&id)
		},
		"transaction": func() error {
			tx, err := f.db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, text, args...)
			if end := tx.Commit(); err == nil {
				err = end
			}
			return err
		},
		"serializable": func() error {
			tx, err := f.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, text, args...)
			if end := tx.Commit(); err == nil {
				err = end
			}
			return err
		},
	}
}

// What an INSERT fires is counted, whether the session met the table before that was so or
// after.
func TestInsertsAreCounted(t *testing.T) {
	for name, changes := range insertSideEffects {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, late %v", name, late), func(t *testing.T) {
				onEachDriver(t, func(t *testing.T, f *fixture) {
					if late {
						for i := range 3 {
							for _, run := range f.waysToSend(t.Context(), "INSERT INTO t (id) VALUES ($1)", 100+i) {
								require.NoError(t, run())
								f.execBare("DELETE FROM t WHERE id >= 100")
							}
						}
					}
					for _, text := range changes {
						f.execBare(text)
					}
					for how, run := range f.waysToSend(t.Context(), "INSERT INTO t (id) VALUES ($1)", 1000) {
						err := run()
						if late && (how == "transaction" || how == "serializable") && err != nil {
							err = run() // the error says to run the transaction again
						}
						require.Error(t, err, how)
						if how != "query" { // a rule does not answer
							assert.ErrorIs(t, err, dbguard.ErrRefused, how)
						}
						assert.Equal(t, 20, f.count("kept"), how)
						assert.Equal(t, 0, f.count("t WHERE id = 1000"), how)
					}
					_, err := f.db.ExecContext(atMost(t, 10), "INSERT INTO t (id) VALUES (1000)")
					require.ErrorIs(t, err, dbguard.OverLimit)
					assert.Equal(t, 20, f.count("kept"))
					_, err = f.db.ExecContext(atMost(t, 16), "INSERT INTO t (id) VALUES (1000)")
					require.NoError(t, err, "within a bound that covers it")
					assert.Less(t, f.count("kept"), 6)
				})
			})
		}
	}
}

// What the query of an INSERT calls is counted, too.
func TestInsertFromView(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare(`CREATE FUNCTION g() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM kept WHERE id > 4; RETURN 1000; END'`)
		f.execBare("CREATE VIEW v AS SELECT g() AS g")
		for _, text := range []string{
			"INSERT INTO t (id) SELECT g FROM v", "INSERT INTO t (id) VALUES ((SELECT g FROM v))", "INSERT INTO t (id) TABLE v",
			"INSERT INTO child (id) SELECT g FROM v",
		} {
			for how, run := range f.waysToSend(t.Context(), text) {
				require.ErrorIs(t, run(), dbguard.ErrRefused, "%s, %s", text, how)
			}
		}
		assert.Equal(t, 20, f.count("kept"))
		assert.Equal(t, 0, f.count("t WHERE id > 100"))
	})
}

// A plain INSERT costs no extra round trip. In a transaction, once the table has been seen
// there, it is sent unchanged.
func TestInsertTrips(t *testing.T) {
	texts := map[string]string{
		"plain":          "INSERT INTO t (id) VALUES ($1)",
		"to a parent":    "INSERT INTO child (id, parent) VALUES ($1, 2)",
		"several":        "INSERT INTO t (id) VALUES ($1), ($1 + 100) ON CONFLICT DO NOTHING",
		"from a query":   "INSERT INTO t (id) SELECT $1::int WHERE EXISTS (SELECT FROM kept)",
		"with a comment": "INSERT INTO t (id) VALUES ($1) -- one;",
	}
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for name, text := range texts {
			for _, db := range []*sql.DB{f.db, f.direct} {
				stmt, err := db.PrepareContext(t.Context(), text)
				require.NoError(t, err)
				for i := range 5 {
					id := 1000 + i
					n := f.trips(func() {
						res, err := stmt.ExecContext(t.Context(), id)
						require.NoError(t, err, name)
						affected, err := res.RowsAffected()
						require.NoError(t, err)
						want := int64(1)
						if name == "several" {
							want = 2
						}
						assert.Equal(t, want, affected, name)
					})
					if i > 2 {
						assert.EqualValues(t, 1, n, name)
					}
				}
				require.NoError(t, stmt.Close())
				f.execBare("DELETE FROM t WHERE id >= 1000; DELETE FROM child WHERE id >= 1000")
			}
		}
		tx, err := f.db.Begin()
		require.NoError(t, err)
		direct, err := f.direct.Begin()
		require.NoError(t, err)
		for i := range 5 {
			run := func(tx *sql.Tx, id int) int64 {
				return f.trips(func() {
					_, err := tx.Exec("INSERT INTO t (id) VALUES ($1)", id)
					require.NoError(t, err)
				})
			}
			guarded, bare := run(tx, 2000+i), run(direct, 3000+i)
			if i > 1 {
				assert.Equal(t, bare, guarded)
			}
		}
		require.NoError(t, tx.Commit())
		require.NoError(t, direct.Commit())
		assert.Equal(t, 5, f.count("t WHERE id BETWEEN 2000 AND 2999"))
	})
}

// A guarded INSERT returns what the bare one does.
func TestInsertResults(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare("CREATE TABLE typed (id SERIAL PRIMARY KEY, name TEXT UNIQUE, at DATE DEFAULT '2020-01-01', n NUMERIC(10, 2))")
		texts := []string{
			"INSERT INTO typed (name, n) VALUES ($1, 1.5) RETURNING id, name, at, n",
			"INSERT INTO typed AS x (name) VALUES ($1), ('b' || $1) RETURNING *, x.name AS name",
			"INSERT INTO typed (name) VALUES ($1) ON CONFLICT DO NOTHING RETURNING id",
			"INSERT INTO typed (name) SELECT $1 RETURNING id",
			"INSERT INTO typed (nix) VALUES ($1)",
			"INSERT INTO typed (name, n) VALUES ($1, 1e20)",
			"WITH a AS (SELECT 'c' AS c) INSERT INTO typed (name) SELECT c || $1 FROM a RETURNING name",
			"INSERT INTO typed (name) VALUES ('a'), ($1)",
			"INSERT INTO typed (name) VALUES ('a'), ($1)",
		}
		for _, inTx := range []bool{false, true} {
			for _, text := range texts {
				assert.Equal(t, f.answer(f.direct, inTx, text), f.answer(f.db, inTx, text), "%s, in Tx %v", text, inTx)
			}
		}
	})
}

// answer is what a query of the text returns, on a table that is empty but for one row.
func (f *fixture) answer(db *sql.DB, inTx bool, text string) (told []string) {
	f.execBare("TRUNCATE typed RESTART IDENTITY; INSERT INTO typed (name) VALUES ('z')")
	var q interface {
		QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	} = db
	if inTx {
		tx, err := db.Begin()
		require.NoError(f.t, err)
		defer tx.Rollback()
		_, err = tx.Exec("INSERT INTO typed (name) VALUES ('first')")
		require.NoError(f.t, err)
		q = tx
	}
	rows, err := q.QueryContext(f.t.Context(), text, "v")
	if err != nil {
		return []string{err.Error()}
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	require.NoError(f.t, err)
	values := make([]any, len(types))
	for i, c := range types {
		told = append(told, c.Name()+" "+c.DatabaseTypeName())
		values[i] = new(any)
	}
	for rows.Next() {
		require.NoError(f.t, rows.Scan(values...))
		for _, v := range values {
			told = append(told, fmt.Sprintf("%T %v", *v.(*any), *v.(*any)))
		}
	}
	return append(told, fmt.Sprint(rows.Err()))
}

// lib/pq accepts rows from the moment that COPY … FROM STDIN is prepared: what they may fire
// is looked up before.
func TestCopyIn(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		if !strings.Contains(f.driver, "libpq") {
			return // pgx has its own way to copy, which is not of database/sql
		}
		copyIn := func(id int) error {
			tx, err := f.db.Begin()
			require.NoError(t, err)
			defer tx.Rollback()
			stmt, err := tx.Prepare(`COPY "t" ("id", "v") FROM STDIN`)
			if err != nil {
				return err
			}
			_, err = stmt.Exec(id, 1)
			require.NoError(t, err)
			_, err = stmt.Exec()
			require.NoError(t, err)
			require.NoError(t, stmt.Close())
			return tx.Commit()
		}
		require.NoError(t, copyIn(100))
		require.Equal(t, 1, f.count("t WHERE id = 100"))
		f.execBare(deleteTrigger)
		f.execBare("CREATE TRIGGER late AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()")
		require.ErrorIs(t, copyIn(101), dbguard.Uncountable)
		assert.Equal(t, 20, f.count("kept"))
		f.execBare("DROP TRIGGER late ON t")
		require.NoError(t, copyIn(102))
	})
}

// At another isolation level an INSERT cannot rely on what it sees, however the session got
// to that level.
func TestInsertsAtOtherIsolationLevels(t *testing.T) {
	const level = "default_transaction_isolation"
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare("CREATE TABLE drawn (id SERIAL PRIMARY KEY, v INT)")
		f.execBare("CREATE FUNCTION turn() RETURNS TEXT LANGUAGE sql AS $$ SELECT set_config('" + level + "', 'serializable', false) $$")
		ctx, cancel := context.WithTimeout(atMost(t, 0), 20*time.Second)
		defer cancel()
		for i, text := range []string{
			"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET " + level + " = 'read committed'",
			"SET " + level + " = 'repeatable read'", "RESET " + level, "SELECT turn()", "SELECT set_config('" + level + "', 'read committed', false)",
		} {
			_, err := f.db.ExecContext(ctx, text)
			require.NoError(t, err, text)
			for _, insert := range []string{"INSERT INTO drawn (v) VALUES (1)", "INSERT INTO keeper VALUES (2)", "INSERT INTO t VALUES (" + strconv.Itoa(100+i) + ", 1)"} {
				_, err = f.db.ExecContext(ctx, insert)
				require.NoError(t, err, "%s; %s", text, insert)
			}
			require.NoError(t, f.db.QueryRowContext(ctx, "INSERT INTO drawn (v) VALUES (1) RETURNING id").Scan(new(int)), text)
			require.Equal(t, 2*i+2, f.count("drawn"), text)
		}
	})
}

// Where nothing may be written, as on a standby, an INSERT fails as it does bare.
func TestInsertsWhereReadOnly(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare("CREATE TABLE drawn (id SERIAL PRIMARY KEY, v INT)")
		ctx, cancel := context.WithTimeout(atMost(t, 1), 20*time.Second)
		defer cancel()
		inserts := []string{"INSERT INTO drawn (v) VALUES (1)", "INSERT INTO keeper VALUES (2)", "INSERT INTO t VALUES (100, 1)"}
		for i, setting := range []string{"on", "off", "on"} {
			_, err := f.db.ExecContext(ctx, "SET default_transaction_read_only = "+setting)
			require.NoError(t, err)
			for _, insert := range inserts {
				_, err := f.db.ExecContext(ctx, strings.Replace(insert, "100", strconv.Itoa(100+i), 1))
				if setting == "off" {
					require.NoError(t, err, insert)
					continue
				}
				require.ErrorContains(t, err, "cannot execute INSERT in a read-only transaction", insert)
			}
		}
	})
}
