package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// affectedRows is the driver's count of affected rows or, where it has none, the
// server's.
func (c *mysqlCounter) affectedRows(ctx context.Context, affected int64) (int64, error) {
	if c.hasTrailingComment() {
		return -1, nil // the driver's count is that of the last statement
	}
	st := c.f.st
	switch returns := len(st.targets) == 1 && st.targets[0].op.Flags&sqlscan.Returning != 0; {
	case returns && st.simple() != nil && affected == 0:
		return -1, nil // drivers do not count RETURNING rows that Exec discarded
	case returns:
	case affected < 0 && (c.runsNoCode() || st.op.Statements == 1 && !c.mayReadViews() && (st.simple() != nil || c.isPartitionedJoin() || allActs(st, dbguard.Insert))):
		n, err := askInts(ctx, c.m.conn, "SELECT ROW_COUNT()")
		if err != nil {
			return -1, err
		}
		return n[0], nil
	}
	return affected, nil
}

// runsNoCode reports one statement of MySQL that changes the tables that it names, and runs no
// stored code. That counts rows of the temporary tables that it makes for GROUP BY and UNION
// in Handler_update, so its own count of affected rows is needed.
func (c *mysqlCounter) runsNoCode() bool {
	st := c.f.st
	return c.m.system() == "mysql" && st.op.Statements == 1 && len(st.targets) > 0 && len(st.routines)+len(st.procs) == 0 && st.block == nil && len(c.m.views) == 0 &&
		!c.cascadesCounted && !c.keysUncertain && !c.reach.codeWrites && !c.reach.hasTriggers && !slices.ContainsFunc(st.targets, func(x target) bool {
		switch x.op.Kind {
		case sqlscan.Delete, sqlscan.Update, sqlscan.Upsert:
			return x.op.Path != sqlscan.Top
		}
		return true
	})
}

// affectsOnlyNamed reports that the count of affected rows is all there is.
func (c *mysqlCounter) affectsOnlyNamed(ctx context.Context, did handlerStatus) bool {
	return c.runsNoCode() && (did.fired == 0 || c.expectsTriggers()) && c.m.seesTriggers(ctx) && c.m.seesTriggersOf(c.reach.changedTables())
}

// changedAmong is the largest number of existing rows among those affected: an upsert counts
// one that it changes twice.
func (c *mysqlCounter) changedAmong(affected int64) int64 {
	if c.f.st.targets[0].op.Kind == sqlscan.Upsert {
		return affected / 2
	}
	return affected
}

// mayReadViews reports that the text may read from views, which may call any
// function.
func (c *mysqlCounter) mayReadViews() bool {
	return c.throughView || c.text == "" || c.f.st.insertsQuery || containsFold(c.text, "select") || containsFold(c.text, "table") || hasExecutableComment(c.text)
}

// hasTrailingComment reports a comment behind the statement's semicolon. With
// multi-statements enabled the server runs it as a statement of its own, which
// affects no rows.
func (c *mysqlCounter) hasTrailingComment() bool {
	t := sqlscan.Text{Source: c.text, Dialect: sqlscan.MySQL, Mode: c.f.s.modes.mode}
	for tok := range tokens(&t, 0, int32(len(c.text))) {
		if isPunct(tok, ';') {
			return strings.Trim(c.text[tok.End:], "; \t\r\n") != ""
		}
	}
	return false
}
