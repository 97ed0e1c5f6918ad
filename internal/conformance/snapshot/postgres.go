package snapshot

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Postgres reads the database of db: all its schemas but the system's, and the
// list of the server's databases but those that begin with ignore.
func Postgres(ctx context.Context, db *sql.DB, ignore string) (*Snapshot, error) {
	s := newSnapshot()
	if err := queryInto(ctx, db, s.Structure, postgresStructure); err != nil {
		return nil, err
	}
	if err := queryInto(ctx, db, s.Databases, postgresDatabases, ignore); err != nil {
		return nil, err
	}
	tables, err := query(ctx, db, postgresTables)
	if err != nil {
		return nil, err
	}
	for _, row := range tables.Rows {
		name, columns := row[0][1:], row[1]
		// Partitions and child tables are tables of their own: without ONLY their rows count twice.
		text := fmt.Sprintf("SELECT %s FROM ONLY %s", strings.TrimPrefix(columns, "="), name)
		if s.Tables[name], err = query(ctx, db, text); err != nil {
			return nil, err
		}
	}
	s.Tables["pg_largeobject"], err = query(ctx, db, "SELECT loid::text, pageno::text, md5(data) FROM pg_largeobject")
	return s, err
}

// userSchemas is a condition on pg_namespace n.
const userSchemas = ` n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' `

// postgresTables gives every table with a select list of text values.
const postgresTables = `
SELECT c.oid::regclass::text,
       coalesce(string_agg(format('%1$I::text AS %1$I', a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE a.attname IS NOT NULL), '1 AS nothing')
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND` + userSchemas + `GROUP BY c.oid`

const postgresDatabases = `
SELECT 'database ' || datname, oid::text FROM pg_database
WHERE NOT starts_with(datname, $1) OR datname = current_database()
UNION ALL
SELECT 'schema ' || nspname, oid::text FROM pg_namespace n WHERE` + userSchemas

// postgresStructure is one query: a snapshot is taken thousands of times.
const postgresStructure = `
SELECT format('%s %s.%s', CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' ELSE 'relation' END, n.nspname, c.relname),
       concat_ws(' ', c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity, c.relispartition, c.reloptions,
           pg_get_expr(c.relpartbound, c.oid),
           CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) WHEN c.relkind IN ('i', 'I') THEN pg_get_indexdef(c.oid) END)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE` + userSchemas + `
UNION ALL
SELECT format('column %s.%s', c.oid::regclass, a.attname),
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, a.attcollation,
           (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = c.oid AND d.adnum = a.attnum))
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND` + userSchemas + `
UNION ALL
SELECT format('constraint %s.%s', k.conrelid::regclass, k.conname), concat_ws(' ', pg_get_constraintdef(k.oid), k.convalidated)
FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace WHERE` + userSchemas + `
UNION ALL
-- The internal ones too: they are the foreign keys, and can be disabled. Their names hold numbers.
SELECT format('trigger %s.%s', t.tgrelid::regclass,
           coalesce((SELECT k.conname || ' ' || t.tgfoid::regproc FROM pg_constraint k WHERE t.tgisinternal AND k.oid = t.tgconstraint), t.tgname)),
       concat_ws(' ', t.tgenabled, CASE WHEN NOT t.tgisinternal THEN pg_get_triggerdef(t.oid) END)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE` + userSchemas + `
UNION ALL
SELECT format('rule %s.%s', r.ev_class::regclass, r.rulename), concat_ws(' ', r.ev_enabled, pg_get_ruledef(r.oid))
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace WHERE` + userSchemas + `
UNION ALL
SELECT 'routine ' || p.oid::regprocedure, CASE WHEN p.prokind IN ('f', 'p', 'w') THEN pg_get_functiondef(p.oid) END
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE` + userSchemas + `
UNION ALL
SELECT format('type %s.%s', n.nspname, t.typname),
       concat_ws(' ', t.typtype, format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault,
           (SELECT string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid))
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype IN ('e', 'd') AND` + userSchemas + `
UNION ALL
SELECT format('policy %s.%s', p.polrelid::regclass, p.polname),
       concat_ws(' ', p.polcmd, p.polpermissive, p.polroles, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
FROM pg_policy p
UNION ALL
SELECT format('grant %s on %s to %s', a.privilege_type, c.oid::regclass, a.grantee), a.is_grantable::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
     aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
WHERE c.relkind IN ('r', 'p', 'v', 'm') AND a.grantee <> c.relowner AND` + userSchemas + `
UNION ALL
SELECT 'extension ' || extname, extversion FROM pg_extension
UNION ALL
SELECT 'event trigger ' || evtname, evtenabled::text FROM pg_event_trigger
UNION ALL
SELECT format('settings of database %s, role %s', setdatabase, setrole), setconfig::text FROM pg_db_role_setting
WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))`
