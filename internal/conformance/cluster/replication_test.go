package cluster

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/snapshot"
)

// A primary has its replicas run again what it has logged: the rows that a statement has
// changed, or its text. The guard's texts are not the caller's. So the replica must neither
// stop at them nor have other rows in the end, unless it has those after the caller's own
// texts, too.

// A replicaPair is a primary and its replica.
type replicaPair struct {
	engine           servers.Engine
	primary, replica *servers.Server
	words            replicationWords
	databases        int // made so far
}

// replicationWords are those of an engine.
type replicationWords struct{ follow, position, start, status, wait string }

var (
	mariadbReplication = replicationWords{
		follow:   "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = %s, MASTER_USER = 'root', MASTER_LOG_FILE = '%s', MASTER_LOG_POS = %s",
		position: "SHOW MASTER STATUS", start: "START SLAVE", status: "SHOW SLAVE STATUS",
		wait: "SELECT MASTER_POS_WAIT('%s', %s, 30)",
	}
	mysqlReplication = replicationWords{
		follow:   "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = %s, SOURCE_USER = 'root', SOURCE_LOG_FILE = '%s', SOURCE_LOG_POS = %s",
		position: "SHOW BINARY LOG STATUS", start: "START REPLICA", status: "SHOW REPLICA STATUS",
		wait: "SELECT SOURCE_POS_WAIT('%s', %s, 30)",
	}
)

// startReplicas starts a primary, and a server that will follow it.
func startReplicas(t *testing.T, e servers.Engine) *replicaPair {
	t.Helper()
	p := &replicaPair{engine: e, words: mariadbReplication}
	first, second := []string{"--log-bin=log", "--sync-binlog=0", "--server-id=1"}, []string{"--server-id=2"}
	if e == servers.MySQL {
		p.words = mysqlReplication
		first = append(first, "--binlog-rows-query-log-events=ON") // the default of MariaDB, by another name
		second = append(second, "--performance-schema=on")         // see stoppedBy
	}
	p.primary, p.replica = servers.Start(t, e, servers.Args(first...)), servers.Start(t, e, servers.Args(second...))
	return p
}

// follow has the replica run what is logged from now on.
func (p *replicaPair) follow(t *testing.T) {
	t.Helper()
	_, port, _ := strings.Cut(p.primary.Addr(), ":")
	at := p.position(t)
	p.onReplica(t, fmt.Sprintf(p.words.follow, port, at[0], at[1]))
	p.onReplica(t, p.words.start)
}

// bareDB connects to a database, or to none.
func bareDB(t *testing.T, s *servers.Server, name string) *sql.DB {
	t.Helper()
	return open(t, s.DSN+name, false)
}

func (p *replicaPair) onReplica(t *testing.T, text string) {
	t.Helper()
	_, err := bareDB(t, p.replica, "").ExecContext(t.Context(), text)
	require.NoError(t, err, text)
}

// firstRow is the first row of a result, by column and in order.
func firstRow(t *testing.T, db *sql.DB, text string) (byName map[string]string, values []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), text)
	require.NoError(t, err, text)
	defer rows.Close()
	names, err := rows.Columns()
	require.NoError(t, err)
	require.True(t, rows.Next(), text)
	columns, into := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range columns {
		into[i] = &columns[i]
	}
	require.NoError(t, rows.Scan(into...))
	byName = map[string]string{}
	for i, name := range names {
		name = strings.NewReplacer("Slave", "Replica", "Master", "Source").Replace(name)
		byName[name], values = columns[i].String, append(values, columns[i].String)
	}
	return byName, values
}

// position is the end of the primary's log.
func (p *replicaPair) position(t *testing.T) []string {
	t.Helper()
	_, at := firstRow(t, bareDB(t, p.primary, ""), p.words.position)
	return at[:2]
}

// hasLogged reports that texts logged since then have a part. Where rows are logged, the text
// is, too, for information.
func (p *replicaPair) hasLogged(t *testing.T, since []string, part string) (found bool) {
	t.Helper()
	rows, err := bareDB(t, p.primary, "").QueryContext(t.Context(), fmt.Sprintf("SHOW BINLOG EVENTS IN '%s' FROM %s", since[0], since[1]))
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var event [5]any
		var text string
		require.NoError(t, rows.Scan(&event[0], &event[1], &event[2], &event[3], &event[4], &text))
		found = found || strings.Contains(text, part)
	}
	require.NoError(t, rows.Err())
	return found
}

// catchUp waits until the replica has run all that is logged, and fails if an error stops it.
func (p *replicaPair) catchUp(t *testing.T) {
	t.Helper()
	db, at := bareDB(t, p.replica, ""), p.position(t)
	_, reached := firstRow(t, db, fmt.Sprintf(p.words.wait, at[0], at[1]))
	status, _ := firstRow(t, db, p.words.status)
	require.Equal(t, "Yes", status["Replica_SQL_Running"], p.stoppedBy(t, db, status))
	require.NotContains(t, []string{"", "-1"}, reached[0], "the replica does not catch up: %v", status)
}

// stoppedBy is the error that has stopped the replica. MySQL's status refers to a table.
func (p *replicaPair) stoppedBy(t *testing.T, db *sql.DB, status map[string]string) string {
	t.Helper()
	if p.engine == servers.MySQL && status["Replica_SQL_Running"] != "Yes" {
		_, worker := firstRow(t, db, "SELECT last_error_message FROM performance_schema.replication_applier_status_by_worker")
		return worker[0]
	}
	return status["Last_SQL_Error"]
}

// differences are the tables whose rows are not the same on both servers.
func (p *replicaPair) differences(t *testing.T, database string) map[string]string {
	t.Helper()
	read := snapshot.MariaDB
	if p.engine == servers.MySQL {
		read = snapshot.MySQL
	}
	var states []*snapshot.Snapshot
	for _, s := range []*servers.Server{p.primary, p.replica} {
		state, err := read(t.Context(), bareDB(t, s, database), servers.NamePrefix)
		require.NoError(t, err)
		states = append(states, state)
	}
	differ := map[string]string{}
	for name, table := range states[0].Tables {
		one := &snapshot.Snapshot{Tables: map[string]snapshot.Table{name: table}}
		other := &snapshot.Snapshot{Tables: map[string]snapshot.Table{name: states[1].Tables[name]}}
		if d := snapshot.Between(one, other); !d.Empty() {
			differ[name] = d.String()
		}
	}
	require.NotEmpty(t, states[0].Tables)
	return differ
}

// newDatabase makes one on the primary, which ends with the test, and returns its DSN.
func (p *replicaPair) newDatabase(t *testing.T) (name, dsn string) {
	t.Helper()
	p.databases++
	name = fmt.Sprintf("%s%d", servers.NamePrefix, p.databases)
	execAll(t, bareDB(t, p.primary, ""), "CREATE DATABASE "+name)
	return name, p.primary.DSN + name
}

// A replicatedDatabase has the tables of every statement.
type replicatedDatabase struct {
	pair              *replicaPair
	name, dsn, format string
	guarded           bool
}

// database makes one whose sessions log in the format. InnoDB takes STATEMENT only at this
// isolation level.
func (p *replicaPair) database(t *testing.T, format string, guarded bool) *replicatedDatabase {
	t.Helper()
	name, dsn := p.newDatabase(t)
	isolation := map[servers.Engine]string{servers.MariaDB: "tx_isolation", servers.MySQL: "transaction_isolation"}[p.engine]
	db := bareDB(t, p.primary, name)
	for _, s := range replicatedStatements {
		s.create(t, db)
	}
	return &replicatedDatabase{p, name, dsn + "?binlog_format=" + format + "&" + isolation + "=%27REPEATABLE-READ%27", format, guarded}
}

// pace is how often something is sent, and how far apart: by then the guard relies on what it
// has found out before. On MariaDB it does so the more, the more often a text comes, where rows
// may be logged.
type pace struct {
	rounds  int
	between time.Duration
}

var ordinarily, often = pace{6, 120 * time.Millisecond}, pace{18, 40 * time.Millisecond}

func (d *replicatedDatabase) pace(way replicatedWay) pace {
	if d.pair.engine == servers.MariaDB && d.format != "STATEMENT" && way.repeats {
		return often
	}
	return ordinarily
}

// send sends every statement in the nth way, each on a connection of its own, and returns
// what differs then.
func (d *replicatedDatabase) send(t *testing.T, way replicatedWay, nth int) (differ map[string]string) {
	t.Helper()
	pace := d.pace(way)
	var dbs []*sql.DB
	for range replicatedStatements {
		db := open(t, d.dsn, d.guarded)
		db.SetMaxOpenConns(1)
		dbs = append(dbs, db)
	}
	ctx := dbguard.AtMost(t.Context(), replicatedRows)
	for round := nth * often.rounds; round < nth*often.rounds+pace.rounds; round++ {
		for i, s := range replicatedStatements {
			err := way.send(ctx, dbs[i], s.named(s.text), s.args(round), round)
			assert.NoError(t, err, "%s, round %d", s.name, round)
		}
		if d.guarded {
			time.Sleep(pace.between)
		}
	}
	d.pair.catchUp(t)
	return d.pair.differences(t, d.name)
}

func TestReplicas(t *testing.T) {
	for _, e := range []servers.Engine{servers.MariaDB, servers.MySQL} {
		t.Run(e.String(), func(t *testing.T) {
			t.Parallel()
			p := startReplicas(t, e)
			t.Run("a server becomes a replica", p.becomeReplica)
			t.Run("a replica is read-only", p.readOnly)
			t.Run("a session changes the format", p.changeFormat)
			for _, format := range []string{"ROW", "MIXED", "STATEMENT"} {
				t.Run(format, func(t *testing.T) { p.compare(t, format) })
			}
		})
	}
}

// compare sends the statements guarded and, where some differ then, bare.
func (p *replicaPair) compare(t *testing.T, format string) {
	var bare *replicatedDatabase
	if format == "STATEMENT" {
		bare = p.database(t, format, false)
	}
	guarded := p.database(t, format, true)
	p.catchUp(t) // it has not stopped earlier
	for i, way := range replicatedWays {
		if p.engine == servers.MySQL && format != "ROW" && !way.repeats {
			continue // all that is logged are the caller's texts
		}
		t.Run(way.name, func(t *testing.T) {
			differ := map[string]string{}
			if bare != nil {
				differ = bare.send(t, way, i)
				t.Logf("differ bare: %v", differ)
			}
			before := p.position(t)
			for name, how := range guarded.send(t, way, i) {
				assert.Contains(t, differ, name, how)
			}
			assert.Equal(t, p.engine == servers.MariaDB || format == "ROW", p.hasLogged(t, before, "@dbguard"), "texts that bound themselves")
		})
	}
}
