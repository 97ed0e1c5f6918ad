package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// A temporary table may shadow another of the same name: once a text has dropped it,
// the name means the other table.
func TestDropOfShadowedTable(t *testing.T) {
	engines := everywhere
	for text, front := range map[string]string{
		"DROP TABLE t; DROP TABLE t":                                   "CREATE TEMPORARY TABLE t (id INT)",
		"DROP TABLE IF EXISTS t; DROP TABLE IF EXISTS t":               "CREATE TEMPORARY TABLE t (id INT)",
		"ALTER TABLE t RENAME TO z; DROP TABLE t":                      "CREATE TEMPORARY TABLE t (id INT)",
		"SELECT 1; DROP TABLE t; DROP TABLE t":                         "CREATE TEMPORARY TABLE t (id INT)",
		"CREATE TEMPORARY TABLE t (a INT); DROP TABLE t; DROP TABLE t": "",
	} {
		t.Run(text, func(t *testing.T) {
			each(t, engines, func(t *testing.T, f *fixture) {
				c := f.conn(t)
				if front != "" {
					_, err := c.ExecContext(t.Context(), front)
					require.NoError(t, err)
				}
				_, err := c.ExecContext(t.Context(), text)
				require.ErrorIs(t, err, dbguard.ErrRefused)
				assert.Equal(t, 9, f.count(t, "t"))
			})
		})
	}
	each(t, engines, func(t *testing.T, f *fixture) {
		c := f.conn(t)
		for _, text := range []string{
			"CREATE TEMPORARY TABLE t (id INT)", "DROP TABLE t", "CREATE TEMPORARY TABLE front (id INT)",
			"DROP TABLE front; CREATE TEMPORARY TABLE front (id INT); DROP TABLE front",
		} {
			_, err := c.ExecContext(t.Context(), text)
			require.NoError(t, err, text)
		}
		assert.Equal(t, 9, f.count(t, "t"))
	})
}

// Rows of a temporary table do not count on PostgreSQL, nor where a statement names them all.
func TestAllRowsOfATemporaryTable(t *testing.T) {
	each(t, []target.Engine{target.Postgres}, func(t *testing.T, f *fixture) {
		ctx := dbguard.Allow(dbguard.AtMost(t.Context(), 1), "a test", dbguard.AllRows("stage"))
		c := f.conn(t)
		for _, text := range []string{"CREATE TEMPORARY TABLE stage (id INT)", "INSERT INTO stage SELECT id FROM t", "DELETE FROM stage", "INSERT INTO stage SELECT id FROM t"} {
			_, err := c.ExecContext(ctx, text)
			require.NoError(t, err, text)
		}
		tx, err := c.BeginTx(ctx, nil)
		require.NoError(t, err)
		defer tx.Rollback()
		for _, text := range []string{"UPDATE stage SET id = id + 100", "DELETE FROM stage"} {
			_, err := tx.ExecContext(ctx, text)
			require.NoError(t, err, text)
		}
		require.NoError(t, tx.Commit())
	})
}
