package engine

import "strings"

// mayHideText asks whether there can be any such word: a user's function that may write and
// is no trigger's, or a rule that calls a built-in one. It takes a quarter of the time of
// hiddenText. It also asks whether a function turns the counters off while it runs, whether
// an operator takes the place of a built-in one (search_path may put its schema first), and
// whether a function's text names large objects, or cursors WITH HOLD. A \ reads the
// same by any standard_conforming_strings where an E is before the quote.
var mayHideText = `SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.oid >= 16384 AND p.prorettype <> 2279 AND (` + mayWrite + `))
 OR EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.oid >= 16384 AND r.ev_action::pg_catalog.text ~ (
  ` + builtinCalls + `(` + mayWrite + `)))
 OR EXISTS (` + builtinUsers(builtinCalls+notLargeObject+` AND `+builtinMayWrite) + `)
 OR CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata) THEN EXISTS (` + largeObjectUsers + `) ELSE false END,
 EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.oid >= 16384 AND p.prolang NOT IN (12, 13)
  AND (p.proconfig::pg_catalog.text ~ 'track_counts=' OR p.prosrc ~* E'(set_config|\\mset)\\M[^;]*\\mtrack_counts|\\mheap_force_kill\\M')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 1255 AND d.objid = p.oid AND d.deptype = 'e')),
 EXISTS (SELECT FROM pg_catalog.pg_operator o WHERE o.oid >= 16384
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 2617 AND d.objid = o.oid AND d.deptype = 'e') AND (o.oprleft = 26 AND o.oprright = 23
  OR EXISTS (SELECT FROM pg_catalog.pg_operator s WHERE s.oid < 16384 AND s.oprname = o.oprname AND s.oprleft <> 25 AND s.oprleft = o.oprleft AND s.oprright = o.oprright))),
 EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.oid >= 16384 AND (p.proname ~ '^lo_' OR p.prosrc ~* E'\\mlo(_|read|write)')),
 EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.oid >= 16384 AND p.prolang NOT IN (12, 13) AND p.prosrc ~* E'\\mhold\\M')`

// builtinCalls is an expression that finds calls of built-in functions in the tree of an
// expression or rule: pg_depend has no entries for those. A condition on p, a pg_proc, follows.
const builtinCalls = `SELECT ':funcid (' || pg_catalog.string_agg(p.oid::pg_catalog.text, '|') || E')\\M' FROM pg_catalog.pg_proc p WHERE p.oid < 16384 AND `

// builtinUsers selects the tables of which a policy, and the domains of which a check, calls a
// built-in function, as found by a pattern. The expressions of a table itself are looked at with it.
func builtinUsers(pattern string) string {
	return `SELECT t.rel, t.type FROM (SELECT 0::pg_catalog.oid, k.contypid, k.conbin FROM pg_catalog.pg_constraint k WHERE k.contypid <> 0 AND k.oid >= 16384
  UNION ALL SELECT o.polrelid, 0, o.polqual FROM pg_catalog.pg_policy o UNION ALL SELECT o.polrelid, 0, o.polwithcheck FROM pg_catalog.pg_policy o) t (rel, type, tree)
 WHERE t.tree::pg_catalog.text ~ (` + pattern + `)`
}

// notLargeObject excludes functions for large objects: those write only where there are some.
const notLargeObject = `p.proname !~ '^lo'`

// callsBuiltinWriter is the condition that an expression, t.tree, calls a built-in function that may
// write. For a few expressions this is cheaper than a pattern.
const callsBuiltinWriter = `EXISTS (SELECT FROM pg_catalog.regexp_matches(t.tree::pg_catalog.text, ':funcid ([0-9]+)', 'g') m
  JOIN pg_catalog.pg_proc p ON p.oid = m[1]::pg_catalog.oid WHERE p.oid < 16384 AND ` + notLargeObject + ` AND ` + builtinMayWrite + `)`

// largeObjectUsers selects the tables and domains of which a check, a default or the condition
// of a trigger or policy calls a large object function.
const largeObjectUsers = `SELECT t.rel, t.type FROM (SELECT k.conrelid AS rel, k.contypid AS type, k.conbin AS tree FROM pg_catalog.pg_constraint k
  UNION ALL SELECT d.adrelid, 0, d.adbin FROM pg_catalog.pg_attrdef d
  UNION ALL SELECT g.tgrelid, 0, g.tgqual FROM pg_catalog.pg_trigger g
  UNION ALL SELECT o.polrelid, 0, o.polqual FROM pg_catalog.pg_policy o UNION ALL SELECT o.polrelid, 0, o.polwithcheck FROM pg_catalog.pg_policy o) t
 WHERE t.tree::pg_catalog.text ~ (` + builtinCalls + `p.proname ~ '^lo_')`

// hiddenText asks what leads to a function that may write. It follows the server's own
// dependencies from such functions on: operators, casts, domains, policies and views made of
// them, views of views, tables with such a type. What belongs to an extension is taken for
// harmless, unless something else depends on it.
//
// Trigger functions are not called by texts. Built-in functions, which have no entries in
// pg_depend, are looked for in the trees of the rules.
//
// The recursion begins with one row instead of the functions: the planner then expects few
// rows, and skips JIT compilation, which takes a few milliseconds.
var hiddenText = catalogOIDs.Replace(`WITH RECURSIVE f AS MATERIALIZED (
 SELECT p.oid, p.proname, p.pronargs, p.pronargdefaults, p.provariadic, p.prorettype, p.proargtypes FROM pg_catalog.pg_proc p WHERE (` + mayWrite + `)::pg_catalog.int4 = 1
), r AS MATERIALIZED (
 SELECT r.oid FROM pg_catalog.pg_rewrite r WHERE r.oid >= 16384
  AND r.ev_action::pg_catalog.text ~ (SELECT ':funcid (' || pg_catalog.string_agg(f.oid::pg_catalog.text, '|') || E')\\M' FROM f WHERE f.oid < 16384)
), e AS MATERIALIZED (
 ` + builtinUsers(`SELECT ':funcid (' || pg_catalog.string_agg(p.oid::pg_catalog.text, '|') || E')\\M' FROM f p WHERE p.oid < 16384 AND `+notLargeObject) + `
), h (class, id) AS (
 SELECT 0::pg_catalog.oid, 0::pg_catalog.oid
 UNION
 SELECT s.class, s.id FROM h CROSS JOIN LATERAL (
  SELECT {proc}::pg_catalog.oid AS class, u.id FROM pg_catalog.unnest(ARRAY(SELECT f.oid FROM f WHERE f.prorettype NOT IN (2279, 3838))) AS u (id) WHERE h.class = 0
  UNION ALL SELECT {rewrite}, u.id FROM pg_catalog.unnest(ARRAY(SELECT r.oid FROM r)) AS u (id) WHERE h.class = 0
  UNION ALL SELECT CASE o.type WHEN 0 THEN {class} ELSE {type} END, CASE o.type WHEN 0 THEN o.rel ELSE o.type END
   FROM (` + largeObjectUsers + `) o WHERE h.class = 0 AND EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)
  UNION ALL SELECT {class}, u.id FROM pg_catalog.unnest(ARRAY(SELECT e.rel FROM e WHERE e.rel <> 0)) AS u (id) WHERE h.class = 0
  UNION ALL SELECT {type}, u.id FROM pg_catalog.unnest(ARRAY(SELECT e.type FROM e WHERE e.type <> 0)) AS u (id) WHERE h.class = 0
  UNION ALL SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
   WHERE d.refclassid = h.class AND d.refobjid = h.id AND d.deptype IN ('n', 'a', 'i') AND CASE
    WHEN d.classid IN ({operator}, {cast}) THEN h.class = {proc}
    WHEN d.classid IN ({type}, {constraint}) THEN h.class <> {class}
    WHEN d.classid = {class} THEN h.class IN ({type}, {opclass})
    ELSE d.classid IN ({rewrite}, {policy}, {amproc}, {amop}) END
  UNION ALL SELECT {class}, c.oid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
   WHERE h.class = {rewrite} AND r.oid = h.id AND r.ev_type = '1' AND c.relkind <> 'm'
  UNION ALL SELECT {class}, o.polrelid FROM pg_catalog.pg_policy o WHERE h.class = {policy} AND o.oid = h.id
  UNION ALL SELECT {type}, k.contypid FROM pg_catalog.pg_constraint k WHERE h.class = {constraint} AND k.oid = h.id AND k.contypid <> 0
  UNION ALL SELECT {type}, t.oid FROM pg_catalog.pg_cast k JOIN pg_catalog.pg_type t ON t.oid IN (k.castsource, k.casttarget)
   WHERE h.class = {cast} AND k.oid = h.id AND t.oid >= 16384
  UNION ALL SELECT {type}, t.oid FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_type t ON t.oid IN (o.oprleft, o.oprright)
   WHERE h.class = {operator} AND o.oid = h.id AND t.oid >= 16384
  UNION ALL SELECT {opclass}, o.oid FROM pg_catalog.pg_amproc m JOIN pg_catalog.pg_opclass o ON o.opcfamily = m.amprocfamily
   WHERE h.class = {amproc} AND m.oid = h.id AND o.oid >= 16384
  UNION ALL SELECT {opclass}, o.oid FROM pg_catalog.pg_amop m JOIN pg_catalog.pg_opclass o ON o.opcfamily = m.amopfamily
   WHERE h.class = {amop} AND m.oid = h.id AND o.oid >= 16384
  UNION ALL SELECT {type}, c.reltype FROM pg_catalog.pg_class c WHERE h.class = {class} AND c.oid = h.id AND c.relkind = 'c'
  UNION ALL SELECT {class}, i.indrelid FROM pg_catalog.pg_index i WHERE h.class = {class} AND i.indexrelid = h.id
  UNION ALL SELECT {class}, i.inhparent FROM pg_catalog.pg_inherits i WHERE h.class = {class} AND i.inhrelid = h.id
 ) s WHERE s.class = {proc} OR h.class IN ({cast}, {operator})
  OR NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = s.class AND x.objid = s.id AND x.deptype = 'e')
), types AS MATERIALIZED (
 SELECT t.oid, t.typname, t.typtype FROM h JOIN pg_catalog.pg_type t ON h.class = {type} AND t.oid = h.id
)
SELECT 'name', c.relname FROM h JOIN pg_catalog.pg_class c ON h.class = {class} AND c.oid = h.id WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f')
UNION SELECT 'name', t.typname FROM types t
UNION SELECT 'name', p.proname FROM types t JOIN pg_catalog.pg_depend d ON d.refclassid = {type} AND d.refobjid = t.oid AND d.classid = {proc}
 JOIN pg_catalog.pg_proc p ON p.oid = d.objid
UNION SELECT 'name', o.opcname FROM h JOIN pg_catalog.pg_opclass o ON h.class = {opclass} AND o.oid = h.id
UNION SELECT 'field', f.proname FROM f JOIN pg_catalog.pg_type t ON t.oid = f.proargtypes[0] LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
 WHERE f.oid >= 16384 AND f.pronargs - f.pronargdefaults <= 1 AND (f.provariadic <> 0 OR t.typtype = 'c' OR b.typtype = 'c' OR t.oid IN (2249, 2276, 2283, 2776, 5077, 5079))
UNION SELECT 'call', f.proname FROM f WHERE f.oid >= 16384
UNION SELECT 'operator', o.oprname FROM h JOIN pg_catalog.pg_operator o ON h.class = {operator} AND o.oid = h.id
 LEFT JOIN types l ON l.oid = o.oprleft LEFT JOIN types r ON r.oid = o.oprright
 WHERE ` + symbolSuffices + `
UNION SELECT 'operator', o.oprname FROM pg_catalog.pg_operator o LEFT JOIN types l ON l.oid = o.oprleft LEFT JOIN types r ON r.oid = o.oprright
 WHERE EXISTS (SELECT FROM types) AND (l.oid IS NOT NULL OR r.oid IS NOT NULL) AND ` + symbolSuffices + `
UNION SELECT CASE k.castcontext WHEN 'i' THEN 'all' ELSE 'cast' END, t.typname FROM h JOIN pg_catalog.pg_cast k ON h.class = {cast} AND k.oid = h.id
 JOIN pg_catalog.pg_type t ON t.oid = k.casttarget WHERE k.castsource < 16384 AND k.casttarget < 16384
UNION SELECT 'kept', c.relname FROM h JOIN pg_catalog.pg_rewrite r ON h.class = {rewrite} AND r.oid = h.id JOIN pg_catalog.pg_class c ON c.oid = r.ev_class WHERE c.relkind = 'm'
UNION SELECT 'kept', c.relname FROM h JOIN pg_catalog.pg_constraint k ON h.class = {constraint} AND k.oid = h.id JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
UNION SELECT 'kept', c.relname FROM h JOIN pg_catalog.pg_depend d ON d.refclassid = h.class AND d.refobjid = h.id AND d.classid IN ({class}, {statistic})
 LEFT JOIN pg_catalog.pg_index i ON d.classid = {class} AND i.indexrelid = d.objid
 LEFT JOIN pg_catalog.pg_statistic_ext s ON d.classid = {statistic} AND s.oid = d.objid
 JOIN pg_catalog.pg_class c ON c.oid = COALESCE(i.indrelid, s.stxrelid, d.objid) AND (i.indrelid IS NOT NULL OR s.stxrelid IS NOT NULL OR d.classid = {class} AND c.relkind = 'p')
 WHERE h.class IN ({proc}, {operator}, {opclass})
UNION SELECT 'all', o.opcname FROM h JOIN pg_catalog.pg_opclass o ON h.class = {opclass} AND o.oid = h.id WHERE o.opcdefault AND o.opcintype < 16384
UNION SELECT 'event', '' FROM pg_catalog.pg_event_trigger e JOIN f ON f.oid = e.evtfoid WHERE e.evtenabled <> 'D' AND e.evtevent <> 'login'
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = {event} AND x.objid = e.oid AND x.deptype = 'e')`)

// symbolSuffices is the condition that an operator may be meant where the text has only its
// symbol. A value of a user's type comes from something that is itself one of the words,
// except that a row may be taken for a composite type, and an unknown value for whatever no
// built-in operator accepts.
const symbolSuffices = `(l.oid IS NULL AND r.oid IS NULL OR l.typtype = 'c' OR r.typtype = 'c'
 OR NOT EXISTS (SELECT FROM pg_catalog.pg_operator s WHERE s.oid < 16384 AND s.oprname = o.oprname))`

// catalogOIDs are the fixed OIDs of system catalogues.
var catalogOIDs = strings.NewReplacer(
	"{type}", "1247", "{proc}", "1255", "{class}", "1259", "{amop}", "2602", "{amproc}", "2603", "{cast}", "2605", "{constraint}", "2606",
	"{opclass}", "2616", "{operator}", "2617", "{rewrite}", "2618", "{policy}", "3256", "{statistic}", "3381", "{event}", "3466",
)
