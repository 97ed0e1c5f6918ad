package corpus

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

// batchDiffers are entries that fail in a batch of pgx, and not in one of the guard's.
var batchDiffers = map[string]string{
	"pg-315": "a batch that begins a transaction has its statements run one by one: the level is set before any query",
}

// TestNativePgx runs the corpus without database/sql. What it finds must be explained for
// pgx with database/sql.
func TestNativePgx(t *testing.T) {
	entries := load(t)
	x, err := LoadExplanations(explanationsFile)
	require.NoError(t, err)
	tg, runs, refused := pgxTarget(t), 0, 0
	major := target.Postgres.Major(t)
	f := newFixture(t, tg)
	for _, e := range For(entries, target.Postgres, major) {
		t.Run(e.ID, func(t *testing.T) {
			f.use(t, e)
			for k, m := range nativeModes {
				if !e.runsOn(k, 5) {
					continue
				}
				t.Run(m.Name, func(t *testing.T) {
					guarded := f.runNative(t, m, guardedPool(t))
					runs++
					if errors.Is(guarded.Err, dbguard.ErrRefused) {
						refused++
					}
					for _, f := range Judge(e, m.Mode, guarded, func() Outcome { return f.runNative(t, m, barePool(t)) }) {
						explained := x[target.Postgres][findingKey{f.Kind, e.ID}] != "" || f.Kind == Differs && m.Name == "pgx batch" && batchDiffers[e.ID] != ""
						if !explained {
							t.Errorf("%s: %s: %s\n%s\n%v", f.Kind, f.Text, e.Note, e.Statement, guarded.Err)
						}
					}
				})
			}
		})
	}
	t.Logf("%d of %d runs were refused", refused, runs)
	assert.Positive(t, refused)
}

func pgxTarget(t *testing.T) target.Target {
	t.Helper()
	for _, tg := range target.All() {
		if tg.Engine == target.Postgres && tg.Name == "pgx" {
			return tg
		}
	}
	t.Fatal("pgx is no target any more")
	return target.Target{}
}

func barePool(t *testing.T) func(*target.Database) nativePool {
	return func(d *target.Database) nativePool {
		pool, err := pgxpool.NewWithConfig(t.Context(), poolConfig(t, d))
		require.NoError(t, err)
		return pool
	}
}

func guardedPool(t *testing.T) func(*target.Database) nativePool {
	return func(d *target.Database) nativePool {
		g, err := dbguard.New(dbguard.Policy{})
		require.NoError(t, err)
		pool, err := pgxguard.New(t.Context(), poolConfig(t, d), g)
		require.NoError(t, err)
		return pool
	}
}

func poolConfig(t *testing.T, d *target.Database) *pgxpool.Config {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(d.DSN)
	require.NoError(t, err)
	cfg.MaxConns = 1
	return cfg
}
