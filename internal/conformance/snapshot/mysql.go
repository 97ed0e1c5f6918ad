package snapshot

import (
	"context"
	"database/sql"
	"slices"
)

// MySQL is [MariaDB] for MySQL.
func MySQL(ctx context.Context, db *sql.DB, ignore string) (*Snapshot, error) {
	return mysqlFamily(ctx, db, ignore, mysqlStructure)
}

// mysqlStructure has what MariaDB's has, and what only MySQL has.
var mysqlStructure = append(slices.DeleteFunc(slices.Clone(mariadbStructure), func(p mysqlPart) bool { return p.mariadbOnly }),
	mysqlPart{
		text: "SELECT CONCAT_WS(' ', 'index', @, table_name, index_name)," +
			" GROUP_CONCAT(CONCAT_WS(' ', column_name, expression, sub_part, non_unique, index_type) ORDER BY seq_in_index) FROM information_schema.statistics",
		schema: "table_schema", more: " GROUP BY table_schema, table_name, index_name",
	},
	mysqlPart{
		text: "SELECT CONCAT_WS(' ', 'check', @, constraint_name), CONCAT_WS(' ', check_clause, enforced) FROM information_schema.check_constraints" +
			" JOIN information_schema.table_constraints USING (constraint_schema, constraint_name)",
		schema: "constraint_schema", more: " AND constraint_type = 'CHECK'",
	},
)
