package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

// settingTexts set a setting whose name is the first argument.
var settingTexts = map[string]string{
	"argument":   "SELECT set_config($1, $2, false)",
	"with a row": "SELECT set_config($1, v, false) FROM (SELECT $2::text AS v) s",
}

// A protection stays on whatever its name comes from, and other settings can be set by arguments.
func TestSettingsByArguments(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		for name, text := range settingTexts {
			_, err := f.db.Exec(text, "session_replication_role", "replica")
			require.ErrorIs(t, err, dbguard.GuardOff, name)
			_, err = f.db.Exec(text, "app.tenant", "7")
			require.NoError(t, err, name)
			_, err = f.db.Exec(text, "work_mem", "1MB")
			require.NoError(t, err, name)
		}
		for _, text := range []string{
			"SELECT set_config('session_' || 'replication_role', 'replica', false)",
			"SELECT set_config(n, 'off', false) FROM (VALUES ('track_counts')) s (n)",
			"UPDATE pg_settings SET setting = 'replica' WHERE name = 'session_replication_role'",
			"UPDATE pg_settings SET setting = 'off' WHERE name LIKE 'track_counts'",
		} {
			_, err := f.db.ExecContext(atMost(t, 1), text)
			require.ErrorIs(t, err, dbguard.GuardOff, text)
		}
		_, err := f.db.ExecContext(atMost(t, 1), "UPDATE pg_settings SET setting = 'off' WHERE name = 'enable_seqscan'")
		require.NoError(t, err)
		var role, counts, tenant, scans string
		require.NoError(t, f.db.QueryRow("SELECT current_setting('session_replication_role'), current_setting('track_counts'), current_setting('app.tenant'), current_setting('enable_seqscan')").
			Scan(&role, &counts, &tenant, &scans))
		assert.Equal(t, []string{"origin", "on", "7", "off"}, []string{role, counts, tenant, scans})
	})
}

// So it is without database/sql, in a batch, too.
func TestSettingsByArgumentsNatively(t *testing.T) {
	onNative(t, dbguard.Policy{}, func(t *testing.T, _ *fixture, pool *pgxguard.Pool) {
		ways := map[string]func(name string) error{
			"exec": func(name string) error {
				_, err := pool.Exec(context.Background(), settingTexts["argument"], name, "origin")
				return err
			},
			"named": func(name string) error {
				_, err := pool.Exec(context.Background(), "SELECT set_config(@name, 'origin', false)", pgx.NamedArgs{"name": name})
				return err
			},
			"batch": func(name string) error {
				b := &pgx.Batch{}
				b.Queue(settingTexts["argument"], name, "origin")
				b.Queue("SELECT 1")
				return pool.SendBatch(context.Background(), b).Close()
			},
		}
		for name, set := range ways {
			require.ErrorIs(t, set("session_replication_role"), dbguard.GuardOff, name)
			require.NoError(t, set("app.tenant"), name)
		}
	})
}

// A count that fails aborts the transaction, so that nothing can be kept: the caller is told, even
// if changes that cannot be counted are allowed.
func TestCountsThatFail(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		const role = "dbguard_test_uncounted"
		f.execBare("DROP ROLE IF EXISTS " + role + "; CREATE ROLE " + role + "; REVOKE SELECT ON pg_catalog.pg_locks FROM PUBLIC; GRANT ALL ON t TO " + role)
		defer f.execBare("DROP OWNED BY " + role + "; DROP ROLE " + role)
		ctx := dbguard.Allow(atMost(t, 1), "a test", dbguard.Opaque())
		const text = "SET LOCAL ROLE " + role + "; DELETE FROM t WHERE id = 1"
		_, err := f.db.ExecContext(ctx, text)
		require.ErrorContains(t, err, "permission denied")
		assert.Equal(t, 20, f.count("t"))

		tx, err := f.db.Begin()
		require.NoError(t, err)
		defer tx.Rollback()
		_, err = tx.ExecContext(atMost(t, 1), "DELETE FROM t WHERE id = 2")
		require.NoError(t, err)
		_, err = tx.ExecContext(ctx, text)
		require.ErrorContains(t, err, "permission denied")
		require.NoError(t, tx.Commit())
		assert.Equal(t, 19, f.count("t"))
	})
}
