package driversuites

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/internal/conformance/servers"
)

// openCalls are the calls by which tests open databases, and what replaces them in the
// wrapped suite.
var openCalls = strings.NewReplacer(
	"sql.Open(", "dbguardOpen(",
	"sql.OpenDB(", "dbguardOpenDB(",
)

// rawCalls match where a test takes the driver's own connection: it gets it by sqlguard.Raw.
var rawCalls = regexp.MustCompile(`\b(\w+)\.Raw\(func\(`)

const helpers = `package %s

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

var dbguardWatching, _ = dbguard.New(dbguard.Policy{Mode: dbguard.Observe})

func dbguardOpen(name, dsn string) (*sql.DB, error) {
	return sqlguard.Open(name, dsn, dbguardWatching)
}

func dbguardOpenDB(c driver.Connector) *sql.DB {
	return sql.OpenDB(sqlguard.WrapConnector(c, dbguardWatching))
}

func dbguardRaw(c *sql.Conn, f func(any) error) error {
	return c.Raw(func(conn any) error {
		base, err := sqlguard.Raw(context.Background(), conn, "the driver's own test")
		if err != nil {
			return err
		}
		return f(base)
	})
}

var _, _, _ = dbguardOpen, dbguardOpenDB, dbguardRaw
`

// checkout copies the module's files to a folder that may be written to, in a
// workspace with this library, and guards every database that its tests open.
func (s suite) checkout(t *testing.T, guard bool) (folder string) {
	root := t.TempDir()
	folder = filepath.Join(root, "driver")
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", s.module).Output()
	require.NoError(t, err)
	require.NoError(t, os.CopyFS(folder, os.DirFS(strings.TrimSpace(string(out)))))
	library, err := filepath.Abs("../../..")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "go.work"),
		fmt.Appendf(nil, "go 1.26.0\n\nuse (\n\t./driver\n\t%s\n)\n", library), 0o600))
	if !guard {
		return folder
	}
	packages := map[string]bool{}
	for _, pattern := range append([]string{"*_test.go"}, s.opened...) {
		files, err := filepath.Glob(filepath.Join(folder, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, file := range files {
			if name := rewrite(t, file); name != "" {
				packages[filepath.Join(filepath.Dir(file), name)] = strings.HasSuffix(file, "_test.go")
			}
		}
	}
	for at, test := range packages {
		name := "dbguard_" + filepath.Base(at)
		if test {
			name += "_test"
		}
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(at), name+".go"),
			fmt.Appendf(nil, helpers, filepath.Base(at)), 0o600))
	}
	return folder
}

var packageClause = regexp.MustCompile(`(?m)^package (\w+)`)

// rewrite guards what a file opens, and returns the name of its package if
// there was anything.
func rewrite(t *testing.T, file string) string {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	changed := rawCalls.ReplaceAllString(openCalls.Replace(string(text)), "dbguardRaw($1, func(")
	if changed == string(text) {
		return ""
	}
	changed += "\nvar _ sql.DB // keeps the import\n"
	require.NoError(t, os.Chmod(file, 0o600))
	require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))
	return packageClause.FindStringSubmatch(string(text))[1]
}

func postgresEnv(tb testing.TB) []string {
	u, err := url.Parse(servers.Shared(tb, servers.Postgres).Database(tb).DSN())
	require.NoError(tb, err)
	password, _ := u.User.Password()
	return []string{
		"PGHOST=" + u.Hostname(), "PGPORT=" + u.Port(), "PGUSER=" + u.User.Username(),
		"PGPASSWORD=" + password, "PGDATABASE=" + strings.TrimPrefix(u.Path, "/"), "PGSSLMODE=disable",
	}
}

func mysqlEnv(tb testing.TB) []string {
	cfg, err := mysql.ParseDSN(servers.Shared(tb, servers.MariaDB).Database(tb).DSN())
	require.NoError(tb, err)
	if cfg.Net == "tcp" {
		_, _, err := net.SplitHostPort(cfg.Addr)
		require.NoError(tb, err)
	}
	return []string{
		"MYSQL_TEST_USER=" + cfg.User, "MYSQL_TEST_PASS=" + cfg.Passwd, "MYSQL_TEST_PROT=" + cfg.Net,
		"MYSQL_TEST_ADDR=" + cfg.Addr, "MYSQL_TEST_DBNAME=" + cfg.DBName,
	}
}
