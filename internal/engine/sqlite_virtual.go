package engine

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// A full-text or spatial index that triggers maintain is a virtual table, and
// total_changes() includes what it writes to its shadow tables. So the indirect rows
// are bounded in another way, if they are only new rows, rows removed from tables,
// which the tables' sizes tell, and rows of such indexes that triggers select one by
// one.

// indexModules are the modules whose tables write only to their own shadow tables.
var indexModules = []string{"fts3", "fts4", "fts5", "rtree", "rtree_i32", "geopoly"}

// indirectBound bounds the rows that a statement changes indirectly.
type indirectBound struct {
	known       bool
	sized       []watermark      // the tables from which rows are only removed
	perAdded    int64            // index rows removed or changed at most per row added to the statement's table
	perExisting int64            // the same per existing row of it; -1 if not known
	perRemoved  map[string]int64 // the same per row removed from a table
}

// moduleOf is the module in CREATE VIRTUAL TABLE … USING module, in lower case.
func moduleOf(text string) string {
	t := &sqlscan.Text{Source: text, Dialect: sqlscan.SQLite, Mode: sqlscan.SQLite.DefaultMode()}
	using := false
	for tok := range tokens(t, 0, int32(len(text))) {
		if using {
			return fold(nameAt(t, tok))
		}
		using = tok.Kind == sqlscan.Word && strings.EqualFold(text[tok.Pos:tok.End], "USING")
	}
	return ""
}

// boundIndirect bounds the indirect rows, if there is an index.
func (c *sqliteCounter) boundIndirect(ctx context.Context, p *sqlitePlan) error {
	sc := p.schema
	if !p.reach.hasVirtualTables(sc) || p.reach.onlyAdds() || !c.firesOnce(p) {
		return nil
	}
	b := indirectBound{known: true, perRemoved: map[string]int64{}}
	for name, e := range p.reach.tables {
		homes := sc.schemasOf[name]
		switch {
		case sc.modules[name] != "":
			if len(homes) != 1 || homes[0] != "main" || !slices.Contains(indexModules, sc.modules[name]) {
				return nil
			}
		case e.kinds == rowsRemoved && len(homes) == 1:
			b.sized = append(b.sized, watermark{table: name, schemas: homes[0]})
		case e.kinds&^rowsAdded != 0 || len(sc.triggers[name]) > 0:
			return nil
		}
	}
	for _, m := range b.sized {
		n, err := c.indexRowsPerRow(ctx, p, m.table, rowsRemoved)
		if n < 0 || err != nil {
			return err
		}
		b.perRemoved[m.table] = n
	}
	if told, err := c.boundOwnTable(ctx, p, &b); err != nil || !told {
		return err
	}
	slices.SortFunc(b.sized, func(a, b watermark) int { return strings.Compare(a.table, b.table) })
	p.watermarks = slices.DeleteFunc(p.watermarks, func(m watermark) bool { return sc.modules[m.table] != "" })
	p.indirect = b
	return nil
}

// hasVirtualTables reports that virtual tables are reached.
func (r *reach) hasVirtualTables(sc *sqliteSchema) bool {
	for name := range r.tables {
		if sc.modules[name] != "" {
			return true
		}
	}
	return false
}

// shadowTables are the suffixes of the tables in which the modules keep their rows,
// and whether those are written at the COMMIT: then nothing counts what their
// triggers and foreign keys do.
var shadowTables = map[string]bool{
	"content": false, "docsize": false, "config": false, "data": true, "idx": true, // fts5
	"segments": true, "segdir": true, "stat": true, // fts3, fts4
	"node": false, "rowid": false, "parent": false, // rtree
}

// shadowTableChanges are what may happen to the shadow tables of a virtual table, if
// they have triggers or are referenced by foreign keys.
func (sc *sqliteSchema) shadowTableChanges(r *reach, a tableChange, fresh effect) (acts []tableChange) {
	if sc.modules[a.table] == "" || fresh == 0 {
		return nil
	}
	for end, late := range shadowTables {
		name := a.table + "_" + end
		if len(sc.triggers[name])+len(sc.foreignKeys[name]) > 0 {
			r.unreadable = r.unreadable || late
			acts = append(acts, tableChange{table: name, kind: rowsAdded | rowsChanged | rowsRemoved, sets: []string{"*"}})
		}
	}
	return acts
}

// firesOnce reports that the triggers of the statement's table fire exactly for the
// rows in changes() and those that REPLACE removes.
func (c *sqliteCounter) firesOnce(p *sqlitePlan) bool {
	sc, homes := p.schema, p.schema.schemasOf[p.table]
	plain := len(homes) == 1 && !sc.views[p.table] && sc.modules[p.table] == "" && p.reach.tables[p.table] == nil
	simple := p.direct == rowsAdded && !c.mayUpsert || p.direct == rowsChanged || p.direct == rowsRemoved ||
		p.direct == rowsAdded|rowsChanged || p.direct == rowsAdded|rowsReplaced && !c.mayUpsert
	return plain && simple && !p.reach.unreadable && !p.reach.maySkip && !sc.ignores[p.table] && !containsFold(c.f.callerText, "ignore")
}

// boundOwnTable does so for the statement's own table. Rows that REPLACE removes fire
// triggers only with recursive_triggers.
func (c *sqliteCounter) boundOwnTable(ctx context.Context, p *sqlitePlan, b *indirectBound) (told bool, err error) {
	if p.direct&rowsAdded != 0 {
		if b.perAdded, err = c.indexRowsPerRow(ctx, p, p.table, rowsAdded); err != nil || b.perAdded < 0 {
			return false, err
		}
	}
	on := p.direct.withRemovals() & (rowsChanged | rowsRemoved)
	if p.direct&rowsReplaced != 0 {
		recursive, err := askInts(ctx, c.q.conn, "PRAGMA recursive_triggers")
		if err != nil || recursive[0] == 0 {
			return err == nil, err
		}
	}
	if on != 0 {
		b.perExisting, err = c.indexRowsPerRow(ctx, p, p.table, on)
	}
	return b.perExisting >= 0 || p.direct&rowsAdded != 0, err
}

// indexRowsPerRow is how many index rows a table's triggers delete or change at most
// for each of its rows to which that happens; -1 if not known.
func (c *sqliteCounter) indexRowsPerRow(ctx context.Context, p *sqlitePlan, table string, on effect) (n int64, err error) {
	for i := range p.schema.triggers[table] {
		tr := &p.schema.triggers[table][i]
		for _, a := range tr.changes {
			if tr.events&on == 0 || p.schema.modules[a.table] == "" || a.kind == rowsAdded && p.reach.effectOn(a.table)&rowsReplaced == 0 {
				continue
			}
			if on == rowsAdded && p.direct&rowsChanged != 0 && !tr.after {
				return -1, nil // it also fires for rows that are not added
			}
			most := a.maxRows
			if a.rowKey != "" {
				names, err := c.q.rowKeyNames(ctx, p.schema, a.table)
				if err != nil {
					return -1, err
				}
				if most = 0; slices.Contains(names, a.rowKey) {
					most = 1
				}
			}
			if most <= 0 {
				return -1, nil
			}
			n += most
		}
	}
	return n, nil
}

// rowKeyNames are the names of an index's row key.
func (q *sqlite) rowKeyNames(ctx context.Context, sc *sqliteSchema, table string) ([]string, error) {
	names, module, first := slices.Clone(rowidNames), sc.modules[table], true
	err := q.conn.Query(ctx, "SELECT name, hidden FROM pragma_table_xinfo("+quoteString(sqlscan.SQLite, table)+", 'main') ORDER BY cid", func(v []any) error {
		name := fold(AsText(v[0]))
		names = slices.DeleteFunc(names, func(n string) bool { return n == name })
		if first && (module == "rtree" || module == "rtree_i32") || name == "docid" && AsText(v[1]) == "1" {
			names = append(names, name)
		}
		first = false
		return nil
	})
	return names, err
}

// rowKeyColumn is the column in a condition column = OLD.x or NEW.x; "" for any
// other.
func rowKeyColumn(t *sqlscan.Text, x *target) (column string) {
	var parts []string
	for tok := range tokens(t, x.op.Where.Start, x.op.Where.End) {
		text := t.Source[tok.Pos:tok.End]
		if isName(tok) {
			text = fold(nameAt(t, tok))
		}
		parts = append(parts, text)
	}
	if len(parts) != 5 || parts[1] != "=" || parts[2] != "old" && parts[2] != "new" || parts[3] != "." {
		return ""
	}
	return parts[0]
}

// rows is how many indirect rows there are at most, given how many the statement has
// written itself, how many of those existed or were replaced, and the table sizes
// before and after.
func (b *indirectBound) rows(direct, old int64, before, after []int64) int64 {
	if !b.known || b.perExisting < 0 && old > 0 {
		return math.MaxInt64
	}
	n := direct*b.perAdded + old*max(b.perExisting, 0)
	for i, m := range b.sized {
		lost := before[i] - after[i]
		n += lost + lost*b.perRemoved[m.table]
	}
	return n
}
