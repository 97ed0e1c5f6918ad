package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// A prepared statement of MySQL's keeps the database that it was prepared in. Behind
// USE what is looked up for it, or written anew, would be another database's.
//
// Before it runs the session is asked where it is, if there was a USE: that costs a
// round trip. Which views it may name is not worth one. There, any text that may have
// been a USE is taken for one (mysql.astray), and then all views of the name are meant.

// CurrentDatabase is where the session is, until a text may lead elsewhere.
type CurrentDatabase struct{ name string } // known when it is left

// Database is where a statement is prepared now.
func (s *Session) Database() *CurrentDatabase {
	if s.place == nil {
		s.place = &CurrentDatabase{}
	}
	return s.place
}

// InDatabase reports that the session is still there.
func (s *Session) InDatabase(p *CurrentDatabase) bool { return s.place == p }

// RunsPreparedIn tells that the statement that comes next was prepared in another place, which
// may be the same database.
func (s *Session) RunsPreparedIn(ctx context.Context, p *CurrentDatabase) error {
	if s.guard.Observing() {
		return nil
	}
	name, err := askText(ctx, s.conn, "SELECT DATABASE()")
	if s.strayed = name != p.name; !s.strayed && s.place == nil && err == nil {
		s.place = p // again
	}
	return err
}

// ClearPreparedIn tells that the next is none such.
func (s *Session) ClearPreparedIn() { s.strayed = false }

// leavesDatabase notes the name of a place before a text that may lead elsewhere.
func (s *Session) leavesDatabase(ctx context.Context, t *sqlscan.Text) error {
	if s.kept == 0 || s.place == nil || t.Dialect != sqlscan.MySQL || s.guard.Observing() || !slices.ContainsFunc(t.Ops, mayUseDatabase(t)) {
		return nil
	}
	name, err := askText(ctx, s.conn, "SELECT DATABASE()")
	if err == nil {
		s.place.name, s.place = strings.Clone(name), nil
	}
	return err
}

// mayUseDatabase reports an operation that may be a USE.
func mayUseDatabase(t *sqlscan.Text) func(sqlscan.Op) bool {
	return func(op sqlscan.Op) bool {
		switch keyword(t, &op) {
		case "USE", "EXECUTE": // IMMEDIATE
			return true
		case "SET": // STATEMENT … FOR
			for word := range words(t, op.At.End, int32(len(t.Source))) {
				if strings.EqualFold(word, "use") {
					return true
				}
			}
		}
		return false
	}
}

const otherDatabaseNote = "it was prepared in another database than the session is in now, by USE: prepare it again"

// refuseInOtherDatabase makes acts that nobody can count of those that change rows.
func (st *statement) refuseInOtherDatabase(t *sqlscan.Text) {
	for i := range st.op.Acts {
		if a := &st.op.Acts[i]; !t.IsRead() && changesRows(a.Verb) {
			a.Verb, a.Note = dbguard.Uncounted, otherDatabaseNote
		}
	}
}
