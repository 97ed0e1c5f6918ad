package postgres

import (
	"database/sql"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Another connection changes what a statement fires, between two executions.
func TestSchemaChangesBetweenStatements(t *testing.T) {
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
			onEachDriver(t, func(t *testing.T, f *fixture) {
				text := "DELETE FROM t WHERE id = $1"
				if name == "operator" {
					f.execBare(change + "; CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = f)")
					text = "DELETE FROM t WHERE id === $1"
				}
				stmt, err := f.db.PrepareContext(t.Context(), text)
				require.NoError(t, err)
				defer stmt.Close()
				if name != "operator" {
					for i := 11; i < 14; i++ {
						_, err = stmt.ExecContext(atMost(t, 1), i)
						require.NoError(t, err)
					}
					f.execBare(change)
				}
				if name == "row security" {
					defer f.execBare("DROP OWNED BY plain; DROP ROLE plain")
					_, err := f.db.ExecContext(t.Context(), "SET ROLE plain")
					require.NoError(t, err)
				}
				kept, late := f.count("kept"), 0
				if name == "cascade" || name == "set null" {
					late = f.count("late WHERE t IS NOT NULL")
				}
				for range 2 {
					_, err = stmt.ExecContext(atMost(t, 1), 2)
					assert.ErrorIs(t, err, dbguard.OverLimit)
					_, err = f.db.ExecContext(atMost(t, 1), text, 2)
					assert.ErrorIs(t, err, dbguard.OverLimit)
				}
				assert.Equal(t, kept, f.count("kept"))
				if late > 0 {
					assert.Equal(t, late, f.count("late WHERE t IS NOT NULL"))
				}
				_, err = stmt.ExecContext(atMost(t, 30), 2)
				require.NoError(t, err, "within a bound that covers it")
			})
		})
	}
}

// Another connection changes what a statement in a transaction fires.
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
			onEachDriver(t, func(t *testing.T, f *fixture) {
				const text = "DELETE FROM t WHERE id = $1"
				tx, err := f.db.Begin()
				require.NoError(t, err)
				for i := 11; i < 14; i++ {
					_, err = tx.ExecContext(atMost(t, 1), text, i)
					require.NoError(t, err)
				}
				require.NoError(t, tx.Commit())
				f.execBare(change)
				kept, all := f.count("kept"), f.count("t")
				for range 3 {
					tx, err := f.db.Begin()
					require.NoError(t, err)
					_, err = tx.ExecContext(atMost(t, 1), text, 1)
					require.Error(t, err)
					_ = tx.Commit() // refused, or rolled back
				}
				assert.Equal(t, kept, f.count("kept"))
				assert.Equal(t, all, f.count("t"))
				tx, err = f.db.Begin()
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

// Another connection changes what a statement fires while the statement waits for a lock: the
// statement sees the change, as it reads the catalogue by a snapshot that is taken once it
// has its lock.
func TestSchemaChangesMeanwhile(t *testing.T) {
	changes := map[string]string{
		"cascade":           `CREATE TABLE late (t INT REFERENCES t ON DELETE CASCADE); INSERT INTO late SELECT 1 FROM generate_series(1, 9) i`,
		"row trigger":       `CREATE TRIGGER late AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()`,
		"statement trigger": `CREATE TRIGGER late BEFORE DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION f()`,
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			onEachDriver(t, func(t *testing.T, f *fixture) {
				f.execBare(`CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM kept WHERE id > 5; RETURN OLD; END'`)
				for _, inTx := range []bool{true, false} {
					run := func(id int) error {
						if !inTx {
							_, err := f.db.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = $1", id)
							return err
						}
						tx, err := f.db.Begin()
						require.NoError(t, err)
						_, err = tx.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = $1", id)
						if end := tx.Commit(); err == nil {
							err = end
						}
						return err
					}
					require.NoError(t, run(11))
					require.NoError(t, run(12), "the session knows the table")
					other, err := f.bare.Begin()
					require.NoError(t, err)
					_, err = other.Exec(change)
					require.NoError(t, err)
					done := make(chan error)
					go func() { done <- run(1) }()
					time.Sleep(100 * time.Millisecond)
					require.NoError(t, other.Commit())
					require.Error(t, <-done)
					assert.Equal(t, 20, f.count("kept"))
					assert.Equal(t, 1, f.count("t WHERE id = 1"))
					f.execBare("DROP TRIGGER IF EXISTS late ON t; DROP TABLE IF EXISTS late")
				}
			})
		})
	}
}

// Another connection gives the table a trigger and drops it, over and over, while rows are
// inserted: no existing row is ever lost.
func TestInsertsWhileTheSchemaMoves(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare(`CREATE TABLE many (id SERIAL PRIMARY KEY);
			CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM t WHERE id = 1 + NEW.id % 20; RETURN NEW; END'`)
		f.db.SetMaxOpenConns(4)
		stop := make(chan struct{})
		var others sync.WaitGroup
		others.Go(func() {
			for at := 0; ; at++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(at%7) * time.Millisecond):
				}
				_, err := f.bare.Exec([]string{"CREATE TRIGGER late AFTER INSERT ON many FOR EACH ROW EXECUTE FUNCTION f()", "DROP TRIGGER IF EXISTS late ON many"}[at%2])
				if !assert.NoError(t, err) {
					return
				}
			}
		})
		var done, refused atomic.Int64
		var writers sync.WaitGroup
		for n := range 4 {
			writers.Go(func() {
				inTx := n%2 == 0
				for range 40 {
					switch insertInto(f.db, "INSERT INTO many DEFAULT VALUES", inTx) {
					case nil:
						done.Add(1)
						if inTx {
							done.Add(1) // two rows
						}
					default:
						refused.Add(1)
					}
				}
			})
		}
		writers.Wait()
		close(stop)
		others.Wait()
		assert.Equal(t, 20, f.count("t"))
		assert.EqualValues(t, done.Load(), f.count("many"))
		assert.Positive(t, done.Load(), "some passed")
		assert.Positive(t, refused.Load(), "some met the trigger")
	})
}

func insertInto(db *sql.DB, text string, inTx bool) error {
	if !inTx {
		_, err := db.Exec(text)
		return err
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for range 2 {
		if _, err := tx.Exec(text); err != nil {
			return err
		}
	}
	return tx.Commit()
}
