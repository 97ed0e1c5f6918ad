// Package target lists what the suites run on: every driver on every engine
// that it reaches. A suite ranges over [All] and asks each for a database.
package target

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	// The drivers.
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	_ "github.com/mattn/go-sqlite3"
	_ "modernc.org/sqlite"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/snapshot"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// An Engine is a database system, by the name that the corpus gives it.
type Engine string

// The engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres15"
	MariaDB  Engine = "mariadb10.11"
	MySQL    Engine = "mysql9"
)

// Engines are all engines.
var Engines = []Engine{SQLite, Postgres, MariaDB, MySQL}

// MySQLFamily are the engines that share most of a dialect, and a driver.
var MySQLFamily = []Engine{MariaDB, MySQL}

// InMySQLFamily reports whether e is one of [MySQLFamily].
func (e Engine) InMySQLFamily() bool { return slices.Contains(MySQLFamily, e) }

// Of picks what a table says of an engine. What it says of MariaDB holds for MySQL, unless that
// has a row of its own.
func Of[T any](table map[Engine]T, e Engine) T {
	if of, ok := table[e]; ok || e != MySQL {
		return of
	}
	return table[MariaDB]
}

// Need skips the test if the engine is not available.
func (e Engine) Need(tb testing.TB) {
	tb.Helper()
	if server, ok := (Target{Engine: e}).ServerEngine(); ok {
		servers.Shared(tb, server)
	}
}

// Major is the major version of the engine's server, or 0 if it has none. It skips the test
// if the engine is not available.
func (e Engine) Major(tb testing.TB) int {
	tb.Helper()
	server, ok := (Target{Engine: e}).ServerEngine()
	if !ok {
		return 0
	}
	return servers.Shared(tb, server).Major(tb)
}

// Since skips the test on servers of an older major version, and says why.
func (e Engine) Since(tb testing.TB, major int, why string) {
	tb.Helper()
	if is := e.Major(tb); is < major {
		tb.Skipf("version %d: %s", is, why)
	}
}

// IsNamedVersion reports whether the server is of the version in the engine's name. The suites
// also run on others, but what is measured is written down for this one.
func (e Engine) IsNamedVersion(tb testing.TB) bool {
	tb.Helper()
	server, ok := (Target{Engine: e}).ServerEngine()
	if !ok {
		return true
	}
	version, err := servers.Shared(tb, server).Version(tb.Context())
	require.NoError(tb, err)
	named := strings.TrimLeft(string(e), "abcdefghijklmnopqrstuvwxyz")
	return strings.HasPrefix(strings.TrimPrefix(version, "PostgreSQL "), named+".")
}

// A Target is a driver on an engine.
type Target struct {
	Engine Engine
	// Name is the driver's import path, or enough of it to know it by.
	Name string
	// Driver is the name it is registered under.
	Driver string
}

// All are the targets, engine by engine.
func All() []Target {
	return []Target{
		{SQLite, "modernc", "sqlite"},
		{SQLite, "mattn", "sqlite3"},
		{Postgres, "pgx", "pgx"},
		{Postgres, "libpq", "postgres"},
		{MariaDB, "go-sql-driver", "mysql"},
		{MySQL, "go-sql-driver", "mysql"},
	}
}

// String is a name for subtests and tables.
func (t Target) String() string { return string(t.Engine) + " " + t.Name }

// A Database is a fresh, empty database, reached through one driver.
type Database struct {
	Target
	DSN string

	file   string            // of SQLite
	server *servers.Database // of the others
	params []string          // of their DSN
}

// Option asks for a connection that is not the usual one.
type Option int

// ANSIQuotes makes "x" an identifier in MariaDB and MySQL, as it is everywhere else.
const ANSIQuotes Option = iota

// Database makes a database for this test, or skips the test if there is no server.
// Foreign keys are enforced and several statements in one text are allowed,
// on every target.
func (t Target) Database(tb testing.TB, opts ...Option) *Database {
	tb.Helper()
	if server, ok := t.ServerEngine(); ok {
		return t.DatabaseOn(tb, servers.Shared(tb, server), opts...)
	}
	d := &Database{Target: t}
	// In its own folder, where other files that are created show.
	d.file = filepath.Join(tb.TempDir(), "main.db")
	require.NoError(tb, os.WriteFile(d.file, nil, 0o600)) // opening what is not there is refused
	d.DSN = "file:" + d.file + map[string]string{
		"sqlite":  "?_pragma=foreign_keys(1)&_pragma=synchronous(0)&_pragma=busy_timeout(5000)",
		"sqlite3": "?_foreign_keys=1&_synchronous=0&_busy_timeout=5000",
	}[t.Driver]
	return d
}

// DatabaseOn makes a database on a server of the target's engine.
func (t Target) DatabaseOn(tb testing.TB, s *servers.Server, opts ...Option) *Database {
	tb.Helper()
	d := &Database{Target: t, server: s.Database(tb)}
	if t.Engine.InMySQLFamily() {
		d.params = []string{"multiStatements=true"}
		if len(opts) > 0 {
			d.params = append(d.params, "sql_mode=CONCAT(@@sql_mode,',ANSI_QUOTES')")
		}
	}
	d.DSN = d.server.DSN(d.params...)
	return d
}

// Server is the server that the database is on.
func (d *Database) Server() *servers.Server { return d.server.Server }

// Via is the DSN of the database through a proxy at addr.
func (d *Database) Via(addr string) string { return d.server.Via(addr).DSN(d.params...) }

// ServerEngine is the engine that t runs on, where it is a server.
func (t Target) ServerEngine() (e servers.Engine, ok bool) {
	switch t.Engine {
	case Postgres:
		return servers.Postgres, true
	case MariaDB:
		return servers.MariaDB, true
	case MySQL:
		return servers.MySQL, true
	}
	return 0, false
}

// Dir is the folder of an SQLite database.
func (d *Database) Dir() string { return filepath.Dir(d.file) }

// Bare opens the database without a guard, with one connection. The caller closes it.
func (d *Database) Bare(tb testing.TB) *sql.DB {
	tb.Helper()
	db, err := sql.Open(d.Driver, d.DSN)
	require.NoError(tb, err)
	db.SetMaxOpenConns(1)
	return db
}

// Guarded opens the database behind g, with one connection. The caller closes it.
func (d *Database) Guarded(tb testing.TB, g *dbguard.Guard, opts ...sqlguard.Option) *sql.DB {
	tb.Helper()
	db, err := sqlguard.Open(d.Driver, d.DSN, g, opts...)
	require.NoError(tb, err)
	db.SetMaxOpenConns(1)
	return db
}

// Snapshot reads the whole database over db.
func (d *Database) Snapshot(ctx context.Context, db *sql.DB) (*snapshot.Snapshot, error) {
	switch d.Engine {
	case SQLite:
		return snapshot.SQLite(ctx, db, d.file)
	case Postgres:
		return snapshot.Postgres(ctx, db, servers.NamePrefix)
	case MySQL:
		return snapshot.MySQL(ctx, db, servers.NamePrefix)
	}
	return snapshot.MariaDB(ctx, db, servers.NamePrefix)
}
