package servers

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// NamePrefix begins the name of every database that [Server.Database] makes.
// Several test binaries share a server: each looks at its own databases and at
// those that bear another name.
const NamePrefix = "dbguard_test_"

// A Database is a fresh, empty database on a server.
type Database struct {
	Server *Server
	Name   string
}

var made atomic.Int64

// Database makes a database for one test. It is dropped when the test has
// passed; if it failed, it stays and its DSN is logged.
func (s *Server) Database(tb testing.TB) *Database {
	tb.Helper()
	d := &Database{s, fmt.Sprintf("%s%d_%d", NamePrefix, os.Getpid(), made.Add(1))}
	create := "CREATE DATABASE " + d.Name
	if s.Engine == Postgres {
		create += " TEMPLATE template0" // template1 could be in use, and changed
	}
	_, err := s.admin.ExecContext(tb.Context(), create)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("%s", d.kept())
			return
		}
		if err := d.drop(); err != nil {
			tb.Errorf("dropping %s: %v", d.Name, err)
		}
	})
	return d
}

func (d *Database) kept() string {
	text := "the database stays for a look: " + d.DSN()
	if d.Server.own != nil {
		text += fmt.Sprintf(" (until its server ends with this binary; name a server in %s to keep both)", d.Server.Engine.Env())
	}
	return text
}

func (d *Database) drop() error {
	drop := "DROP DATABASE IF EXISTS " + d.Name
	if d.Server.Engine == Postgres {
		drop += " WITH (FORCE)" // a connection that was closed a moment ago may still count
	}
	// The test's context is done by now.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := d.Server.admin.ExecContext(ctx, drop)
	return err
}

// DSN reaches the database: a URL for PostgreSQL, in the format of
// go-sql-driver/mysql for MariaDB and MySQL. params ("name=value") are added to it.
func (d *Database) DSN(params ...string) string {
	if d.Server.Engine.speaksMySQL() {
		return mysqlDSN(d.Server.DSN, d.Name, params)
	}
	u := mustParseURL(d.Server.DSN)
	u.Path = "/" + d.Name
	q := u.Query()
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		q.Set(name, value)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// Addr is where the server listens.
func (s *Server) Addr() string {
	if s.Engine.speaksMySQL() {
		return mustParseMySQL(s.DSN).Addr
	}
	return mustParseURL(s.DSN).Host
}

// Via is the same database, reached at another address: a proxy's.
func (d *Database) Via(addr string) *Database {
	s := &Server{Engine: d.Server.Engine}
	if s.Engine.speaksMySQL() {
		cfg := mustParseMySQL(d.Server.DSN)
		cfg.Addr = addr
		s.DSN = cfg.FormatDSN()
	} else {
		u := mustParseURL(d.Server.DSN)
		u.Host = addr
		s.DSN = u.String()
	}
	return &Database{s, d.Name}
}

// The server has been reached with its DSN, so that it can be parsed.
func mustParseURL(dsn string) *url.URL {
	u, err := url.Parse(dsn)
	if err != nil {
		panic(err)
	}
	return u
}

func mustParseMySQL(dsn string) *mysql.Config {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		panic(err)
	}
	return cfg
}

func mysqlDSN(server, name string, params []string) string {
	cfg := mustParseMySQL(server)
	cfg.DBName = name
	dsn := cfg.FormatDSN()
	for i, p := range params {
		sep := "&"
		if i == 0 && !strings.Contains(dsn, "?") {
			sep = "?"
		}
		name, value, _ := strings.Cut(p, "=")
		dsn += sep + name + "=" + url.QueryEscape(value)
	}
	return dsn
}
