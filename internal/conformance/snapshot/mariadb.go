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
	s := newSnapshot()
	if err := queryInto(ctx, db, s.Databases, "SELECT CONCAT('database ', COALESCE("+otherDatabase("schema_name")+", '(current)')), default_collation_name"+
		" FROM information_schema.schemata WHERE"+visible("schema_name", ignore)); err != nil {
		return nil, err
	}
	for _, part := range mariadbStructure {
		text := strings.Replace(part.text, "@", otherDatabase(part.schema), 1)
		if err := queryInto(ctx, db, s.Structure, text+" WHERE"+visible(part.schema, ignore)+part.more); err != nil {
			return nil, err
		}
	}
	// A sequence shows as a table of one row, which NEXTVAL changes.
	tables, err := query(ctx, db, "SELECT "+otherDatabase("table_schema")+", table_name, table_type FROM information_schema.tables"+
		" WHERE table_type NOT IN ('VIEW', 'SEQUENCE') AND"+visible("table_schema", ignore))
	if err != nil {
		return nil, err
	}
	for _, row := range tables.Rows {
		name, kind := backquoted(row[1][1:]), row[2]
		if row[0] != null {
			name = backquoted(row[0][1:]) + "." + name
		}
		if s.Tables[name], err = query(ctx, db, "SELECT * FROM "+name); err != nil {
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

// mariadbStructure (@ is otherDatabase) reads information_schema part by part: SHOW CREATE
// TABLE would make one object of a table and all its columns.
var mariadbStructure = []struct{ text, schema, more string }{
	{"SELECT CONCAT_WS(' ', 'table', @, table_name)," +
		" CONCAT_WS(' ', table_type, engine, row_format, table_collation, create_options) FROM information_schema.tables", "table_schema", ""},
	{"SELECT CONCAT_WS(' ', 'column', @, table_name, column_name)," +
		" CONCAT_WS(' ', column_type, is_nullable, column_default, extra, collation_name, generation_expression) FROM information_schema.columns", "table_schema", ""},
	{
		"SELECT CONCAT_WS(' ', 'index', @, table_name, index_name)," +
			" GROUP_CONCAT(CONCAT_WS(' ', column_name, sub_part, non_unique, index_type) ORDER BY seq_in_index) FROM information_schema.statistics",
		"table_schema", " GROUP BY table_schema, table_name, index_name",
	},
	{"SELECT CONCAT_WS(' ', 'foreign key', @, table_name, constraint_name)," +
		" CONCAT_WS(' ', referenced_table_name, update_rule, delete_rule) FROM information_schema.referential_constraints", "constraint_schema", ""},
	{"SELECT CONCAT_WS(' ', 'check', @, table_name, constraint_name), check_clause FROM information_schema.check_constraints", "constraint_schema", ""},
	{"SELECT CONCAT_WS(' ', 'view', @, table_name), view_definition FROM information_schema.views", "table_schema", ""},
	{"SELECT CONCAT_WS(' ', 'trigger', @, trigger_name)," +
		" CONCAT_WS(' ', action_timing, event_manipulation, event_object_table, action_statement) FROM information_schema.triggers", "trigger_schema", ""},
	{"SELECT CONCAT_WS(' ', routine_type, @, routine_name), routine_definition FROM information_schema.routines", "routine_schema", ""},
	{"SELECT CONCAT_WS(' ', 'event', @, event_name), CONCAT_WS(' ', status, event_definition) FROM information_schema.events", "event_schema", ""},
	{
		"SELECT CONCAT_WS(' ', 'partition', @, table_name, partition_name)," +
			" CONCAT_WS(' ', partition_method, partition_expression, partition_description) FROM information_schema.partitions",
		"table_schema", " AND partition_name IS NOT NULL",
	},
}
