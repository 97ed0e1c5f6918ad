package property

import (
	"fmt"

	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// insert changes no existing row by itself, but triggers, rules and the code of defaults and
// constraints may. Some of its rows exist already.
func (s *schema) insert() *statement {
	r := s.relation()
	verb, conflict := s.ignoring(r)
	rows := s.newRows(r)
	if verb != "INSERT" || conflict != "" {
		rows = "VALUES " + s.values(r.t)
	}
	text := fmt.Sprintf("%s INTO %s (id, a, s) %s%s", verb, r.name, rows, conflict)
	if r.view {
		return &statement{Text: text} // what a view returns differs between the drivers of one engine
	}
	return s.returning(&statement{Text: text}, r, true)
}

// newRows draws rows that are mostly new.
func (s *schema) newRows(r relation) string {
	id := func(n int) string { return arg(r.t.rows + s.between(1, 3) + n*10) }
	switch s.IntN(6) {
	case 0:
		return fmt.Sprintf("VALUES (%s, 1, 'i'), (%s, 4, 'j')", id(1), id(2))
	case 1:
		return fmt.Sprintf("VALUES (%s, 1, 'i'), (%s, 5, 'j'), (%s, 0, NULL)", id(1), id(2), id(3))
	case 2:
		return fmt.Sprintf("SELECT id + 500, a, s FROM %s WHERE a > %s", pick(s.random, s.tables).name, arg(2))
	case 3:
		return fmt.Sprintf("SELECT id + 500, a, s FROM %s WHERE id = %s", pick(s.random, s.tables).name, arg(s.between(1, 4)))
	}
	return fmt.Sprintf("VALUES (%s, %s, 'i')", id(0), arg(s.between(0, 5)))
}

// ignoring draws clauses that skip rows in conflict.
func (s *schema) ignoring(r relation) (verb, conflict string) {
	verb = "INSERT"
	switch {
	case s.percent(75):
	case s.is(target.MariaDB):
		verb = "INSERT IGNORE"
	case s.is(target.SQLite) && (r.view || s.percent(50)):
		verb = "INSERT OR IGNORE"
	case !r.view:
		conflict = " ON CONFLICT DO NOTHING"
	}
	return verb, conflict
}

// insertInside puts the INSERT into a text that begins with another keyword.
func (s *schema) insertInside() *statement {
	r := s.relation()
	for r.view {
		r = s.relation()
	}
	insert := fmt.Sprintf("INSERT INTO %s (id, a, s) %s", r.name, s.newRows(r))
	if s.is(target.Postgres) {
		return pick(s.random, []*statement{
			{Text: "WITH i AS (" + insert + " RETURNING id) SELECT id FROM i ORDER BY id", Rows: true},
			{Text: "WITH i AS (" + insert + " RETURNING id) INSERT INTO log SELECT 'i', id FROM i"},
			{Text: "WITH i AS (" + insert + ") SELECT count(*) FROM log", Rows: true},
			{Text: "DO $$ BEGIN " + literal(insert) + "; END $$", Fixed: true, May: opaque},
			{Text: fmt.Sprintf("MERGE INTO %s x USING (SELECT id + 2 AS id FROM log, generate_series(1, 2)) y ON false WHEN NOT MATCHED THEN INSERT (id, a, s) VALUES (y.id + %d, 1, 'm')", r.t.name, 700)},
		})
	}
	if s.is(target.SQLite) {
		return &statement{Text: fmt.Sprintf("WITH c AS (SELECT id FROM %s WHERE a > %s) INSERT INTO %s (id, a, s) SELECT id + 600, 1, 'c' FROM c", s.relation().name, arg(2), r.name)}
	}
	return &statement{Text: fmt.Sprintf("INSERT INTO %s SET id = %s, a = %s, s = 'set'", r.name, arg(r.t.rows+s.between(1, 5)), arg(s.between(0, 5)))}
}

// insertView makes a view insertable by code: by its trigger or rule.
func (s *schema) insertView(v string, t *table) {
	body := pick(s.random, []string{
		fmt.Sprintf("INSERT INTO %s (id, a, s) VALUES (NEW.id, NEW.a, NEW.s)", t.name),
		fmt.Sprintf("INSERT INTO %s (id, a, s) VALUES (NEW.id, NEW.a, NEW.s)", t.name),
		fmt.Sprintf("UPDATE %s SET a = NEW.a WHERE id < NEW.id", t.name),
		fmt.Sprintf("DELETE FROM %s WHERE a = NEW.a", t.name),
		"INSERT INTO log VALUES ('view', NEW.id)",
	})
	switch {
	case s.is(target.SQLite):
		s.add("CREATE TRIGGER %[1]s_i INSTEAD OF INSERT ON %[1]s BEGIN %[2]s; END", v, body)
	case s.is(target.Postgres) && s.percent(30):
		s.add("CREATE FUNCTION fi%s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN %s; RETURN NEW; END $$", v, body)
		s.add("CREATE TRIGGER %[1]s_i INSTEAD OF INSERT ON %[1]s FOR EACH ROW EXECUTE FUNCTION fi%[1]s()", v)
	case s.is(target.Postgres) && s.percent(30):
		s.add("CREATE RULE %[1]s_i AS ON INSERT TO %[1]s DO INSTEAD %[2]s", v, body)
	}
}

// codeInTable gives a table of PostgreSQL a function that runs for every row
// that is added to it, or changed.
func (s *schema) codeInTable(t *table) {
	body := s.word("UPDATE DELETE INSERT")
	body = map[string]string{
		"UPDATE": "UPDATE log SET n = n + 1 WHERE n = 0", "DELETE": "DELETE FROM log WHERE n < 2",
		"INSERT": "INSERT INTO log VALUES ('code', 1)",
	}[body]
	s.add("CREATE FUNCTION code_%s() RETURNS int LANGUAGE plpgsql AS $$ BEGIN %s; RETURN 1; END $$", t.name, body)
	s.add(pick(s.random, []string{
		"ALTER TABLE %[1]s ADD COLUMN d INT; ALTER TABLE %[1]s ALTER d SET DEFAULT code_%[1]s()",
		"ALTER TABLE %[1]s ADD CHECK (a < 4 OR code_%[1]s() = 1) NOT VALID",
	}), t.name)
}
