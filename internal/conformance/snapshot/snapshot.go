// Package snapshot reads a whole database over a bare connection and says what has changed
// since: guarded statements are judged by it.
package snapshot

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// A Snapshot is everything that a statement may destroy.
type Snapshot struct {
	// Tables holds the rows, by qualified name of the table.
	Tables map[string]Table
	// Structure holds the definition of every object, by kind and name. An
	// object is as small as the engine allows, so that adding a column adds
	// an object and changes none.
	Structure map[string]string
	// Databases holds databases, schemas and database files with whatever
	// distinguishes one from another of the same name.
	Databases map[string]string
}

// A Table is the content of one table.
type Table struct {
	Columns []string
	Rows    [][]string // each value as text, in the order of Columns
}

// null stands for NULL; every other value begins with "=".
const null = "NULL"

func newSnapshot() *Snapshot {
	return &Snapshot{map[string]Table{}, map[string]string{}, map[string]string{}}
}

// query reads a whole result as text.
func query(ctx context.Context, db *sql.DB, text string, args ...any) (t Table, err error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return t, fmt.Errorf("snapshot: %w in %s", err, text)
	}
	defer rows.Close()
	if t.Columns, err = rows.Columns(); err != nil {
		return t, err
	}
	values := make([]sql.NullString, len(t.Columns))
	targets := make([]any, len(values))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return t, err
		}
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = null
			if v.Valid {
				row[i] = "=" + v.String
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t, rows.Err()
}

// queryInto reads a result of (key, definition) into m.
func queryInto(ctx context.Context, db *sql.DB, m map[string]string, text string, args ...any) error {
	t, err := query(ctx, db, text, args...)
	if err != nil {
		return err
	}
	for _, row := range t.Rows {
		m[strings.TrimPrefix(row[0], "=")] = row[1]
	}
	return nil
}
