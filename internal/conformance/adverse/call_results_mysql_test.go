package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// The rows of a CALL end with the verdict, for callers that do not check Close.
func TestRowsOfCallEndWithVerdict(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, "CREATE PROCEDURE one() BEGIN DELETE FROM child WHERE r = 1; SELECT id FROM t WHERE id < 3; END",
			"CREATE PROCEDURE two() BEGIN SELECT id FROM t WHERE id < 3; DELETE FROM child WHERE r = 1; SELECT 7 AS a, 8 AS b; END")
		read := func(text string, limit int64) (cols [][]string, n int, err error) {
			rows, err := f.db.QueryContext(dbguard.AtMost(t.Context(), limit), text)
			require.NoError(t, err)
			defer func() { _ = rows.Close() }()
			for {
				for rows.Next() {
					n++
				}
				require.False(t, rows.Next())
				if rows.Err() != nil {
					return cols, n, rows.Err()
				}
				if c, err := rows.Columns(); err == nil {
					cols = append(cols, c)
				}
				if !rows.NextResultSet() {
					return cols, n, rows.Err()
				}
			}
		}
		for text, sets := range map[string]int{"CALL one()": 1, "CALL two()": 2} {
			_, n, err := read(text, 4)
			require.ErrorIs(t, err, dbguard.OverLimit)
			assert.Equal(t, sets+1, n)
			assert.Equal(t, 5, f.count(t, "child"))
		}
		rows, err := f.db.QueryContext(dbguard.AtMost(t.Context(), 4), "CALL one()")
		require.NoError(t, err)
		for rows.Next() {
		}
		require.ErrorIs(t, rows.Err(), dbguard.OverLimit)
		_ = rows.Close()
		rows, err = f.db.QueryContext(dbguard.AtMost(t.Context(), 4), "CALL two()")
		require.NoError(t, err)
		for rows.Next() {
		}
		require.NoError(t, rows.Err())
		require.ErrorIs(t, rows.Close(), dbguard.OverLimit, "read in part")
		cols, n, err := read("CALL two()", 5)
		require.NoError(t, err)
		assert.Equal(t, 3, n)
		assert.Equal(t, []string{"id"}, cols[0])
		assert.Zero(t, f.count(t, "child"))
		f.assertWorks(t)
	})
}
