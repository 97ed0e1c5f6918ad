package servers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // to look after the server; suites choose their own driver
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// A Server is a running database server that tests make databases on.
type Server struct {
	Engine Engine
	// DSN reaches the maintenance database as a superuser.
	DSN string

	admin *sql.DB
	own   *instance // nil: named in the environment
}

// Shared returns the server that all tests of the binary use, or skips the test.
func Shared(tb testing.TB, e Engine) *Server {
	tb.Helper()
	s, err := shared.get(e)
	skipOrFail(tb, e, err)
	return s
}

// Start runs a server only for this test: one to be killed and restarted.
func Start(tb testing.TB, e Engine, opts ...Option) *Server {
	tb.Helper()
	s, err := run(tb.Context(), e, opts...)
	skipOrFail(tb, e, err)
	tb.Cleanup(func() {
		if err := s.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Run starts a server for a caller that is no test, who must call Stop.
func Run(ctx context.Context, e Engine, opts ...Option) (*Server, error) { return run(ctx, e, opts...) }

// NotInstalled reports whether err means that the engine is not installed.
func NotInstalled(err error) bool {
	_, ok := errors.AsType[errNotInstalled](err)
	return ok
}

// An Option changes how a server is started.
type Option func(*options)

type options struct {
	durable bool
	args    []string
}

// Durable lets the server wait for the disk, as in production. Tests of what a
// killed server remembers do not need it: the operating system lives on.
func Durable() Option { return func(o *options) { o.durable = true } }

// Args are added to those that the server is started with.
func Args(args ...string) Option { return func(o *options) { o.args = append(o.args, args...) } }

func run(ctx context.Context, e Engine, opts ...Option) (*Server, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	in, err := launch(ctx, e, o)
	if err != nil {
		return nil, err
	}
	return newServer(e, e.ops().dsn(in.port), in)
}

func newServer(e Engine, dsn string, own *instance) (*Server, error) {
	admin, err := open(e, dsn)
	if err != nil {
		return nil, err
	}
	// No connection is kept: it would hold a goroutine that leak checks find.
	admin.SetMaxIdleConns(-1)
	return &Server{Engine: e, DSN: dsn, admin: admin, own: own}, nil
}

// Stop ends the server if it is ours.
func (s *Server) Stop() error {
	err := s.admin.Close()
	if s.own != nil {
		err = errors.Join(err, s.own.stop())
	}
	return err
}

// Kill ends the server and its children with SIGKILL.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	require.NotNil(tb, s.own, "only a server of Start may be killed")
	require.NoError(tb, s.own.proc.kill())
}

// Restart runs the killed server again, on the same data and port.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	require.NoError(tb, s.own.start(tb.Context()))
}

// Version is the version that the server reports.
func (s *Server) Version(ctx context.Context) (v string, err error) {
	err = s.admin.QueryRowContext(ctx, "SELECT version()").Scan(&v)
	return v, err
}

// Major is the first number of the server's version.
func (s *Server) Major(tb testing.TB) (major int) {
	tb.Helper()
	version, err := s.Version(tb.Context())
	require.NoError(tb, err)
	_, err = fmt.Sscanf(strings.TrimPrefix(version, "PostgreSQL "), "%d", &major)
	require.NoError(tb, err, version)
	return major
}

func open(e Engine, dsn string) (*sql.DB, error) {
	if e.speaksMySQL() {
		cfg, err := mysql.ParseDSN(dsn)
		if err != nil {
			return nil, err
		}
		cfg.Logger = &mysql.NopLogger{} // it reports every attempt to reach a starting server
		c, err := mysql.NewConnector(cfg)
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(c), nil
	}
	return sql.Open("pgx", dsn)
}

func skipOrFail(tb testing.TB, e Engine, err error) {
	tb.Helper()
	switch {
	case err == nil:
	case NotInstalled(err) && !e.Required():
		tb.Skipf("no %s server: %s is not set, and %v", e, e.Env(), err)
	default:
		tb.Fatalf("no %s server: %v", e, err)
	}
}

// pool holds the servers of a test binary: each is found or started when the first test asks
// for it, and the result is kept, an error too.
type pool struct {
	private bool // not those named in the environment, if one of our own can be started
	mu      sync.Mutex
	known   [engines]*answer
}

type answer struct {
	server *Server
	err    error
}

var shared pool

func (p *pool) get(e Engine) (*Server, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known[e] == nil {
		a := new(answer)
		dsn := os.Getenv(e.Env())
		if dsn == "" || p.private {
			a.server, a.err = run(context.Background(), e)
		}
		if dsn != "" && (!p.private || NotInstalled(a.err)) {
			a.server, a.err = named(e, dsn)
		}
		p.known[e] = a
	}
	return p.known[e].server, p.known[e].err
}

// named is the server that the environment names.
func named(e Engine, dsn string) (*Server, error) {
	s, err := newServer(e, dsn, nil)
	if err != nil {
		return nil, err
	}
	version, err := s.Version(context.Background())
	if err == nil && e.speaksMySQL() && isMariaDB(version) != (e == MariaDB) {
		err = fmt.Errorf("%s names a server of version %s", e.Env(), version)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (p *pool) stop() (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.known {
		if a != nil && a.server != nil {
			err = errors.Join(err, a.server.Stop())
		}
	}
	return err
}

// PrivateMain is Main for tests that look at all databases of a server: they would take those
// that other test binaries make meanwhile for their own.
func PrivateMain(m *testing.M) {
	shared.private = true
	Main(m)
}

// Main runs a test binary's tests, stops the shared servers and fails the
// binary if a goroutine is left over.
func Main(m *testing.M) {
	code := m.Run()
	err := shared.stop()
	if err == nil && code == 0 {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}
