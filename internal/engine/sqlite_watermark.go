package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// watermark is a value noted of a table before a statement, so that its new rows can
// be told from its changed ones afterwards.
//
// For a table that rows are only added to it is the highest rowid: rows above it are
// new. SQLite counts those as changes, but they are none. New rows below it are
// missed, so that the count may be too high and never too low.
//
// For a table whose conflicting rows may be removed, which SQLite does not count, it
// is the number of rows.
type watermark struct {
	table   string // in lower case
	schemas string // that have the table, separated by NUL
	rowid   string // the name of its rowid; "" if the rows are counted
	mayLose bool   // rows may be removed without being counted
}

// addWatermarks chooses the watermarks of all tables in which rows are added or
// replaced.
func (c *sqliteCounter) addWatermarks(ctx context.Context, p *sqlitePlan) error {
	all := map[string]effects{}
	for name, e := range p.reach.tables {
		all[name] = *e
	}
	if named := all[p.table]; p.direct != 0 && (p.direct != rowsAdded || named.kinds&rowsAdded != 0) {
		named.kinds |= p.direct
		switch p.direct {
		case rowsAdded:
		case rowsAdded | rowsChanged:
			named.sets = slices.Concat(named.sets, c.sets)
		default:
			named.sets = append(slices.Clone(named.sets), "*")
		}
		all[p.table] = named
	}
	for name, e := range all {
		homes := p.schema.schemasOf[name]
		if e.kinds&(rowsAdded|rowsReplaced) == 0 || len(homes) == 0 {
			continue
		}
		x, err := c.q.table(ctx, p.schema, name)
		if err != nil {
			return err
		}
		m := watermark{table: name, schemas: strings.Join(homes, "\x00"), mayLose: e.kinds&rowsReplaced != 0}
		if x.plain && x.rowid != "" && !m.mayLose && (e.kinds&rowsChanged == 0 || !e.changesRowid(x)) {
			m.rowid = x.rowid
		}
		p.watermarks = append(p.watermarks, m)
	}
	slices.SortFunc(p.watermarks, func(a, b watermark) int { return strings.Compare(a.table, b.table) })
	return nil
}

// watermarkUpsert has the new rows of an upsert told from its changed ones, if that
// is cheap or decides the verdict. There cannot be too many changed ones.
func (c *sqliteCounter) watermarkUpsert(ctx context.Context, p *sqlitePlan) error {
	if err := c.addWatermarks(ctx, p); err != nil {
		return err
	}
	p.watermarks = slices.DeleteFunc(p.watermarks, func(m watermark) bool { return m.table != p.table || m.rowid == "" && c.f.op.AtLeast() == 0 })
	return nil
}

// beforeExpr is the value to note beforehand.
func (m watermark) beforeExpr(int) string {
	if m.rowid != "" {
		return fmt.Sprintf("(SELECT coalesce(max(%s), %d) FROM %s)", m.rowid, int64(-1<<63), m.qualified(m.schemas))
	}
	return m.sizeExpr()
}

// afterExpr is the value to compare with it afterwards.
func (m watermark) afterExpr(begin int64) string {
	if m.rowid != "" {
		return fmt.Sprintf("(SELECT count(*) FROM %s WHERE %s > %d)", m.qualified(m.schemas), m.rowid, begin)
	}
	return m.sizeExpr()
}

func (m watermark) sizeExpr() string {
	var parts []string
	for home := range strings.SplitSeq(m.schemas, "\x00") {
		parts = append(parts, "(SELECT count(*) FROM "+m.qualified(home)+")")
	}
	return strings.Join(parts, " + ")
}

func (m watermark) qualified(home string) string { return quoteName(home) + "." + quoteName(m.table) }

// newRows is the number of changes that were new rows, less those that were replaced.
func (m watermark) newRows(begin, end int64) int64 {
	switch {
	case m.rowid != "":
		return end
	case m.mayLose:
		return end - begin
	}
	return max(end-begin, 0)
}

// joinColumns appends a column for each watermark to a list.
func joinColumns(marks []watermark, column func(m watermark, i int) string) string {
	var b strings.Builder
	for i, m := range marks {
		b.WriteString(", ")
		b.WriteString(column(m, i))
	}
	return b.String()
}
