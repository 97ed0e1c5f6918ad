package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// foreignKey is a foreign key. InnoDB changes rows of child tables without firing
// triggers, and without counting them.
type foreignKey struct {
	id                    string
	child, parent         mysqlTable
	childCols, parentCols []string
	onDelete, onUpdate    string // CASCADE, SET NULL, or "" where child rows stay as they are
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

// isReferenced reports that foreign keys reference one of the tables.
func (m *mysql) isReferenced(ctx context.Context, tables []mysqlTable) (some bool, err error) {
	if len(tables) == 0 {
		return false, nil
	}
	text := "SELECT 1 FROM " + m.innodbForeign() + " WHERE " + m.referencesAny(tables) + " LIMIT 1"
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

// standardReferenceQuery uses the standard view, which shows an account the foreign
// keys of those tables on which it has a privilege.
func standardReferenceQuery(tables []mysqlTable) string {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = "(" + quoteString(sqlscan.MySQL, t.schema) + ", " + quoteString(sqlscan.MySQL, t.name) + ")"
	}
	return "SELECT 1 FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE (UNIQUE_CONSTRAINT_SCHEMA, REFERENCED_TABLE_NAME) IN (" + strings.Join(names, ", ") + ") LIMIT 1"
}

// dictionaryDenied reports that the account lacks PROCESS (1227), or that the server
// only resembles MySQL and has no such table (1109).
func dictionaryDenied(err error) bool {
	return mysqlError(err, "1227") || mysqlError(err, "1109")
}

const keyColumns = "ID, FOR_NAME, REF_NAME, TYPE"

// reachableKeys are the foreign keys that reference the tables, those that reference
// their child tables, and so on.
func (m *mysql) reachableKeys(ctx context.Context, tables []mysqlTable) ([]foreignKey, error) {
	if m.noDictionary {
		return m.standardKeys(ctx, tables)
	}
	return m.queryKeys(ctx, tables, "WITH RECURSIVE k AS (SELECT "+keyColumns+" FROM "+m.innodbForeign()+" WHERE "+m.referencesAny(tables)+
		" UNION SELECT f.ID, f.FOR_NAME, f.REF_NAME, f.TYPE FROM "+m.innodbForeign()+" f JOIN k ON f.REF_NAME = k.FOR_NAME)")
}

// keysReferencing are the foreign keys that reference the tables: all keys, if tables
// include every child table.
func (m *mysql) keysReferencing(ctx context.Context, tables []mysqlTable) ([]foreignKey, error) {
	if m.noDictionary {
		return m.standardKeys(ctx, tables)
	}
	return m.queryKeys(ctx, tables, "WITH k AS (SELECT "+keyColumns+" FROM "+m.innodbForeign()+" WHERE "+m.referencesAny(tables)+")")
}

// queryKeys reads the keys that a WITH clause selects from InnoDB's dictionary.
func (m *mysql) queryKeys(ctx context.Context, known []mysqlTable, with string) (keys []foreignKey, err error) {
	text := with + " SELECT k.ID, " + m.splitName("k.FOR_NAME") + ", " + m.splitName("k.REF_NAME") + ", k.TYPE, c.FOR_COL_NAME, c.REF_COL_NAME" +
		" FROM k JOIN " + m.innodbForeign() + "_COLS c ON c.ID = k.ID ORDER BY k.ID, c.POS" + noLimit
	err = m.conn.Query(ctx, text, func(v []any) error {
		kind, err := asInt(v[5])
		if err != nil {
			return err
		}
		keys = appendKey(keys, foreignKey{
			id:       strings.Clone(AsText(v[0])),
			child:    mysqlTable{strings.Clone(AsText(v[1])), strings.Clone(AsText(v[2]))}.unsplit(known),
			parent:   mysqlTable{strings.Clone(AsText(v[3])), strings.Clone(AsText(v[4]))}.unsplit(known),
			onDelete: keyAction(kind, deleteCascade, deleteSetNull),
			onUpdate: keyAction(kind, updateCascade, updateSetNull),
		}, strings.Clone(AsText(v[6])), strings.Clone(AsText(v[7])))
		return nil
	})
	return keys, err
}

// appendKey adds a key, or another column to the last one.
func appendKey(keys []foreignKey, k foreignKey, childCol, parentCol string) []foreignKey {
	if n := len(keys); n == 0 || keys[n-1].id != k.id {
		keys = append(keys, k)
	}
	last := &keys[len(keys)-1]
	last.childCols = append(last.childCols, childCol)
	last.parentCols = append(last.parentCols, parentCol)
	return keys
}

// standardKeys uses the standard views, which take no privilege but are slow in
// MariaDB, which opens every table for them.
func (m *mysql) standardKeys(ctx context.Context, tables []mysqlTable) ([]foreignKey, error) {
	const text = "SELECT CONCAT(r.CONSTRAINT_SCHEMA, '/', r.TABLE_NAME, '/', r.CONSTRAINT_NAME), k.TABLE_SCHEMA, k.TABLE_NAME," +
		" k.REFERENCED_TABLE_SCHEMA, k.REFERENCED_TABLE_NAME, r.DELETE_RULE, r.UPDATE_RULE, k.COLUMN_NAME, k.REFERENCED_COLUMN_NAME" +
		" FROM information_schema.REFERENTIAL_CONSTRAINTS r JOIN information_schema.KEY_COLUMN_USAGE k" +
		" ON k.CONSTRAINT_SCHEMA = r.CONSTRAINT_SCHEMA AND k.CONSTRAINT_NAME = r.CONSTRAINT_NAME AND k.TABLE_NAME = r.TABLE_NAME" +
		" ORDER BY 1, k.ORDINAL_POSITION" + noLimit
	rule := func(v any) string {
		if s := AsText(v); s == "CASCADE" || s == "SET NULL" {
			return strings.Clone(s)
		}
		return ""
	}
	var all []foreignKey
	err := m.conn.Query(ctx, text, func(v []any) error {
		all = appendKey(all, foreignKey{
			id:       strings.Clone(AsText(v[0])),
			child:    mysqlTable{strings.Clone(AsText(v[1])), strings.Clone(AsText(v[2]))},
			parent:   mysqlTable{strings.Clone(AsText(v[3])), strings.Clone(AsText(v[4]))},
			onDelete: rule(v[5]), onUpdate: rule(v[6]),
		}, strings.Clone(AsText(v[7])), strings.Clone(AsText(v[8])))
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

// cascadingKeys are the keys that change child rows when this happens to the parent.
// assigns says whether an UPDATE may change one of the columns.
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
