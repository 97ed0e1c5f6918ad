package classify

import (
	"strings"
	"testing"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// TestSQLite runs generated statements and their mutants on SQLite itself: what its
// authorizer sees is what we must have read.
func TestSQLite(t *testing.T) {
	e := &engine{}
	defer func() {
		if e.conn != nil {
			e.conn.Close()
		}
	}()
	g := newGenerator(sqlscan.SQLite, 3)
	var texts []string
	for range generated {
		texts = append(texts, g.sqliteStatement())
	}
	for range mutants {
		texts = append(texts, g.mutate(texts[g.rng.IntN(generated)], texts[g.rng.IntN(generated)]))
	}
	counts := map[outcome]int{}
	failures := 0
	var text sqlscan.Text
	for _, s := range texts {
		theirs, ok, err := e.observe(s)
		if err != nil {
			t.Fatal(err)
		}
		sqlscan.Classify(&text, s, sqlscan.SQLite, sqlscan.SQLite.DefaultMode())
		ours, unread := sqliteEffectsOf(&text)
		// The driver trims what is between statements and at the end, and takes
		// a vertical tab for white space there; SQLite does not.
		if !ok || unread && strings.Contains(s, "\v") {
			continue
		}
		if text.Statements > 1 && strings.Contains(strings.ToUpper(s), "TRIGGER") { // it fires in the same text
			continue
		}
		o := compareSQLite(ours, unread, theirs)
		counts[o]++
		if o != agree && excused(sqliteExceptions, o, s, text.Why) == nil {
			if failures++; failures <= 40 {
				t.Errorf("%s: %q\n  theirs %s\n  ours   %s %s", o, s, theirs.list(), ours.list(), text.Why)
			}
		}
	}
	t.Logf("%d texts: %v", len(texts), counts)
	if counts[agree] < generated {
		t.Errorf("only %d texts were accepted and agreed on: the generator is not what it was", counts[agree])
	}
}

var sqliteExceptions = []exception{
	{"SQLite takes a keyword for a name where no other reading is left", unreadable, "a name is missing behind WITH"},
	{"SQLite leaves out the UPDATE of an upsert that names a column twice", different, "( a , a )"},
}

// sqliteStatement is a statement that SQLite accepts more often than not.
func (g *generator) sqliteStatement() string {
	table := g.pick("t", "T", `"a b"`, "[a b]", "`where`", "s.far", `main."t"`, "'u'", `"update"`, "u")
	set := g.pick("a = a", "a = 1", "(a, b) = (1, 2)", "b = 'it''s; DELETE FROM u'", "[c] = (SELECT max(a) FROM u)", `"c" = 3`)
	where := g.maybe(" WHERE " + g.pick("id = 1", "1", "a IN (SELECT a FROM u)", `b LIKE "%; DELETE FROM t"`, "id IN ()", "NOT EXISTS (SELECT 1 FROM u WHERE u.a = 1)", "a ISNULL", "a IS NOT DISTINCT FROM 2"))
	returning := g.maybe(" RETURNING " + g.pick("*", "id", "a AS delete_", `"id" AS [update]`))
	or := g.pick("", "", " OR REPLACE", " OR IGNORE", " OR ABORT", " OR FAIL", " OR ROLLBACK")
	with := g.pick("", "", "WITH x AS (SELECT 1) ", "WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x WHERE i < 3) ", `WITH "delete" AS MATERIALIZED (VALUES (1)), replace AS NOT MATERIALIZED (SELECT 1) `)
	switch g.rng.IntN(12) {
	case 0, 1:
		return with + "DELETE FROM " + table + g.pick("", " AS q", " NOT INDEXED") + where + returning
	case 2, 3:
		return with + "UPDATE" + or + " " + table + g.pick("", " AS q") + " SET " + set + g.maybe(" FROM (SELECT 1 AS k) AS w") + where + returning
	case 4:
		return with + g.pick("INSERT"+or, "REPLACE") + " INTO " + table + " (id, a)" + g.pick(" VALUES (1, 2), (3, 4)", " SELECT id, a FROM u", " VALUES (NULL, 5)") + returning
	case 5:
		return with + "INSERT INTO " + table + " (id, a) " + g.pick("VALUES (1, 2)", "SELECT 1, 2 WHERE true") + " ON CONFLICT " +
			g.pick("DO NOTHING", "(id) DO NOTHING", "(id) DO UPDATE SET a = excluded.a", "(a) DO UPDATE SET b = 'x' WHERE id = 2", "(id) DO NOTHING ON CONFLICT (a) DO UPDATE SET c = 1") + returning
	case 6:
		return "INSERT" + or + " INTO " + table + " DEFAULT VALUES"
	case 7:
		return with + g.pick("SELECT a, 'DELETE FROM t' FROM u", "VALUES (1), (2)", `SELECT replace(b, 'a', "b") FROM t`, "SELECT * FROM (SELECT 1 AS [delete]) WHERE [delete] = 1", "SELECT CASE WHEN a THEN b ELSE c END FROM u", "SELECT a FROM t UNION SELECT a FROM u ORDER BY 1 LIMIT 2 OFFSET 1", "SELECT row_number() OVER (PARTITION BY a ORDER BY id) FROM t", "SELECT count(*) FILTER (WHERE a > 1) FROM t")
	case 8:
		return g.pick("DROP TABLE t", "CREATE TABLE n (a INT DEFAULT 1)", "CREATE TABLE n AS SELECT * FROM t", "CREATE INDEX i ON t (b)", "ALTER TABLE t ADD COLUMN z", "ALTER TABLE t RENAME TO t9", "ALTER TABLE t DROP COLUMN c", "CREATE VIEW w AS SELECT 1", "CREATE TRIGGER g AFTER DELETE ON t BEGIN DELETE FROM u; SELECT CASE WHEN 1 THEN 2 END; END", "CREATE TEMP TRIGGER g AFTER UPDATE OF a ON t WHEN new.a > 1 BEGIN UPDATE u SET a = 1; END", "CREATE TABLE n (a INT, PRIMARY KEY (a) ON CONFLICT REPLACE) WITHOUT ROWID", "CREATE TABLE [update] (delete_ INT, [drop] INT)", "CREATE TABLE IF NOT EXISTS n (key INT, action INT, replace TEXT, rename INT)")
	case 9:
		return g.pick("BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT a", "BEGIN EXCLUSIVE TRANSACTION") + "; " + g.sqliteStatement() + "; " + g.pick("COMMIT", "ROLLBACK", "END TRANSACTION")
	case 10:
		return g.sqliteStatement() + g.pick(";", "; ", ";;", " ;-- x\n") + g.sqliteStatement()
	}
	return g.pick("\ufeff", ";", ";;", "/* x */", "-- x\n", "/**/") + g.sqliteStatement() + g.pick("", ";", " /* open", " -- x", "; -- '")
}
