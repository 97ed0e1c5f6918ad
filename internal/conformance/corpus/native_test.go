package corpus

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

// nativeOpen names what the engine itself leaves open so far, whatever the door:
// functions that write behind what reads as a SELECT, and a procedure that
// tries to commit, which leaves the caller's transaction aborted.
var nativeOpen = map[string]Kind{
	"eva-053": Escape,
	"eva-056": Escape,
	"eva-058": Transaction,
	"inc-076": Escape,
}

func TestNativePgx(t *testing.T) {
	entries, err := Load(statements)
	require.NoError(t, err)
	tg := pgxTarget(t)
	open := map[string]Kind{}
	refused := 0
	for _, m := range nativeModes {
		t.Run(m.Name, func(t *testing.T) {
			for _, e := range For(entries, target.Postgres) {
				t.Run(e.ID, func(t *testing.T) {
					guarded := runNative(t, tg, e, m, guardedPool(t))
					bare := func() Outcome { return runNative(t, tg, e, m, barePool(t)) }
					if errors.Is(guarded.Err, dbguard.ErrRefused) {
						refused++
					}
					for _, f := range Judge(e, m.Mode, guarded, bare) {
						if nativeOpen[e.ID] == f.Kind {
							open[e.ID] = f.Kind
							continue
						}
						t.Errorf("%s: %s: %s\n%s", f.Kind, f.Text, e.Note, e.Statement)
					}
				})
			}
		})
	}
	assert.Positive(t, refused)
	if !t.Failed() {
		assert.ElementsMatch(t, slices.Collect(maps.Keys(nativeOpen)), slices.Collect(maps.Keys(open)), "what is explained and does not happen")
	}
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
