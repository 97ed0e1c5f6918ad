package property

import (
	"fmt"

	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// trigger adds a trigger on a table that changes rows of a later one, of the log, or the row
// that fires it.
func (s *schema) trigger() {
	at := s.IntN(len(s.tables))
	t := s.tables[at]
	event := s.word("INSERT INSERT UPDATE DELETE DELETE UPDATE")
	row := "OLD"
	if event == "INSERT" {
		row = "NEW"
	}
	name := fmt.Sprintf("trg%d", len(s.script))
	body := s.consequence(at, row)
	switch s.engine {
	case target.SQLite:
		s.sqliteTrigger(name, t, event, row, body)
	case target.MariaDB, target.MySQL:
		timing := s.word("BEFORE AFTER")
		if timing == "BEFORE" && event == "UPDATE" && s.percent(30) {
			body = "SET NEW.s = 'changed'"
		}
		s.add("CREATE TRIGGER %s %s %s ON %s FOR EACH ROW BEGIN %s; END", name, timing, event, t.name, body)
	case target.Postgres:
		s.postgresTrigger(name, t, event, row, body)
	}
}

// consequence is a statement of a trigger's body.
func (s *schema) consequence(at int, row string) string {
	if at+1 < len(s.tables) && s.percent(60) {
		u := s.tables[s.between(at+1, len(s.tables)-1)]
		switch s.IntN(3) {
		case 0:
			return fmt.Sprintf("DELETE FROM %s WHERE id = %s.id", u.name, row)
		case 1:
			return fmt.Sprintf("DELETE FROM %s WHERE a > %s.a", u.name, row)
		}
		return fmt.Sprintf("UPDATE %s SET a = a + 1 WHERE id <= %s.id", u.name, row)
	}
	return s.logAction(row)
}

// logAction only inserts in most cases: such a trigger is harmless.
func (s *schema) logAction(row string) string {
	if s.is(target.SQLite) && s.percent(25) {
		return fmt.Sprintf(pick(s.random, []string{
			"INSERT INTO tally VALUES (%[1]s.id %% 4, 1) ON CONFLICT DO UPDATE SET n = n + 1",
			"INSERT OR REPLACE INTO tally VALUES (%[1]s.id %% 4, 7)", "INSERT OR IGNORE INTO tally VALUES (%[1]s.id %% 4, 1)",
		}), row)
	}
	switch s.IntN(5) {
	case 0:
		return "UPDATE log SET n = n + 1"
	case 1:
		return fmt.Sprintf("DELETE FROM log WHERE n < %s.id", row)
	}
	return fmt.Sprintf("INSERT INTO log VALUES ('fired', %s.id)", row)
}

func (s *schema) sqliteTrigger(name string, t *table, event, row, body string) {
	timing, when := s.word("BEFORE AFTER"), ""
	if s.percent(20) {
		body = "SELECT RAISE(IGNORE) WHERE " + row + ".id % 3 = 0"
		timing = "BEFORE"
	}
	if event != "DELETE" && s.percent(25) {
		body = s.stamp(t, pick(s.random, map[string][]string{"INSERT": {"NEW"}, "UPDATE": {"NEW", "OLD"}}[event]))
	}
	if s.percent(20) {
		when = " WHEN " + row + ".id > 2"
	}
	s.add("CREATE TRIGGER %s %s %s ON %s%s BEGIN %s; END", name, timing, event, t.name, when, body)
}

// stamp changes the row that fires a trigger, most of the time.
func (s *schema) stamp(t *table, row string) string {
	return fmt.Sprintf(pick(s.random, []string{
		"UPDATE %[1]s SET s = 'stamp' WHERE id = %[2]s.id", "UPDATE %[1]s SET a = a + 1 WHERE %[2]s.id = id",
		"UPDATE %[1]s SET id = id + 500 WHERE id = %[2]s.id", "UPDATE %[1]s SET s = 'stamp' WHERE a = %[2]s.a",
		"DELETE FROM %[1]s WHERE id = %[2]s.id", "UPDATE OR REPLACE %[1]s SET a = 2 WHERE id = %[2]s.id AND a = %[2]s.a",
	}), t.name, row)
}

func (s *schema) postgresTrigger(name string, t *table, event, row, body string) {
	timing, each, kind, deferred := s.word("BEFORE AFTER AFTER"), "ROW", "TRIGGER", ""
	proceed := row // what the function returns lets a BEFORE trigger's row pass
	if event == "UPDATE" {
		proceed = "NEW"
	}
	switch chance := s.IntN(100); {
	case chance < 10:
		timing, each, proceed = "AFTER", "STATEMENT", "NULL"
		body = pick(s.random, []string{"UPDATE log SET n = n + 1", "DELETE FROM log WHERE n < 2"})
	case chance < 20 && timing == "AFTER":
		kind, deferred = "CONSTRAINT TRIGGER", " DEFERRABLE INITIALLY DEFERRED"
		s.deferred = true
	case chance < 40 && timing == "BEFORE":
		body = "IF " + row + ".id % 3 = 0 THEN RETURN NULL; END IF" // the row is skipped
	case chance < 55 && timing == "BEFORE" && event == "UPDATE":
		body = "NEW.s := 'changed'"
	}
	s.add("CREATE FUNCTION f%s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN %s; RETURN %s; END $$", name, body, proceed)
	s.add("CREATE %s %s %s %s ON %s%s FOR EACH %s EXECUTE FUNCTION f%s()", kind, name, timing, event, t.name, deferred, each, name)
}

// view adds a view that can be written through: directly, by INSTEAD OF
// triggers or by rules.
func (s *schema) view() {
	t := pick(s.random, s.tables)
	v := fmt.Sprintf("v%d", len(s.views))
	s.add("CREATE VIEW %s AS SELECT id, a, s FROM %s WHERE a >= 0", v, t.name)
	s.views = append(s.views, relation{v, true, t})
	s.insertView(v, t)
	switch {
	case s.is(target.SQLite):
		s.add("CREATE TRIGGER %[1]s_d INSTEAD OF DELETE ON %[1]s BEGIN DELETE FROM %[2]s WHERE id = OLD.id; END", v, t.name)
		s.add("CREATE TRIGGER %[1]s_u INSTEAD OF UPDATE ON %[1]s BEGIN UPDATE %[2]s SET a = NEW.a WHERE id %[3]s OLD.id; END", v, t.name, s.word("= = <="))
	case s.is(target.Postgres) && s.percent(40):
		s.add("CREATE FUNCTION f%[1]s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM %[2]s WHERE id %[3]s OLD.id; RETURN OLD; END $$", v, t.name, s.word("= <="))
		s.add("CREATE TRIGGER %[1]s_d INSTEAD OF DELETE ON %[1]s FOR EACH ROW EXECUTE FUNCTION f%[1]s()", v)
	case s.is(target.Postgres) && s.percent(30):
		s.add("CREATE RULE %[1]s_d AS ON DELETE TO %[1]s DO INSTEAD UPDATE %[2]s SET s = 'gone' WHERE id >= OLD.id", v, t.name)
	}
}

// rule adds a rule on a table (PostgreSQL).
func (s *schema) rule() {
	at := s.IntN(len(s.tables))
	t := s.tables[at]
	if t.children != nil || t.unreferenced {
		return // a partitioned table may have none
	}
	switch s.IntN(7) {
	case 0:
		s.add("CREATE RULE r AS ON DELETE TO %s DO ALSO DELETE FROM log WHERE n < OLD.id", t.name)
	case 1:
		s.add("CREATE RULE r AS ON UPDATE TO %s DO INSTEAD NOTHING", t.name)
	case 2:
		s.add("CREATE RULE r AS ON INSERT TO %s DO ALSO UPDATE log SET n = n + 1", t.name)
	case 3:
		s.add("CREATE RULE r AS ON DELETE TO %s DO INSTEAD UPDATE %s SET s = 'gone' WHERE id = OLD.id", t.name, t.name)
	case 4:
		s.add("CREATE RULE r AS ON INSERT TO %s DO ALSO DELETE FROM log WHERE n < NEW.a", t.name)
	case 5:
		s.add("CREATE RULE r AS ON INSERT TO %s DO INSTEAD UPDATE %s SET s = 'was' WHERE id < NEW.id", t.name, t.name)
	case 6:
		s.add("CREATE RULE r AS ON INSERT TO %s WHERE NEW.a > 2 DO ALSO INSERT INTO log VALUES ('rule', NEW.id)", t.name)
	}
}

// routine adds a function or procedure that writes.
func (s *schema) routine() {
	t := pick(s.random, s.tables)
	body := pick(s.random, []string{
		fmt.Sprintf("DELETE FROM %s WHERE id <= k", t.name),
		fmt.Sprintf("UPDATE %s SET a = a + 1 WHERE id > k", t.name),
		"INSERT INTO log VALUES ('called', k)",
	})
	name := fmt.Sprintf("f%d", len(s.calls))
	function := s.percent(60)
	s.calls = append(s.calls, routine{name, function})
	switch {
	case s.is(target.MariaDB) && function:
		s.add("CREATE FUNCTION %s(k INT) RETURNS INT MODIFIES SQL DATA BEGIN %s; RETURN k; END", name, body)
	case s.is(target.MariaDB):
		s.add("CREATE PROCEDURE %s(k INT) BEGIN %s; END", name, body)
	case function:
		s.add("CREATE FUNCTION %s(k INT) RETURNS INT LANGUAGE plpgsql AS $$ BEGIN %s; RETURN k; END $$", name, body)
	default:
		s.add("CREATE PROCEDURE %s(k INT) LANGUAGE plpgsql AS $$ BEGIN %s; END $$", name, body)
	}
}
