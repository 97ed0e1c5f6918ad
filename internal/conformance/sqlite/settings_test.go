package sqlite

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

const (
	attachMemory   = "ATTACH ':memory:' AS m"
	createInMemory = "CREATE TABLE m.t AS SELECT 1 AS a"
	createTemp     = "CREATE TEMP TABLE t AS SELECT 1 AS a"
)

// Tables that are in no file are lost by texts that look like settings.
func TestDetachAndTempStore(t *testing.T) {
	tests := []struct {
		name  string
		setup []string
		text  string
		args  []any
		rule  error // nil: it passes
		grant dbguard.Grant
	}{
		{"DETACH of a database in memory", []string{attachMemory, createInMemory}, "DETACH m", nil, dbguard.Drop, dbguard.DropDatabase("m")},
		{"in quotes, by another case", []string{attachMemory, createInMemory}, `DETACH DATABASE 'M'`, nil, dbguard.Drop, dbguard.DropDatabase("M")},
		{"by an argument", []string{attachMemory, createInMemory}, "DETACH ?", []any{"m"}, dbguard.Drop, dbguard.DropDatabase("?")},
		{"of a temporary file", []string{"ATTACH '' AS m", createInMemory}, "DETACH m", nil, dbguard.Drop, dbguard.DropDatabase("m")},
		{"of a URI in memory", []string{"ATTACH 'file:x?mode=memory' AS m", createInMemory}, "DETACH m", nil, dbguard.Drop, dbguard.DropDatabase("m")},
		{"ATTACH of a file system in memory", nil, "ATTACH 'file:/x?vfs=memdb' AS m", nil, nil, dbguard.Grant{}},
		{"of one that is empty", []string{attachMemory}, "DETACH m", nil, nil, dbguard.Grant{}},
		{"of another", []string{attachMemory, createInMemory, "ATTACH ':memory:' AS n"}, "DETACH n", nil, nil, dbguard.Grant{}},
		{"of another, by an argument", []string{attachMemory, createInMemory, "ATTACH ':memory:' AS n"}, "DETACH ?", []any{"n"}, nil, dbguard.Grant{}},
		{"of one that the text makes", nil, attachMemory + "; " + createInMemory + "; DETACH m", nil, nil, dbguard.Grant{}},
		{"temp_store", []string{createTemp}, "PRAGMA temp_store = MEMORY", nil, dbguard.GuardOff, dbguard.Opaque()},
		{"temp_store of temp, called", []string{createTemp}, "PRAGMA temp.temp_store(1)", nil, dbguard.GuardOff, dbguard.Opaque()},
		{"temp_store, twice the same", []string{"PRAGMA temp_store = 2", createTemp}, "PRAGMA temp_store = 'memory'", nil, nil, dbguard.Grant{}},
		{"temp_store without tables", nil, "PRAGMA temp_store = MEMORY", nil, nil, dbguard.Grant{}},
		{"temp_store in a transaction", []string{"BEGIN"}, "PRAGMA temp_store = MEMORY", nil, nil, dbguard.Grant{}},
		{"temp_store, asked for", []string{createTemp}, "PRAGMA temp_store", nil, nil, dbguard.Grant{}},
		{"a guard of temp", nil, "PRAGMA temp.foreign_keys = OFF", nil, dbguard.GuardOff, dbguard.Opaque()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stage.Each(t, func(t *testing.T, s *stage.Stage) {
				conn := s.Conn(t)
				for _, text := range tt.setup {
					_, err := conn.ExecContext(t.Context(), text)
					require.NoError(t, err, text)
				}
				_, err := conn.ExecContext(t.Context(), tt.text, tt.args...)
				if tt.rule == nil {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, tt.rule)
				if len(tt.setup) > 0 {
					var n int
					require.NoError(t, conn.QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(&n))
					assert.Equal(t, 1, n)
				}
				_, err = conn.ExecContext(dbguard.Allow(t.Context(), "a test", tt.grant), tt.text, tt.args...)
				require.NoError(t, err)
			}, target.SQLite)
		})
	}
}

// SQLite runs a PRAGMA while it compiles it.
func TestPreparedPragma(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		conn := s.Conn(t)
		for _, text := range []string{"PRAGMA foreign_keys = ON", createTemp} {
			_, err := conn.ExecContext(t.Context(), text)
			require.NoError(t, err)
		}
		for _, text := range []string{"PRAGMA foreign_keys = OFF", "PRAGMA temp_store = 2", "PRAGMA foreign_keys = OFF; DELETE FROM item"} {
			_, err := conn.PrepareContext(t.Context(), text)
			require.ErrorIs(t, err, dbguard.GuardOff, text)
		}
		var on, rows int
		require.NoError(t, conn.QueryRowContext(t.Context(), "SELECT foreign_keys, (SELECT count(*) FROM t) FROM pragma_foreign_keys").Scan(&on, &rows))
		assert.Equal(t, 1, on)
		assert.Equal(t, 1, rows)
		for _, text := range []string{"PRAGMA foreign_keys", "PRAGMA foreign_keys = ON", "DELETE FROM item WHERE v = 'pragma'"} {
			st, err := conn.PrepareContext(t.Context(), text)
			require.NoError(t, err, text)
			require.NoError(t, st.Close())
		}
		st, err := conn.PrepareContext(dbguard.Allow(t.Context(), "a test", dbguard.Opaque()), "PRAGMA foreign_keys = OFF")
		require.NoError(t, err)
		require.NoError(t, st.Close())
	}, target.SQLite)
}
