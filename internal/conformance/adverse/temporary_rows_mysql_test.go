package adverse

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Rows of the tables that the server makes for itself are nobody's: MySQL counts them where
// it counts those that a statement updates.
func TestRowsOfTheServersOwnTables(t *testing.T) {
	const groups = "(SELECT n, MIN(id) AS i, COUNT(*) AS c FROM t GROUP BY n UNION ALL SELECT n, MIN(id), COUNT(*) FROM t GROUP BY n)"
	for _, tt := range []struct {
		text string
		hits int64
	}{
		{"UPDATE t JOIN " + groups + " x ON x.i = t.id SET t.n = 7", 1},
		{"DELETE t FROM t JOIN " + groups + " x ON x.i = t.id", 1},
		{"DELETE FROM t WHERE id IN (SELECT i FROM " + groups + " x)", 1},
		{"UPDATE t SET n = 7 WHERE id IN (SELECT i FROM " + groups + " x)", 1},
		{"INSERT INTO t SELECT i, c FROM " + groups + " x ON DUPLICATE KEY UPDATE n = 7", 1},
		{"INSERT INTO child SELECT i + 50, c FROM " + groups + " x LIMIT 1", 0},
	} {
		for _, way := range []string{"Exec", "Query"} {
			t.Run(way+" "+tt.text, func(t *testing.T) {
				each(t, onMySQL, func(t *testing.T, f *fixture) {
					c := f.conn(t)
					if tt.hits > 0 {
						require.ErrorIs(t, sendBy(dbguard.AtMost(t.Context(), tt.hits-1), c, way, tt.text), dbguard.ErrRefused)
						assert.Equal(t, 9, f.count(t, "t WHERE n = 0"))
					}
					require.NoError(t, sendBy(dbguard.AtMost(t.Context(), tt.hits), c, way, tt.text))
				})
			})
		}
	}
}
