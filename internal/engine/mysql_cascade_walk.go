package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// cascadeWalk counts the rows that foreign keys will delete or update, before the
// statement runs. It locks the statement's own rows, then their children by key, and
// so on. No child row can be inserted for a locked parent, so the count holds when
// the statement runs. The walk ends one row past the bound.
type cascadeWalk struct {
	c         *mysqlCounter
	keys      []foreignKey
	limit     int64 // -1: none
	tables    map[mysqlTable][]walkColumn
	seen      map[mysqlTable]map[string]bool
	roots     []walkRow
	rootTable mysqlTable
	revisited int // rows of roots that the walk met again
	total     int64
	cascaded  []dbguard.TableRows
}

// walkColumn is a column that identifies a row or is referenced.
type walkColumn struct {
	name, expr string // expr selects its value as text, from which toLiteral makes a literal
	toLiteral  func(text string) string
	primary    bool
	storedAs   string // representation: InnoDB compares it, the server compares values
}

// walkRow maps columns to literals; a column that is NULL is missing.
type walkRow map[string]string

// columns finds out how to read the columns and to write them as literals. A note
// says which cannot be.
func (w *cascadeWalk) columns(ctx context.Context) (note string, err error) {
	need := map[mysqlTable][]string{w.rootTable: nil}
	for _, k := range w.keys {
		need[k.parent] = append(need[k.parent], k.parentCols...)
		need[k.child] = append(need[k.child], k.childCols...)
	}
	w.tables = map[mysqlTable][]walkColumn{}
	var conds []string
	for t := range need {
		conds = append(conds, "("+t.condition("")+")")
	}
	text := "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLLATION_NAME, COLUMN_KEY, COLUMN_TYPE FROM information_schema.COLUMNS WHERE " +
		strings.Join(conds, " OR ") + noLimit
	err = w.c.m.conn.Query(ctx, text, func(v []any) error {
		t := mysqlTable{strings.Clone(AsText(v[0])), strings.Clone(AsText(v[1]))}
		col := walkColumn{name: strings.Clone(AsText(v[2])), primary: AsText(v[5]) == "PRI"}
		used := slices.ContainsFunc(need[t], func(n string) bool { return strings.EqualFold(n, col.name) })
		if !used && !col.primary {
			return nil
		}
		col.storedAs = strings.Clone(AsText(v[6]))
		if !col.chooseLiteral(AsText(v[3]), AsText(v[4])) && note == "" {
			note = "a key of " + t.name + " is " + AsText(v[3]) + ", so that what it takes along"
		}
		w.tables[t] = append(w.tables[t], col)
		return nil
	})
	if slices.ContainsFunc(w.keys, w.typesDiffer) && note == "" {
		note = "a foreign key is between columns of two types, so that what it takes along"
	}
	return note, err
}

// typesDiffer reports a key between columns that give the same stored bytes different
// values: enums with other labels, a year and a number.
func (w *cascadeWalk) typesDiffer(k foreignKey) bool {
	stored := func(t mysqlTable, name string) string {
		for _, col := range w.tables[t] {
			if strings.EqualFold(col.name, name) {
				return col.storedAs
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

// chooseLiteral chooses how a value of the type becomes an equal literal.
func (col *walkColumn) chooseLiteral(class, collation string) bool {
	charset, _, _ := strings.Cut(collation, "_")
	quoted := quoteBackticks(col.name)
	switch class {
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		col.storedAs = "number"
		fallthrough
	case "decimal":
		col.expr, col.toLiteral = "CAST("+quoted+" AS CHAR)", func(s string) string { return s }
	case "timestamp": // no literal for another time of the same text: the hour that DST repeats
		text := "CAST(" + quoted + " AS CHAR)"
		col.expr = "IF(UNIX_TIMESTAMP(" + text + ") <=> UNIX_TIMESTAMP(" + quoted + "), " + text + ", '-')" // not '', which EMPTY_STRING_IS_NULL reads as NULL
		col.toLiteral = func(s string) string {
			if s == "-" {
				return ""
			}
			return "'" + s + "'"
		}
	case "date", "datetime", "time", "year", "uuid", "inet4", "inet6":
		col.expr, col.toLiteral = "CAST("+quoted+" AS CHAR)", func(s string) string { return "'" + s + "'" }
	case "binary", "varbinary":
		col.storedAs = "bytes"
		col.expr, col.toLiteral = "HEX("+quoted+")", func(s string) string { return "x'" + s + "'" }
	case "enum", "set": // by number: two labels may be equal
		col.expr, col.toLiteral = "CAST(CAST("+quoted+" AS SIGNED) AS CHAR)", func(s string) string { return s }
	case "char", "varchar":
		if class == "varchar" || !strings.Contains(collation, "nopad") { // with NO PAD, CHAR's trailing spaces matter and are not returned
			col.storedAs = "text"
		}
		col.expr, col.toLiteral = "HEX("+quoted+")", func(s string) string { return "_" + charset + " x'" + s + "'" }
	default:
		return false
	}
	return true
}

var errNoLiteral = errors.New("dbguard: a key has no literal")

func (w *cascadeWalk) selectFrom(t mysqlTable) string {
	if len(w.tables[t]) == 0 {
		return "SELECT 1 FROM " // no column identifies a row or is referenced
	}
	exprs := make([]string, 0, len(w.tables[t]))
	for _, col := range w.tables[t] {
		exprs = append(exprs, col.expr)
	}
	return "SELECT " + strings.Join(exprs, ", ") + " FROM "
}

// limitClause finds one row too many, however many rows of the table are known
// already.
func (w *cascadeWalk) limitClause(t mysqlTable) string {
	if w.limit < 0 {
		return noLimit
	}
	return fmt.Sprintf(" LIMIT %d", w.limit-w.total+1+int64(len(w.seen[t])))
}

// fetch reads and locks rows of the table, and returns those not seen before.
func (w *cascadeWalk) fetch(ctx context.Context, t mysqlTable, text string) (rows []walkRow, err error) {
	if w.seen[t] == nil {
		w.seen[t] = map[string]bool{}
	}
	err = w.c.m.conn.Query(ctx, text+" FOR UPDATE", func(v []any) error {
		row, id := walkRow{}, ""
		for i, col := range w.tables[t] {
			if v[i] == nil {
				continue
			}
			literal := col.toLiteral(strings.Clone(AsText(v[i])))
			if literal == "" {
				return errNoLiteral
			}
			row[strings.ToLower(col.name)] = literal
			if col.primary {
				id += literal + ","
			}
		}
		if id != "" && w.seen[t][id] {
			if t == w.rootTable {
				w.revisited++
			}
			return nil
		}
		w.seen[t][id] = id != ""
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

// overBound reports that more rows have been found than the bound allows.
func (w *cascadeWalk) overBound() bool { return w.limit >= 0 && w.total > w.limit }

// chunkSize is the number of key values per query.
const chunkSize = 500

// follow counts what happens to the children of the rows, and follows them in turn.
func (w *cascadeWalk) follow(ctx context.Context, t mysqlTable, ev events, rows []walkRow, assigns func([]string) bool) error {
	for _, k := range cascadingKeys(w.keys, t, ev, assigns) {
		what, next := "ON DELETE "+k.onDelete, deletes
		switch {
		case ev == updates:
			what, next = "ON UPDATE "+k.onUpdate, updates
		case k.onDelete == "SET NULL":
			next = updates
		}
		changed := func(cols []string) bool { // the child's columns of the key
			return slices.ContainsFunc(cols, func(c string) bool { return containsName(k.childCols, c) })
		}
		for part := range slices.Chunk(rows, chunkSize) {
			cond, _ := k.childCondition(part, equal)
			if cond == "" {
				continue
			}
			found, err := w.fetch(ctx, k.child, w.selectFrom(k.child)+k.child.quoted()+" WHERE "+cond+w.limitClause(k.child))
			if err != nil {
				return err
			}
			w.addRows(k.child, what, int64(len(found)))
			if w.overBound() {
				return w.estimate(ctx, k.child, what, cond)
			}
			if len(found) == 0 {
				continue
			}
			if err := w.follow(ctx, k.child, next, found, changed); err != nil {
				return err
			}
		}
		if w.overBound() {
			return nil
		}
	}
	return nil
}

func containsName(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// childCondition matches the rows that reference one of the parents. with is the
// number of parents that have a key.
func (k *foreignKey) childCondition(parents []walkRow, compare func(col, value string) string) (cond string, with int) {
	var alternatives []string
	for _, p := range parents {
		parts := make([]string, 0, len(k.childCols))
		for i, col := range k.childCols {
			if value, ok := p[strings.ToLower(k.parentCols[i])]; ok {
				parts = append(parts, compare(col, value))
			}
		}
		if len(parts) == len(k.childCols) { // NULL references nothing
			alternatives = append(alternatives, "("+strings.Join(parts, " AND ")+")")
		}
	}
	return strings.Join(alternatives, " OR "), len(alternatives)
}

func equal(col, value string) string { return quoteBackticks(col) + " = " + value }

// identical compares texts by their bytes, not their collation: InnoDB cascades an
// update between equal texts with different bytes.
func identical(col, value string) string {
	if !strings.HasPrefix(value, "_") {
		return equal(col, value)
	}
	return equal(col, value) + " AND " + quoteBackticks(col) + " = BINARY " + value
}

func (w *cascadeWalk) addRows(t mysqlTable, via string, n int64) {
	if n == 0 {
		return
	}
	w.total += n
	name := t.display(w.c.f.s.namespace)
	for i := range w.cascaded {
		if w.cascaded[i].Table == name && w.cascaded[i].Via == via {
			w.cascaded[i].Rows += n
			return
		}
	}
	w.cascaded = append(w.cascaded, dbguard.TableRows{Table: name, Rows: n, Via: via})
}

// maxReported limits the count of one table's rows for the message, once the bound is
// exceeded.
const maxReported = 10_000

// estimate counts how many there really are, without locking them.
func (w *cascadeWalk) estimate(ctx context.Context, t mysqlTable, via, cond string) error {
	n, err := askInts(ctx, w.c.m.conn, fmt.Sprintf("SELECT COUNT(*) FROM (SELECT 1 FROM %s WHERE %s LIMIT %d) AS dbguard", t.quoted(), cond, maxReported))
	if err != nil {
		return err
	}
	last := &w.cascaded[len(w.cascaded)-1]
	if last.Via == via && n[0] > last.Rows {
		w.total += n[0] - last.Rows
		last.Rows = n[0]
	}
	return nil
}

// countMatching counts the statement's rows that exist with these values in the
// columns (n), out of those that have any (of).
func (w *cascadeWalk) countMatching(ctx context.Context, columns []string, compare func(col, value string) string) (n, of int64, err error) {
	self := foreignKey{childCols: columns, parentCols: columns}
	for part := range slices.Chunk(w.roots, chunkSize) {
		cond, with := self.childCondition(part, compare)
		if with == 0 {
			continue
		}
		of += int64(with)
		got, err := askInts(ctx, w.c.m.conn, "SELECT COUNT(*) FROM "+w.rootTable.quoted()+" WHERE "+cond)
		if err != nil {
			return 0, 0, err
		}
		n += got[0]
	}
	return n, of, nil
}
