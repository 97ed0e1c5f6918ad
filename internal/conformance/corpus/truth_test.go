package corpus

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

func TestMain(m *testing.M) { servers.Main(m) }

const statements = "../testdata/statements.jsonl"

func bare(tb testing.TB, d *target.Database) *sql.DB { return d.Bare(tb) }

// TestBare proves the ground: run without a guard, every entry hits exactly the
// rows it is said to hit, and exactly the dangerous ones are seen to escape.
func TestBare(t *testing.T) {
	entries, err := Load(statements)
	require.NoError(t, err)
	for _, tg := range target.All() {
		t.Run(tg.String(), func(t *testing.T) {
			for _, e := range For(entries, tg.Engine) {
				t.Run(e.ID, func(t *testing.T) {
					mode := Modes[0]
					if onlyInTx[e.ID] != "" {
						mode = Modes[len(Modes)-1]
					}
					o := newGround(t, tg, e).Run(t, mode, bare)
					require.NotNil(t, e.RowsHit)
					assert.Equal(t, *e.RowsHit, o.Diff.RowsHit(), "%s: %v: %v", e.Statement, o.Diff, o.Err)
					assert.Equal(t, !e.BoundedOK, o.Diff.Escape(1) != "", "%s: %v: %v", e.Statement, o.Diff, o.Err)
					assert.NoError(t, o.Leak)
				})
			}
		})
	}
}
