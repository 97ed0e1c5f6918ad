package snapshot

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// MariaDB reads every database of the server but the system's and those that
// begin with ignore, except the current one.
func MariaDB(ctx context.Context, db *sql.DB, ignore string) (*Snapshot, error) {
	return mysqlFamily(ctx, db, ignore, mariadbStructure)
}

func mysqlFamily(ctx context.Context, db *sql.DB, ignore string, structure []mysqlPart) (*Snapshot, error) {
	s := newSnapshot()
	if err := queryInto(ctx, db, s.Databases, "SELECT CONCAT('database ', COALESCE("+otherDatabase("schema_name")+", '(current)')), default_collation_name"+
		" FROM information_schema.schemata WHERE"+visible("schema_name", ignore)); err != nil {
		return nil, err
	}
	for _, part := range structure {
		text := strings.Replace(part.text, "@", otherDatabase(part.schema), 1)
		if err := queryInto(ctx, db, s.Structure, text+" WHERE"+visible(part.schema, ignore)+part.more); err != nil {
			return nil, err
		}
	}
	invisible, err := invisibleColumns(ctx, db, ignore)
	if err != nil {
		return nil, err
	}
	// A sequence shows as a table of one row, which NEXTVAL changes.
	tables, err := query(ctx, db, "SELECT "+otherDatabase("table_schema")+", table_name, table_type FROM information_schema.tables"+
		" WHERE table_type NOT IN ('VIEW', 'SEQUENCE') AND"+visible("table_schema", ignore))
	if err != nil {
		return nil, err
	}
	for _, row := range tables.Rows {
		name, kind := nameOf(row[0], row[1]), row[2]
		if s.Tables[name], err = query(ctx, db, "SELECT *"+invisible[name]+" FROM "+name); err != nil {
			return nil, err
		}
		if kind != "=SYSTEM VERSIONED" {
			continue
		}
		// DELETE HISTORY loses rows that no plain SELECT shows.
		if s.Tables[name+" with history"], err = query(ctx, db, "SELECT * FROM "+name+" FOR SYSTEM_TIME ALL"); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// nameOf quotes the name of a table, with its database if that is not the current one.
func nameOf(schema, table string) string {
	if schema == null {
		return backquoted(table[1:])
	}
	return backquoted(schema[1:]) + "." + backquoted(table[1:])
}

// invisibleColumns are, by table, those that SELECT * does not read, each after a comma.
func invisibleColumns(ctx context.Context, db *sql.DB, ignore string) (map[string]string, error) {
	found, err := query(ctx, db, "SELECT "+otherDatabase("table_schema")+", table_name, column_name FROM information_schema.columns"+
		" WHERE extra LIKE '%INVISIBLE%' AND"+visible("table_schema", ignore))
	columns := map[string]string{}
	for _, row := range found.Rows {
		columns[nameOf(row[0], row[1])] += ", " + backquoted(row[2][1:])
	}
	return columns, err
}

func backquoted(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// otherDatabase is the name of a database, or NULL for the current one: what a snapshot says
// does not depend on what a fresh database is called.
func otherDatabase(schema string) string { return "NULLIF(" + schema + ", DATABASE())" }

// visible is a condition on the name of a database. ignore is an identifier of
// ours: quoting it would make every one of a dozen queries a prepared statement.
func visible(schema, ignore string) string {
	return fmt.Sprintf(" %[1]s NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')"+
		" AND (LOCATE('%[2]s', %[1]s) <> 1 OR %[1]s = DATABASE()) ", schema, ignore)
}

// mysqlPart is a query for one kind of object. schema is the column that says in which database.
type mysqlPart struct {
	text, schema, more string
	mariadbOnly        bool // MySQL has other columns there
}

// mariadbStructure (@ is otherDatabase) reads information_schema part by part: SHOW CREATE
// TABLE would make one object of a table and all its columns.
var mariadbStructure = []mysqlPart{
	{
		text: "SELECT CONCAT_WS(' ', 'table', @, table_name)," +
			" CONCAT_WS(' ', table_type, engine, row_format, table_collation, create_options) FROM information_schema.tables",
		schema: "table_schema",
	},
	{
		text: "SELECT CONCAT_WS(' ', 'column', @, table_name, column_name)," +
			" CONCAT_WS(' ', column_type, is_nullable, column_default, extra, collation_name, generation_expression) FROM information_schema.columns",
		schema: "table_schema",
	},
	{
		text: "SELECT CONCAT_WS(' ', 'index', @, table_name, index_name)," +
			" GROUP_CONCAT(CONCAT_WS(' ', column_name, sub_part, non_unique, index_type) ORDER BY seq_in_index) FROM information_schema.statistics",
		schema: "table_schema", more: " GROUP BY table_schema, table_name, index_name", mariadbOnly: true,
	},
	{
		text: "SELECT CONCAT_WS(' ', 'foreign key', @, table_name, constraint_name)," +
			" CONCAT_WS(' ', referenced_table_name, update_rule, delete_rule) FROM information_schema.referential_constraints",
		schema: "constraint_schema",
	},
	{
		text:   "SELECT CONCAT_WS(' ', 'check', @, table_name, constraint_name), check_clause FROM information_schema.check_constraints",
		schema: "constraint_schema", mariadbOnly: true,
	},
	{
		text:   "SELECT CONCAT_WS(' ', 'view', @, table_name), view_definition FROM information_schema.views",
		schema: "table_schema",
	},
	{
		text: "SELECT CONCAT_WS(' ', 'trigger', @, trigger_name)," +
			" CONCAT_WS(' ', action_timing, event_manipulation, event_object_table, action_statement) FROM information_schema.triggers",
		schema: "trigger_schema",
	},
	{
		text:   "SELECT CONCAT_WS(' ', routine_type, @, routine_name), routine_definition FROM information_schema.routines",
		schema: "routine_schema",
	},
	{
		text:   "SELECT CONCAT_WS(' ', 'event', @, event_name), CONCAT_WS(' ', status, event_definition) FROM information_schema.events",
		schema: "event_schema",
	},
	{
		text: "SELECT CONCAT_WS(' ', 'partition', @, table_name, partition_name)," +
			" CONCAT_WS(' ', partition_method, partition_expression, partition_description) FROM information_schema.partitions",
		schema: "table_schema", more: " AND partition_name IS NOT NULL",
	},
}
