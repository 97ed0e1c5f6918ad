package servers

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(orphanEnv); dir != "" {
		startAndWait(dir)
	}
	Main(m)
}

func each(t *testing.T, f func(t *testing.T, e Engine)) {
	for e := range engines {
		t.Run(e.String(), func(t *testing.T) { f(t, e) })
	}
}

func TestDatabasesAreSeparateAndDropped(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		s := Shared(t, e)
		var name string
		t.Run("one test", func(t *testing.T) {
			d := s.Database(t)
			name = d.Name
			db := openT(t, e, d.DSN())
			_, err := db.ExecContext(t.Context(), "CREATE TABLE only_here (id INT)")
			require.NoError(t, err)
		})
		t.Run("the next", func(t *testing.T) {
			db := openT(t, e, s.Database(t).DSN())
			_, err := db.ExecContext(t.Context(), "SELECT * FROM only_here")
			assert.Error(t, err)
		})
		assert.Error(t, openT(t, e, (&Database{s, name}).DSN()).PingContext(t.Context()))
	})
}

func openT(t *testing.T, e Engine, dsn string) *sql.DB {
	t.Helper()
	db, err := open(e, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestCommittedRowsSurviveAKill(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		s := Start(t, e)
		d := s.Database(t)
		db := openT(t, e, d.DSN())
		for _, q := range []string{"CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1)"} {
			_, err := db.ExecContext(t.Context(), q)
			require.NoError(t, err)
		}
		pid := s.own.proc.pid
		children := childrenOf(pid)
		s.Kill(t)
		for _, p := range append(children, pid) {
			assert.Eventually(t, func() bool { return !alive(p) }, 5*time.Second, time.Millisecond)
		}
		assert.Error(t, db.PingContext(t.Context()))
		s.Restart(t)
		var n int
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(&n))
		assert.Equal(t, 1, n)
	})
}

// orphanEnv makes this binary start a server and wait to be killed.
const orphanEnv = "DBGUARD_TEST_ORPHAN"

func startAndWait(engine string) {
	e, _ := strconv.Atoi(engine)
	s, err := shared.get(Engine(e))
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stderr, "started", s.own.proc.pid, s.own.dir)
	select {}
}

func TestServersDieWithTheirStarter(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		if _, err := e.findBinary(); err != nil {
			skipOrFail(t, e, errNotInstalled{err})
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), orphanEnv+"="+strconv.Itoa(int(e)), e.Env()+"=")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		stderr, err := cmd.StderrPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		line, err := bufio.NewReader(stderr).ReadString('\n')
		require.NoError(t, err)
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
		fields := strings.Fields(line)
		require.Len(t, fields, 3, line)
		pid, err := strconv.Atoi(fields[1])
		require.NoError(t, err)
		assert.Eventually(t, func() bool { return !alive(pid) }, 10*time.Second, 10*time.Millisecond)

		// Its folder is still there, unlocked: the next start removes it.
		old := time.Now().Add(-time.Hour)
		require.NoError(t, os.Chtimes(fields[2], old, old))
		removeStaleFolders(filepath.Dir(fields[2]))
		assert.NoDirExists(t, fields[2])
	})
}

func TestLockedFoldersAreKept(t *testing.T) {
	parent := t.TempDir()
	dir, lock, err := newFolder(parent)
	require.NoError(t, err)
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(dir, old, old))
	removeStaleFolders(parent)
	assert.DirExists(t, dir)
	require.NoError(t, removeFolder(dir, lock))
	assert.NoDirExists(t, dir)
}

func TestDSN(t *testing.T) {
	pg := &Database{&Server{Engine: Postgres, DSN: "postgres://u:p@h:1/postgres?sslmode=disable"}, "d"}
	assert.Equal(t, "postgres://u:p@h:1/d?sslmode=disable", pg.DSN())
	assert.Equal(t, "postgres://u:p@h:1/d?application_name=a+b&sslmode=disable", pg.DSN("application_name=a b"))
	my := &Database{&Server{Engine: MariaDB, DSN: "root@tcp(h:1)/"}, "d"}
	assert.Equal(t, "root@tcp(h:1)/d", my.DSN())
	assert.Equal(t, "root@tcp(h:1)/d?multiStatements=true&sql_mode=%27ANSI_QUOTES%27",
		my.DSN("multiStatements=true", "sql_mode='ANSI_QUOTES'"))
}

// Tests that look at all of a server start one of their own.
func TestPrivateServers(t *testing.T) {
	t.Setenv(Postgres.Env(), "postgres://nobody@127.0.0.1:1/nowhere")
	p := &pool{private: true}
	s, err := p.get(Postgres)
	skipOrFail(t, Postgres, err)
	defer func() { require.NoError(t, p.stop()) }()
	_, err = s.Version(t.Context())
	require.NoError(t, err)
}
