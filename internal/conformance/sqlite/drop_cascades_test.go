package sqlite

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// SQLite deletes a table's rows before it drops the table, and foreign keys cascade to other
// tables: a grant to drop the table does not cover that.
func TestDropCascades(t *testing.T) {
	tests := []struct {
		name, key string
		texts     []string
		refused   bool
	}{
		{"a cascade", "ON DELETE CASCADE", nil, true},
		{"a key that is set to NULL", "ON DELETE SET NULL", nil, true},
		{"a cascade that is turned off", "ON DELETE CASCADE", []string{"PRAGMA foreign_keys = OFF"}, false},
		{"a cascade to an empty table", "ON DELETE CASCADE", []string{"DELETE FROM kid WHERE r > 0"}, false},
		{"a cascade to a table that was dropped", "ON DELETE CASCADE", []string{"DROP TABLE kid"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stage.Each(t, func(t *testing.T, s *stage.Stage) {
				s.Exec(t, "CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE kid (r INT REFERENCES parent "+tt.key+")")
				s.Exec(t, "INSERT INTO parent VALUES (1), (2); INSERT INTO kid VALUES (1), (1), (2)")
				conn := s.Conn(t)
				ctx := dbguard.Allow(dbguard.AtMost(t.Context(), 3), "a test", dbguard.DropTable("parent"), dbguard.DropTable("kid"))
				for _, text := range append([]string{"PRAGMA foreign_keys = ON"}, tt.texts...) {
					_, err := conn.ExecContext(dbguard.Allow(ctx, "a test", dbguard.Opaque()), text)
					require.NoError(t, err, text)
				}
				_, err := conn.ExecContext(ctx, "DROP TABLE parent")
				if !tt.refused {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, dbguard.Uncountable)
				assert.ErrorContains(t, err, "kid")
				var n int
				require.NoError(t, conn.QueryRowContext(t.Context(), "SELECT count(*) FROM kid WHERE r IS NOT NULL").Scan(&n))
				assert.Equal(t, 3, n)
			}, target.SQLite)
		})
	}
}

// A temporary table shadows the one whose rows would be deleted.
func TestDropCascadesToShadowedTable(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		s.Exec(t, "CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE kid (r INT REFERENCES parent ON DELETE CASCADE)")
		s.Exec(t, "INSERT INTO parent VALUES (1); INSERT INTO kid VALUES (1), (1)")
		conn := s.Conn(t)
		ctx := dbguard.Allow(dbguard.AtMost(t.Context(), 1), "a test", dbguard.DropTable("parent"), dbguard.DropTable("main.parent"))
		_, err := conn.ExecContext(ctx, "CREATE TEMP TABLE kid (r INT)")
		require.NoError(t, err)
		for _, text := range []string{"DROP TABLE parent", "DROP TABLE main.parent"} {
			_, err = conn.ExecContext(ctx, text)
			require.ErrorIs(t, err, dbguard.Uncountable, text)
		}
		assert.Equal(t, 2, s.Int(t, "SELECT count(*) FROM kid"))
	}, target.SQLite)
}
