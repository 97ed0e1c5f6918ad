package network_test

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/network"
	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/sqlguard"
)

func TestMain(m *testing.M) { servers.Main(m) }

// onServers runs f on every driver of an engine that has one.
func onServers(t *testing.T, f func(t *testing.T, d *target.Database)) {
	for _, tg := range target.All() {
		if tg.Engine != target.SQLite {
			t.Run(tg.String(), func(t *testing.T) { f(t, tg.Database(t)) })
		}
	}
}

func open(t *testing.T, driver, dsn string, guarded bool) *sql.DB {
	t.Helper()
	connect := sql.Open
	if guarded {
		g, err := dbguard.New(dbguard.Policy{})
		require.NoError(t, err)
		connect = func(driver, dsn string) (*sql.DB, error) { return sqlguard.Open(driver, dsn, g) }
	}
	db, err := connect(driver, dsn)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func TestTripsAndDelay(t *testing.T) {
	onServers(t, func(t *testing.T, d *target.Database) {
		const far = 20 * time.Millisecond
		p, dsn := network.Through(t, d.DSN, far)
		db := open(t, d.Driver, dsn, false)
		for range 2 { // pgx pings a connection when it is first used again
			_, err := db.ExecContext(t.Context(), "SELECT 1")
			require.NoError(t, err)
		}
		for range 3 {
			trips, begin := p.Trips(), time.Now()
			_, err := db.ExecContext(t.Context(), "SELECT 1")
			require.NoError(t, err)
			assert.EqualValues(t, 1, p.Trips()-trips)
			assert.GreaterOrEqual(t, time.Since(begin), far)
		}
	})
}

// A counter shows how often a statement has run: running it twice leaves a trace.
const (
	makeCounter = "CREATE TABLE counter (id INT PRIMARY KEY, n INT)"
	fillCounter = "INSERT INTO counter VALUES (1, 0), (2, 0)"
	count       = "UPDATE counter SET n = n + 1 WHERE id = 1"
)

func counter(t *testing.T, d *target.Database) *sql.DB {
	bare := open(t, d.Driver, d.DSN, false)
	for _, text := range []string{makeCounter, fillCounter} {
		_, err := bare.ExecContext(t.Context(), text)
		require.NoError(t, err)
	}
	return bare
}

func value(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT n FROM counter WHERE id = 1").Scan(&n))
	return n
}

// awaitUnlocked waits until no lock is left on the row: a server needs a moment to notice
// that it has lost its client.
func awaitUnlocked(t *testing.T, db *sql.DB) int {
	t.Helper()
	_, err := db.ExecContext(t.Context(), "UPDATE counter SET id = id WHERE id = 1")
	require.NoError(t, err)
	return value(t, db)
}

// cutPoints are the moments at which a connection is cut. done says whether the server has
// then done everything that it was to do.
var cutPoints = []struct {
	name string
	plan func(p *network.Proxy, text string)
	done bool
}{
	{"before it reaches the server", (*network.Proxy).CutBefore, false},
	{"after the server has done it", (*network.Proxy).CutAfter, true},
}

func TestCutAtCommitOfTheCaller(t *testing.T) {
	onServers(t, func(t *testing.T, d *target.Database) {
		for _, m := range cutPoints {
			t.Run(m.name, func(t *testing.T) {
				d := d.Target.Database(t)
				bare := counter(t, d)
				p, dsn := network.Through(t, d.DSN, 0)
				db := open(t, d.Driver, dsn, true)
				tx, err := db.BeginTx(t.Context(), nil)
				require.NoError(t, err)
				_, err = tx.ExecContext(dbguard.AtMost(t.Context(), 1), count)
				require.NoError(t, err)
				m.plan(p, "commit")
				err = tx.Commit()
				require.True(t, p.Cut(), "nothing was cut")
				requireUnknown(t, err)
				assert.Equal(t, m.done, awaitUnlocked(t, bare) == 1)
				assertWorks(t, db, bare)
			})
		}
	})
}

// The guard's own COMMIT, or the statement itself where nothing else is sent.
func TestCutAtTheEndOfAStatement(t *testing.T) {
	onServers(t, func(t *testing.T, d *target.Database) {
		for _, text := range []string{"commit", "update counter"} {
			for _, m := range cutPoints {
				t.Run(text+" "+m.name, func(t *testing.T) {
					d := d.Target.Database(t)
					bare := counter(t, d)
					p, dsn := network.Through(t, d.DSN, 0)
					db := open(t, d.Driver, dsn, true)
					warmUp(t, db)
					m.plan(p, text)
					_, err := db.ExecContext(dbguard.AtMost(t.Context(), 1), count)
					assertToldTruth(t, p, awaitUnlocked(t, bare), err)
					if p.Cut() && m.done && text == "commit" {
						requireUnknown(t, err)
						assert.Equal(t, 1, value(t, bare))
					}
					assertWorks(t, db, bare)
				})
			}
		}
	})
}

// warmUp has the guard make the queries that it makes once per connection.
func warmUp(t *testing.T, db *sql.DB) {
	t.Helper()
	_, err := db.ExecContext(dbguard.AtMost(t.Context(), 1), "UPDATE counter SET n = 7 WHERE id = 2")
	require.NoError(t, err)
}

// assertToldTruth: what the caller was told is true, whatever was cut.
func assertToldTruth(t *testing.T, p *network.Proxy, n int, err error) {
	t.Helper()
	var v *dbguard.Violation
	switch {
	case err == nil:
		assert.Equal(t, 1, n, "told that it was done")
	case errors.As(err, &v) && v.Effect == dbguard.EffectUnknown:
		assert.True(t, p.Cut())
		assert.LessOrEqual(t, n, 1)
	default: // refused, or failed: it has not happened
		assert.Zero(t, n, "told %v", err)
	}
}

func requireUnknown(t *testing.T, err error) {
	t.Helper()
	var v *dbguard.Violation
	require.ErrorAs(t, err, &v)
	assert.Equal(t, dbguard.Unconfirmed, v.Rule)
	assert.Equal(t, dbguard.EffectUnknown, v.Effect)
}

// assertWorks: the pool replaces the lost connection, and nothing is run again later.
func assertWorks(t *testing.T, db, bare *sql.DB) {
	t.Helper()
	was := value(t, bare)
	_, err := db.ExecContext(dbguard.AtMost(t.Context(), 1), count)
	require.NoError(t, err)
	assert.Equal(t, was+1, value(t, bare))
}
