package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// impliedActs finds the tables that a statement affects without naming them: TRUNCATE empties
// inheritance children and, with CASCADE, tables that refer to the named one; DROP … CASCADE
// removes tables or columns. A grant for one table does not cover the others. A partition
// counts as a part of its table.
func (p *postgres) impliedActs(ctx context.Context, st *statement, x *target, verb dbguard.Verb) ([]dbguard.Act, error) {
	cascade := x.op.Flags&sqlscan.Cascade != 0
	removes := cascade && (verb == dbguard.Remove || verb == dbguard.RemoveDatabase)
	if p.major < 0 || verb != dbguard.Empty && !removes {
		return nil, nil
	}
	text, start := "", objectAddress(x)
	switch {
	case start == "":
	case removes:
		text = droppedTablesText(start)
	default:
		text = truncatedTablesText(start, cascade, x.only)
	}
	if text == "" {
		return nil, nil
	}
	return p.dependentActs(ctx, st, verb, text)
}

// dependentActs are the acts on the tables that the query finds and the statement does not
// name.
func (p *postgres) dependentActs(ctx context.Context, st *statement, verb dbguard.Verb, text string) (acts []dbguard.Act, err error) {
	err = p.conn.Query(ctx, text, func(v []any) error {
		r := relation{schema: strings.Clone(AsText(v[0])), name: strings.Clone(AsText(v[1]))}
		if slices.ContainsFunc(st.targets, func(x target) bool { return r.mayBe(x.name) }) {
			return nil
		}
		act := dbguard.Act{Verb: verb, Object: r.display(), Note: "it goes along by CASCADE or inheritance"}
		switch {
		case asBool(v[2]):
			act.Verb, act.Note = dbguard.Reshape, "a column of it goes along by CASCADE"
		case verb == dbguard.RemoveDatabase:
			act.Verb = dbguard.Remove
		}
		acts = append(acts, act)
		return nil
	})
	return acts, ignoreAborted(p, err)
}

// objectAddress is the target's classid and objid as in pg_depend; "" for a class without
// dependent tables.
func objectAddress(x *target) string {
	if len(x.name) == 0 {
		return "" // the text has no readable name
	}
	parts := make([]string, len(x.name))
	for i, part := range x.name {
		parts[i] = quoteName(part)
	}
	name := quoteString(sqlscan.PostgreSQL, strings.Join(parts, "."))
	switch x.class {
	case "", "TABLE", "FOREIGN TABLE":
		return "1259, pg_catalog.to_regclass(" + name + ")"
	case "TYPE", "DOMAIN":
		return "1247, pg_catalog.to_regtype(" + name + ")"
	case "SCHEMA":
		return "2615, pg_catalog.to_regnamespace(" + name + ")"
	case "EXTENSION":
		return "3079, (SELECT e.oid FROM pg_catalog.pg_extension e WHERE e.extname = " + quoteString(sqlscan.PostgreSQL, x.name[0]) + ")"
	}
	return ""
}

// truncatedTablesText selects schema, name, and false.
func truncatedTablesText(start string, cascade, only bool) string {
	var ways []string
	if !only {
		ways = append(ways, "SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = a.id")
	}
	if cascade {
		ways = append(ways, "SELECT k.conrelid FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.confrelid = a.id")
	}
	if len(ways) == 0 {
		return ""
	}
	return `WITH RECURSIVE s (class, id) AS (VALUES (` + start + `::pg_catalog.oid)), a (id) AS (
 SELECT id FROM s UNION SELECT w.id FROM a CROSS JOIN LATERAL (` + strings.Join(ways, " UNION ALL ") + `) w (id))
SELECT n.nspname, c.relname, false ` + fromTables + ` JOIN a ON c.oid = a.id WHERE c.oid NOT IN (SELECT id FROM s) AND ` + isRootTable
}

// droppedTablesText selects schema, name, and whether only columns are dropped. What depends
// on a table's row type depends on the table.
func droppedTablesText(start string) string {
	return `WITH RECURSIVE s (class, id) AS (VALUES (` + start + `::pg_catalog.oid)), d (class, id, part) AS (
 SELECT class::pg_catalog.oid, id, 0 FROM s
 UNION SELECT g.classid, g.objid, g.objsubid FROM d JOIN pg_catalog.pg_depend g ON g.refclassid = d.class AND g.refobjid = d.id
  AND (d.part = 0 OR g.refobjsubid = d.part) WHERE g.deptype IN ('n', 'a', 'i', 'e'))
SELECT n.nspname, c.relname, pg_catalog.min(d.part) > 0 ` + fromTables + ` JOIN d ON d.class = 1259 AND d.id = c.oid
WHERE NOT EXISTS (SELECT FROM s WHERE s.id = c.oid OR s.class = 2615 AND s.id = c.relnamespace OR s.class = 3079
 AND EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 1259 AND e.objid = c.oid AND e.refclassid = 3079 AND e.refobjid = s.id AND e.deptype = 'e'))
 AND ` + isRootTable + ` GROUP BY n.nspname, c.relname`
}

const (
	fromTables  = `FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`
	isRootTable = `c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'`
)
