package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// functionsMayWrite asks the catalogue about names that the session has not met.
//
// A function in C that is not volatile cannot write, but for those of
// extensions that run a text. One in SQL or a procedural language may, whatever
// it is declared to be: the server only keeps it from doing so itself, and not
// what it calls. Of the server's own those that run a text may, and those that read
// a value of a type whose name they are given, which may be a domain, and those that
// evaluate the expressions of an index. What is called for an argument that is left
// out, by a function of whatever language, may, too.
func (p *postgres) functionsMayWrite(ctx context.Context, names []string) (bool, error) {
	if err := p.detectServer(ctx); err != nil {
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

func (p *postgres) forgetFunctions() { p.functions = nil }

// unlessAborted forgets that nothing can be asked before the caller's ROLLBACK:
// nothing will run either, and the server says so.
func unlessAborted(p *postgres, err error) error {
	if p.isTxAborted(err) {
		return nil
	}
	return err
}

const writersText = `SELECT DISTINCT p.proname::text FROM pg_catalog.pg_proc p WHERE ` + mayWrite + ` AND p.proname IN (`

// mayWrite is the condition that a function, p, may change rows. 12 and 13 are the
// languages internal and C.
const mayWrite = `CASE WHEN p.oid < 16384 THEN p.proname ~ '_to_xml|^ts_(stat|rewrite)$|^lo_|^lowrite$|^brin_summarize_|^(domain|array|record|range|multirange)_(in|recv)$'
 WHEN p.prolang NOT IN (12, 13) OR p.oid IN (` + membersOf + ` ('dblink', 'tablefunc', 'xml2', 'adminpack')) THEN true
 WHEN p.pronargdefaults > 0 AND EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 1255 AND d.objid = p.oid AND d.refclassid = 1255 AND d.refobjid >= 16384) THEN true
 WHEN p.provolatile = 'v' OR p.prokind NOT IN ('f', 'w') THEN p.oid NOT IN (` + membersOf + ` ('uuid-ossp', 'pgcrypto', 'citext', 'hstore', 'pg_trgm', 'postgis'))
 ELSE false END`

// membersOf are the functions of extensions.
const membersOf = `SELECT d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
 WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e' AND e.extname IN`
