package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// keyWalk counts the rows that foreign keys will take along with those of a
// DELETE or UPDATE, before it runs: it locks the statement's own rows, then
// their children by key, and so on. No child can be added to a locked parent, so
// what was counted is what will happen; the walk ends one row past the bound.
type keyWalk struct {
	c      *mysqlCounter
	keys   []foreignKey
	limit  int64 // -1: none
	tables map[mysqlTable][]walkColumn
	seen   map[mysqlTable]map[string]bool
	roots  []walkRow
	own    mysqlTable
	again  int // roots that the walk came across once more
	total  int64
	hidden []dbguard.TableRows
}

// walkColumn is a column that identifies a row or is referenced.
type walkColumn struct {
	name, expr string // expr selects its value as the text of a literal
	wrap       func(text string) string
	primary    bool
	stored     string // as what: InnoDB compares that, and the server what it means
}

// walkRow is a row: literals by column; a column that is NULL is missing.
type walkRow map[string]string

// columns learns how the columns are read and written as literals. A note
// says which cannot be.
func (w *keyWalk) columns(ctx context.Context) (note string, err error) {
	need := map[mysqlTable][]string{w.own: nil}
	for _, k := range w.keys {
		need[k.parent] = append(need[k.parent], k.parentCols...)
		need[k.child] = append(need[k.child], k.childCols...)
	}
	w.tables = map[mysqlTable][]walkColumn{}
	var conds []string
	for t := range need {
		conds = append(conds, "("+t.rows("")+")")
	}
	text := "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLLATION_NAME, COLUMN_KEY, COLUMN_TYPE FROM information_schema.COLUMNS WHERE " +
		strings.Join(conds, " OR ") + everything
	err = w.c.m.conn.Query(ctx, text, func(v []any) error {
		t := mysqlTable{strings.Clone(asText(v[0])), strings.Clone(asText(v[1]))}
		col := walkColumn{name: strings.Clone(asText(v[2])), primary: asText(v[5]) == "PRI"}
		used := slices.ContainsFunc(need[t], func(n string) bool { return strings.EqualFold(n, col.name) })
		if !used && !col.primary {
			return nil
		}
		col.stored = strings.Clone(asText(v[6]))
		if !col.read(asText(v[3]), asText(v[4])) && note == "" {
			note = "a key of " + t.name + " is " + asText(v[3]) + ", so that what it takes along"
		}
		w.tables[t] = append(w.tables[t], col)
		return nil
	})
	if slices.ContainsFunc(w.keys, w.differs) && note == "" {
		note = "a foreign key is between columns of two types, so that what it takes along"
	}
	return note, err
}

// differs reports a key between columns that have different values for what is
// stored alike: enums of other names, a year and a number.
func (w *keyWalk) differs(k foreignKey) bool {
	stored := func(t mysqlTable, name string) string {
		for _, col := range w.tables[t] {
			if strings.EqualFold(col.name, name) {
				return col.stored
			}
		}
		return ""
	}
	for i, name := range k.childCols {
		if stored(k.child, name) != stored(k.parent, k.parentCols[i]) {
			return true
		}
	}
	return false
}

// read chooses how a value of the type becomes a literal that is equal to it.
func (col *walkColumn) read(class, collation string) bool {
	charset, _, _ := strings.Cut(collation, "_")
	quoted := quoteBack(col.name)
	switch class {
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		col.stored = "number"
		fallthrough
	case "decimal":
		col.expr, col.wrap = "CAST("+quoted+" AS CHAR)", func(s string) string { return s }
	case "timestamp": // nothing, if the literal is another time: of an hour that comes twice
		text := "CAST(" + quoted + " AS CHAR)"
		col.expr = "IF(UNIX_TIMESTAMP(" + text + ") <=> UNIX_TIMESTAMP(" + quoted + "), " + text + ", '-')" // not '': that may be NULL
		col.wrap = func(s string) string {
			if s == "-" {
				return ""
			}
			return "'" + s + "'"
		}
	case "date", "datetime", "time", "year", "uuid", "inet4", "inet6":
		col.expr, col.wrap = "CAST("+quoted+" AS CHAR)", func(s string) string { return "'" + s + "'" }
	case "binary", "varbinary":
		col.stored = "bytes"
		col.expr, col.wrap = "HEX("+quoted+")", func(s string) string { return "x'" + s + "'" }
	case "enum", "set": // by number: two may have the same letters
		col.expr, col.wrap = "CAST(CAST("+quoted+" AS SIGNED) AS CHAR)", func(s string) string { return s }
	case "char", "varchar":
		if class == "varchar" || !strings.Contains(collation, "nopad") { // or the spaces that nobody reads matter
			col.stored = "text"
		}
		col.expr, col.wrap = "HEX("+quoted+")", func(s string) string { return "_" + charset + " x'" + s + "'" }
	default:
		return false
	}
	return true
}

var errNoLiteral = errors.New("dbguard: a key has no literal")

func (w *keyWalk) selectFrom(t mysqlTable) string {
	if len(w.tables[t]) == 0 {
		return "SELECT 1 FROM " // nothing tells one row from another, or leads on
	}
	exprs := make([]string, 0, len(w.tables[t]))
	for _, col := range w.tables[t] {
		exprs = append(exprs, col.expr)
	}
	return "SELECT " + strings.Join(exprs, ", ") + " FROM "
}

// limits is the LIMIT under which one row too many is found, whatever rows of
// the table are known already.
func (w *keyWalk) limits(t mysqlTable) string {
	if w.limit < 0 {
		return everything
	}
	return fmt.Sprintf(" LIMIT %d", w.limit-w.total+1+int64(len(w.seen[t])))
}

// fetch reads and locks rows of the table, and returns those that are new.
func (w *keyWalk) fetch(ctx context.Context, t mysqlTable, text string) (rows []walkRow, err error) {
	if w.seen[t] == nil {
		w.seen[t] = map[string]bool{}
	}
	err = w.c.m.conn.Query(ctx, text+" FOR UPDATE", func(v []any) error {
		row, id := walkRow{}, ""
		for i, col := range w.tables[t] {
			if v[i] == nil {
				continue
			}
			literal := col.wrap(strings.Clone(asText(v[i])))
			if literal == "" {
				return errNoLiteral
			}
			row[strings.ToLower(col.name)] = literal
			if col.primary {
				id += literal + ","
			}
		}
		if id != "" && w.seen[t][id] {
			if t == w.own {
				w.again++
			}
			return nil
		}
		w.seen[t][id] = id != ""
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

// over reports that more rows than the bound allows have been found.
func (w *keyWalk) over() bool { return w.limit >= 0 && w.total > w.limit }

// chunk is how many keys one question holds.
const chunk = 500

// follow counts what happens to the children of rows, and goes on with them.
func (w *keyWalk) follow(ctx context.Context, t mysqlTable, ev events, rows []walkRow, assigns func([]string) bool) error {
	for _, k := range keysFrom(w.keys, t, ev, assigns) {
		what, next := "ON DELETE "+k.onDelete, deletes
		switch {
		case ev == updates:
			what, next = "ON UPDATE "+k.onUpdate, updates
		case k.onDelete == "SET NULL":
			next = updates
		}
		changed := func(cols []string) bool { // of the child: the columns of its key
			return slices.ContainsFunc(cols, func(c string) bool { return containsName(k.childCols, c) })
		}
		for part := range slices.Chunk(rows, chunk) {
			cond, _ := k.children(part, equal)
			if cond == "" {
				continue
			}
			found, err := w.fetch(ctx, k.child, w.selectFrom(k.child)+k.child.quoted()+" WHERE "+cond+w.limits(k.child))
			if err != nil {
				return err
			}
			w.add(k.child, what, int64(len(found)))
			if w.over() {
				return w.estimate(ctx, k.child, what, cond)
			}
			if len(found) == 0 {
				continue
			}
			if err := w.follow(ctx, k.child, next, found, changed); err != nil {
				return err
			}
		}
		if w.over() {
			return nil
		}
	}
	return nil
}

func containsName(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// children is the condition for the rows that point to one of the parents, and how
// many of those have a key.
func (k *foreignKey) children(parents []walkRow, compare func(col, value string) string) (cond string, with int) {
	var alternatives []string
	for _, p := range parents {
		parts := make([]string, 0, len(k.childCols))
		for i, col := range k.childCols {
			if value, ok := p[strings.ToLower(k.parentCols[i])]; ok {
				parts = append(parts, compare(col, value))
			}
		}
		if len(parts) == len(k.childCols) { // NULL points to nothing
			alternatives = append(alternatives, "("+strings.Join(parts, " AND ")+")")
		}
	}
	return strings.Join(alternatives, " OR "), len(alternatives)
}

func equal(col, value string) string { return quoteBack(col) + " = " + value }

// same takes letters that are equal to others for what they are: InnoDB follows a
// foreign key when they change.
func same(col, value string) string {
	if !strings.HasPrefix(value, "_") {
		return equal(col, value)
	}
	return equal(col, value) + " AND " + quoteBack(col) + " = BINARY " + value
}

func (w *keyWalk) add(t mysqlTable, via string, n int64) {
	if n == 0 {
		return
	}
	w.total += n
	name := t.display(w.c.f.s.namespace)
	for i := range w.hidden {
		if w.hidden[i].Table == name && w.hidden[i].Via == via {
			w.hidden[i].Rows += n
			return
		}
	}
	w.hidden = append(w.hidden, dbguard.TableRows{Table: name, Rows: n, Via: via})
}

// told is how many rows of one table are counted, once they are too many, for
// the message alone.
const told = 10_000

// estimate tells how many there really are, without locking them.
func (w *keyWalk) estimate(ctx context.Context, t mysqlTable, via, cond string) error {
	n, err := askInts(ctx, w.c.m.conn, fmt.Sprintf("SELECT COUNT(*) FROM (SELECT 1 FROM %s WHERE %s LIMIT %d) AS dbguard", t.quoted(), cond, told))
	if err != nil {
		return err
	}
	last := &w.hidden[len(w.hidden)-1]
	if last.Via == via && n[0] > last.Rows {
		w.total += n[0] - last.Rows
		last.Rows = n[0]
	}
	return nil
}

// left counts those of the statement's rows that are there with such values in the
// columns, of how many that have any.
func (w *keyWalk) left(ctx context.Context, columns []string, compare func(col, value string) string) (n, of int64, err error) {
	self := foreignKey{childCols: columns, parentCols: columns}
	for part := range slices.Chunk(w.roots, chunk) {
		cond, with := self.children(part, compare)
		if with == 0 {
			continue
		}
		of += int64(with)
		got, err := askInts(ctx, w.c.m.conn, "SELECT COUNT(*) FROM "+w.own.quoted()+" WHERE "+cond)
		if err != nil {
			return 0, 0, err
		}
		n += got[0]
	}
	return n, of, nil
}
