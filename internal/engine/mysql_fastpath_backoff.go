package engine

import (
	"fmt"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// backsOff reports that the table was met lately where the express does not keep.
func (m *mysql) backsOff(x *target) bool {
	h, ok := m.backoffs[x.tableUse()]
	if !ok {
		return false
	}
	if h.left--; h.left > 0 {
		m.backoffs[x.tableUse()] = h
	} else {
		delete(m.backoffs, x.tableUse()) // the schema may have changed
	}
	return true
}

// tableUse is what statements of a kind do with a table, as written.
type tableUse struct {
	table string
	kind  sqlscan.Kind
}

func (x *target) tableUse() tableUse { return tableUse{x.raw, x.op.Kind} }

// backoff is one that the express does not serve.
type backoff struct {
	left int
	// limitAllowed says that a LIMIT of ours does no harm: in a session with
	// sql_safe_updates it would let pass what the server refuses.
	limitAllowed bool
}

// limitedDelete is the text of a DELETE on a table that the express does not serve,
// with its arguments written out and a LIMIT of one more row than the bound; ""
// if it must be sent as it is.
func (m *mysql) limitedDelete(f *Flight) string {
	x, limit := f.st.simple(), f.op.Limit()
	if x == nil || x.op.Kind != sqlscan.Delete || !m.backoffs[x.tableUse()].limitAllowed || limit < 0 || limit >= maxProbe ||
		x.op.Flags&sqlscan.HasLimit != 0 || !embeddable(f.callers, x) {
		return ""
	}
	t := f.reading()
	c := clausesOf(t, x)
	text, ok := inlineArgs(t, 0, c.end, f.args, 0)
	if !ok || !c.cover(f.callers, f.args) {
		return ""
	}
	return fmt.Sprintf("%s LIMIT %d", text, limit+1)
}

// retryAfter is how many statements on a table go the ordinary way before the
// express is tried again.
const retryAfter = 100

// backOff keeps the next statements on the table from the express.
func (m *mysql) backOff(x *target, limits bool) {
	if m.backoffs == nil || len(m.backoffs) > 1000 {
		m.backoffs = map[tableUse]backoff{}
	}
	m.backoffs[x.tableUse()] = backoff{left: retryAfter, limitAllowed: limits}
}
