package snapshot

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sqliteText begins the name of an object whose definition is a table's text.
const sqliteText = "table text "

// SQLite reads the main database of db, and the other files in the folder of
// its file: ATTACH and VACUUM INTO make databases there.
func SQLite(ctx context.Context, db *sql.DB, file string) (*Snapshot, error) {
	s := newSnapshot()
	if err := queryInto(ctx, db, s.Structure, sqliteStructure); err != nil {
		return nil, err
	}
	tables, err := query(ctx, db, sqliteTables)
	if err != nil {
		return nil, err
	}
	for _, row := range tables.Rows {
		name, columns := row[0][1:], strings.TrimPrefix(row[1], "=")
		text := fmt.Sprintf("SELECT %s FROM %s", columns, doubleQuoted(name))
		if s.Tables[name], err = query(ctx, db, text); err != nil {
			return nil, err
		}
	}
	return s, s.addFiles(file)
}

func doubleQuoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// sqliteTables gives every table with a select list of exact literals.
const sqliteTables = `
SELECT s.name, (SELECT group_concat(format('typeof("%w") || quote("%w") AS "%w"', c.name, c.name, c.name), ', ') FROM pragma_table_xinfo(s.name) c)
FROM sqlite_schema s
WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND s.sql NOT LIKE 'CREATE VIRTUAL%'`

const sqliteStructure = `
SELECT '` + sqliteText + `' || name, sql FROM sqlite_schema WHERE type = 'table'
UNION ALL
SELECT type || ' ' || name, tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema WHERE type <> 'table'
UNION ALL
SELECT format('column %s.%s', s.name, c.name), format('%s %s %s %s', c.type, c."notnull", c.dflt_value, c.pk)
FROM sqlite_schema s, pragma_table_xinfo(s.name) c WHERE s.type IN ('table', 'view')
UNION ALL
SELECT 'user_version', user_version FROM pragma_user_version`

func (s *Snapshot) addFiles(file string) error {
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		return err
	}
	main := filepath.Base(file)
	for _, e := range entries {
		if slices.Contains([]string{main, main + "-journal", main + "-wal", main + "-shm"}, e.Name()) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(filepath.Dir(file), e.Name()))
		if err != nil {
			return err
		}
		s.Databases["file "+e.Name()] = fmt.Sprintf("%x", sha256.Sum256(content))
	}
	return nil
}
