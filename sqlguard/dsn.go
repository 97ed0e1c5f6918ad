package sqlguard

import (
	"database/sql/driver"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/dbguard/dbguard-go/internal/engine"
)

// namespace is the database that a DSN names, for traces; "" if it is not known.
// Nothing else of a DSN is ever shown: it contains passwords.
func namespace(d Dialect, dsn string) string {
	switch d {
	case SQLite:
		name, _ := sqliteName(dsn)
		return name
	case MySQL:
		// user:password@net(address)/name?params, where a password may hold a /
		_, after, _ := cutLast(dsn, "/")
		name, _, _ := strings.Cut(after, "?")
		return name
	}
	if u, err := url.Parse(dsn); err == nil && u.Scheme != "" {
		if name := strings.TrimPrefix(u.Path, "/"); name != "" {
			return name
		}
		return u.Query().Get("database")
	}
	return keyword(dsn, "dbname")
}

// zone is the time zone in which the driver writes times; nil if it is not known.
func zone(d driver.Driver, dsn string) *time.Location {
	t := reflect.TypeOf(d)
	if t == nil || t.Kind() != reflect.Pointer || t.Elem().PkgPath() != "github.com/go-sql-driver/mysql" {
		return nil
	}
	return zoneOf(dsn)
}

// zoneOf is the time zone in a DSN of go-sql-driver/mysql; also nil if it truncates
// times.
func zoneOf(dsn string) *time.Location {
	_, after, _ := cutLast(dsn, "/")
	_, params, _ := strings.Cut(after, "?")
	at := time.UTC
	for _, param := range strings.Split(params, "&") {
		key, value, _ := strings.Cut(param, "=")
		switch key {
		case "timeTruncate":
			return nil
		case "loc":
			name, err := url.QueryUnescape(value)
			if err != nil {
				return nil
			}
			if at, err = time.LoadLocation(name); err != nil {
				return nil
			}
		}
	}
	return at
}

// keyword is a value of libpq's "key=value key='quoted value'" form. Quotes inside a
// value are not interpreted.
func keyword(dsn, key string) string {
	for _, field := range strings.Fields(dsn) {
		if value, ok := strings.CutPrefix(field, key+"="); ok {
			return strings.Trim(value, "'")
		}
	}
	return ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// sqliteName is the file name in an SQLite DSN, as the DSN has it: without "file:"
// and parameters. path is where the file is; it is empty where none would be created:
// in memory, a temporary one, read only, or in another virtual file system.
//
// The forms are those of modernc.org/sqlite and mattn/go-sqlite3, which cut the
// parameters off a plain name and leave those of a URI to SQLite
// (sqlite.org/uri.html).
func sqliteName(dsn string) (name, path string) {
	name, query, uri := engine.SQLiteURI(dsn)
	if i := strings.Index(name, "?"); i >= 1 && !uri {
		name, query = name[:i], name[i+1:]
	}
	return name, engine.SQLitePath(name, query, uri)
}
