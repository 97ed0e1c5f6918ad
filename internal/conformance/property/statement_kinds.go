package property

import (
	"fmt"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// inCTE changes rows in, or after, a common table expression.
func (s *schema) inCTE() *statement {
	r := s.relation()
	where := s.where(r)
	chosen := fmt.Sprintf("WITH c AS (SELECT id FROM %s WHERE %s) ", r.name, where)
	if s.is(target.SQLite) {
		if s.percent(50) {
			return s.returning(&statement{Text: chosen + "DELETE FROM " + r.name + " WHERE id IN (SELECT id FROM c)"}, r, false)
		}
		return &statement{Text: chosen + "UPDATE " + r.name + " SET a = 9 WHERE id IN (SELECT id FROM c)"}
	}
	u := pick(s.random, s.tables)
	gone := fmt.Sprintf("WITH d AS (DELETE FROM %s WHERE %s RETURNING id) ", r.name, where)
	changed := fmt.Sprintf("WITH d AS (UPDATE %s SET a = a + 1 WHERE %s RETURNING id) ", r.name, where)
	return pick(s.random, []*statement{
		{Text: gone + "SELECT count(*) FROM d", Rows: true},
		{Text: gone + "INSERT INTO log SELECT 'moved', id FROM d"},
		{Text: gone + "UPDATE log SET n = n + 1 WHERE n IN (SELECT id FROM d)"},
		{Text: changed + "DELETE FROM " + u.name + " WHERE id IN (SELECT id + 1 FROM d)"},
		{Text: changed + "SELECT id FROM d ORDER BY id", Rows: true},
		{Text: chosen + "DELETE FROM " + r.name + " WHERE id IN (SELECT id FROM c)"},
	})
}

func (s *schema) merge() *statement {
	t, u := s.two()
	matched := pick(s.random, []string{"DELETE", "UPDATE SET a = 9", "DO NOTHING"})
	text := fmt.Sprintf("MERGE INTO %s x USING (SELECT id, a FROM %s WHERE a < %s) y ON x.id = y.id", t.name, u.name, arg(s.between(0, 6)))
	if s.percent(50) {
		text += " WHEN MATCHED AND x.a > " + arg(s.between(0, 4)) + " THEN " + pick(s.random, []string{"DELETE", "UPDATE SET s = 'm'"})
	}
	text += " WHEN MATCHED THEN " + matched
	if s.percent(50) {
		text += " WHEN NOT MATCHED THEN INSERT (id, a, s) VALUES (y.id, y.a, 'new')"
	}
	return &statement{Text: text}
}

// values draws rows to insert, some of which exist already.
func (s *schema) values(t *table) string {
	var rows []string
	for range s.between(1, 4) {
		rows = append(rows, fmt.Sprintf("(%s, %s, 'v')", arg(s.between(1, t.rows+4)), arg(s.between(0, 5))))
	}
	return strings.Join(rows, ", ")
}

func (s *schema) upsert() *statement {
	t := pick(s.random, s.tables)
	text := fmt.Sprintf("INSERT INTO %s (id, a, s) VALUES %s ", t.name, s.values(t))
	if s.percent(20) {
		text = fmt.Sprintf("INSERT INTO %s (id, a, s) SELECT id, a, 'q' FROM %s WHERE id < %s ", t.name, pick(s.random, s.tables).name, arg(6))
	}
	if s.is(target.MariaDB) {
		return s.returning(&statement{Text: text + "ON DUPLICATE KEY UPDATE s = 'dup'"}, relation{t: t}, true)
	}
	where := ""
	if s.percent(30) {
		where = " WHERE " + t.name + ".a > 1"
	}
	do := pick(s.random, []string{"UPDATE SET s = 'dup'" + where, "UPDATE SET s = excluded.s" + where, "NOTHING"})
	return s.returning(&statement{Text: fmt.Sprintf("%sON CONFLICT (%s) DO %s", text, t.primaryKey, do)}, relation{t: t}, true)
}

func (s *schema) replace() *statement {
	t := pick(s.random, s.tables)
	verb := "REPLACE"
	if s.is(target.SQLite) {
		verb = pick(s.random, []string{"REPLACE", "INSERT OR REPLACE"})
	}
	if t.uniqueB && s.percent(50) { // one row in conflict with two
		return &statement{Text: fmt.Sprintf("%s INTO %s (id, a, s, b) VALUES (%s, 1, 'r', %s)", verb, t.name, arg(s.between(1, t.rows+2)), arg(10*s.between(1, t.rows+2)))}
	}
	return s.returning(&statement{Text: fmt.Sprintf("%s INTO %s (id, a, s) VALUES %s", verb, t.name, s.values(t))}, relation{t: t}, true)
}

var opaque = []dbguard.RuleID{dbguard.RuleOpaque, dbguard.Uncountable}

func (s *schema) selectCall() *statement {
	for _, c := range s.calls {
		if c.function {
			return &statement{Text: fmt.Sprintf("SELECT %s(%d)", c.name, s.between(0, 6)), Rows: true, May: opaque}
		}
	}
	return nil
}

func (s *schema) call() *statement {
	for _, c := range s.calls {
		switch {
		case !c.function:
			return &statement{Text: fmt.Sprintf("CALL %s(%d)", c.name, s.between(0, 6)), Fixed: true, May: opaque}
		case s.is(target.MariaDB):
			return &statement{Text: fmt.Sprintf("DO %s(%d)", c.name, s.between(0, 6)), Fixed: true, May: opaque}
		}
	}
	return nil
}

// plain is a statement without arguments.
func (s *schema) plain() string {
	r := s.relation()
	text := "DELETE FROM " + r.name + " WHERE " + s.where(r)
	if s.percent(50) {
		text = "UPDATE " + r.name + " SET " + s.set(r) + " WHERE " + s.where(r)
	}
	return literal(text)
}

func (s *schema) block() *statement {
	text := s.plain()
	if s.percent(30) {
		text = "EXECUTE $q$" + text + "$q$"
	}
	return &statement{Text: "DO $$ BEGIN " + text + "; END $$", Fixed: true, May: opaque}
}

// preparedByText prepares and executes by statements of the caller's own.
func (s *schema) preparedByText() *statement {
	st := &statement{Text: "EXECUTE q", Fixed: true, May: opaque, After: []string{"DEALLOCATE PREPARE q"}}
	if text := s.plain(); s.is(target.MariaDB) {
		st.Before = []string{"PREPARE q FROM '" + strings.ReplaceAll(text, "'", "''") + "'"}
	} else {
		st.Before = []string{"PREPARE q AS " + text}
	}
	return st
}

func (s *schema) explain() *statement {
	text := s.plain()
	switch {
	case s.is(target.MySQL): // which only plans a DELETE or UPDATE
		return &statement{Text: "EXPLAIN FORMAT=TREE " + text, Fixed: true}
	case s.is(target.MariaDB):
		return &statement{Text: "ANALYZE " + text, Fixed: true}
	}
	return &statement{Text: pick(s.random, []string{"EXPLAIN ANALYZE ", "EXPLAIN (ANALYZE, COSTS OFF) ", "EXPLAIN (COSTS OFF) "}) + text, Fixed: true}
}
