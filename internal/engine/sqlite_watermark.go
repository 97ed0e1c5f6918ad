package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// watermark is what is noted of a table before a statement, so that its new rows can
// be told from its changed ones afterwards.
//
// Of a table that only rows come into it is the highest number of a row: what is
// above it is new. SQLite counts those as changes, and they are none. New rows
// below it are missed, which counts too much and never too little.
//
// Of a table whose rows in conflict may be removed, which SQLite does not count,
// it is the number of rows.
type watermark struct {
	table   string // in lower case
	schemas string // the schemas that have it, a NUL between them
	rowid   string // the name of a row's number; "": the rows are counted
	mayLose bool   // rows may go without being counted
}

// addWatermarks chooses the marks of all tables that rows are added to or replaced in.
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

// watermarkUpsert has the new rows of an upsert told from its changed ones, of which there
// cannot be too many: where that takes no more than a look, or matters.
func (c *sqliteCounter) watermarkUpsert(ctx context.Context, p *sqlitePlan) error {
	if err := c.addWatermarks(ctx, p); err != nil {
		return err
	}
	p.watermarks = slices.DeleteFunc(p.watermarks, func(m watermark) bool { return m.table != p.table || m.rowid == "" && c.f.op.AtLeast() == 0 })
	return nil
}

// beforeExpr is the number to note.
func (m watermark) beforeExpr(int) string {
	if m.rowid != "" {
		return fmt.Sprintf("(SELECT coalesce(max(%s), %d) FROM %s)", m.rowid, int64(-1<<63), m.qualified(m.schemas))
	}
	return m.sizeExpr()
}

// afterExpr is the number to set against it.
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

// newRows is the number of changes that were new rows, less those that were
// replaced.
func (m watermark) newRows(begin, end int64) int64 {
	switch {
	case m.rowid != "":
		return end
	case m.mayLose:
		return end - begin
	}
	return max(end-begin, 0)
}

// joinColumns puts a column for each mark behind a list.
func joinColumns(marks []watermark, column func(m watermark, i int) string) string {
	var b strings.Builder
	for i, m := range marks {
		b.WriteString(", ")
		b.WriteString(column(m, i))
	}
	return b.String()
}
