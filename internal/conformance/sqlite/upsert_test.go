package sqlite

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/dbguard/dbguardtest"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// A row that an upsert inserts does not count as changed, however many it might change.
func TestUpsertsOfNewRows(t *testing.T) {
	for name, text := range map[string]string{
		"by number": "INSERT INTO item VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET v = v + 1",
		"by text":   "INSERT INTO k VALUES (?, 1) ON CONFLICT DO UPDATE SET n = n + 1",
		"apart":     "INSERT INTO w VALUES (?, 1) ON CONFLICT DO UPDATE SET n = n + 1",
	} {
		t.Run(name, func(t *testing.T) {
			stage.Each(t, func(t *testing.T, s *stage.Stage) {
				s.Exec(t, "CREATE TABLE k (k TEXT PRIMARY KEY, n INT)")
				s.Exec(t, "CREATE TABLE w (k TEXT PRIMARY KEY, n INT) WITHOUT ROWID")
				exec := dbguard.Exactly(t.Context(), 1)
				_, err := s.DB.ExecContext(exec, text, 1000)
				require.ErrorIs(t, err, dbguard.UnderLimit, "it is new")
				budget := dbguard.Budget(t.Context(), 2)
				for _, id := range []int{1001, 1002, 1003, 1004} {
					_, err := s.DB.ExecContext(budget, text, id)
					if name == "apart" {
						break // each counts: to tell them apart would mean to count all
					}
					require.NoError(t, err)
				}
				_, err = s.DB.ExecContext(budget, text, 1001)
				require.NoError(t, err)
				_, err = s.DB.ExecContext(dbguard.Exactly(t.Context(), 1), text, 1001)
				require.NoError(t, err)
				assert.Equal(t, 3, s.Int(t, "SELECT coalesce(sum(n), 0) FROM (SELECT v AS n FROM item WHERE id = 1001 UNION ALL SELECT n FROM k WHERE k = '1001' UNION ALL SELECT n FROM w WHERE k = '1001')"))
			}, target.SQLite)
		})
	}
}

// A REPLACE changes the rows that it replaces, and not all that its row might be in
// conflict with.
func TestRowsThatAReplaceReplaces(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		s.Exec(t, "CREATE TABLE k (k TEXT PRIMARY KEY, n INT UNIQUE); INSERT INTO k VALUES ('a', 1), ('b', 2), ('c', 3)")
		const text = "REPLACE INTO k VALUES (?, ?)"
		_, err := s.DB.ExecContext(dbguard.Exactly(t.Context(), 2), text, "a", 1)
		require.ErrorIs(t, err, dbguard.UnderLimit)
		_, err = s.DB.ExecContext(dbguard.Exactly(t.Context(), 1), "REPLACE INTO item VALUES (?, 1)", 1000)
		require.ErrorIs(t, err, dbguard.UnderLimit, "it is new")

		budget := dbguard.Budget(t.Context(), 4)
		for i, key := range []string{"x", "a", "b"} {
			_, err := s.DB.ExecContext(budget, text, key, 10+i)
			require.NoError(t, err, key)
		}
		dbguardtest.AssertChanged(t, s.Rec, "k", 2)
		_, err = s.DB.ExecContext(budget, text, "c", 10)
		require.NoError(t, err)
		dbguardtest.AssertChanged(t, s.Rec, "k", 4) // ('x', 10), too
		_, err = s.DB.ExecContext(budget, text, "c", 4)
		require.ErrorIs(t, err, dbguard.OverBudget)
	}, target.SQLite)
}
