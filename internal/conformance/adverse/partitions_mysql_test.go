package adverse

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// The server counts two calls for each row of a partitioned table, whoever changes it.
func TestRowsOfPartitionedTablesCountOnce(t *testing.T) {
	const parts = " PARTITION BY HASH (id) PARTITIONS 3"
	for _, tt := range []struct{ name, own, behind, text string }{
		{"behind a plain one", "", parts, "UPDATE a SET n = n + 1 WHERE id = 1"},
		{"in front of a plain one", parts, "", "UPDATE a SET n = n + 1 WHERE id = 1"},
		{"both", parts, parts, "UPDATE a SET n = n + 1 WHERE id = 1"},
		{"behind a DELETE", "", parts, "DELETE FROM a WHERE id = 1"},
		{"both, behind a DELETE", parts, parts, "DELETE FROM a WHERE id = 1"},
		{"both, with RETURNING", parts, parts, "DELETE FROM a WHERE id = 1 RETURNING id"},
		{"behind an INSERT", "", parts, "INSERT INTO a VALUES (5, 5)"},
		{"behind an INSERT, in front of a plain one", parts, "", "INSERT INTO a VALUES (5, 5)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, onMySQL, func(t *testing.T, f *fixture) {
				f.skipMariaDBs(t, tt.text)
				event, hits := strings.Fields(tt.text)[0], int64(4)
				if event == "INSERT" {
					hits = 3
				}
				f.execBare(t, "CREATE TABLE a (id INT PRIMARY KEY, n INT)"+tt.own, "INSERT INTO a VALUES (1, 0), (2, 1)",
					"CREATE TABLE l (id INT PRIMARY KEY, n INT)"+tt.behind, "INSERT INTO l VALUES (1, 0), (2, 0), (3, 0)",
					"CREATE TRIGGER trg AFTER "+event+" ON a FOR EACH ROW UPDATE l SET n = n + 1")
				_, err := f.db.ExecContext(dbguard.AtMost(t.Context(), hits-1), tt.text)
				require.ErrorIs(t, err, dbguard.OverLimit)
				assert.Equal(t, 3, f.count(t, "l WHERE n = 0"))
				_, err = f.db.ExecContext(dbguard.AtMost(t.Context(), hits), tt.text)
				require.NoError(t, err)
				assert.Equal(t, 3, f.count(t, "l WHERE n = 1"))
			})
		})
	}
}
