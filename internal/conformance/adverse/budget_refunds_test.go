package adverse

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// Whatever is rolled back, in whatever way, is refunded to the budget, and nothing else is.
func TestRollbackRefundsBudget(t *testing.T) {
	const begin, del = "BEGIN", "DELETE FROM t WHERE id < 4"
	both, maria := onServers, onMySQL
	for _, tt := range []struct {
		name  string
		on    []target.Engine
		texts []string // around the DELETE, which is ""
		back  bool
	}{
		{"XA ROLLBACK", maria, []string{"XA START 'x'", "", "XA END 'x'", "XA ROLLBACK 'x'"}, true},
		{"XA COMMIT", maria, []string{"XA START 'x'", "", "XA END 'x'", "XA COMMIT 'x' ONE PHASE"}, false},
		{"XA ROLLBACK of another", maria, []string{begin, "", "-XA ROLLBACK 'y'", "COMMIT"}, false},
		{"XA ROLLBACK too early", maria, []string{"XA START 'x'", "", "-XA ROLLBACK 'x'", "XA END 'x'", "XA COMMIT 'x' ONE PHASE"}, false},
		{"ROLLBACK AND CHAIN", both, []string{begin, "", "ROLLBACK AND CHAIN", "COMMIT"}, true},
		{"COMMIT AND CHAIN", both, []string{begin, "", "COMMIT AND CHAIN", "ROLLBACK"}, false},
		{"SET autocommit, on already", maria, []string{begin, "", "SET autocommit = 1", "ROLLBACK"}, true},
		{"SET autocommit, and it was off", maria, []string{"SET autocommit = 0", "", "SET autocommit = 1", "ROLLBACK"}, false},
		{"SET autocommit, off unseen", maria, []string{"DO 1", "SET autocommit = 0", begin, "", "SET autocommit = 1", "ROLLBACK"}, false},
		{"CACHE INDEX", maria, []string{begin, "", "CACHE INDEX isam IN `default`", "ROLLBACK"}, true},
		{"LOAD INDEX", maria, []string{begin, "", "LOAD INDEX INTO CACHE isam", "ROLLBACK"}, true},
		{"ANALYZE TABLE", maria, []string{begin, "", "ANALYZE TABLE t", "ROLLBACK"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, tt.on, func(t *testing.T, f *fixture) {
				if f.Engine.InMySQLFamily() {
					f.execBare(t, "CREATE TABLE isam (id INT PRIMARY KEY) ENGINE=MyISAM")
				}
				ctx, c := dbguard.Budget(t.Context(), 3), f.conn(t)
				for _, text := range tt.texts {
					switch {
					case text == "":
						_, err := c.ExecContext(ctx, del)
						require.NoError(t, err)
					case text[0] == '-':
						_, err := c.ExecContext(t.Context(), text[1:])
						require.Error(t, err, text)
					default:
						_, err := c.ExecContext(t.Context(), text)
						require.NoError(t, err, text)
					}
				}
				back := tt.back && !(f.Engine == target.MySQL && strings.HasSuffix(tt.name, " INDEX")) // which commits there
				require.Equal(t, back, f.count(t, "t") == 9, "what the server did")
				_, err := c.ExecContext(ctx, "DELETE FROM t WHERE id > 6")
				if !back {
					require.ErrorIs(t, err, dbguard.OverBudget)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, 6, f.count(t, "t"))
			})
		})
	}
}

// ROLLBACK RELEASE ends the connection, too.
func TestRollbackReleaseRefundsBudget(t *testing.T) {
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		ctx, c := dbguard.Budget(t.Context(), 3), f.conn(t)
		for _, text := range []string{"BEGIN", "DELETE FROM t WHERE id < 4", "ROLLBACK RELEASE"} {
			_, err := c.ExecContext(ctx, text)
			require.NoError(t, err)
		}
		_ = c.Close()
		_, err := f.db.ExecContext(ctx, "DELETE FROM t WHERE id > 6")
		require.NoError(t, err)
	})
}
