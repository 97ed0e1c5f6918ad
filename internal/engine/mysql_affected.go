package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// affected is the server's number of affected rows, if the driver's is none.
func (c *mysqlCounter) affected(ctx context.Context, affected int64) (int64, error) {
	if c.trailed() {
		return -1, nil // the driver's is that of what comes last
	}
	st := c.f.st
	switch returns := len(st.targets) == 1 && st.targets[0].op.Flags&sqlscan.Returning != 0; {
	case returns && st.simple() != nil && affected == 0:
		return -1, nil // rows that Exec threw away are in no driver's count
	case returns:
	case affected < 0 && st.op.Statements == 1 && !c.reads() && (st.simple() != nil || c.joined() || allActs(st, dbguard.Insert)):
		n, err := askInts(ctx, c.m.conn, "SELECT ROW_COUNT()")
		if err != nil {
			return -1, err
		}
		return n[0], nil
	}
	return affected, nil
}

// reads reports that the text may read from views, and so call what it likes.
func (c *mysqlCounter) reads() bool {
	return c.viewed || c.text == "" || c.f.st.insertsQuery || containsFold(c.text, "select") || containsFold(c.text, "table") || hasExecutableComment(c.text)
}

// trailed reports a comment behind the semicolon that ends a statement. Where the
// connection allows several, that is one more to the server, which answers it with no
// rows.
func (c *mysqlCounter) trailed() bool {
	t := sqlscan.Text{Source: c.text, Dialect: sqlscan.MySQL, Mode: c.f.s.modes.mode}
	for tok := range tokens(&t, 0, int32(len(c.text))) {
		if isPunct(tok, ';') {
			return strings.Trim(c.text[tok.End:], "; \t\r\n") != ""
		}
	}
	return false
}
