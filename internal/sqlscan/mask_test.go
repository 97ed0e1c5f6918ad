package sqlscan

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMask(t *testing.T) {
	for _, row := range []struct {
		name    string
		dialect Dialect
		text    string
		want    string
	}{
		{"literals", PostgreSQL, "UPDATE t SET a = 'secret', b = 1.5e3 WHERE c = $1", "UPDATE t SET a = ?, b = ? WHERE c = $1"},
		{"white space and comments", MySQL, "SELECT  1 -- x\n\t, /* y */ 'z'", "SELECT ? , ?"},
		{"the text stays as it is spelt", SQLite, `select "a".[b] from t`, `select "a".[b] from t`},
		{"a list behind IN", PostgreSQL, "SELECT 1 WHERE a IN (1, -2, 'x', $3) AND b", "SELECT ? WHERE a IN (?) AND b"},
		{"a list behind NOT IN without space", MySQL, "DELETE FROM t WHERE a NOT IN(1,2)", "DELETE FROM t WHERE a NOT IN(?)"},
		{"a list with a column in it", MySQL, "SELECT a IN (1, b, 2)", "SELECT a IN (?, b, ?)"},
		{"a function that ends in in", MySQL, "SELECT min(1, 2)", "SELECT min(?, ?)"},
		{"dollar quotes", PostgreSQL, "DO $$ secret $$", "DO ?"},
		{"double quotes are a string", MySQL, `SELECT "secret"`, "SELECT ?"},
		{"executable comments are code", MySQL, "SELECT /*!40001 SQL_NO_CACHE */ 'x'", "SELECT SQL_NO_CACHE ?"},
		{"an open string", PostgreSQL, "SELECT 1 WHERE a = 'secret", "SELECT ? WHERE a = …"},
		{"data behind FORMAT", ClickHouse, `INSERT INTO t FORMAT JSONEachRow {"a": "secret"}`, "INSERT INTO t FORMAT JSONEachRow …"},
		{"invalid UTF-8", SQLite, "SELECT a\xff", "SELECT a?"},
		{"nothing", PostgreSQL, "", ""},
	} {
		if got := Mask(row.text, row.dialect, row.dialect.DefaultMode()); got != row.want {
			t.Errorf("%s: %q is %q, want %q", row.name, row.text, got, row.want)
		}
	}
}

func TestMaskIsCut(t *testing.T) {
	got := Mask("SELECT "+strings.Repeat("ä, ", 10_000_000), PostgreSQL, 0)
	if len(got) > maxMasked || !strings.HasSuffix(got, ellipsis) || !utf8.ValidString(got) {
		t.Errorf("%d bytes, ends with %q", len(got), got[len(got)-10:])
	}
}

func TestSummary(t *testing.T) {
	for _, row := range []struct {
		dialect Dialect
		text    string
		want    string
	}{
		{PostgreSQL, "DELETE FROM Navigation", "DELETE navigation"},
		{MySQL, "UPDATE a, b SET a.x = 1, b.y = 2", "UPDATE a, b"},
		{PostgreSQL, "WITH d AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM d", "DELETE a INSERT b"},
		{PostgreSQL, "DROP TABLE IF EXISTS a, public.b CASCADE", "DROP TABLE a, public.b"},
		{PostgreSQL, "create unique index concurrently i on t (a)", "CREATE INDEX t"},
		{PostgreSQL, "TRUNCATE a", "TRUNCATE a"},
		{PostgreSQL, "select 1 into t", "SELECT INTO t"},
		{SQLite, "ATTACH 'secret.db' AS x", "ATTACH"},
		{MySQL, "CREATE SCHEMA d", "CREATE SCHEMA d"},
		{MySQL, "SELECT 1", "SELECT"},
		{MySQL, "DELETE FROM t WHERE a = 'x", "DELETE"},
		{PostgreSQL, "nonsense secret", ""},
		{PostgreSQL, "", ""},
	} {
		var text Text
		Classify(&text, row.text, row.dialect, row.dialect.DefaultMode())
		if got := Summary(&text); got != row.want {
			t.Errorf("%q is %q, want %q", row.text, got, row.want)
		}
	}
}

func TestSummaryIsCut(t *testing.T) {
	var text Text
	Classify(&text, "DROP TABLE "+strings.Repeat("äöü, ", 100)+"z", PostgreSQL, ANSIQuotes)
	if got := Summary(&text); len(got) > maxSummary || !utf8.ValidString(got) {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}
