package sqlscan

import (
	"strings"
	"testing"
)

var benchmarkTexts = []struct {
	name    string
	dialect Dialect
	text    string
}{
	{"delete", PostgreSQL, "DELETE FROM users WHERE id = $1"},
	{"select", MySQL, "SELECT id, name FROM users WHERE id = ?"},
	{"update", MySQL, "UPDATE users SET name = ?, updated_at = NOW() WHERE id = ?"},
	{"insert", SQLite, "INSERT INTO users (id, name, email) VALUES (?, ?, ?)"},
	{"orm", PostgreSQL, `SELECT "users"."id", "users"."name", count("posts"."id") AS n FROM "users" LEFT JOIN "posts" ON "posts"."user_id" = "users"."id" WHERE "users"."deleted_at" IS NULL AND "users"."name" ILIKE $1 GROUP BY "users"."id" ORDER BY n DESC LIMIT 20`},
	{"insert-1MB", PostgreSQL, "INSERT INTO t (id, name, score, note) VALUES " + strings.Repeat("(1234, 'a name of somebody', 3.14, NULL), ", 25000) + "(1, '', 0, NULL)"},
	{"string-1MB", MySQL, "UPDATE t SET body = '" + strings.Repeat("it is a long text with \\n in it ", 32000) + "' WHERE id = 1"},
	{"in-list-100k", PostgreSQL, "DELETE FROM t WHERE id IN (1" + strings.Repeat(", 123456789", 100000) + ")"},
	{"words-1MB", MySQL, "SELECT " + strings.Repeat("column_name AS alias_name, ", 40000) + "1 FROM t"},
}

func BenchmarkClassify(b *testing.B) {
	for _, bench := range benchmarkTexts {
		b.Run(bench.name, func(b *testing.B) {
			var t Text
			b.SetBytes(int64(len(bench.text)))
			b.ReportAllocs()
			for b.Loop() {
				Classify(&t, bench.text, bench.dialect, bench.dialect.DefaultMode())
			}
		})
	}
}

func BenchmarkScan(b *testing.B) {
	for _, bench := range benchmarkTexts {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(bench.text)))
			for b.Loop() {
				var s Scanner
				s.Init(bench.text, bench.dialect, bench.dialect.DefaultMode())
				for s.Scan().Kind != EOF {
				}
			}
		})
	}
}
