package main

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"

	"github.com/dbguard/dbguard-go/dbguard"
)

// The servers that tests may use, and whether one that is missing is a failure.
const (
	postgresEnv = "DBGUARD_POSTGRES_DSN"
	mariadbEnv  = "DBGUARD_MARIADB_DSN"
	mysqlEnv    = "DBGUARD_MYSQL_DSN" // whose lack is none: not every system has packages of MySQL
	requireEnv  = "DBGUARD_REQUIRE"
)

// onEngines runs a test on every engine that there is.
func onEngines(t *testing.T, test func(*testing.T, *engine)) {
	t.Run("sqlite", func(t *testing.T) { test(t, openForTest(t, openSQLite)) })
	t.Run("postgres", func(t *testing.T) { test(t, openForTest(t, postgresOpener(t))) })
	t.Run("mariadb", func(t *testing.T) { test(t, openForTest(t, mysqlOpener(t, mariadbEnv))) })
	t.Run("mysql", func(t *testing.T) { test(t, openForTest(t, mysqlOpener(t, mysqlEnv))) })
}

func openForTest(t *testing.T, open opener) *engine {
	t.Helper()
	e, err := open(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.close()) })
	return e
}

func postgresOpener(t *testing.T) opener {
	dsn := serverDSN(t, postgresEnv)
	return func(ctx context.Context) (*engine, error) { return openPostgres(ctx, dsn) }
}

func mysqlOpener(t *testing.T, env string) opener {
	dsn := serverDSN(t, env)
	return func(ctx context.Context) (*engine, error) { return openMySQL(ctx, dsn) }
}

func serverDSN(t *testing.T, env string) string {
	t.Helper()
	dsn := os.Getenv(env)
	if dsn == "" && env != mysqlEnv && strings.Contains(os.Getenv(requireEnv), "all") {
		t.Fatalf("%s is not set, and %s demands it", env, requireEnv)
	}
	if dsn == "" {
		t.Skipf("%s is not set", env)
	}
	return dsn
}

// What each replay must show, on every engine.
var expected = map[string]struct {
	rows int
	rule dbguard.RuleID
	says string
}{
	"orm-script": {240, dbguard.OverLimit, "DG204 OverLimit: DELETE on navigation would change more than 20 rows"},
	"orm-loop":   {240, dbguard.OverBudget, "DG206 OverBudget: DELETE on navigation would exceed its budget, 0 rows left"},
	"rollback":   {500, dbguard.Unfiltered, "DG202 Unfiltered: UPDATE on device has no WHERE"},
}

func TestReplays(t *testing.T) {
	require.Len(t, replays(), len(expected))
	onEngines(t, func(t *testing.T, e *engine) {
		for _, r := range replays() {
			t.Run(r.name, func(t *testing.T) {
				want := expected[r.name]
				res, err := play(t.Context(), e, r, dbguard.Policy{})
				require.NoError(t, err)
				assert.Equal(t, e.system, res.System)
				assert.Equal(t, runResult{want.rows, 0}, res.Bare, "bare, everything is lost")
				assert.Equal(t, runResult{want.rows, want.rows}, res.Guarded.runResult, "guarded, nothing is")
				assert.Equal(t, string(want.rule), res.Guarded.Rule)
				assert.Contains(t, res.Guarded.Message, want.says)
				assert.Contains(t, res.Guarded.Message, "nothing was changed")
				assert.Contains(t, []string{"none", "undone"}, res.Guarded.Effect)
				assert.True(t, slices.ContainsFunc(res.spans, func(s sdktrace.ReadOnlySpan) bool {
					return slices.Contains(s.Attributes(), attribute.String("dbguard.rule", string(want.rule))) &&
						slices.Contains(s.Attributes(), semconv.DBSystemNameKey.String(e.system))
				}), "the refusal is in a span")
			})
		}
	})
}

// The guard refuses the accident and not the work: with visits recorded, both
// scripts remove five entries and their items, 20 rows, as they are meant to.
func TestScriptsDoTheirWork(t *testing.T) {
	const unused = 5
	onEngines(t, func(t *testing.T, e *engine) {
		for _, r := range []*replay{stackerORM(), stackerLoop()} {
			t.Run(r.name, func(t *testing.T) {
				fill := r.fill
				r.fill = func(ctx context.Context, e *engine) error {
					if err := fill(ctx, e); err != nil {
						return err
					}
					for id := unused + 1; id <= entries; id++ {
						if _, err := e.bare.ExecContext(ctx, e.bind("INSERT INTO visit (id, navigation_id) VALUES (?, ?)"), id, id); err != nil {
							return err
						}
					}
					return nil
				}
				res, err := play(t.Context(), e, r, dbguard.Policy{})
				require.NoError(t, err)
				want := runResult{240, 240 - unused*(1+itemsEach)}
				assert.Equal(t, want, res.Bare)
				assert.Equal(t, want, res.Guarded.runResult)
				assert.Equal(t, refusal{}, res.Guarded.refusal)
			})
		}
	})
}

// The migration that led to the rollback passes, and pins every device.
func TestMigrationPasses(t *testing.T) {
	onEngines(t, func(t *testing.T, e *engine) {
		r := balenaRollback()
		r.run, r.prelude = r.prelude, nil
		res, err := play(t.Context(), e, r, dbguard.Policy{})
		require.NoError(t, err)
		assert.Empty(t, res.Guarded.Rule)
		assert.Equal(t, runResult{devices, pinnedBefore}, res.Guarded.runResult, "what was pinned before stays as it was")
		var pinned int
		require.NoError(t, e.bare.QueryRowContext(t.Context(), "SELECT count(*) FROM device WHERE release_id IS NOT NULL").Scan(&pinned))
		assert.Equal(t, devices, pinned)
		assert.Len(t, res.spans, devices/batchSize)
	})
}

// A row that was kept but changed counts as lost.
func TestSnapshotUnchanged(t *testing.T) {
	before := snapshot{"t 1": "a", "t 2": "b", "t 3": "c"}
	assert.Equal(t, 3, before.unchanged(before))
	assert.Equal(t, 1, before.unchanged(snapshot{"t 1": "a", "t 2": "changed", "t 4": "c"}))
	assert.Equal(t, 0, before.unchanged(snapshot{}))
}
