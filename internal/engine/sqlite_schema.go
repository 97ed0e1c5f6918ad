package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// sqliteSchema is what is known of the tables: how changes of one table's rows lead
// to others. Names are in lower case; two tables of one name in different schemas
// count as one.
//
// It is valid as long as main's schema has this version, which only grows, and which
// is checked in the statement that relies on it or in its transaction. The schema of
// temp is changed only by texts of this connection. While other files are attached
// nothing is cached from one statement to the next.
type sqliteSchema struct {
	version     string
	triggers    map[string][]sqliteTrigger    // by the table that they are on
	foreignKeys map[string][]sqliteForeignKey // by the table that they reference
	replaces    map[string]bool               // tables whose constraints have ON CONFLICT REPLACE
	schemasOf   map[string][]string           // by table
	views       map[string]bool
	modules     map[string]string       // of the virtual tables
	ignores     map[string]bool         // tables whose constraints have ON CONFLICT IGNORE
	fails       map[string]bool         // tables with ON CONFLICT FAIL, or whose triggers may fail so, and keep what was done until then
	tables      map[string]*sqliteTable // loaded on demand
	uncacheable bool                    // the next statement may need another
}

// sqliteForeignKey is a foreign key.
type sqliteForeignKey struct {
	child              string
	parentColumn       string // in lower case; "" if the columns that the parent's UPDATE assigns do not tell
	onDelete, onUpdate effect
	restricts          effect // which changes of the parent's rows may make it fail
}

// loadSchema is the schema, from the cache if it is there.
func (q *sqlite) loadSchema(ctx context.Context) (*sqliteSchema, error) {
	if q.schema != nil {
		return q.schema, nil
	}
	version, err := q.version(ctx) // first: what is read later may be newer, and the version then does not match
	if err != nil {
		return nil, err
	}
	names, err := q.schemas(ctx)
	if err != nil {
		return nil, err
	}
	sc := &sqliteSchema{
		version: version, triggers: map[string][]sqliteTrigger{}, foreignKeys: map[string][]sqliteForeignKey{},
		replaces: map[string]bool{}, schemasOf: map[string][]string{}, views: map[string]bool{}, tables: map[string]*sqliteTable{},
		modules: map[string]string{}, ignores: map[string]bool{}, fails: map[string]bool{},
	}
	for _, name := range names {
		sc.uncacheable = sc.uncacheable || name != "main" && name != "temp"
		if err := sc.read(ctx, q.conn, name); err != nil {
			return nil, err
		}
	}
	if err := q.findSameRow(ctx, sc); err != nil {
		return nil, err
	}
	sc.uncacheable = sc.uncacheable || sc.views[versionTable] || len(sc.schemasOf[versionTable]) > 0 // it would be queried instead
	if q.schemaUncommitted {
		open, err := q.inTransaction(ctx)
		if err != nil {
			return nil, err
		}
		q.schemaUncommitted = open // a rollback may undo it, and the version be given to another schema
	}
	if !sc.uncacheable && !q.schemaUncommitted {
		q.schema = sc
	}
	return sc, nil
}

// read adds the objects of one schema. LIKE is applied to lower(sql), since
// case_sensitive_like may be on.
func (sc *sqliteSchema) read(ctx context.Context, conn Conn, schema string) error {
	master := quoteName(schema) + ".sqlite_master"
	err := conn.Query(ctx, "SELECT type, tbl_name, CASE WHEN type = 'trigger' OR lower(sql) LIKE '%conflict%' OR sql GLOB 'CREATE VIRTUAL*' THEN sql END FROM "+
		master+" WHERE type IN ('table', 'view', 'trigger')", func(v []any) error {
		table, text := fold(AsText(v[1])), AsText(v[2])
		if containsFold(text, "fail") {
			sc.fails[table] = true
		}
		switch AsText(v[0]) {
		case "trigger":
			sc.triggers[table] = append(sc.triggers[table], parseTrigger(text))
		case "view":
			sc.views[table] = true
		default:
			sc.schemasOf[table] = append(sc.schemasOf[table], schema)
			if strings.HasPrefix(text, "CREATE VIRTUAL") {
				sc.modules[table] = moduleOf(text)
				break
			}
			sc.ignores[table] = sc.ignores[table] || containsFold(text, "ignore")
			sc.replaces[table] = sc.replaces[table] || containsFold(text, "replace")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return sc.readKeys(ctx, conn, schema)
}

// readKeys adds its foreign keys, one for each of their columns. If the parent has
// generated columns, one may change along with others.
func (sc *sqliteSchema) readKeys(ctx context.Context, conn Conn, schema string) error {
	return conn.Query(ctx, fmt.Sprintf(`SELECT f."table", m.name, f.on_delete, f.on_update, CASE WHEN f.on_update NOT IN ('NO ACTION', 'RESTRICT') THEN
(SELECT CASE WHEN max(x.hidden) = 0 THEN coalesce(f."to", max(CASE WHEN x.pk = f.seq + 1 THEN x.name END)) END
FROM %[1]s.sqlite_master p, pragma_table_xinfo(p.name, %[2]s) x WHERE p.type = 'table' AND p.name = f."table" COLLATE NOCASE) END
FROM %[1]s.sqlite_master m, pragma_foreign_key_list(m.name, %[2]s) f WHERE m.type = 'table' AND lower(m.sql) LIKE '%%references%%'`,
		quoteName(schema), quoteString(sqlscan.SQLite, schema)), func(v []any) error {
		parent, ref := fold(AsText(v[0])), sqliteForeignKey{child: fold(AsText(v[1])), parentColumn: fold(AsText(v[4]))}
		switch AsText(v[2]) {
		case "CASCADE":
			ref.onDelete = rowsRemoved
		case "SET NULL":
			ref.onDelete = rowsChanged
		case "SET DEFAULT":
			ref.onDelete = rowsChanged
			fallthrough
		default:
			ref.restricts |= rowsRemoved
		}
		switch AsText(v[3]) {
		case "CASCADE", "SET NULL":
			ref.onUpdate = rowsChanged
		case "SET DEFAULT":
			ref.onUpdate = rowsChanged
			fallthrough
		default:
			ref.restricts |= rowsChanged
		}
		sc.foreignKeys[parent] = append(sc.foreignKeys[parent], ref)
		return nil
	})
}

// impliedActs of a DROP TABLE: it deletes the table's rows first, and foreign keys
// delete or change other tables' rows with them.
func (q *sqlite) impliedActs(ctx context.Context, _ *statement, x *target, verb dbguard.Verb) (acts []dbguard.Act, err error) {
	if verb != dbguard.Remove || x.class != "TABLE" {
		return nil, nil
	}
	on, err := askInts(ctx, q.conn, "SELECT foreign_keys FROM pragma_foreign_keys")
	if err != nil || on[0] == 0 {
		return acts, err
	}
	sc, err := q.loadSchema(ctx)
	if err != nil {
		return acts, err
	}
	name := fold(x.name[len(x.name)-1])
	homes := sc.schemasOf[name]
	if len(x.name) > 1 {
		homes = []string{x.name[0]}
	}
	for _, ref := range sc.foreignKeys[name] {
		if ref.onDelete == 0 || ref.child == name {
			continue
		}
		some, err := q.anyRows(ctx, sc, homes, ref.child)
		if err != nil {
			return acts, err
		}
		if some {
			acts = append(acts, dbguard.Act{Verb: dbguard.Uncounted, Object: ref.child, Note: "rows of it go with those of the table that is dropped, by a foreign key"})
		}
	}
	return acts, nil
}

// anyRows reports that the table has rows in one of the schemas; another one may hide
// it.
func (q *sqlite) anyRows(ctx context.Context, sc *sqliteSchema, homes []string, table string) (bool, error) {
	for _, home := range sc.schemasOf[table] {
		if !slices.ContainsFunc(homes, func(have string) bool { return strings.EqualFold(have, home) }) {
			continue
		}
		some, err := askInts(ctx, q.conn, "SELECT EXISTS (SELECT 1 FROM "+quoteName(home)+"."+quoteName(table)+")")
		if err != nil || some[0] != 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// findSameRow marks the changes of triggers that only affect the row that fired them,
// such as setting a timestamp.
func (q *sqlite) findSameRow(ctx context.Context, sc *sqliteSchema) error {
	for name, triggers := range sc.triggers {
		for i := range triggers {
			for k := range triggers[i].changes {
				a := &triggers[i].changes[k]
				if a.table != name || len(a.matched) == 0 {
					continue
				}
				x, err := q.table(ctx, sc, name)
				if err != nil {
					return err
				}
				a.sameRow = x.plain && x.hasUniqueKey(a.matched)
			}
		}
	}
	return nil
}

// fold is a name as SQLite compares it: only ASCII letters are case-insensitive.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r |= 0x20
		}
		return r
	}, name)
}

// version is the version number of main's schema.
func (q *sqlite) version(ctx context.Context) (string, error) {
	return askText(ctx, q.conn, "PRAGMA main.schema_version")
}

// inTransaction reports that a transaction is open: BEGIN then fails, and changes
// nothing.
func (q *sqlite) inTransaction(ctx context.Context) (bool, error) {
	if _, err := q.conn.Exec(ctx, "BEGIN"); err != nil {
		if strings.Contains(err.Error(), "within a transaction") {
			return true, nil
		}
		return false, err
	}
	_, err := q.conn.Exec(ctx, "ROLLBACK")
	return false, err
}

// sqliteTable is a table of main, the only one of its name.
type sqliteTable struct {
	plain         bool     // an ordinary table; nothing is known of any other
	rowid         string   // a name of the rowid that no column has, if the table has one
	rowidColumn   string   // the INTEGER PRIMARY KEY, in lower case
	primaryKey    []string // of a WITHOUT ROWID table
	unique        []string // unique keys: columns in lower case, separated by commas
	uniqueColumns []string // the columns of these and of other unique indexes; "" if those depend on more columns
	indexes       []string // written like unique
}

// table loads a table. It is plain only if nothing speaks against that.
func (q *sqlite) table(ctx context.Context, sc *sqliteSchema, name string) (*sqliteTable, error) {
	if x, ok := sc.tables[name]; ok {
		return x, nil
	}
	x := &sqliteTable{}
	if homes := sc.schemasOf[name]; len(homes) == 1 && homes[0] == "main" && !sc.views[name] {
		err := q.describe(ctx, name, x)
		if err != nil && !strings.Contains(err.Error(), "no such") { // a SQLite without pragma_table_list
			return nil, err
		}
	}
	if len(sc.tables) > maxNames {
		clear(sc.tables)
	}
	sc.tables[name] = x
	return x, nil
}

func (q *sqlite) describe(ctx context.Context, name string, x *sqliteTable) error {
	quoted := quoteString(sqlscan.SQLite, name)
	bare, collated := false, true
	err := q.conn.Query(ctx, "SELECT l.wr, lower(m.sql) LIKE '%collate%' FROM pragma_table_list l JOIN main.sqlite_master m ON m.name = l.name AND m.type = 'table'"+
		" WHERE l.schema = 'main' AND l.type = 'table' AND l.name = "+quoted+" COLLATE NOCASE", func(v []any) error {
		x.plain, bare, collated = true, asBool(v[0]), asBool(v[1])
		return nil
	})
	if err != nil || !x.plain {
		return err
	}
	if err := q.columns(ctx, quoted, x, bare); err != nil {
		return err
	}
	if err := q.indexes(ctx, quoted, x); err != nil || collated {
		x.primaryKey, x.unique, x.indexes = nil, nil, nil // the key and the column may compare differently
		return err
	}
	return nil
}

// indexes loads the indexes, and which are unique.
func (q *sqlite) indexes(ctx context.Context, quoted string, x *sqliteTable) error {
	columns, odd, unique := map[string][]string{}, map[string]bool{}, map[string]bool{}
	err := q.conn.Query(ctx, `SELECT l.name, i.name, i.coll = 'BINARY' AND NOT l.partial, l."unique",
l.partial OR (SELECT x.hidden FROM pragma_table_xinfo(`+quoted+`) x WHERE x.cid = i.cid) FROM pragma_index_list(`+quoted+
		`) l, pragma_index_xinfo(l.name) i WHERE i.key ORDER BY l.seq, i.seqno`, func(v []any) error {
		index, column := AsText(v[0]), fold(AsText(v[1]))
		columns[index] = append(columns[index], column)
		if unique[index] = asBool(v[3]); unique[index] {
			x.uniqueColumns = append(x.uniqueColumns, column)
			if asBool(v[4]) { // a partial index, or one on a generated column: it depends on other columns
				x.uniqueColumns = append(x.uniqueColumns, "")
			}
		}
		odd[index] = odd[index] || !asBool(v[2]) || column == "" || strings.Contains(column, ",")
		return nil
	})
	for index, names := range columns {
		key := strings.Join(names, ",")
		switch {
		case odd[index]:
		case unique[index]:
			x.unique = append(x.unique, key)
			fallthrough
		default:
			x.indexes = append(x.indexes, key)
		}
	}
	return err
}

// columns finds out what identifies a row.
func (q *sqlite) columns(ctx context.Context, quoted string, x *sqliteTable, bare bool) error {
	taken := map[string]bool{}
	var key, types []string
	err := q.conn.Query(ctx, "SELECT name, upper(type), pk FROM pragma_table_xinfo("+quoted+") ORDER BY pk", func(v []any) error {
		name := fold(AsText(v[0]))
		taken[name] = true
		if AsText(v[2]) != "0" {
			key, types = append(key, name), append(types, AsText(v[1]))
		}
		return nil
	})
	if bare {
		x.primaryKey = key
		return err
	}
	if len(key) == 1 && types[0] == "INTEGER" {
		x.rowidColumn = key[0]
		x.unique, x.uniqueColumns = append(x.unique, x.rowidColumn), append(x.uniqueColumns, x.rowidColumn)
	}
	for _, name := range rowidNames {
		if !taken[name] {
			x.rowid = cmp.Or(x.rowid, name)
			x.unique, x.uniqueColumns = append(x.unique, name), append(x.uniqueColumns, name)
		}
	}
	return err
}

// rowidNames are the names of the rowid, unless a column has taken them.
var rowidNames = []string{"rowid", "_rowid_", "oid"}
