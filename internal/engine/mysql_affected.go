package engine

import (
	"context"
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
	case affected < 0 && st.op.Statements == 1 && !c.mayReadViews() && (st.simple() != nil || c.isPartitionedJoin() || allActs(st, dbguard.Insert)):
		n, err := askInts(ctx, c.m.conn, "SELECT ROW_COUNT()")
		if err != nil {
			return -1, err
		}
		return n[0], nil
	}
	return affected, nil
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
