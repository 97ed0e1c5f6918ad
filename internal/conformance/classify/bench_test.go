package classify

import (
	"strings"
	"testing"

	sqllexer "github.com/DataDog/go-sqllexer"
	pg "github.com/pganalyze/pg_query_go/v6"
	"github.com/pingcap/tidb/pkg/parser"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// workloads are texts that all four can read.
var workloads = []struct{ name, text string }{
	{"short", "DELETE FROM users WHERE id = 1"},
	{"read", "SELECT id, name FROM users WHERE tenant_id = 7 AND deleted_at IS NULL ORDER BY id LIMIT 20"},
	{"join", "SELECT u.id, count(*) FROM users u JOIN posts p ON p.user_id = u.id LEFT JOIN tags t ON t.post_id = p.id " +
		"WHERE u.name LIKE 'a%' AND (p.score > 3 OR t.name IN ('x', 'y')) GROUP BY u.id HAVING count(*) > 1"},
	{"insert-1000-rows", "INSERT INTO t (a, b, c) VALUES (1, 'one', 1.5)" + strings.Repeat(", (1000, 'a text of some length', 2.25)", 999)},
	{"in-10000", "DELETE FROM t WHERE a = 1 AND b IN (1" + strings.Repeat(", 1234567", 9_999) + ")"},
}

// BenchmarkClassify compares our classifier with a lexer and two parsers, in one process
// and on the same texts. The lexer does less than we do, the parsers build a tree.
func BenchmarkClassify(b *testing.B) {
	mysql := parser.New()
	for _, w := range workloads {
		for _, peer := range []struct {
			name string
			read func(text string) bool
		}{
			{"dbguard-postgres", classifier(sqlscan.PostgreSQL)},
			{"dbguard-mysql", classifier(sqlscan.MySQL)},
			{"go-sqllexer", lex},
			{"tidb", func(text string) bool { _, _, err := mysql.Parse(text, "", ""); return err == nil }},
			{"pg_query", func(text string) bool { _, err := pg.Parse(text); return err == nil }},
		} {
			b.Run(w.name+"/"+peer.name, func(b *testing.B) {
				b.SetBytes(int64(len(w.text)))
				b.ReportAllocs()
				for b.Loop() {
					if !peer.read(w.text) {
						b.Fatal("the text is not read")
					}
				}
			})
		}
	}
}

func classifier(d sqlscan.Dialect) func(string) bool {
	var t sqlscan.Text
	return func(text string) bool {
		sqlscan.Classify(&t, text, d, d.DefaultMode())
		return t.Statements == 1
	}
}

func lex(text string) bool {
	l := sqllexer.New(text)
	for {
		switch l.Scan().Type {
		case sqllexer.EOF:
			return true
		case sqllexer.ERROR:
			return false
		}
	}
}
