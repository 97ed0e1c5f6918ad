package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// functions is a backend that knows which functions of its server may write.
type functions interface {
	// writers reports whether one of the functions of these names may delete or
	// change rows, for all that is known.
	writers(ctx context.Context, names []string) (bool, error)
}

// mayCall reports that the text calls a function that is not known to be
// harmless, on a server whose functions can be told apart.
func (s *Session) mayCall(t *sqlscan.Text) bool {
	if !t.Calls || s.guard.Observing() {
		return false
	}
	_, ok := s.backend.(functions)
	return ok
}

// callsOut reports that the text calls a function that may write.
func (s *Session) callsOut(ctx context.Context, t *sqlscan.Text) (bool, error) {
	if !s.mayCall(t) {
		return false, nil
	}
	calls, err := s.backend.(functions).writers(ctx, calledNames(t))
	if err == nil && !calls && t.IsRead() && !namesMode(t.Source) {
		s.reads.add(t.Source)
	}
	return calls, err
}

// calledNames are the words before a parenthesis, the last part of each name.
func calledNames(t *sqlscan.Text) []string {
	var names []string
	var last sqlscan.Token
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		if tok.Kind == sqlscan.Punct && tok.Byte == '(' && (last.Kind == sqlscan.Word || last.Kind == sqlscan.QuotedIdent) {
			name := t.Name(sqlscan.Span{Start: last.Pos, End: last.End})
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		last = tok
	}
	return names
}

// maxNames is the number of functions that a session remembers.
const maxNames = 1024

// writers asks the catalogue about names that the session has not met.
//
// A function in C that is not volatile cannot write, but for those of
// extensions that run a text. One in SQL or a procedural language may, whatever
// it is declared to be: the server only keeps it from doing so itself, and not
// what it calls. Of the server's own those that run a text may.
func (p *postgres) writers(ctx context.Context, names []string) (bool, error) {
	if err := p.learn(ctx); err != nil {
		return true, unlessAborted(p, err)
	}
	if p.major < 0 {
		return false, nil // it could not count them
	}
	writes := false
	var ask []string
	for _, name := range names {
		known, ok := p.functions[name]
		if writes = writes || known; !ok {
			ask = append(ask, quoteString(sqlscan.PostgreSQL, name))
		}
	}
	if writes || len(ask) == 0 {
		return writes, nil
	}
	if len(p.functions)+len(ask) > maxNames || p.functions == nil {
		p.functions = map[string]bool{}
	}
	found := map[string]bool{}
	err := p.conn.Query(ctx, writersText+strings.Join(ask, ", ")+")", func(v []any) error {
		found[asText(v[0])] = true
		return nil
	})
	if err != nil {
		return true, unlessAborted(p, err)
	}
	for _, name := range names {
		if _, ok := p.functions[name]; !ok {
			p.functions[name] = found[name]
		}
	}
	return len(found) > 0, nil
}

// unlessAborted forgets that nothing can be asked before the caller's ROLLBACK:
// nothing will run either, and the server says so.
func unlessAborted(p *postgres, err error) error {
	if p.aborted(err) {
		return nil
	}
	return err
}

const writersText = `SELECT DISTINCT p.proname::text FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
WHERE CASE WHEN p.oid < 16384 THEN p.proname ~ '_to_xml|^ts_stat$|^lo_'
 ELSE l.lanname NOT IN ('c', 'internal') OR p.provolatile = 'v' OR p.prokind NOT IN ('f', 'w')
  OR COALESCE(e.extname IN ('dblink', 'tablefunc', 'xml2', 'adminpack'), false) END
AND p.proname IN (`
