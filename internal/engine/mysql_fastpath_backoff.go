package engine

import (
	"fmt"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// backsOff reports that the fast path failed for the table lately.
func (m *mysql) backsOff(x *target) bool {
	h, ok := m.backoffs[x.tableUse()]
	if !ok {
		return false
	}
	if h.left--; h.left > 0 {
		m.backoffs[x.tableUse()] = h
	} else {
		delete(m.backoffs, x.tableUse()) // try again: the schema may have changed
	}
	return true
}

// willBackOff reports that backsOff would say so.
func (m *mysql) willBackOff(x *target) bool {
	_, ok := m.backoffs[x.tableUse()]
	return ok
}

// tableUse is a kind of statement on a table, named as written.
type tableUse struct {
	table string
	kind  sqlscan.Kind
}

func (x *target) tableUse() tableUse { return tableUse{x.raw, x.op.Kind} }

// backoff says how many more statements on a table skip the fast path.
type backoff struct {
	left int
	// limitAllowed says that a LIMIT may be added. Under sql_safe_updates it may not:
	// the server would accept what it refuses without one.
	limitAllowed bool
}

// limitedDelete is a DELETE on a table that skips the fast path, its arguments
// inlined, with a LIMIT one above the bound; "" if it must be sent as it is.
func (m *mysql) limitedDelete(f *Flight) string {
	x, limit := f.st.simple(), f.op.Limit()
	if x == nil || x.op.Kind != sqlscan.Delete || !m.backoffs[x.tableUse()].limitAllowed || limit < 0 || limit >= maxProbe ||
		x.op.Flags&sqlscan.HasLimit != 0 || !embeddable(f.callerText, x) {
		return ""
	}
	t := f.reading()
	c := clausesOf(t, x)
	text, ok := inlineArgs(t, 0, c.end, f.args, 0)
	if !ok || m.writesFloats(f.ctx, f.args) || !c.isComplete(f.callerText, f.args) {
		return ""
	}
	return fmt.Sprintf("%s LIMIT %d", text, limit+1)
}

// retryAfter is the number of statements on a table that skip the fast path before it
// is tried again.
const retryAfter = 100

// backOff makes the next statements on the table skip the fast path.
func (m *mysql) backOff(x *target, limits bool) {
	if m.backoffs == nil || len(m.backoffs) > 1000 {
		m.backoffs = map[tableUse]backoff{}
	}
	m.backoffs[x.tableUse()] = backoff{left: retryAfter, limitAllowed: limits}
}
