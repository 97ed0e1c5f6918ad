package pgxguard_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/dbguard/dbguardtest"
	"github.com/dbguard/dbguard-go/sqlguard/pgxguard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var made atomic.Int64

// database makes a fresh database on the server of the environment and returns
// its URL. Without a server the test is skipped, or fails where all are
// required.
func database(tb testing.TB) string {
	tb.Helper()
	dsn := os.Getenv("DBGUARD_POSTGRES_DSN")
	if dsn == "" {
		if strings.Contains(os.Getenv("DBGUARD_REQUIRE"), "all") {
			tb.Fatal("no PostgreSQL: DBGUARD_POSTGRES_DSN is not set")
		}
		tb.Skip("no PostgreSQL: DBGUARD_POSTGRES_DSN is not set; bin/withservers go test sets it")
	}
	name := fmt.Sprintf("dbguard_pgx_%d_%d", os.Getpid(), made.Add(1))
	admin := func(text string) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		conn, err := pgx.Connect(ctx, dsn)
		require.NoError(tb, err)
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, text)
		require.NoError(tb, err)
	}
	admin("CREATE DATABASE " + name + " TEMPLATE template0")
	tb.Cleanup(func() { admin("DROP DATABASE " + name + " WITH (FORCE)") })
	u, err := url.Parse(dsn)
	require.NoError(tb, err)
	u.Path = "/" + name
	return u.String()
}

// rig is a database with five users and seven posts of theirs, bare and guarded.
type rig struct {
	*pgxguard.Pool
	t    testing.TB
	bare *pgxpool.Pool
	rec  *dbguardtest.Recorder
	url  string
}

const schema = `
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL DEFAULT 'x');
CREATE TABLE posts (id int PRIMARY KEY, author int REFERENCES users ON DELETE CASCADE);
INSERT INTO users SELECT g, 'u' || g FROM generate_series(1, 5) g;
INSERT INTO posts SELECT g, 2 FROM generate_series(1, 7) g;`

type change func(*pgxpool.Config, *dbguard.Policy)

func newRig(tb testing.TB, changes ...change) *rig {
	tb.Helper()
	return newRigWith(tb, nil, changes...)
}

func newRigWith(tb testing.TB, opts []pgxguard.Option, changes ...change) *rig {
	tb.Helper()
	r := &rig{t: tb, rec: dbguardtest.NewRecorder(), url: database(tb)}
	cfg, err := pgxpool.ParseConfig(r.url)
	require.NoError(tb, err)
	cfg.MaxConns = 1 // so that a connection that is lost shows
	r.bare, err = pgxpool.NewWithConfig(tb.Context(), cfg.Copy())
	require.NoError(tb, err)
	tb.Cleanup(r.bare.Close)
	_, err = r.bare.Exec(tb.Context(), schema)
	require.NoError(tb, err)
	policy := dbguard.Policy{Observers: []dbguard.Observer{r.rec}}
	for _, c := range changes {
		c(cfg, &policy)
	}
	g, err := dbguard.New(policy)
	require.NoError(tb, err)
	r.Pool, err = pgxguard.New(tb.Context(), cfg, g, opts...)
	require.NoError(tb, err)
	tb.Cleanup(func() { closing(tb, r.Pool) })
	return r
}

// closing closes a pool. One that waits for a connection which a failed test
// has kept must not take the other tests' time.
func closing(tb testing.TB, p *pgxguard.Pool) {
	closed := make(chan struct{})
	go func() { p.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		tb.Error("a connection was not given back")
	}
}

// count counts rows past the guard.
func (r *rig) count(table string) (n int) {
	r.t.Helper()
	require.NoError(r.t, r.bare.QueryRow(context.Background(), "SELECT count(*) FROM "+table).Scan(&n))
	return n
}

// backend is the server's number of the pool's one connection.
func (r *rig) backend() (pid int) {
	r.t.Helper()
	require.NoError(r.t, r.QueryRow(context.Background(), "SELECT pg_backend_pid()").Scan(&pid))
	return pid
}

// survives runs f, and asks for the same connection to work afterwards.
func (r *rig) survives(f func()) {
	r.t.Helper()
	was := r.backend()
	f()
	require.Equal(r.t, was, r.backend(), "the connection was replaced")
}

func atMost(tb testing.TB, n int64) context.Context { return dbguard.AtMost(tb.Context(), n) }
