// Package cluster tests the guard where the database is more than one server: three Galera
// nodes, a primary with its replica, and PgBouncer in front of PostgreSQL.
package cluster

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/sqlguard"
)

func TestMain(m *testing.M) { servers.Main(m) }

const nodes = 3

// galera starts a cluster of nodes on loopback, for this test only.
func galera(t *testing.T) []*servers.Server {
	t.Helper()
	library := servers.Installed(t, "libgalera_smm.so", "/usr/lib/galera/libgalera_smm.so", "/usr/lib/libgalera_smm.so")
	installSST(t)
	var started []*servers.Server
	var members []string
	for n := range nodes {
		group, state := servers.FreePort(t), servers.FreePort(t)
		started = append(started, servers.Start(t, servers.MariaDB, servers.Args(
			"--wsrep-on=ON", "--wsrep-provider="+library, "--wsrep-cluster-name=dbguard",
			"--wsrep-cluster-address=gcomm://"+strings.Join(members, ","), // the first one bootstraps it
			fmt.Sprintf("--wsrep-node-name=node%d", n), "--wsrep-node-address=127.0.0.1",
			fmt.Sprintf("--wsrep-provider-options=base_host=127.0.0.1;base_port=%[1]d;gmcast.listen_addr=tcp://127.0.0.1:%[1]d;ist.recv_addr=127.0.0.1:%[2]d;gcache.size=16M;evs.keepalive_period=PT0.5S;evs.suspect_timeout=PT2S;evs.inactive_timeout=PT4S", group, state),
			"--wsrep-sst-method=copy",
			"--binlog-format=ROW", "--default-storage-engine=InnoDB", "--innodb-autoinc-lock-mode=2",
		)))
		members = append(members, fmt.Sprintf("127.0.0.1:%d", group))
	}
	for _, s := range started {
		awaitSynced(t, s, nodes)
	}
	return started
}

// installSST provides the script of a state snapshot transfer, which copies the group's
// data to a new node while the donor holds still. The usual scripts come in a package that
// installs a service.
func installSST(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("", "dbguard-transfer-") // a test's TempDir is closed to the servers' user
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o777))
	script := strings.ReplaceAll(sstScript, "MEETING", dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "wsrep_sst_copy"), []byte(script), 0o755))
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

// sstScript talks to the server by its output. The joiner's address is the name of a file,
// in a folder that both can reach, that names its data folder.
const sstScript = `#!/bin/sh
bypass=
while [ $# -gt 0 ]; do
	case $1 in
	--role) role=$2 ;;
	--address) address=${2##*/} ;;
	--datadir) data=$2 ;;
	--gtid) state=$2 ;;
	--bypass) bypass=1 ;;
	esac
	shift
done
if [ "$role" = joiner ]; then
	echo "$data" >MEETING/$$
	echo "ready 127.0.0.1/$$"
	until [ -s MEETING/$$.done ]; do sleep 0.05; done
	cat MEETING/$$.done
	exit
fi
if [ -z "$bypass" ]; then
	to=$(cat "MEETING/$address")
	echo "flush tables"
	until grep -q : "$data/tables_flushed" 2>/dev/null; do sleep 0.05; done
	state=$(cat "$data/tables_flushed")
	rm "$data/tables_flushed"
	rm -rf "$to"/ib* "$to"/undo* "$to"/aria* "$to"/mysql
	cd "$data" && for part in ib* undo* aria* */; do
		[ -e "$part" ] && cp -r "$part" "$to/"
	done
	echo "continue"
fi
echo "$state" >"MEETING/$address.new"
mv "MEETING/$address.new" "MEETING/$address.done"
echo "done $state"
`

// awaitSynced waits until the node is in sync, in a cluster of this size.
func awaitSynced(t *testing.T, s *servers.Server, size int) {
	t.Helper()
	db, err := sql.Open("mysql", s.DSN)
	require.NoError(t, err)
	defer db.Close()
	state := func(name string) (value string) {
		_ = db.QueryRowContext(t.Context(), "SHOW STATUS LIKE '"+name+"'").Scan(&name, &value)
		return value
	}
	require.Eventually(t, func() bool {
		return state("wsrep_local_state_comment") == "Synced" && state("wsrep_cluster_size") == fmt.Sprint(size)
	}, 60*time.Second, 50*time.Millisecond, "state %q, size %q", state("wsrep_local_state_comment"), state("wsrep_cluster_size"))
}

// rows is how many the table has.
const rows = 40

// fill makes the table on one node, and waits until each has it.
func fill(t *testing.T, cluster []*servers.Server) (dsns []string) {
	t.Helper()
	first := open(t, cluster[0].DSN, false)
	var values []string
	for id := range rows {
		values = append(values, fmt.Sprintf("(%d, 0)", id+1))
	}
	for _, text := range []string{
		"CREATE DATABASE app", "CREATE TABLE app.t (id INT PRIMARY KEY, n INT NOT NULL)",
		"INSERT INTO app.t VALUES " + strings.Join(values, ", "),
	} {
		_, err := first.ExecContext(t.Context(), text)
		require.NoError(t, err)
	}
	for _, s := range cluster {
		dsns = append(dsns, strings.Replace(s.DSN, ")/", ")/app", 1))
		assert.Equal(t, [2]int{rows, 0}, tableState(t, dsns[len(dsns)-1]))
	}
	return dsns
}

func open(t *testing.T, dsn string, guarded bool) *sql.DB {
	t.Helper()
	connect := sql.Open
	if guarded {
		g, err := dbguard.New(dbguard.Policy{})
		require.NoError(t, err)
		connect = func(driver, dsn string) (*sql.DB, error) { return sqlguard.Open(driver, dsn, g) }
	}
	db, err := connect("mysql", dsn)
	require.NoError(t, err)
	db.SetMaxOpenConns(4)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// tableState is the number of rows and the sum of n, as a node sees them once it has caught
// up.
func tableState(t *testing.T, dsn string) (s [2]int) {
	t.Helper()
	sep := "?"
	db := open(t, dsn+sep+"wsrep_sync_wait=1", false)
	require.NoError(t, db.QueryRowContext(context.WithoutCancel(t.Context()), "SELECT count(*), coalesce(sum(n), 0) FROM t").Scan(&s[0], &s[1]))
	return s
}

func TestGalera(t *testing.T) {
	cluster := galera(t)
	dsns := fill(t, cluster)
	t.Run("bounds hold on every node", func(t *testing.T) { boundsHold(t, dsns) })
	t.Run("conflicts, bare", func(t *testing.T) { conflicts(t, dsns, false) })
	t.Run("conflicts are the driver's own errors, and lose nothing", func(t *testing.T) { conflicts(t, dsns, true) })
	t.Run("a conflict at COMMIT of the caller's", func(t *testing.T) { conflictAtCommit(t, dsns) })
	t.Run("a node dies", func(t *testing.T) { nodeDies(t, cluster, dsns) })
}

func boundsHold(t *testing.T, dsns []string) {
	before := tableState(t, dsns[0])
	for n, dsn := range dsns {
		db := open(t, dsn, true)
		_, err := db.ExecContext(dbguard.AtMost(t.Context(), 3), "UPDATE t SET n = n + 1 WHERE id > 2")
		require.ErrorIs(t, err, dbguard.OverLimit)
		_, err = db.ExecContext(dbguard.AtMost(t.Context(), 3), "UPDATE t SET n = n + 1 WHERE id = ?", n+1)
		require.NoError(t, err)
	}
	for _, dsn := range dsns {
		assert.Equal(t, [2]int{rows, before[1] + nodes}, tableState(t, dsn))
	}
}

// A tally is how the statements of all workers ended.
type tally struct {
	sync.Mutex
	done      int // the sum of what the successful ones must have added
	bare      int // the server's own errors
	wrapped   int // wrapped in a Violation
	swallowed int // met by a query of the guard's, which reports them in its own words
	stray     int // "SAVEPOINT dbguard does not exist"
	internal  []error
}

func (x *tally) add(done int, err error) {
	x.Lock()
	defer x.Unlock()
	x.done += done
	var server *mysql.MySQLError
	var v *dbguard.Violation
	switch {
	case err == nil:
	case strings.Contains(err.Error(), "for a conflict with another node"):
		x.swallowed++
	case !errors.As(err, &server):
		x.internal = append(x.internal, err)
	case server.Number == 1305:
		x.stray++
	case errors.As(err, &v):
		x.wrapped++
	default:
		x.bare++
	}
}

// conflicts has all nodes change the same rows at once. The sum shows whether what was
// reported is true.
func conflicts(t *testing.T, dsns []string, guarded bool) {
	const each = 60
	before := tableState(t, dsns[0])
	var x tally
	var running sync.WaitGroup
	for w := range 2 * nodes {
		db := open(t, dsns[w%nodes], guarded)
		running.Go(func() {
			for i := range each {
				x.add(sendUpdate(t.Context(), db, i, guarded))
			}
		})
	}
	running.Wait()
	t.Logf("%d added, %d conflicts, %d more inside a Violation, %d swallowed, %d statements astray", x.done, x.bare, x.wrapped, x.swallowed, x.stray)
	assert.Empty(t, x.internal, "errors that are not the server's")
	assert.Zero(t, x.wrapped+x.stray, "conflicts are the driver's own errors")
	for _, dsn := range dsns {
		now := tableState(t, dsn)
		assert.Equal(t, rows, now[0])
		assert.GreaterOrEqual(t, now[1], before[1]+x.done, "what was told as done")
		assert.LessOrEqual(t, now[1], before[1]+x.done+x.stray, "what was told as not done")
	}
}

// sendUpdate is one of a worker's statements: every third in a transaction of two, every
// fifth over its bound. It returns what must have been added.
func sendUpdate(ctx context.Context, db *sql.DB, i int, guarded bool) (int, error) {
	const hot = "UPDATE t SET n = n + 1 WHERE id = 1"
	ctx = dbguard.AtMost(ctx, 1)
	switch {
	case i%5 == 4 && guarded:
		_, err := db.ExecContext(ctx, "UPDATE t SET n = n + 1 WHERE id IN (1, 2, 3)")
		if errors.Is(err, dbguard.OverLimit) {
			err = nil
		}
		return 0, err
	case i%3 == 2:
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return 0, err
		}
		for _, text := range []string{hot, "UPDATE t SET n = n + 1 WHERE id = 2"} {
			if _, err := tx.ExecContext(ctx, text); err != nil {
				return 0, errors.Join(err, rollback(tx))
			}
		}
		if err := tx.Commit(); err != nil {
			return 0, err
		}
		return 2, nil
	}
	if _, err := db.ExecContext(ctx, hot); err != nil {
		return 0, err
	}
	return 1, nil
}

func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

func conflictAtCommit(t *testing.T, dsns []string) {
	before := tableState(t, dsns[0])
	one, other := open(t, dsns[0], true), open(t, dsns[1], true)
	ctx := dbguard.AtMost(t.Context(), 1)
	tx, err := one.BeginTx(ctx, nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(ctx, "UPDATE t SET n = n + 10 WHERE id = 7")
	require.NoError(t, err)
	_, err = other.ExecContext(ctx, "UPDATE t SET n = n + 1 WHERE id = 7")
	require.NoError(t, err)
	tableState(t, dsns[0]) // the other's change has arrived
	err = tx.Commit()
	var conflict *mysql.MySQLError
	require.ErrorAs(t, err, &conflict)
	assert.EqualValues(t, 1213, conflict.Number)
	var v *dbguard.Violation
	assert.False(t, errors.As(err, &v), "the driver's own error, bare")
	for _, dsn := range dsns {
		assert.Equal(t, [2]int{rows, before[1] + 1}, tableState(t, dsn))
	}
	_, err = one.ExecContext(ctx, "UPDATE t SET n = n + 1 WHERE id = 8")
	require.NoError(t, err)
}

// nodeDies kills the last node under load. What its clients were told is done must be done
// on those that are left; of the rest nothing may be there in part.
func nodeDies(t *testing.T, cluster []*servers.Server, dsns []string) {
	before := tableState(t, dsns[0])
	doomed := open(t, dsns[nodes-1], true)
	var done, unknown int
	killed := make(chan struct{})
	time.AfterFunc(400*time.Millisecond, func() {
		cluster[nodes-1].Kill(t)
		close(killed)
	})
	ctx := dbguard.AtMost(t.Context(), 1)
	for i := 0; ; i++ {
		_, err := doomed.ExecContext(ctx, "UPDATE t SET n = n + 1 WHERE id = ?", i%rows+1)
		var v *dbguard.Violation
		switch {
		case err == nil:
			done++
		case errors.As(err, &v) && v.Effect == dbguard.EffectUnknown:
			unknown++
		}
		if err != nil {
			break
		}
	}
	<-killed
	t.Logf("%d done, %d unknown when the node died", done, unknown)
	require.Positive(t, done)
	for _, s := range cluster[:nodes-1] {
		awaitSynced(t, s, nodes-1)
	}
	for _, dsn := range dsns[:nodes-1] {
		sum := tableState(t, dsn)[1] - before[1]
		assert.GreaterOrEqual(t, sum, done, "what was told as done")
		assert.LessOrEqual(t, sum, done+unknown, "what was told as not done")
	}
	survivor := open(t, dsns[0], true)
	_, err := survivor.ExecContext(ctx, "UPDATE t SET n = n + 1 WHERE id = 1")
	require.NoError(t, err)
	_, err = survivor.ExecContext(ctx, "UPDATE t SET n = n + 1 WHERE id < 9")
	require.ErrorIs(t, err, dbguard.OverLimit)
}
