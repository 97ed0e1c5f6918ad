package postgres

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// The server reports more rows than the bound by an error that a caller's statement, or a
// trigger, may also raise itself.
func TestOwnErrorsWithTheGuardsSQLSTATE(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		f.execBare("CREATE TABLE limited (id INT, n INT)")
		f.execBare("INSERT INTO limited VALUES (1, 1), (2, -1)")
		f.execBare(`CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM FROM t LIMIT OLD.n; RETURN OLD; END'`)
		f.execBare("CREATE TRIGGER look BEFORE DELETE ON limited FOR EACH ROW EXECUTE FUNCTION look()")
		for text, state := range map[string]string{
			"DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY id LIMIT $1)":              "2201W",
			"UPDATE t SET v = 0 WHERE id IN (SELECT id FROM t ORDER BY id OFFSET $1)":        "2201X",
			"DELETE FROM limited WHERE n = $1":                                               "2201W",
			"INSERT INTO t (id) SELECT id + 100 FROM t ORDER BY id LIMIT $1":                 "2201W",
			"INSERT INTO t (id) VALUES ((SELECT id + 100 FROM t ORDER BY id OFFSET $1 - 1))": "2201X",
		} {
			for range 2 {
				_, bare := f.direct.ExecContext(t.Context(), text, -1)
				_, err := f.db.ExecContext(atMost(t, 1), text, -1)
				assertSameError(t, bare, err, state, text)
				tx, begin := f.db.BeginTx(t.Context(), nil)
				require.NoError(t, begin)
				_, err = tx.ExecContext(atMost(t, 1), text, -1)
				assertSameError(t, bare, err, state, text)
				require.NoError(t, tx.Rollback())
			}
		}
		assert.Equal(t, 20, f.count("t WHERE v = id"))
		assert.Equal(t, 2, f.count("limited"))
	})
}

// assertSameError wants the error that there is without a guard.
func assertSameError(t *testing.T, bare, err error, state, text string) {
	t.Helper()
	require.Error(t, err, text)
	assert.Equal(t, bare.Error(), err.Error(), text)
	var coded interface{ SQLState() string }
	require.ErrorAs(t, err, &coded, text)
	assert.Equal(t, state, coded.SQLState(), text)
}

// A refused statement is sent a second time, rewritten to report why. That is cached: the
// next refusal takes the round trips of a statement that fails bare.
func TestSecondRefusalTakesOneTry(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		const text = "DELETE FROM t WHERE id <= $1"
		refused := func() {
			_, err := f.db.ExecContext(atMost(t, 2), text, 3)
			require.ErrorIs(t, err, dbguard.OverLimit)
		}
		fails := func() {
			_, err := f.direct.ExecContext(t.Context(), "DELETE FROM t WHERE id = 1 / $1", 0)
			require.Error(t, err)
		}
		fails()
		refused()
		assert.Equal(t, f.trips(fails), f.trips(refused))
		_, err := f.db.ExecContext(atMost(t, 2), text, 2)
		require.NoError(t, err, "and what is not too much passes")
		assert.Equal(t, 18, f.count("t"))
	})
}

// Rows of a temporary table do not count, however the statement is rewritten.
func TestTemporaryRowsBeyondTheBound(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		conn, err := f.db.Conn(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		_, err = conn.ExecContext(t.Context(), "CREATE TEMP TABLE mine AS SELECT i AS id FROM generate_series(1, 9) i")
		require.NoError(t, err)
		for n := 3; n > 0; n-- {
			res, err := conn.ExecContext(atMost(t, 1), "DELETE FROM mine WHERE id > $1", 3*n-3)
			require.NoError(t, err)
			deleted, err := res.RowsAffected()
			require.NoError(t, err)
			assert.EqualValues(t, 3, deleted)
		}
		var left int
		require.NoError(t, conn.QueryRowContext(t.Context(), "SELECT count(*) FROM mine").Scan(&left))
		assert.Zero(t, left)
	})
}
