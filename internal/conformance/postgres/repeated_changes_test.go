package postgres

import (
	"context"
	"database/sql"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

// blogSchema has posts that keep the number of their comments.
var blogSchema = []string{
	"CREATE TABLE post (id INT PRIMARY KEY, comments INT DEFAULT 0)",
	"INSERT INTO post SELECT generate_series(1, 20)",
	"CREATE TABLE comment (id INT PRIMARY KEY, post INT REFERENCES post)",
	`CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
		UPDATE post SET comments = comments + CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END WHERE id = COALESCE(NEW.post, OLD.post);
		RETURN NULL; END $$`,
	"CREATE TRIGGER counts AFTER INSERT OR DELETE ON comment FOR EACH ROW EXECUTE FUNCTION counts()",
	"INSERT INTO comment SELECT i, 3 FROM generate_series(1, 5) i",
}

// repeatedChanges are statements that change rows several times each, and how many rows.
var repeatedChanges = []struct {
	text string
	rows int64
}{
	{"INSERT INTO comment SELECT i, 1 FROM generate_series(100, 299) i", 1},
	{"INSERT INTO comment SELECT i, 1 + i % 2 FROM generate_series(100, 299) i", 2},
	{"DELETE FROM comment WHERE post = 3", 6},
	{"DO $$ BEGIN FOR i IN 1..9 LOOP UPDATE post SET comments = i WHERE id IN (4, 5); END LOOP; END $$", 2},
	{"DO $$ BEGIN UPDATE post SET comments = 7 WHERE id = 9; UPDATE post SET id = 99 WHERE id = 9; DELETE FROM post WHERE id = 99; END $$", 1},
	{"DO $$ BEGIN UPDATE post SET comments = 1 WHERE id = 8; BEGIN UPDATE post SET comments = 7; RAISE 'no'; EXCEPTION WHEN raise_exception THEN END; END $$", 1},
}

// A row that is changed several times is one row, whether the server counts, at the end
// of a transaction of the guard's, or the guard.
func TestRepeatedChangesCountOnce(t *testing.T) {
	target.Postgres.Since(t, 15, flushes)
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for _, text := range blogSchema {
			f.execBare(text)
		}
		for _, x := range repeatedChanges {
			for way, run := range map[string]func(ctx context.Context) error{
				"alone": func(ctx context.Context) error { _, err := f.db.ExecContext(ctx, x.text); return err },
				"in Tx": func(ctx context.Context) error {
					return inTx(f.db, func(tx *sql.Tx) error { _, err := tx.ExecContext(ctx, x.text); return err })
				},
				"in Tx, with a budget": func(ctx context.Context) error {
					return inTx(f.db, func(tx *sql.Tx) error { _, err := tx.ExecContext(dbguard.Budget(ctx, 100), x.text); return err })
				},
			} {
				f.execBare("TRUNCATE comment; UPDATE post SET comments = 0; INSERT INTO comment SELECT i, 3 FROM generate_series(1, 5) i; INSERT INTO post VALUES (9) ON CONFLICT DO NOTHING")
				before := f.blogContents()
				require.ErrorIs(t, run(atMost(t, x.rows-1)), dbguard.OverLimit, "%s: %s", way, x.text)
				require.Equal(t, before, f.blogContents(), x.text)
				require.NoError(t, run(atMost(t, x.rows)), "%s: %s", way, x.text)
				require.NotEqual(t, before, f.blogContents(), x.text)
			}
		}
	})
}

// blogContents is what the tables hold.
func (f *fixture) blogContents() (all string) {
	f.t.Helper()
	require.NoError(f.t, f.bare.QueryRow("SELECT concat((SELECT json_agg(p ORDER BY id) FROM post p), (SELECT json_agg(c ORDER BY id) FROM comment c))").Scan(&all))
	return all
}

func inTx(db *sql.DB, do func(*sql.Tx) error) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// The same in one round trip with the statement.
func TestRepeatedChangesCountOnceNative(t *testing.T) {
	target.Postgres.Since(t, 15, flushes)
	for name, policy := range map[string]dbguard.Policy{"": {}, "heard": {Observers: []dbguard.Observer{observer{}}}} {
		t.Run(name, func(t *testing.T) {
			onNative(t, policy, func(t *testing.T, f *fixture, pool *pgxguard.Pool) {
				for _, text := range blogSchema {
					f.execBare(text)
				}
				for _, x := range repeatedChanges {
					for range 2 { // the first is on a connection that has not met it yet
						_, err := pool.Exec(atMost(t, x.rows-1), x.text)
						require.ErrorIs(t, err, dbguard.OverLimit, x.text)
						f.inNativeTx(pool, func(tx pgx.Tx) {
							_, err := tx.Exec(atMost(t, x.rows-1), x.text)
							require.ErrorIs(t, err, dbguard.OverLimit, x.text)
						})
						f.inNativeTx(pool, func(tx pgx.Tx) {
							_, err := tx.Exec(t.Context(), "INSERT INTO kept VALUES (99)")
							require.NoError(t, err)
							_, err = tx.Exec(atMost(t, x.rows), x.text)
							require.NoError(t, err, x.text)
						})
					}
				}
			})
		})
	}
}

// inNativeTx runs do in a transaction that is rolled back.
func (f *fixture) inNativeTx(pool *pgxguard.Pool, do func(pgx.Tx)) {
	tx, err := pool.Begin(f.t.Context())
	require.NoError(f.t, err)
	defer tx.Rollback(context.WithoutCancel(f.t.Context()))
	do(tx)
}

// Rows that the caller may not read count as often as they are changed.
func TestRepeatedChangesOfUnreadableRows(t *testing.T) {
	const role = "dbguard_test_unseen"
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for _, text := range blogSchema {
			f.execBare(text)
		}
		f.execBare("DROP ROLE IF EXISTS " + role + "; CREATE ROLE " + role + "; GRANT ALL ON comment TO " + role)
		defer f.execBare("DROP OWNED BY " + role + "; DROP ROLE " + role)
		insert := func(n int64) error {
			return inTx(f.db, func(tx *sql.Tx) error {
				if _, err := tx.Exec("SET LOCAL ROLE " + role); err != nil {
					return err
				}
				_, err := tx.ExecContext(atMost(t, n), "INSERT INTO comment SELECT i, 1 + i % 2 FROM generate_series(100, 103) i")
				return err
			})
		}
		require.ErrorIs(t, insert(1), dbguard.OverLimit)
		require.ErrorIs(t, insert(2), dbguard.OverLimit, "without the right to look at post")
		f.execBare("GRANT SELECT ON post TO " + role)
		require.NoError(t, insert(2))
		f.execBare("DELETE FROM comment WHERE id >= 100; UPDATE post SET comments = 0; ALTER TABLE post ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON post USING (comments = 0)")
		require.ErrorIs(t, insert(1), dbguard.OverLimit, "what is changed is hidden")
		assert.Equal(t, 5, f.count("comment"))
	})
}
