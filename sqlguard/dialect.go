package sqlguard

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// Dialect is the SQL that a server speaks.
type Dialect = sqlscan.Dialect

// The dialects.
const (
	PostgreSQL = sqlscan.PostgreSQL
	MySQL      = sqlscan.MySQL // and MariaDB
	SQLite     = sqlscan.SQLite
	ClickHouse = sqlscan.ClickHouse
)

// systems are OpenTelemetry's names for them.
var systems = map[Dialect]string{
	PostgreSQL: "postgresql", MySQL: "mysql", SQLite: "sqlite", ClickHouse: "clickhouse",
}

// drivers are the packages of drivers whose dialect is known, as prefixes of import
// paths, so that no driver is imported.
var drivers = []struct {
	path    string
	dialect Dialect
}{
	{"github.com/jackc/pgx/", PostgreSQL},
	{"github.com/lib/pq", PostgreSQL},
	{"github.com/go-sql-driver/mysql", MySQL},
	{"github.com/go-mysql-org/go-mysql/", MySQL},
	{"github.com/ziutek/mymysql/", MySQL},
	{"modernc.org/sqlite", SQLite},
	{"github.com/mattn/go-sqlite3", SQLite},
	{"github.com/mutecomm/go-sqlcipher", SQLite},
	{"github.com/ncruces/go-sqlite3", SQLite},
	{"github.com/glebarez/go-sqlite", SQLite},
	{"github.com/tursodatabase/", SQLite},
	{"github.com/ClickHouse/clickhouse-go", ClickHouse},
	{"github.com/mailru/go-clickhouse", ClickHouse},
}

// dialectOf is the dialect of a known driver, by the package of its type; 0 for any
// other.
func dialectOf(d driver.Driver) Dialect {
	t := reflect.TypeOf(d)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return 0
	}
	for _, known := range drivers {
		if strings.HasPrefix(t.PkgPath(), known.path) {
			return known.dialect
		}
	}
	return 0
}

// askDialect asks the server for its kind. This also works for drivers that wrap
// another one, and for compatible servers.
func askDialect(ctx context.Context, b *bare, d driver.Driver) (Dialect, error) {
	version, err := b.ask(ctx, "SELECT version()")
	if errors.Is(err, driver.ErrBadConn) || ctx.Err() != nil {
		return 0, err
	}
	if dialect := dialectOfVersion(version); err == nil && dialect != 0 {
		return dialect, nil
	}
	if v, err := b.ask(ctx, "SELECT sqlite_version()"); err == nil && strings.HasPrefix(v, "3.") {
		return SQLite, nil
	}
	return 0, fmt.Errorf("sqlguard: cannot tell which SQL the server of driver %T speaks"+
		" (SELECT version() answered %q, %w): say so with sqlguard.WithDialect", d, version, orNothing(err))
}

var errNone = errors.New("no error")

func orNothing(err error) error {
	if err == nil {
		return errNone
	}
	return err
}

// dialectOfVersion parses the replies of real servers: "PostgreSQL 15.18 (…",
// "CockroachDB CCL v24…", "10.11.6-MariaDB-0+deb12u1", "8.0.36", "24.3.1.2672".
func dialectOfVersion(version string) Dialect {
	if strings.HasPrefix(version, "PostgreSQL ") || strings.HasPrefix(version, "CockroachDB ") {
		return PostgreSQL
	}
	number := version
	if i := strings.IndexFunc(version, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); i >= 0 {
		number = version[:i]
	}
	switch strings.Count(number, ".") {
	case 2:
		return MySQL
	case 3:
		return ClickHouse
	}
	return 0
}
