package sqlguard

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSQLiteName(t *testing.T) {
	for _, c := range []struct{ why, dsn, name, path string }{
		{"plain", "app.db", "app.db", "app.db"},
		{"relative", "./data/app.db", "./data/app.db", "./data/app.db"},
		{"absolute", "/var/lib/app.db", "/var/lib/app.db", "/var/lib/app.db"},
		{"plain with modernc's parameters", "app.db?_pragma=busy_timeout(5000)&_time_format=sqlite", "app.db", "app.db"},
		{"plain with mattn's parameters", "app.db?_foreign_keys=on&cache=shared", "app.db", "app.db"},
		{"the mode of a plain name is the driver's to ignore", "app.db?mode=ro", "app.db", "app.db"},
		{"percent is no escape in a plain name", "100%25.db", "100%25.db", "100%25.db"},
		{"URI", "file:app.db", "app.db", "app.db"},
		{"URI with parameters", "file:app.db?cache=shared&mode=rwc", "app.db", "app.db"},
		{"URI, percent-encoded", "file:a%20b%3Fc.db?cache=shared", "a%20b%3Fc.db", "a b?c.db"},
		{"URI, wrong percent-encoding", "file:a%zz.db", "a%zz.db", "a%zz.db"},
		{"URI, absolute", "file:/var/app.db", "/var/app.db", "/var/app.db"},
		{"URI, empty authority", "file:///var/app.db", "///var/app.db", "/var/app.db"},
		{"URI, localhost", "file://localhost/var/app.db", "//localhost/var/app.db", "/var/app.db"},
		{"URI, fragment", "file:app.db#part?mode=memory", "app.db", "app.db"},
		{"URI, the last mode counts", "file:app.db?mode=rwc&mode=memory", "app.db", ""},
		{"URI, an escaped mode counts, too", "file:app.db?mode=memory&mod%65=%72wc", "app.db", "app.db"},
		{"URI, zeros end what they are in", "file:app.db%00x?mode=memory&mode%00x=rwc", "app.db%00x", "app.db"},
		{"in memory", ":memory:", ":memory:", ""},
		{"in memory with parameters", ":memory:?_pragma=foreign_keys(1)", ":memory:", ""},
		{"URI in memory", "file::memory:?cache=shared", ":memory:", ""},
		{"URI, mode=memory", "file:shared?mode=memory&cache=shared", "shared", ""},
		{"URI, read only", "file:app.db?mode=ro", "app.db", ""},
		{"URI, never made", "file:app.db?mode=rw", "app.db", ""},
		{"temporary", "", "", ""},
		{"URI, temporary", "file:", "", ""},
		{"URI, temporary with parameters", "file:?cache=shared", "", ""},
		{"another file system", "file:/app.db?vfs=memdb", "/app.db", ""},
		{"another file system, modernc's plain form", "app.db?vfs=embedded", "app.db", ""},
		{"the file system itself by another lock", "file:app.db?vfs=unix-excl", "app.db", "app.db"},
	} {
		t.Run(c.why, func(t *testing.T) {
			name, path := sqliteName(c.dsn)
			assert.Equal(t, c.name, name, "name")
			assert.Equal(t, c.path, path, "path")
		})
	}
}

func TestNamespace(t *testing.T) {
	for _, c := range []struct {
		why     string
		dialect Dialect
		dsn     string
		want    string
	}{
		{"PostgreSQL URL", PostgreSQL, "postgres://u:secret@h:5432/shop?sslmode=disable", "shop"},
		{"PostgreSQL keywords", PostgreSQL, "host=h user=u password=secret dbname=shop", "shop"},
		{"PostgreSQL keywords, quoted", PostgreSQL, "host=h dbname='shop'", "shop"},
		{"PostgreSQL, none", PostgreSQL, "host=h password=secret", ""},
		{"MySQL", MySQL, "u:secret@tcp(h:3306)/shop?parseTime=true", "shop"},
		{"MySQL, slash in the password", MySQL, "u:se/cret@unix(/run/s.sock)/shop", "shop"},
		{"MySQL, none", MySQL, "u:secret@tcp(h)/", ""},
		{"ClickHouse path", ClickHouse, "clickhouse://u:secret@h:9000/shop", "shop"},
		{"ClickHouse parameter", ClickHouse, "tcp://h:9000?username=u&password=secret&database=shop", "shop"},
		{"SQLite", SQLite, "file:app.db?cache=shared", "app.db"},
		{"unknown, no URL", 0, "u:secret@tcp(h)/shop", ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			assert.Equal(t, c.want, namespace(c.dialect, c.dsn))
		})
	}
}

func TestZone(t *testing.T) {
	for dsn, want := range map[string]string{
		"u:secret@tcp(h)/shop":                             "UTC",
		"u:se/cr?t@tcp(h)/shop?parseTime=true":             "UTC",
		"u@tcp(h)/shop?parseTime=true&loc=Europe%2FBerlin": "Europe/Berlin",
		"u@tcp(h)/?loc=Local":                              "Local",
		"u@tcp(h)/shop?loc=Nowhere":                        "unknown",
		"u@tcp(h)/shop?loc=UTC&timeTruncate=1us":           "unknown",
	} {
		name := "unknown"
		if at := zoneOf(dsn); at != nil {
			name = at.String()
		}
		assert.Equal(t, want, name, dsn)
	}
	assert.Nil(t, zone(nil, "u@tcp(h)/shop"), "of another driver nothing is known")
}

func TestDialectOfVersion(t *testing.T) {
	for version, want := range map[string]Dialect{
		"PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64": PostgreSQL,
		"CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu)":       PostgreSQL,
		"10.11.6-MariaDB-0+deb12u1":                           MySQL,
		"8.0.36":                                              MySQL,
		"5.7.25-TiDB-v7.5.0":                                  MySQL,
		"24.3.1.2672":                                         ClickHouse,
		"v1.1.0":                                              0,
		"Microsoft SQL Server 2022":                           0,
		"":                                                    0,
	} {
		assert.Equal(t, want, dialectOfVersion(version), version)
	}
}
