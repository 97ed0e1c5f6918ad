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

// Place is where the session is, until a text may lead elsewhere.
type Place struct{ name string } // known when it is left

// Here is where a statement is prepared now.
func (s *Session) Here() *Place {
	if s.place == nil {
		s.place = &Place{}
	}
	return s.place
}

// At reports that the session is still there.
func (s *Session) At(p *Place) bool { return s.place == p }

// From tells that the statement that comes next was prepared in another place, which
// may be the same database.
func (s *Session) From(ctx context.Context, p *Place) error {
	if s.guard.Observing() {
		return nil
	}
	name, err := askText(ctx, s.conn, "SELECT DATABASE()")
	if s.preparedElsewhere = name != p.name; !s.preparedElsewhere && s.place == nil && err == nil {
		s.place = p // again
	}
	return err
}

// Back tells that the next is none such.
func (s *Session) Back() { s.preparedElsewhere = false }

// leaves notes the name of a place before a text that may lead elsewhere.
func (s *Session) leaves(ctx context.Context, t *sqlscan.Text) error {
	if s.preparedCount == 0 || s.place == nil || t.Dialect != sqlscan.MySQL || s.guard.Observing() || !slices.ContainsFunc(t.Ops, moves(t)) {
		return nil
	}
	name, err := askText(ctx, s.conn, "SELECT DATABASE()")
	if err == nil {
		s.place.name, s.place = strings.Clone(name), nil
	}
	return err
}

// moves reports an operation that may be a USE.
func moves(t *sqlscan.Text) func(sqlscan.Op) bool {
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

const strayedNote = "it was prepared in another database than the session is in now, by USE: prepare it again"

// strays makes acts that nobody can count of those that change rows.
func (st *statement) strays(t *sqlscan.Text) {
	for i := range st.op.Acts {
		if a := &st.op.Acts[i]; !t.IsRead() && changesRows(a.Verb) {
			a.Verb, a.Note = dbguard.Uncounted, strayedNote
		}
	}
}
