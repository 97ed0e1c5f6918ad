package pitfalls

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// Some statements commit implicitly, and take the guard's savepoint with them: what follows
// would be committed at once.
func TestImplicitCommit(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for name, text := range map[string]string{
			"CREATE TABLE":  "CREATE TABLE x1 (id INT)",
			"CREATE INDEX":  "CREATE INDEX i1 ON item (v)",
			"autocommit":    "SET autocommit=1",
			"LOCK TABLES":   "LOCK TABLES item WRITE",
			"ANALYZE":       "ANALYZE TABLE item",
			"a comment":     "/*! CREATE TABLE x2 (id INT) */",
			"SET STATEMENT": "SET STATEMENT max_statement_time=10 FOR CREATE TABLE x3 (id INT)",
			"BEGIN":         "BEGIN",
		} {
			t.Run(name, func(t *testing.T) {
				if s.Engine == target.MySQL && name == "SET STATEMENT" {
					t.Skip("MySQL has none")
				}
				tx := beginWithUpdate(t.Context(), t, s)
				_, err := tx.ExecContext(dbguard.AtMost(t.Context(), 1), text)
				if err != nil {
					require.ErrorIs(t, err, dbguard.ErrRefused, "refused is as good")
				}
				for _, over := range []string{deletion, tenRows} {
					_, err = tx.ExecContext(dbguard.AtMost(t.Context(), 1), over)
					assert.ErrorIs(t, err, dbguard.ErrRefused)
				}
				_ = tx.Rollback()
				_, err = s.DB.ExecContext(t.Context(), "UNLOCK TABLES")
				require.NoError(t, err)
				s.Exec(t, "UPDATE item SET v = 0 WHERE id = 1") // it was committed, or not
				assert.Equal(t, stage.Untouched, s.Item(t))
				s.AssertWorks(t)
			})
		}
	}, target.MySQLFamily...)
}

// ROLLBACK undoes nothing in tables without transactions.
func TestTablesWithoutTransactions(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, engine := range []string{"MyISAM", "Aria", "MEMORY"} {
			t.Run(engine, func(t *testing.T) {
				if s.Engine == target.MySQL && engine == "Aria" {
					t.Skip("MySQL has none")
				}
				table := "plain_" + engine
				s.Fill(t, table, " ENGINE="+engine)
				for _, text := range []string{
					"DELETE FROM " + table + " WHERE id > 10",
					"DELETE FROM " + table + " WHERE id = 1", // within the bound, but who knows before
					"UPDATE " + table + " SET v = 1 WHERE id > 10",
					"REPLACE INTO " + table + " SELECT id, 1 FROM item",
					"DELETE item, p FROM item JOIN " + table + " p ON p.id = item.id WHERE item.id > 10",
					"UPDATE item JOIN " + table + " p ON p.id = item.id SET p.v = 1, item.v = 1 WHERE item.id > 10",
				} {
					_, err := s.DB.ExecContext(dbguard.AtMost(t.Context(), 1), text)
					assert.ErrorIs(t, err, dbguard.ErrRefused, text)
				}
				assert.Equal(t, stage.Rows, s.Int(t, "SELECT count(*) FROM "+table+" WHERE v = 0"))
				assert.Equal(t, stage.Untouched, s.Item(t))
			})
		}
	}, target.MySQLFamily...)
}

// What is known of a table is not relied on for long.
func TestATableLosesItsTransactions(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		conn := s.Conn(t)
		run(t, conn, "DELETE FROM item WHERE id = 1")
		s.Exec(t, "ALTER TABLE item ENGINE=MyISAM")
		refused(t, conn, deletion)
		assert.Equal(t, "49 rows, sum 0", s.Item(t))
	}, target.MySQLFamily...)
}

// The server counts a replaced row twice.
func TestAReplacedRowIsOne(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, text := range target.Of(map[target.Engine][]string{
			target.MariaDB: {
				"REPLACE INTO item VALUES (1, 5)", "INSERT INTO item VALUES (1, 7) ON DUPLICATE KEY UPDATE v = 7",
			},
			target.SQLite: {"REPLACE INTO item VALUES (1, 5)", "INSERT INTO item VALUES (1, 7) ON CONFLICT DO UPDATE SET v = 7"},
		}, s.Engine) {
			s.Exec(t, "UPDATE item SET v = 0")
			want, err := s.Bare.ExecContext(t.Context(), text)
			require.NoError(t, err)
			s.Exec(t, "UPDATE item SET v = 0")
			got, err := s.DB.ExecContext(dbguard.AtMost(t.Context(), 1), text)
			require.NoError(t, err, text)
			wantRows, err := want.RowsAffected()
			require.NoError(t, err)
			gotRows, err := got.RowsAffected()
			require.NoError(t, err)
			assert.Equal(t, wantRows, gotRows, "the caller sees what the driver says")
		}
		_, err := s.DB.ExecContext(dbguard.AtMost(t.Context(), 1), "REPLACE INTO item SELECT id, 9 FROM item WHERE id < 3")
		assert.ErrorIs(t, err, dbguard.OverLimit)
		assert.Equal(t, "50 rows, sum 7", s.Item(t))
	}, target.MariaDB, target.MySQL, target.SQLite)
}

// UPDATE v = v changes nothing: the server reports 0 rows, and all that match with
// clientFoundRows.
func TestFoundRows(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, params := range []string{"", "&clientFoundRows=true"} {
			db := s.Open(t, s.DSN+params)
			res, err := db.ExecContext(dbguard.AtMost(t.Context(), 1), "UPDATE item SET v = v WHERE id = 1")
			require.NoError(t, err)
			n, err := res.RowsAffected()
			require.NoError(t, err)
			assert.Equal(t, map[string]int64{"": 0, "&clientFoundRows=true": 1}[params], n)
			_, err = db.ExecContext(dbguard.AtMost(t.Context(), 9), tenRows)
			assert.ErrorIs(t, err, dbguard.OverLimit)
			assert.Equal(t, stage.Untouched, s.Item(t))
			require.NoError(t, db.Close())
		}
	}, target.MySQLFamily...)
}

func TestLastInsertID(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		s.Exec(t, "CREATE TABLE made (id INT AUTO_INCREMENT PRIMARY KEY, k INT UNIQUE, v INT)")
		for i, text := range []string{
			"INSERT INTO made (k, v) VALUES (1, 0)",
			"INSERT INTO made (k, v) VALUES (2, 0) ON DUPLICATE KEY UPDATE v = 1",
			"REPLACE INTO made (k, v) VALUES (3, 0)",
		} {
			res, err := s.DB.ExecContext(dbguard.AtMost(t.Context(), 1), text)
			require.NoError(t, err, text)
			id, err := res.LastInsertId()
			require.NoError(t, err)
			assert.EqualValues(t, i+1, id, text)
		}
	}, target.MySQLFamily...)
}
