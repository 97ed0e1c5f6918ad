package postgres

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/stretchr/testify/require"
)

// It may be the guard's own query about a table that ends the caller's transaction. The
// caller then sees why, and not only that it has ended.
func TestDeniedSchemaIsNamed(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		const role = "dbguard_test_denied"
		f.execBare("DROP ROLE IF EXISTS " + role + "; CREATE ROLE " + role + "; CREATE SCHEMA shut; CREATE TABLE shut.t (id INT PRIMARY KEY)")
		defer f.execBare("DROP ROLE " + role)
		for _, text := range []string{"UPDATE shut.t SET id = 2 WHERE id = 1", "DELETE FROM shut.t WHERE id = 1", "INSERT INTO shut.t VALUES (1)", "DELETE FROM shut.none WHERE id = 1"} {
			tx, err := f.db.Begin()
			require.NoError(t, err)
			_, err = tx.Exec("SET LOCAL ROLE " + role)
			require.NoError(t, err)
			_, err = tx.ExecContext(atMost(t, 1), text)
			require.ErrorContains(t, err, "permission denied for schema shut", text)
			require.NoError(t, tx.Rollback())
		}
	})
}

// A role may delete what it may not read, if the condition names no column.
func TestRoleWithoutSelect(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		role := "blind_" + strconv.Itoa(rand.IntN(1e9))
		f.execBare("CREATE ROLE " + role + "; GRANT DELETE, UPDATE ON t TO " + role)
		t.Cleanup(func() { f.execBare("DROP OWNED BY " + role + "; DROP ROLE " + role) })
		ctx := dbguard.Allow(atMost(t, 100), "a test", dbguard.AllRows("t"))
		for _, text := range []string{"DELETE FROM t", "DELETE FROM t WHERE now() > '2000-01-01'", "UPDATE t SET v = 7"} {
			for _, known := range []bool{false, true} {
				tx, err := f.db.BeginTx(ctx, nil)
				require.NoError(t, err)
				if known {
					_, err = tx.ExecContext(ctx, text)
					require.NoError(t, err)
				}
				_, err = tx.ExecContext(ctx, "SET LOCAL ROLE "+role)
				require.NoError(t, err)
				_, err = tx.ExecContext(ctx, text)
				require.NoError(t, err, text)
				require.NoError(t, tx.Rollback())
			}
		}
	})
}
