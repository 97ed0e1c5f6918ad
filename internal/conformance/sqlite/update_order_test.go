package sqlite

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// Whether rows conflict may depend on the order in which they change, which is that of the
// index by which the caller's text finds them.
func TestUpdateOrderOfUniqueRows(t *testing.T) {
	tests := []struct {
		name, setup, text, sum string
		want                   int
	}{
		{
			"a generated column is unique",
			"CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, c INT, b INT AS (a) UNIQUE); CREATE INDEX ic ON t (c); INSERT INTO t (id, a, c) VALUES (1, 1, 3), (2, 2, 2), (3, 3, 1)",
			"UPDATE t SET a = a + 1 WHERE c > 0", "SELECT sum(a) FROM t", 9,
		},
		{
			"an index is of some rows",
			"CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, now INT, c INT); CREATE UNIQUE INDEX ia ON t (a) WHERE now = 1; CREATE INDEX ic ON t (c); INSERT INTO t VALUES (1, 5, 0, 2), (2, 5, 1, 1)",
			"UPDATE t SET now = 1 - now WHERE c > 0", "SELECT id FROM t WHERE now = 1", 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stage.Each(t, func(t *testing.T, s *stage.Stage) {
				s.Exec(t, tt.setup)
				_, err := s.DB.ExecContext(dbguard.AtMost(t.Context(), 3), tt.text)
				require.NoError(t, err)
				assert.Equal(t, tt.want, s.Int(t, tt.sum))
			}, target.SQLite)
		})
	}
}
