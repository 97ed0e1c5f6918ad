package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// A DELETE or UPDATE that stops one row past its bound:
//
//	DELETE FROM t WHERE rowid IN (SELECT rowid FROM t WHERE … LIMIT n+1)
//
// It takes one scan, as the caller's own does, with its arguments in the same order,
// and does the same if no more rows are found. For a WITHOUT ROWID table the primary
// key takes the place of rowid.
//
// This is not done where a row that is found need not be changed, so that the LIMIT
// could cut unnoticed: a trigger may RAISE(IGNORE), a conflict may be ignored, or
// resolved by removing a row. Nor where rows that are changed or removed reference
// others that are: a part of them may not be removed without the rest. Nor where a
// unique column is assigned to: which rows conflict depends on their order.

// planStop finds out by which columns the statement can stop.
func (c *sqliteCounter) planStop(ctx context.Context, x *target, p *sqlitePlan) error {
	if !c.canStop(x) || p.direct&rowsReplaced != 0 || p.reach.mayRaise || p.restrictedWithin() {
		return nil
	}
	table, err := c.q.table(ctx, p.schema, p.table)
	switch {
	case err != nil || !table.plain || p.direct == rowsChanged && c.assignsAny(table.uniqueColumns):
	case table.rowid != "":
		p.stopKey = table.rowid
	default:
		quoted := make([]string, len(table.primaryKey))
		for i, name := range table.primaryKey {
			quoted[i] = quoteName(name)
		}
		p.stopKey = strings.Join(quoted, ", ")
	}
	return err
}

// assignsAny reports that the text assigns to one of the columns.
func (c *sqliteCounter) assignsAny(columns []string) bool {
	return slices.Contains(columns, "") || slices.Contains(c.sets, "*") ||
		slices.ContainsFunc(columns, func(name string) bool { return slices.Contains(c.sets, name) })
}

// restrictedWithin reports a foreign key that restricts what happens here to its
// parent's rows, and whose own rows are affected, too.
func (p *sqlitePlan) restrictedWithin() bool {
	lose := append(p.reach.losingTables(), p.table)
	return slices.ContainsFunc(lose, func(parent string) bool {
		kinds := p.reach.effectOn(parent)
		if parent == p.table {
			kinds |= p.direct
		}
		return slices.ContainsFunc(p.schema.foreignKeys[parent], func(ref sqliteForeignKey) bool {
			return ref.restricts&kinds != 0 && slices.Contains(lose, ref.child)
		})
	})
}

// canStop reports that the text can be rewritten this way.
func (c *sqliteCounter) canStop(x *target) bool {
	st, limit := c.f.st, c.f.op.Limit()
	return st.simple() != nil && limit >= 0 && limit < maxProbe && st.op.Acts[0].Filter == dbguard.Filtered &&
		x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised|sqlscan.HasLimit) == 0 && x.op.Where.Start < x.op.Where.End && len(x.name) == 1 && !c.trailing
}

// stopText is the statement that stops; "" if it cannot be cut into its parts.
func (c *sqliteCounter) stopText() string {
	f, x := c.f, c.f.st.simple()
	table := tableClause(f, x)
	if table == "" {
		return ""
	}
	left := c.stopKey
	if strings.Contains(left, ",") {
		left = "(" + left + ")"
	}
	where := x.op.Where
	return fmt.Sprintf("%s IN (SELECT %s FROM %s WHERE (%s) LIMIT %d)%s", joinTexts(f.callerText[:where.Start], left), c.stopKey, table,
		f.callerText[where.Start:where.End], f.op.Limit()+1, f.callerText[where.End:])
}

// tableClause is the table with its alias, if that means the same in a subquery of
// the statement, and if each row that is found will be changed.
func tableClause(f *Flight, x *target) string {
	t := f.reading()
	cl := clausesOf(t, x)
	end := cl.tail
	if x.op.Kind == sqlscan.Update {
		end = cl.set
	}
	if end <= x.op.Object.Start || cl.unsupported {
		return ""
	}
	table, name := f.callerText[x.op.Object.Start:end], fold(x.name[0])
	if containsFold(table, "indexed") || containsFold(f.callerText[:x.op.Object.Start], "ignore") {
		return ""
	}
	for tok := range tokens(t, 0, x.op.At.Start) { // a CTE may have the same name
		if tok.Kind != sqlscan.Punct && fold(nameAt(t, tok)) == name {
			return ""
		}
	}
	return table
}
