package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// tableRows says in which tables the rows are: first those that the text names, then the others,
// with the way in which they were reached.
func (c *postgresCounter) tableRows(ctx context.Context, changed []relation) ([]dbguard.TableRows, error) {
	// A text that runs code names no tables: all of them are meant.
	code := slices.ContainsFunc(c.f.st.op.Acts, func(a dbguard.Act) bool { return a.Verb == dbguard.Call || a.Verb == dbguard.Ask })
	named := func(r relation) bool {
		return code || slices.ContainsFunc(c.f.st.targets, func(x target) bool { return r.mayBe(x.name) })
	}
	var tables []dbguard.TableRows
	var hidden []relation
	for _, r := range changed {
		if named(r) {
			tables = append(tables, dbguard.TableRows{Table: r.display(), Rows: r.rows})
		} else {
			hidden = append(hidden, r)
		}
	}
	if len(hidden) == 0 {
		return tables, nil
	}
	via, err := c.routes(ctx, hidden)
	for _, r := range hidden {
		tables = append(tables, dbguard.TableRows{Table: r.display(), Rows: r.rows, Via: via[r.oid]})
	}
	slices.SortStableFunc(tables, func(a, b dbguard.TableRows) int { return min(len(a.Via), 1) - min(len(b.Via), 1) })
	return tables, err
}

// mayBe reports that a name in the text means the relation, or may mean it.
func (r *relation) mayBe(name []string) bool {
	switch len(name) {
	case 0:
		return false
	case 1:
		return r.name == name[0]
	}
	return r.name == name[len(name)-1] && r.schema == name[len(name)-2]
}

func (r *relation) display() string {
	if r.schema == "public" || r.schema == "" {
		return r.name
	}
	return r.schema + "." + r.name
}

// viaCode is for rows reached neither by name nor by a foreign key.
const viaCode = "trigger, rule or function"

// routes finds how the unnamed relations are reached from the named ones: as partitions,
// children or tables behind a view, which counts as by name, or by foreign keys.
func (c *postgresCounter) routes(ctx context.Context, hidden []relation) (map[int64]string, error) {
	via := make(map[int64]string, len(hidden))
	for _, r := range hidden {
		via[r.oid] = viaCode
	}
	err := c.p.conn.Query(ctx, routesText(c.f.st), func(v []any) error {
		oid, err := asInt(v[0])
		if _, ok := via[oid]; err != nil || !ok {
			return err
		}
		if text := AsText(v[1]); text == "" || via[oid] == viaCode {
			via[oid] = text
		}
		return nil
	})
	return via, err
}

// namedCond is the condition that a row of pg_class c is a relation that the statement names.
func namedCond(st *statement) string {
	conds := []string{"false"}
	for i := range st.targets {
		x := &st.targets[i]
		if len(x.name) == 0 {
			continue
		}
		cond := "c.relname = " + quoteString(sqlscan.PostgreSQL, x.name[len(x.name)-1])
		if len(x.name) > 1 {
			cond += " AND n.nspname = " + quoteString(sqlscan.PostgreSQL, x.name[len(x.name)-2])
		} else {
			cond += " AND pg_catalog.pg_table_is_visible(c.oid)"
		}
		conds = append(conds, cond)
	}
	return strings.Join(conds, " OR ")
}

// routesText selects everything that is reached from the named relations.
func routesText(st *statement) string {
	action, when := "confdeltype", "DELETE"
	if slices.ContainsFunc(st.targets, func(x target) bool { return x.op.Kind == sqlscan.Update }) {
		action, when = "confupdtype", "UPDATE"
	}
	return `WITH RECURSIVE same(oid) AS (
  SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE ` + namedCond(st) + `
  UNION
  SELECT x.oid FROM same, LATERAL (
    SELECT i.inhrelid AS oid FROM pg_catalog.pg_inherits i WHERE i.inhparent = same.oid
    UNION ALL
    SELECT d.refobjid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d
      ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    WHERE r.ev_class = same.oid AND r.rulename = '_RETURN' AND d.refobjid <> same.oid) x
), reached(oid, action) AS (
  SELECT oid, ''::text FROM same
  UNION
  SELECT x.oid, x.action FROM reached, LATERAL (
    SELECT k.conrelid AS oid, 'ON ` + when + ` ' || CASE k.` + action + ` WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END AS action
    FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.confrelid = reached.oid AND k.` + action + ` IN ('c', 'n', 'd')
    UNION ALL
    SELECT i.inhrelid, reached.action FROM pg_catalog.pg_inherits i WHERE i.inhparent = reached.oid) x
) SELECT oid::int8, action FROM reached`
}
