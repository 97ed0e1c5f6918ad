package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// foreignKey is one by which InnoDB changes rows of another table. It fires no
// trigger for them and counts them nowhere.
type foreignKey struct {
	id                    string
	child, parent         mysqlTable
	childCols, parentCols []string
	onDelete, onUpdate    string // "CASCADE", "SET NULL", or "": nothing happens to the child
}

// Bits of INNODB_SYS_FOREIGN.TYPE.
const (
	deleteCascade = 1 << iota
	deleteSetNull
	updateCascade
	updateSetNull
)

func keyAction(kind, cascade, setNull int64) string {
	switch {
	case kind&cascade != 0:
		return "CASCADE"
	case kind&setNull != 0:
		return "SET NULL"
	}
	return ""
}

// dictionaryName are the pieces of a name as InnoDB's dictionary has it.
func dictionaryName(name string) string {
	file := "CAST(CONVERT(" + quoteString(sqlscan.MySQL, name) + " USING filename) AS BINARY)"
	if isDeviceName(name) {
		file += ", " + deviceSuffix
	}
	return file
}

// deviceSuffix is what the server adds to the name of a file that a system would take for
// a device: @@@ (check_if_legal_tablename in its source).
const deviceSuffix = "0x404040" // in no character set: character_set_connection may give two bytes to each letter

func isDeviceName(name string) bool {
	switch name = strings.ToUpper(name); name {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	return len(name) == 4 && (name[:3] == "COM" || name[:3] == "LPT") && name[3] >= '1' && name[3] <= '9'
}

// decodeDictionaryName undoes fileName for one part of a dictionary's name.
func decodeDictionaryName(expr string) string {
	return "CONVERT(CONVERT(TRIM(TRAILING " + deviceSuffix + " FROM CAST(" + expr + " AS BINARY)) USING filename) USING utf8mb4)"
}

// referencesAny is the condition that a row of INNODB_SYS_FOREIGN points to one of
// the tables.
func referencesAny(tables []mysqlTable) string {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = "CONVERT(CONCAT(" + dictionaryName(t.schema) + ", 0x2F, " + dictionaryName(t.name) + ") USING utf8mb3)"
	}
	return "REF_NAME IN (" + strings.Join(names, ", ") + ")"
}

const dictionary = "information_schema.INNODB_SYS_FOREIGN"

// isReferenced reports that there are foreign keys to the tables.
func (m *mysql) isReferenced(ctx context.Context, tables []mysqlTable) (some bool, err error) {
	if len(tables) == 0 {
		return false, nil
	}
	text := "SELECT 1 FROM " + dictionary + " WHERE " + referencesAny(tables) + " LIMIT 1"
	if m.noDictionary {
		text = standardReferenceQuery(tables)
	}
	err = m.conn.Query(ctx, text, func([]any) error { some = true; return nil })
	if err != nil && !m.noDictionary && dictionaryDenied(err) {
		m.noDictionary = true
		return m.isReferenced(ctx, tables)
	}
	return some, err
}

// standardReferenceQuery asks the standard's own view, where the account sees the
// foreign keys of those tables that it has a privilege on.
func standardReferenceQuery(tables []mysqlTable) string {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = quoteString(sqlscan.MySQL, t.name)
	}
	return "SELECT 1 FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE REFERENCED_TABLE_NAME IN (" + strings.Join(names, ", ") + ") LIMIT 1"
}

// dictionaryDenied knows that the account lacks PROCESS (1227), or that the
// server is MySQL, which has no such table (1109).
func dictionaryDenied(err error) bool {
	return mysqlError(err, "1227") || mysqlError(err, "1109")
}

const keyColumns = "ID, FOR_NAME, REF_NAME, TYPE"

// reachableKeys are the foreign keys that lead away from the tables, step by step.
func (m *mysql) reachableKeys(ctx context.Context, tables []mysqlTable) ([]foreignKey, error) {
	if m.noDictionary {
		return m.standardKeys(ctx, tables)
	}
	return m.queryKeys(ctx, "WITH RECURSIVE k AS (SELECT "+keyColumns+" FROM "+dictionary+" WHERE "+referencesAny(tables)+
		" UNION SELECT f.ID, f.FOR_NAME, f.REF_NAME, f.TYPE FROM "+dictionary+" f JOIN k ON f.REF_NAME = k.FOR_NAME)")
}

// keysReferencing are the foreign keys to the tables, which are all that can be reached by
// any.
func (m *mysql) keysReferencing(ctx context.Context, tables []mysqlTable) ([]foreignKey, error) {
	if m.noDictionary {
		return m.standardKeys(ctx, tables)
	}
	return m.queryKeys(ctx, "WITH k AS (SELECT "+keyColumns+" FROM "+dictionary+" WHERE "+referencesAny(tables)+")")
}

// queryKeys asks InnoDB's dictionary for the keys of a WITH clause.
func (m *mysql) queryKeys(ctx context.Context, with string) (keys []foreignKey, err error) {
	text := with + " SELECT k.ID, " + splitName("k.FOR_NAME") + ", " + splitName("k.REF_NAME") + ", k.TYPE, c.FOR_COL_NAME, c.REF_COL_NAME" +
		" FROM k JOIN " + dictionary + "_COLS c ON c.ID = k.ID ORDER BY k.ID, c.POS" + noLimit
	err = m.conn.Query(ctx, text, func(v []any) error {
		kind, err := asInt(v[5])
		if err != nil {
			return err
		}
		keys = appendKey(keys, foreignKey{
			id:       strings.Clone(asText(v[0])),
			child:    mysqlTable{strings.Clone(asText(v[1])), strings.Clone(asText(v[2]))},
			parent:   mysqlTable{strings.Clone(asText(v[3])), strings.Clone(asText(v[4]))},
			onDelete: keyAction(kind, deleteCascade, deleteSetNull),
			onUpdate: keyAction(kind, updateCascade, updateSetNull),
		}, strings.Clone(asText(v[6])), strings.Clone(asText(v[7])))
		return nil
	})
	return keys, err
}

func splitName(column string) string {
	return decodeDictionaryName("SUBSTRING_INDEX("+column+", '/', 1)") + ", " + decodeDictionaryName("SUBSTRING_INDEX("+column+", '/', -1)")
}

// appendKey adds a key, or a column to the last one.
func appendKey(keys []foreignKey, k foreignKey, childCol, parentCol string) []foreignKey {
	if n := len(keys); n == 0 || keys[n-1].id != k.id {
		keys = append(keys, k)
	}
	last := &keys[len(keys)-1]
	last.childCols = append(last.childCols, childCol)
	last.parentCols = append(last.parentCols, parentCol)
	return keys
}

// standardKeys asks the standard's own views, which need no privilege but are
// slow in MariaDB: it opens every table for them.
func (m *mysql) standardKeys(ctx context.Context, tables []mysqlTable) ([]foreignKey, error) {
	const text = "SELECT CONCAT(r.CONSTRAINT_SCHEMA, '/', r.TABLE_NAME, '/', r.CONSTRAINT_NAME), k.TABLE_SCHEMA, k.TABLE_NAME," +
		" k.REFERENCED_TABLE_SCHEMA, k.REFERENCED_TABLE_NAME, r.DELETE_RULE, r.UPDATE_RULE, k.COLUMN_NAME, k.REFERENCED_COLUMN_NAME" +
		" FROM information_schema.REFERENTIAL_CONSTRAINTS r JOIN information_schema.KEY_COLUMN_USAGE k" +
		" ON k.CONSTRAINT_SCHEMA = r.CONSTRAINT_SCHEMA AND k.CONSTRAINT_NAME = r.CONSTRAINT_NAME AND k.TABLE_NAME = r.TABLE_NAME" +
		" ORDER BY 1, k.ORDINAL_POSITION" + noLimit
	rule := func(v any) string {
		if s := asText(v); s == "CASCADE" || s == "SET NULL" {
			return strings.Clone(s)
		}
		return ""
	}
	var all []foreignKey
	err := m.conn.Query(ctx, text, func(v []any) error {
		all = appendKey(all, foreignKey{
			id:       strings.Clone(asText(v[0])),
			child:    mysqlTable{strings.Clone(asText(v[1])), strings.Clone(asText(v[2]))},
			parent:   mysqlTable{strings.Clone(asText(v[3])), strings.Clone(asText(v[4]))},
			onDelete: rule(v[5]), onUpdate: rule(v[6]),
		}, strings.Clone(asText(v[7])), strings.Clone(asText(v[8])))
		return nil
	})
	reached := slices.Clone(tables)
	var keys []foreignKey
	for i := 0; i < len(reached); i++ {
		for _, k := range all {
			if k.parent == reached[i] {
				keys = append(keys, k)
				if !slices.Contains(reached, k.child) {
					reached = append(reached, k.child)
				}
			}
		}
	}
	return keys, err
}

// from are the keys that change rows when this happens to the parent. assigns
// says whether an UPDATE may give one of the columns another value.
func cascadingKeys(keys []foreignKey, parent mysqlTable, ev events, assigns func(columns []string) bool) (hit []foreignKey) {
	for _, k := range keys {
		if k.parent != parent {
			continue
		}
		if ev&deletes != 0 && k.onDelete != "" || ev&updates != 0 && k.onUpdate != "" && assigns(k.parentCols) {
			hit = append(hit, k)
		}
	}
	return hit
}
