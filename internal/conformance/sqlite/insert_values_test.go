package sqlite

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// The results of an INSERT are the driver's own.
func TestInsertResults(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, text := range append(commonTables, tallies, logs) {
			s.Exec(t, text)
		}
		ctx := dbguard.AtMost(t.Context(), 2)
		answers := func(db *sql.DB) (ids, rows []int64) {
			tx, err := db.BeginTx(ctx, nil)
			require.NoError(t, err)
			defer tx.Rollback()
			for _, text := range []string{
				"INSERT INTO item (v) VALUES (1)", "INSERT INTO log VALUES ('x', 1), ('y', 2)", "INSERT INTO log VALUES ('x', 1)",
				"INSERT OR IGNORE INTO item VALUES (1, 1)", "UPDATE item SET v = 1 WHERE id = 2", "DELETE FROM item WHERE id = 2",
			} {
				res, err := tx.ExecContext(ctx, text)
				require.NoError(t, err, text)
				id, err := res.LastInsertId()
				require.NoError(t, err)
				n, err := res.RowsAffected()
				require.NoError(t, err)
				ids, rows = append(ids, id), append(rows, n)
			}
			var id int64
			require.NoError(t, tx.QueryRowContext(ctx, "INSERT INTO item (v) VALUES (3) RETURNING id").Scan(&id))
			_, err = tx.ExecContext(ctx, "INSERT INTO item VALUES (1, 1)")
			assert.ErrorContains(t, err, "UNIQUE constraint failed: item.id")
			return append(ids, id), rows
		}
		ids, rows := answers(s.Bare)
		for range 2 {
			gotIDs, gotRows := answers(s.DB)
			assert.Equal(t, ids, gotIDs)
			assert.Equal(t, rows, gotRows)
		}
	}, target.SQLite)
}

// Arguments keep their places, whatever is added to the statement.
func TestArguments(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		s.Exec(t, "CREATE TABLE p (id INTEGER PRIMARY KEY, a TEXT, b INT)")
		s.Exec(t, "CREATE INDEX pa ON p (a)")
		for _, texts := range [][]string{
			{"UPDATE p SET b = ? WHERE a = ?", "UPDATE p SET b = ? WHERE a = ? AND id >= 0", "UPDATE p SET b = ? WHERE a = ? RETURNING id"},
			{"UPDATE p SET b = $1 WHERE a = $2", "UPDATE p SET b = ?1 WHERE a = ?2", "UPDATE p SET b = ?1 WHERE a = ?2 AND id > -1"},
		} {
			for _, text := range texts {
				for round := range 3 {
					s.Exec(t, "DELETE FROM p")
					s.Exec(t, "INSERT INTO p (a, b) VALUES ('x', 0), ('x', 0), ('y', 0), (NULL, 0)")
					stmt, err := s.DB.PrepareContext(t.Context(), text)
					require.NoError(t, err)
					_, err = stmt.ExecContext(dbguard.AtMost(t.Context(), 1), 5, "x")
					require.ErrorIs(t, err, dbguard.OverLimit, text)
					_, err = s.DB.ExecContext(dbguard.AtMost(t.Context(), 2), text, 3, "x")
					require.NoError(t, err, text)
					_, err = stmt.ExecContext(dbguard.AtMost(t.Context(), 1), 5, "y")
					require.NoError(t, err, text)
					rows, err := s.DB.QueryContext(dbguard.AtMost(t.Context(), 2), text, 4, "x")
					require.NoError(t, err, text)
					for rows.Next() {
					}
					require.NoError(t, rows.Err())
					require.NoError(t, rows.Close())
					require.NoError(t, stmt.Close())
					assert.Equal(t, 13, s.Int(t, "SELECT sum(b) FROM p"), "%s, round %d", text, round)
				}
			}
		}
	}, target.SQLite)
}

// SQLite folds the case of ASCII letters, and of no others.
func TestNames(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, text := range []string{
			`CREATE TABLE "ÄPFEL" (id INTEGER PRIMARY KEY)`, `CREATE TABLE "äpfel" (id INTEGER PRIMARY KEY)`,
			`CREATE TRIGGER "Ä" AFTER INSERT ON "ÄPFEL" BEGIN UPDATE item SET v = 1; END`,
			`CREATE TABLE "it's, ""odd""" (id INTEGER PRIMARY KEY)`, `INSERT INTO "it's, ""odd""" VALUES (1), (2), (3)`,
			`CREATE TRIGGER o AFTER INSERT ON "IT'S, ""ODD""" BEGIN DELETE FROM "It's, ""Odd""" WHERE id < 3; END`,
		} {
			s.Exec(t, text)
		}
		insert := func(text string) error {
			_, err := s.DB.ExecContext(t.Context(), text)
			return err
		}
		require.ErrorIs(t, insert(`INSERT INTO "ÄpFel" VALUES (1)`), dbguard.Unbounded)
		require.NoError(t, insert(`INSERT INTO "äPFEL" VALUES (1)`))
		require.ErrorIs(t, insert(`INSERT INTO [IT'S, "odd"] VALUES (9)`), dbguard.Unbounded)
		require.ErrorContains(t, insert(`INSERT INTO "it's, ""odd""" VALUES (9)`), "2 rows of it's, \"odd\"")
		assert.Equal(t, stage.Untouched, s.Item(t))
	}, target.SQLite)
}

// A guarded INSERT stores what a bare one does, to the type of each value.
func TestInsertedValues(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		values := []any{
			int64(7), 7.0, 7.5, "7", "7.0", " 7", "x", []byte("7"), []byte{0, 255}, nil, true, int64(1) << 60, "", time.Unix(7, 0).UTC(),
		}
		for _, table := range []string{"bare", "guarded"} {
			s.Exec(t, "CREATE TABLE "+table+" (id INTEGER PRIMARY KEY, i INT, t TEXT, r REAL, n NUMERIC, x, g AS (i + 1), d TEXT DEFAULT 'd')")
		}
		for _, v := range values {
			args := []any{v, v, v, v, v}
			_, err := s.Bare.ExecContext(t.Context(), "INSERT INTO bare (i, t, r, n, x) VALUES (?, ?, ?, ?, ?)", args...)
			require.NoError(t, err)
			_, err = s.DB.ExecContext(t.Context(), "INSERT INTO guarded (i, t, r, n, x) VALUES (?, ?, ?, ?, ?)", args...)
			require.NoError(t, err)
		}
		for _, rest := range []string{"(i, t, x) VALUES (1, '2', x'33')", "(x, i) VALUES ((SELECT max(id) FROM item), 1 + 1)", "(t, x) VALUES (NULL, json('[1]'))"} {
			s.Exec(t, "INSERT INTO bare "+rest)
			_, err := s.DB.ExecContext(t.Context(), "INSERT INTO guarded "+rest)
			require.NoError(t, err)
		}
		const all = "SELECT id, i, typeof(i), t, typeof(t), r, typeof(r), n, typeof(n), x, typeof(x), g, d FROM "
		assert.Equal(t, len(values)+3, s.Int(t, "SELECT count(*) FROM guarded"))
		assert.Zero(t, s.Int(t, "SELECT count(*) FROM ("+all+"bare EXCEPT "+all+"guarded)"))
		assert.Zero(t, s.Int(t, "SELECT count(*) FROM ("+all+"guarded EXCEPT "+all+"bare)"))
		for _, text := range []string{
			"INSERT INTO item VALUES (1)", "INSERT INTO item (id) VALUES (1, 2)", "INSERT INTO item VALUES (1, 1)", "INSERT INTO item VALUES (100, NULL)",
			"INSERT INTO item (nothing) VALUES (1)", "INSERT INTO item VALUES (nothing, 1)", "INSERT INTO item VALUES (abs(-9223372036854775808), 1)",
			"INSERT INTO item VALUES ('x', 1)", "INSERT INTO item (id) VALUES (?)",
		} {
			_, want := s.Bare.ExecContext(t.Context(), text)
			_, got := s.DB.ExecContext(t.Context(), text)
			require.Error(t, want, text)
			require.EqualError(t, got, want.Error(), text)
		}
	}, target.SQLite)
}
