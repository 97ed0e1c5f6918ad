package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// On MySQL a prepared statement runs in the database in which it was prepared. After
// USE, what the guard looks up for it or sends in its place would refer to another
// database.
//
// So if there was a USE, the session asks for the current database before the
// statement runs: one round trip. Which views it may name is not worth one: after any
// text that may be a USE (mysql.mayBeElsewhere), a name stands for the views of all
// databases.

// CurrentDatabase is the session's current database, valid until a text may change
// it.
type CurrentDatabase struct{ name string } // set when a text may change it

// Database is the one in which a statement is prepared now.
func (s *Session) Database() *CurrentDatabase {
	if s.place == nil {
		s.place = &CurrentDatabase{}
	}
	return s.place
}

// InDatabase reports that no text may have changed the database since.
func (s *Session) InDatabase(p *CurrentDatabase) bool { return s.place == p }

// RunsPreparedIn announces that the next statement was prepared in p, which may still
// be the current database.
func (s *Session) RunsPreparedIn(ctx context.Context, p *CurrentDatabase) error {
	if s.guard.Observing() {
		return nil
	}
	name, err := askText(ctx, s.conn, "SELECT DATABASE()")
	if s.preparedElsewhere = name != p.name; !s.preparedElsewhere && s.place == nil && err == nil {
		s.place = p // it is current again
	}
	return err
}

// ClearPreparedIn ends RunsPreparedIn.
func (s *Session) ClearPreparedIn() { s.preparedElsewhere = false }

// leavesDatabase notes the database's name before a text that may change it.
func (s *Session) leavesDatabase(ctx context.Context, t *sqlscan.Text) error {
	if s.preparedCount == 0 || s.place == nil || t.Dialect != sqlscan.MySQL || s.guard.Observing() || !slices.ContainsFunc(t.Ops, mayUseDatabase(t)) {
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

// refuseInOtherDatabase makes acts that change rows uncountable.
func (st *statement) refuseInOtherDatabase(t *sqlscan.Text) {
	for i := range st.op.Acts {
		if a := &st.op.Acts[i]; !t.IsRead() && changesRows(a.Verb) {
			a.Verb, a.Note = dbguard.Uncounted, otherDatabaseNote
		}
	}
}
