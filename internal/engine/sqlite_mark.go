package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// mark is what is noted of a table before a statement, so that its new rows can
// be told from its changed ones afterwards.
//
// Of a table that only rows come into it is the highest number of a row: what is
// above it is new. SQLite counts those as changes, and they are none. New rows
// below it are missed, which counts too much and never too little.
//
// Of a table whose rows in conflict may be removed, which SQLite does not count,
// it is the number of rows.
type mark struct {
	table string // in lower case
	homes string // the schemas that have it, a NUL between them
	above string // the name of a row's number; "": the rows are counted
	lost  bool   // rows may go without being counted
}

// mark chooses the marks of all tables that rows are added to or replaced in.
func (c *sqliteCounter) mark(ctx context.Context, p *litePlan) error {
	all := map[string]effects{}
	for name, e := range p.reach.at {
		all[name] = *e
	}
	if named := all[p.table]; p.own != 0 && (p.own != rowsAdded || named.kinds&rowsAdded != 0) {
		named.kinds |= p.own
		switch p.own {
		case rowsAdded:
		case rowsAdded | rowsChanged:
			named.sets = slices.Concat(named.sets, c.sets)
		default:
			named.sets = append(slices.Clone(named.sets), "*")
		}
		all[p.table] = named
	}
	for name, e := range all {
		homes := p.schema.homes[name]
		if e.kinds&(rowsAdded|rowsReplaced) == 0 || len(homes) == 0 {
			continue
		}
		x, err := c.q.table(ctx, p.schema, name)
		if err != nil {
			return err
		}
		m := mark{table: name, homes: strings.Join(homes, "\x00"), lost: e.kinds&rowsReplaced != 0}
		if x.plain && x.rowid != "" && !m.lost && (e.kinds&rowsChanged == 0 || !e.renumbers(x)) {
			m.above = x.rowid
		}
		p.marks = append(p.marks, m)
	}
	slices.SortFunc(p.marks, func(a, b mark) int { return strings.Compare(a.table, b.table) })
	return nil
}

// markUpsert has the new rows of an upsert told from its changed ones, of which there
// cannot be too many: where that takes no more than a look, or matters.
func (c *sqliteCounter) markUpsert(ctx context.Context, p *litePlan) error {
	if err := c.mark(ctx, p); err != nil {
		return err
	}
	p.marks = slices.DeleteFunc(p.marks, func(m mark) bool { return m.table != p.table || m.above == "" && c.f.op.AtLeast() == 0 })
	return nil
}

// begin is the number to note.
func (m mark) begin(int) string {
	if m.above != "" {
		return fmt.Sprintf("(SELECT coalesce(max(%s), %d) FROM %s)", m.above, int64(-1<<63), m.in(m.homes))
	}
	return m.size()
}

// end is the number to set against it.
func (m mark) end(begin int64) string {
	if m.above != "" {
		return fmt.Sprintf("(SELECT count(*) FROM %s WHERE %s > %d)", m.in(m.homes), m.above, begin)
	}
	return m.size()
}

func (m mark) size() string {
	var parts []string
	for home := range strings.SplitSeq(m.homes, "\x00") {
		parts = append(parts, "(SELECT count(*) FROM "+m.in(home)+")")
	}
	return strings.Join(parts, " + ")
}

func (m mark) in(home string) string { return quoteName(home) + "." + quoteName(m.table) }

// credit is the number of changes that were new rows, less those that were
// replaced.
func (m mark) credit(begin, end int64) int64 {
	switch {
	case m.above != "":
		return end
	case m.lost:
		return end - begin
	}
	return max(end-begin, 0)
}

// join puts a column for each mark behind a list.
func join(marks []mark, column func(m mark, i int) string) string {
	var b strings.Builder
	for i, m := range marks {
		b.WriteString(", ")
		b.WriteString(column(m, i))
	}
	return b.String()
}
