package engine

import (
	"fmt"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// held reports that the table was met lately where the express does not keep.
func (m *mysql) held(x *target) bool {
	h, ok := m.slow[x.use()]
	if !ok {
		return false
	}
	if h.left--; h.left > 0 {
		m.slow[x.use()] = h
	} else {
		delete(m.slow, x.use()) // the schema may have changed
	}
	return true
}

// use is what statements of a kind do with a table, as written.
type use struct {
	table string
	kind  sqlscan.Kind
}

func (x *target) use() use { return use{x.raw, x.op.Kind} }

// heldTable is one that the express does not serve.
type heldTable struct {
	left int
	// limits says that a LIMIT of ours does no harm: in a session with
	// sql_safe_updates it would let pass what the server refuses.
	limits bool
}

// limited is the text of a DELETE on a table that the express does not serve,
// with its arguments written out and a LIMIT of one more row than the bound; ""
// if it must be sent as it is.
func (m *mysql) limited(f *Flight) string {
	x, limit := f.st.simple(), f.op.Limit()
	if x == nil || x.op.Kind != sqlscan.Delete || !m.slow[x.use()].limits || limit < 0 || limit >= maxProbe ||
		x.op.Flags&sqlscan.HasLimit != 0 || !embeds(f.callerText, x) {
		return ""
	}
	t := f.reading()
	c := clausesOf(t, x)
	text, ok := spelled(t, 0, c.end, f.args, 0)
	if !ok || !c.isComplete(f.callerText, f.args) {
		return ""
	}
	return fmt.Sprintf("%s LIMIT %d", text, limit+1)
}

// retryAfter is how many statements on a table go the ordinary way before the
// express is tried again.
const retryAfter = 100

// hold keeps the next statements on the table from the express.
func (m *mysql) hold(x *target, limits bool) {
	if m.slow == nil || len(m.slow) > 1000 {
		m.slow = map[use]heldTable{}
	}
	m.slow[x.use()] = heldTable{left: retryAfter, limits: limits}
}
