package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// functionsMayWrite asks the catalogue about names that the session does not know yet.
//
// Functions in C that are not volatile cannot write, except those of extensions that run a
// text. A function in SQL or a procedural language may, whatever its declared volatility:
// the server only keeps it from writing itself, not the functions that it calls. Built-in
// functions may write if they run a text, read a value of a type given by its name, which
// may be a domain, or evaluate the expressions of an index. So may functions of any
// language through the default of an argument that is left out.
func (p *postgres) functionsMayWrite(ctx context.Context, names []string) (bool, error) {
	if err := p.detectServer(ctx); err != nil {
		return true, ignoreAborted(p, err)
	}
	if p.major < 0 {
		return false, nil // their changes could not be counted
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
		found[AsText(v[0])] = true
		return nil
	})
	if err != nil {
		return true, ignoreAborted(p, err)
	}
	for _, name := range names {
		if _, ok := p.functions[name]; !ok {
			p.functions[name] = found[name]
		}
	}
	return len(found) > 0, nil
}

func (p *postgres) forgetFunctions() { p.functions = nil }

// ignoreAborted drops the error that nothing can be asked before the caller's ROLLBACK:
// nothing will run either, and the server says so.
func ignoreAborted(p *postgres, err error) error {
	if p.isTxAborted(err) {
		return nil
	}
	return err
}

const writersText = `SELECT DISTINCT p.proname::text FROM pg_catalog.pg_proc p WHERE ` + mayWrite + ` AND p.proname IN (`

// builtinMayWrite is the condition that a built-in function, p, may change rows.
const builtinMayWrite = `p.proname ~ '_to_xml|^ts_(stat|rewrite)$|^lo_|^lowrite$|^brin_summarize_|^(domain|array|record|range|multirange)_(in|recv)$|^pg_(input_(is_valid|error_info)|restore_attribute_stats)$'`

// mayWrite is the condition that a function, p, may change rows. 12 and 13 are the languages
// internal and C.
const mayWrite = `CASE WHEN p.oid < 16384 THEN ` + builtinMayWrite + `
 WHEN p.prolang NOT IN (12, 13) OR p.oid IN (` + extensionFunctions + ` ('dblink', 'tablefunc', 'xml2', 'adminpack')) THEN true
 WHEN p.pronargdefaults > 0 AND EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 1255 AND d.objid = p.oid AND d.refclassid = 1255 AND d.refobjid >= 16384) THEN true
 WHEN p.provolatile = 'v' OR p.prokind NOT IN ('f', 'w') THEN p.oid NOT IN (` + extensionFunctions + ` ('uuid-ossp', 'pgcrypto', 'citext', 'hstore', 'pg_trgm', 'postgis'))
 ELSE false END`

// extensionFunctions selects the functions of the extensions whose names follow.
const extensionFunctions = `SELECT d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
 WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e' AND e.extname IN`
