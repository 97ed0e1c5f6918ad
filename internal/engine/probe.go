package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// maxProbe is the largest bound for which a table is probed.
const maxProbe = 100_000

// probe refuses a statement without a condition before it is sent, if its table has
// more rows than the bound: to run it and roll it back would take the time and the
// locks of the whole table. at is the strategy for which this is the right moment. A
// statement that passes is still counted.
func (f *Flight) probe(ctx context.Context, at strategy) error {
	if f.strategy != at || f.text != "" {
		return nil
	}
	text := f.probeText()
	if text == "" {
		return nil
	}
	n, err := askInts(ctx, f.s.conn, text)
	switch {
	case err != nil && f.s.connectionLost(err):
		return err
	case err != nil && f.strategy == inCallerTx:
		// The statement will fail in the same way: let it, and report that.
		return f.s.exec(ctx, f.frame.undo[:1])
	case err != nil || n[0] <= f.op.Limit():
		return nil
	}
	return f.op.Foresee(dbguard.Count{Rows: n[0]})
}

// rowSkipper is a counter that knows which statements may leave rows unchanged that
// they address.
type rowSkipper interface {
	maySkipRows() bool
}

// probeText counts the rows of the table up to one more than the bound. It is empty
// unless the statement addresses all rows of a single table.
func (f *Flight) probeText() string {
	x, limit := f.st.simple(), f.op.Limit()
	if x == nil || limit < 0 || limit > maxProbe || f.st.op.Acts[0].Filter == dbguard.Filtered ||
		x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised) != 0 || x.raw == "" {
		return ""
	}
	if x.op.Kind == sqlscan.Update && limit > 0 {
		return "" // not every row that is addressed need change
	}
	if c, ok := f.counter.(rowSkipper); ok && c.maySkipRows() {
		return ""
	}
	only := ""
	if x.only {
		only = "ONLY "
	}
	if strings.ContainsAny(x.raw, "\x00;") || f.s.dialect == sqlscan.MySQL && containsFold(f.st.op.Text, "partition") {
		return ""
	}
	text := fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM %s%s LIMIT %d) AS dbguard", only, x.raw, limit+1)
	if f.s.dialect == sqlscan.PostgreSQL && isRegclassName(x) { // rows of a temporary table do not count
		text += " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = " + regclass(x) + " AND c.relpersistence = 't')"
	}
	return text
}
