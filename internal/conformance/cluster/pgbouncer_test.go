package cluster

import (
	"database/sql"
	"fmt"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// startPgBouncer starts PgBouncer in front of the database, in transaction mode: each
// transaction, and each statement outside of one, may run on another of the server's
// connections.
func startPgBouncer(t *testing.T, d *target.Database) (dsn string) {
	t.Helper()
	binary := servers.Installed(t, "pgbouncer", "/usr/sbin/pgbouncer")
	at, err := url.Parse(d.DSN)
	require.NoError(t, err)
	port := servers.FreePort(t)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	servers.Spawn(t, binary, address, map[string]string{
		"users": `"postgres" ""` + "\n",
		"config": fmt.Sprintf(`[databases]
%s = host=%s port=%s user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = users
pool_mode = transaction
default_pool_size = 3
ignore_startup_parameters = extra_float_digits
`, at.Path[1:], at.Hostname(), at.Port(), port),
	}, "config")
	at.Host = address
	return at.String()
}

// driverParams is what the drivers need behind PgBouncer, which knows no prepared
// statements: pgx must not cache any.
var driverParams = map[string]string{"pgx": "default_query_exec_mode=exec", "postgres": "binary_parameters=yes"}

func TestPgBouncer(t *testing.T) {
	for _, tg := range target.All() {
		if tg.Engine != target.Postgres {
			continue
		}
		t.Run(tg.String(), func(t *testing.T) {
			d := tg.Database(t)
			bare := d.Bare(t)
			defer bare.Close()
			_, err := bare.ExecContext(t.Context(), `CREATE TABLE t (id INT PRIMARY KEY, n INT NOT NULL);
INSERT INTO t SELECT i, 0 FROM generate_series(1, 40) i;
CREATE TABLE child (id INT PRIMARY KEY, r INT REFERENCES t (id) ON DELETE CASCADE);
INSERT INTO child SELECT i, 40 FROM generate_series(1, 5) i`)
			require.NoError(t, err)
			g, err := dbguard.New(dbguard.Policy{})
			require.NoError(t, err)
			db, err := sqlguard.Open(tg.Driver, startPgBouncer(t, d)+"&"+driverParams[tg.Driver], g)
			require.NoError(t, err)
			db.SetMaxOpenConns(8)
			defer func() { assert.NoError(t, db.Close()) }()
			pooledBounds(t, db, bare)
			pooledWork(t, db, bare)
		})
	}
}

func sum(t *testing.T, bare *sql.DB) (n int) {
	t.Helper()
	require.NoError(t, bare.QueryRowContext(t.Context(), "SELECT sum(n) FROM t").Scan(&n))
	return n
}

func pooledBounds(t *testing.T, db, bare *sql.DB) {
	ctx := dbguard.AtMost(t.Context(), 2)
	_, err := db.ExecContext(ctx, "UPDATE t SET n = n + 1 WHERE id > 2")
	require.ErrorIs(t, err, dbguard.OverLimit)
	_, err = db.ExecContext(ctx, "DELETE FROM t WHERE id = $1", 40)
	require.ErrorIs(t, err, dbguard.OverLimit, "one row and five that hang on it")
	_, err = db.ExecContext(ctx, "UPDATE t SET n = n + 1 WHERE id IN (1, 2)")
	require.NoError(t, err)
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(ctx, "UPDATE t SET n = n + 1 WHERE id = $1", 3)
	require.NoError(t, err)
	_, err = tx.ExecContext(ctx, "UPDATE t SET n = n + 1 WHERE id > $1", 3)
	require.ErrorIs(t, err, dbguard.OverLimit)
	require.NoError(t, tx.Commit())
	assert.Equal(t, 3, sum(t, bare))
}

// pooledWork has more clients than the server has connections for them.
func pooledWork(t *testing.T, db, bare *sql.DB) {
	const workers, each = 8, 30
	ctx := dbguard.AtMost(t.Context(), 1)
	var running sync.WaitGroup
	var mu sync.Mutex
	var refused, wrong []error
	for w := range workers {
		running.Go(func() {
			for i := range each {
				text := "UPDATE t SET n = n + 1 WHERE id = $1"
				if i%3 == 2 {
					text = "UPDATE t SET n = n + 1 WHERE id <> $1 AND id < 0 OR id BETWEEN 10 AND 20 AND n >= 0"
				}
				_, err := db.ExecContext(ctx, text, w+1)
				mu.Lock()
				switch over := i%3 == 2; {
				case over:
					refused = append(refused, err)
				case err != nil:
					wrong = append(wrong, err)
				}
				mu.Unlock()
			}
		})
	}
	running.Wait()
	assert.Empty(t, wrong)
	for _, err := range refused {
		require.ErrorIs(t, err, dbguard.OverLimit)
	}
	assert.Equal(t, 3+workers*each*2/3, sum(t, bare))
}
