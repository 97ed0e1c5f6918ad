package property

import (
	"fmt"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// A statement is what a case is about.
type statement struct {
	// Text holds numbers that may be sent as arguments as @7@.
	Text string
	// Class names its kind in tables.
	Class string
	// Rows says that it returns rows.
	Rows bool
	// Fixed says that it takes no arguments.
	Fixed bool
	// May are the rules that may refuse it whatever its rows: its text breaks them, or its
	// engine requires them.
	May []dbguard.RuleID
	// All is the table of which it means every row.
	All string
	// Before and After are sent before and after it, bare and guarded.
	Before, After []string
}

// A kind draws statements of one kind, or nil if the schema has nothing for it.
type kind struct {
	name   string
	weight int
	on     string // the engines
	draw   func(s *schema) *statement
}

const (
	pg     = string(target.Postgres)
	maria  = string(target.MariaDB)
	my     = maria + string(target.MySQL)
	lite   = string(target.SQLite)
	all    = pg + my + lite
	server = pg + my
)

var kinds = []kind{
	{"delete", 20, all, (*schema).remove},
	{"update", 20, all, (*schema).change},
	{"delete joined", 6, server, (*schema).removeJoined},
	{"update joined", 6, all, (*schema).changeJoined},
	{"everything", 6, all, (*schema).everything},
	{"in a CTE", 8, pg + lite, (*schema).inCTE},
	{"merge", 6, pg, (*schema).merge},
	{"upsert", 8, all, (*schema).upsert},
	{"replace", 6, my + lite, (*schema).replace},
	{"insert", 20, all, (*schema).insert},
	{"insert inside", 6, all, (*schema).insertInside},
	{"limited", 5, my, (*schema).limited},
	{"function in SELECT", 4, server, (*schema).selectCall},
	{"call", 4, server, (*schema).call},
	{"block", 4, pg, (*schema).block},
	{"prepared by text", 4, server, (*schema).preparedByText},
	{"explain analyze", 4, server, (*schema).explain},
	{"temporary table", 3, all, (*schema).temporary},
}

// statement draws one.
func (s *schema) statement() *statement {
	total := 0
	for _, c := range kinds {
		total += c.weight
	}
	for {
		n := s.IntN(total)
		for _, c := range kinds {
			if n -= c.weight; n >= 0 {
				continue
			}
			if strings.Contains(c.on, string(s.engine)) {
				if st := c.draw(s); st != nil {
					st.Class = c.name
					return st
				}
			}
			break
		}
	}
}

// relation draws what a statement refers to: mostly a table, also a partition, a child by
// inheritance or a view.
func (s *schema) relation() relation {
	if len(s.views) > 0 && s.percent(20) {
		return pick(s.random, s.views)
	}
	t := pick(s.random, s.tables)
	if len(t.children) > 0 && s.percent(25) {
		return relation{pick(s.random, t.children), false, t}
	}
	return relation{t.name, false, t}
}

// where draws a condition that some rows meet.
func (s *schema) where(r relation) string {
	rows := max(r.t.rows, 1)
	some := []string{
		"id = " + arg(s.between(1, rows)),
		"id = " + arg(s.between(1, rows)),
		"id > " + arg(s.between(0, rows)),
		fmt.Sprintf("id IN (%s, %s)", arg(s.between(1, rows)), arg(s.between(1, rows+1))),
		fmt.Sprintf("id BETWEEN %s AND %s", arg(s.between(1, rows)), arg(s.between(1, rows))),
		"a < " + arg(s.between(0, 6)),
		"s = 'x1' OR a = " + arg(s.between(0, 5)),
		"s LIKE 'x%' AND id <= " + arg(s.between(0, rows)),
		fmt.Sprintf("EXISTS (SELECT 1 FROM log WHERE n = %s.a)", r.name),
	}
	if s.is(target.SQLite) {
		some = append(some, "a = "+arg(s.between(0, 5))) // which may have an index
	}
	if !r.view {
		for _, ref := range r.t.refs {
			column, parent, _ := strings.Cut(ref, " ")
			some = append(some, column+" IS NULL", column+" = "+arg(1))
			if parent != r.t.name {
				some = append(some, fmt.Sprintf("%s IN (SELECT id FROM %s WHERE a > %s)", column, parent, arg(s.between(0, 3))))
			}
		}
	}
	return pick(s.random, some)
}

// set draws what an UPDATE sets.
func (s *schema) set(r relation) string {
	some := []string{"a = a + 1", "a = a + " + arg(1), "a = 2", "s = 'y'", "a = a", "a = 4, s = 'z'"}
	if !r.view && len(r.t.children) == 0 {
		some = append(some, "id = id + 1000", "id = id + 1000", "id = id + 1")
		for _, ref := range r.t.refs {
			column, _, _ := strings.Cut(ref, " ")
			some = append(some, column+" = NULL", column+" = 1", column+" = 9999")
		}
		if r.t.uniqueB {
			some = append(some, "b = NULL", "b = 20")
		}
	}
	return pick(s.random, some)
}

// returning adds RETURNING where the engine has it, as MySQL has not; mariaDB says whether MariaDB
// does.
func (s *schema) returning(st *statement, r relation, mariaDB bool) *statement {
	if st == nil || s.is(target.MariaDB) && (!mariaDB || r.view) || s.is(target.MySQL) || !s.percent(20) {
		return st
	}
	st.Text += " RETURNING id"
	st.Rows = true
	return st
}

func (s *schema) remove() *statement {
	r := s.relation()
	only := ""
	if s.is(target.Postgres) && len(r.t.children) > 0 && r.name == r.t.name && !r.t.unreferenced && s.percent(30) {
		only = "ONLY "
	}
	return s.returning(&statement{Text: "DELETE FROM " + only + r.name + " WHERE " + s.where(r)}, r, true)
}

func (s *schema) change() *statement {
	r := s.relation()
	or := ""
	if s.is(target.SQLite) && !r.view && s.percent(20) {
		or = s.word("OR_REPLACE OR_IGNORE")
		or = strings.ReplaceAll(or, "_", " ") + " "
	}
	return s.returning(&statement{Text: "UPDATE " + or + r.name + " SET " + s.set(r) + " WHERE " + s.where(r)}, r, false)
}

// two draws two tables for a join.
func (s *schema) two() (t, u *table) { return pick(s.random, s.tables), pick(s.random, s.tables) }

func (s *schema) removeJoined() *statement {
	t, u := s.two()
	n := arg(s.between(0, 6))
	if s.is(target.Postgres) {
		return &statement{Text: fmt.Sprintf("DELETE FROM %s x USING %s y WHERE x.id = y.id AND y.a < %s", t.name, u.name, n)}
	}
	return &statement{Text: pick(s.random, []string{
		fmt.Sprintf("DELETE x FROM %s x JOIN %s y ON x.id = y.id WHERE y.a < %s", t.name, u.name, n),
		fmt.Sprintf("DELETE x, y FROM %s x JOIN %s y ON x.id = y.id WHERE x.a < %s", t.name, u.name, n),
		fmt.Sprintf("DELETE FROM x USING %s x LEFT JOIN %s y ON x.id = y.a WHERE x.id > %s", t.name, u.name, n),
	})}
}

func (s *schema) changeJoined() *statement {
	t, u := s.two()
	n := arg(s.between(0, 6))
	if !s.is(target.MariaDB) {
		return &statement{Text: fmt.Sprintf("UPDATE %s SET a = 3 FROM %s y WHERE %s.id = y.id AND y.a < %s", t.name, u.name, t.name, n)}
	}
	return &statement{Text: pick(s.random, []string{
		fmt.Sprintf("UPDATE %s x JOIN %s y ON x.id = y.id SET x.a = 3 WHERE y.a < %s", t.name, u.name, n),
		fmt.Sprintf("UPDATE %s x, %s y SET x.a = 2, y.s = 'j' WHERE x.id = y.id AND x.id < %s", t.name, u.name, n),
	})}
}

// everything addresses every row.
func (s *schema) everything() *statement {
	r := s.relation()
	st := &statement{All: r.name, May: []dbguard.RuleID{dbguard.Unfiltered, dbguard.AlwaysTrue}}
	st.Text = "DELETE FROM " + r.name
	if s.percent(40) {
		st.Text = "UPDATE " + r.name + " SET " + s.set(r)
	}
	if s.percent(40) {
		st.Text += " WHERE " + pick(s.random, []string{"1 = 1", "id = id OR 2 > 1", "id IS NOT NULL", "NOT 1 = 0"})
	}
	return st
}

// limited has a LIMIT: the engine stops the statement itself.
func (s *schema) limited() *statement {
	t := pick(s.random, s.tables)
	st := &statement{Text: "DELETE FROM " + t.name}
	if s.percent(50) {
		st.Text = "UPDATE " + t.name + " SET a = a + 1"
	}
	if s.percent(60) {
		st.Text += " WHERE " + s.where(relation{t.name, false, t})
	}
	st.Text += fmt.Sprintf(" ORDER BY id LIMIT %d", s.between(0, 6))
	return st
}

// temporary deletes rows that only the session sees: that is no loss, though an engine may
// count them.
func (s *schema) temporary() *statement {
	return &statement{
		Text: "DELETE FROM own WHERE id > " + arg(s.between(0, 5)),
		May:  []dbguard.RuleID{dbguard.OverLimit, dbguard.OverBudget},
		Before: []string{
			"CREATE TEMPORARY TABLE own (id INT)",
			"INSERT INTO own VALUES (1), (2), (3), (4), (5)",
		},
		After: []string{map[bool]string{true: "DROP TEMPORARY TABLE own", false: "DROP TABLE own"}[s.is(target.MariaDB)]},
	}
}
