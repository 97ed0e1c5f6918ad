package property

import (
	"fmt"
	"strings"

	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// A schema is what the statements of a case can refer to, and the script that makes it. The
// script is a list, so that a failing case can be shrunk.
type schema struct {
	random
	engine   target.Engine
	script   []string
	tables   []*table
	views    []relation
	calls    []routine // functions and procedures that write
	deferred bool      // triggers fire at COMMIT
}

// A table is one that the case makes, with rows 1 to rows.
type table struct {
	name         string
	rows         int
	refs         []string // columns that refer to another table's id
	primaryKey   string   // the primary key: what ON CONFLICT names
	children     []string // partitions or tables that inherit
	uniqueB      bool     // there is a unique column b
	unreferenced bool     // nothing may refer to it
	generated    string   // its generated column, or ""
}

// A relation is a table or view as a statement sees it.
type relation struct {
	name string
	view bool
	t    *table // the table behind it, whose columns id, a and s it has
}

// A routine is code in the server that changes rows.
type routine struct {
	name     string
	function bool
}

func (s *schema) add(format string, args ...any) {
	s.script = append(s.script, fmt.Sprintf(format, args...))
}

// is reports the engine. MySQL is MariaDB, except where a statement differs.
func (s *schema) is(e target.Engine) bool {
	return s.engine == e || e == target.MariaDB && s.engine == target.MySQL
}

// newSchema makes a schema. Foreign keys and triggers lead from tables to later ones or to
// themselves, so that their chains end.
func newSchema(d random, e target.Engine) *schema {
	s := &schema{random: d, engine: e}
	s.add("CREATE TABLE log (what VARCHAR(20), n INT)")
	for n := range 3 {
		s.add("INSERT INTO log VALUES ('old', %d)", n)
	}
	if s.is(target.SQLite) {
		s.add("CREATE TABLE tally (k INT PRIMARY KEY, n INT)")
		s.add("INSERT INTO tally VALUES (0, 1), (1, 1)")
	}
	for range d.between(2, 5) {
		s.table()
	}
	for range d.between(0, 3) {
		s.trigger()
	}
	for range d.between(0, 2) {
		s.view()
	}
	if s.is(target.Postgres) && d.percent(20) {
		s.rule()
	}
	if s.is(target.Postgres) && d.percent(15) {
		s.codeInTable(pick(d, s.tables))
	}
	if !s.is(target.SQLite) && d.percent(40) {
		s.routine()
	}
	return s
}

// table adds a table with its rows.
func (s *schema) table() {
	t := &table{name: fmt.Sprintf("t%d", len(s.tables)), rows: s.between(0, 8), primaryKey: "id", uniqueB: s.percent(50)}
	kind := s.IntN(100)
	partitioned := !s.is(target.SQLite) && kind < 15
	if partitioned {
		t.primaryKey, t.unreferenced, t.uniqueB = "id, a", true, false
	}
	columns := []string{"id INT NOT NULL", "a INT NOT NULL DEFAULT 0", "s VARCHAR(20)"}
	if s.is(target.SQLite) && !partitioned && s.percent(50) {
		columns[0] = "id INTEGER NOT NULL" // the rowid itself
	}
	if t.uniqueB {
		columns = append(columns, "b INT UNIQUE")
	}
	if s.percent(20) {
		t.generated = "g"
		stored := "STORED"
		if !s.is(target.Postgres) && s.percent(50) {
			stored = "VIRTUAL"
		}
		columns = append(columns, "g INT GENERATED ALWAYS AS (a + 1) "+stored)
	}
	var constraints []string
	if !partitioned || s.is(target.Postgres) {
		columns, constraints = s.references(t, columns)
	}
	key, suffix := "PRIMARY KEY ("+t.primaryKey+")", ""
	if s.is(target.SQLite) && s.percent(15) {
		key += " ON CONFLICT REPLACE"
	}
	if s.is(target.SQLite) && s.percent(20) {
		suffix = " WITHOUT ROWID"
	}
	columns = append(columns, key)
	text := fmt.Sprintf("CREATE TABLE %s (%s)", t.name, strings.Join(append(columns, constraints...), ", "))
	s.add("%s%s%s", text, s.partitions(t, partitioned), suffix)
	if s.is(target.SQLite) && s.percent(40) {
		s.add("CREATE INDEX %s_a ON %s (a)", t.name, t.name)
	}
	s.split(t, partitioned, kind)
	s.tables = append(s.tables, t)
	s.fill(t)
}

// partitions is the PARTITION BY of a partitioned table.
func (s *schema) partitions(t *table, partitioned bool) string {
	switch {
	case !partitioned:
		return ""
	case s.is(target.Postgres):
		return " PARTITION BY RANGE (a)"
	}
	t.children = nil
	return " PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (3), PARTITION p1 VALUES LESS THAN MAXVALUE)"
}

// split makes the partitions that are tables of their own, or a child by inheritance.
func (s *schema) split(t *table, partitioned bool, kind int) {
	if !s.is(target.Postgres) {
		return
	}
	switch {
	case partitioned:
		t.children = []string{t.name + "_p0", t.name + "_p1"}
		s.add("CREATE TABLE %s PARTITION OF %s FOR VALUES FROM (MINVALUE) TO (3)", t.children[0], t.name)
		s.add("CREATE TABLE %s PARTITION OF %s FOR VALUES FROM (3) TO (MAXVALUE)", t.children[1], t.name)
	case kind < 25:
		heir := t.name + "_heir"
		t.children = []string{heir}
		s.add("CREATE TABLE %s (more INT) INHERITS (%s)", heir, t.name)
		for id := range s.between(1, 4) {
			s.add("INSERT INTO %s (id, a, s) VALUES (%d, %d, 'heir')", heir, 100+id, id)
		}
	}
}

// references adds columns that refer to earlier tables or to this one.
func (s *schema) references(t *table, columns []string) (all, constraints []string) {
	for n := range s.between(0, 2) {
		parent := t
		if len(s.tables) > 0 && (t.unreferenced || s.percent(80)) {
			parent = pick(s.random, s.tables)
		}
		if parent.unreferenced {
			continue
		}
		column := fmt.Sprintf("r%d", n)
		t.refs = append(t.refs, column+" "+parent.name)
		columns = append(columns, column+" INT DEFAULT 1")
		constraints = append(constraints, fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (id)%s%s", column, parent.name,
			s.action("ON DELETE"), s.action("ON UPDATE")))
	}
	return columns, constraints
}

func (s *schema) action(on string) string {
	actions := []string{"CASCADE", "CASCADE", "SET NULL", "RESTRICT", "NO ACTION"}
	if !s.is(target.MariaDB) {
		actions = append(actions, "SET DEFAULT")
	}
	if s.percent(15) {
		return ""
	}
	return " " + on + " " + pick(s.random, actions)
}

// fill adds the rows, one statement each, so that shrinking can remove them one by one.
func (s *schema) fill(t *table) {
	for id := 1; id <= t.rows; id++ {
		columns, values := "id, a, s", fmt.Sprintf("%d, %d, 'x%d'", id, s.between(0, 5), s.between(0, 3))
		if t.uniqueB {
			columns, values = columns+", b", values+fmt.Sprintf(", %d", id*10)
		}
		for _, ref := range t.refs {
			column, parent, _ := strings.Cut(ref, " ")
			columns += ", " + column
			values += ", " + s.reference(t, parent, id)
		}
		s.add("INSERT INTO %s (%s) VALUES (%s)", t.name, columns, values)
	}
}

// reference is the value of a foreign key: an existing row, or NULL.
func (s *schema) reference(t *table, parent string, id int) string {
	rows := id - 1
	for _, p := range s.tables {
		if p.name == parent && p != t {
			rows = p.rows
		}
	}
	if rows == 0 || s.percent(15) {
		return "NULL"
	}
	if s.percent(40) {
		return "1" // many children of one parent
	}
	return fmt.Sprint(s.between(1, rows))
}
