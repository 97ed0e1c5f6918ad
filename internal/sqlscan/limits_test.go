package sqlscan

import (
	"strings"
	"testing"
	"time"
)

func TestNoAllocation(t *testing.T) {
	texts := []string{
		"DELETE FROM users WHERE id = $1",
		"SELECT id, name FROM users WHERE id = ?",
		"UPDATE users SET name = 'x', n = coalesce(n, 0) + 1 WHERE id IN (1, 2, 3)",
		"INSERT INTO users (id, name) VALUES (1, 'x'), (2, 'y')",
		"WITH d AS (DELETE FROM a RETURNING *) SELECT count(*) FROM d",
		"DROP TABLE IF EXISTS a, b CASCADE",
		"BEGIN; DELETE FROM a; ROLLBACK",
	}
	var text Text
	for d := PostgreSQL; d <= ClickHouse; d++ {
		for _, sql := range texts {
			n := testing.AllocsPerRun(100, func() { Classify(&text, sql, d, d.DefaultMode()) })
			if n > 0 {
				t.Errorf("%v: %s: %v allocations", d, sql, n)
			}
		}
	}
}

// TestLinear reads texts of 128 kB and of eight times that. A linear reading
// takes 8 times as long, a quadratic one 64 times.
func TestLinear(t *testing.T) {
	const size = 128 << 10
	fill := func(head, piece, tail string) func(int) string {
		return func(n int) string { return head + strings.Repeat(piece, n/len(piece)) + tail }
	}
	for _, row := range []struct {
		name string
		text func(size int) string
	}{
		{"a long list", fill("DELETE FROM t WHERE id IN (1", ", 123456", ")")},
		{"columns named update", fill("CREATE TABLE t (", "(update int ", "")},
		{"statements prepared and executed", fill("", "PREPARE a AS SELECT 1; EXECUTE a;", "")},
		{"literals executed", fill("", "EXECUTE IMMEDIATE 'SELECT ''a'' FROM t';", "")},
		{"modes set", fill("", "SET sql_mode = ''; SELECT 'a';", "")},
		{"a long string", fill("UPDATE t SET a = '", "it''s \\n ", "'")},
		{"many rows", fill("INSERT INTO t VALUES (0)", ", (1, 'a')", "")},
		{"many statements", fill("", "DELETE FROM t;", "")},
		{"many temporary tables", fill("", "CREATE TEMPORARY TABLE t (a int);", "DELETE FROM t")},
		{"parentheses", fill("SELECT ", "(", "")},
		{"closed parentheses", func(n int) string { return "SELECT " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n) }},
		{"aliases of subqueries", fill("SELECT ", "(SELECT 1 AS a, ", "")},
		{"statements in WITH", fill("", "WITH a AS (", "")},
		{"statements behind EXPLAIN", fill("", "EXPLAIN ", "")},
		{"statements behind ANALYZE", fill("", "ANALYZE ", "")},
		{"comments", fill("SELECT 1 ", "/* a */ -- b\n", "")},
		{"open comments", fill("SELECT 1 ", "/*", "")},
		{"executable comments", fill("SELECT 1 ", "/*! + 1 */ /*!80000 + 2 */", "")},
		{"open dollar quotes", fill("SELECT ", "$a$ $b$ ", "")},
		{"stars", fill("SELECT /*", "*", "/ 1")},
		{"strings over newlines", fill("SELECT ", "'a' \n ", "")},
		{"targets of a joined DELETE", fill("DELETE a", ", a", " FROM a")},
		{"tables of a joined UPDATE", fill("UPDATE a", ", a", " SET a.x = 1")},
		{"assignments of a joined UPDATE", fill("UPDATE a, b SET a.x = 1", ", a.x = 1", "")},
		{"actions of an ALTER", fill("ALTER TABLE t ADD a int", ", DROP a", "")},
		{"mutations", fill("ALTER TABLE t DELETE WHERE 1", ", DELETE WHERE 1", "")},
		{"keywords", fill("SELECT 1 ", "DELETE ", "")},
		{"a name of many parts", fill("DELETE FROM a", ".a", "")},
		{"a routine", fill("CREATE PROCEDURE p() BEGIN ", "SELECT CASE a WHEN 1 THEN 2 END; ", "END")},
		{"headers", fill("CREATE TRIGGER ", "a ", "")},
		{"smart quotes", fill("SELECT ", "‘a’ \u00a0", "")},
		{"NUL", fill("SELECT ", "\x00", "")},
	} {
		small, large := row.text(size), row.text(8*size)
		for d := PostgreSQL; d <= ClickHouse; d++ {
			// The quickest of several rounds counts: in one, the machine may be busy.
			unit, took := timed(small, d), timed(large, d)
			for range 8 {
				if took <= 24*unit {
					break
				}
				unit, took = max(unit, timed(small, d)), min(took, timed(large, d))
			}
			if took > 24*unit && took > 50*time.Millisecond {
				t.Errorf("%v, %s: %v, and %v for eight times as much", d, row.name, unit, took)
			}
		}
	}
}

func timed(text string, d Dialect) time.Duration {
	var t Text
	begin := time.Now()
	Classify(&t, text, d, d.DefaultMode())
	Mask(text, d, d.DefaultMode())
	return time.Since(begin)
}

func FuzzClassify(f *testing.F) {
	for _, seed := range []string{
		"DELETE FROM a USING b WHERE id = 1 RETURNING *", "UPDATE a, b SET a.x = 1 WHERE c LIMIT 1",
		"WITH d AS (DELETE FROM t) SELECT 1", "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 1",
		"EXPLAIN (ANALYZE) DELETE FROM t", "ALTER TABLE t ADD a int, DROP b", "BEGIN; DELETE FROM t; ROLLBACK",
		"CREATE TRIGGER g AFTER DELETE ON t BEGIN SELECT 1; END", "SET sql_mode=''; SELECT '\\'", "/*!80000 a */",
		"CREATE TEMP TABLE x (a int); DELETE FROM x", "INSERT INTO t FORMAT CSV 1; DROP TABLE t", "MERGE INTO t USING u ON a WHEN MATCHED THEN DELETE",
	} {
		for d := PostgreSQL; d <= ClickHouse; d++ {
			f.Add(seed, uint8(d), uint8(d.DefaultMode()))
		}
	}
	f.Fuzz(func(t *testing.T, sql string, dialect, mode uint8) {
		d, m := Dialect(dialect%6), Mode(mode&3)
		var text Text
		Classify(&text, sql, d, m)
		end := int32(len(sql))
		for _, op := range text.Ops {
			for _, sp := range []Span{op.At, op.Object, op.Where} {
				if sp.Start < 0 || sp.End < sp.Start || sp.End > end {
					t.Fatalf("span %v outside of %d bytes: %s", sp, end, spell(&text))
				}
			}
			text.Name(op.Object)
			OperationName(&text, op)
		}
		Summary(&text)
		Mask(sql, d, m)
		if !text.IsRead() && len(text.Ops) == 0 && text.Statements > 0 {
			t.Fatalf("neither read nor operation")
		}
		// A comment after the text changes nothing, unless the text ends within
		// something that goes on.
		if n := len(text.Ops); n > 0 && text.Ops[n-1].Kind == Unreadable {
			return
		}
		want := spell(&text)
		var with Text
		Classify(&with, sql+"\n/* DELETE FROM t */", d, m)
		if got := spell(&with); got != want && !endsOpen(sql, d, m) {
			t.Fatalf("%q is %q, and with a comment %q", sql, want, got)
		}
	})
}

// endsOpen reports a text that a comment would not follow: an open comment of
// SQLite, data of ClickHouse.
func endsOpen(sql string, d Dialect, m Mode) bool {
	var s Scanner
	s.Init(sql+"\n/**/;", d, m)
	last := Token{}
	for t := s.Scan(); t.Kind != EOF; t = s.Scan() {
		last = t
	}
	return last.Kind != Punct || int(last.Pos) != len(sql)+5
}
