package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// The column types of RETURNING are those that the driver reports, also where its rows have
// been read to their end for the caller. modernc looks for them in memory that it has freed
// with the rows.
func TestColumnTypes(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		s.Exec(t, "CREATE TABLE kinds (id INTEGER PRIMARY KEY, t VARCHAR(9) NOT NULL, d DATETIME, b BOOLEAN, x BLOB, n NUMERIC(9, 2))")
		s.Exec(t, "INSERT INTO kinds VALUES (1, 't', '2024-05-06 07:08:09', 1, x'00', 1.5), (2, 't', NULL, NULL, NULL, NULL)")
		for _, text := range []string{
			"UPDATE kinds SET t = 't' WHERE id = 1 RETURNING *", "UPDATE kinds SET t = 't' WHERE id = 9 RETURNING *, 1 + id AS e",
			"UPDATE kinds SET t = 't' WHERE id > 1 RETURNING x, *", "INSERT INTO kinds (t) VALUES ('u') RETURNING *",
			"INSERT INTO kinds (id, t) VALUES (1, 'u') ON CONFLICT DO UPDATE SET b = 1 RETURNING b, *", "DELETE FROM kinds WHERE id = 2 RETURNING *",
		} {
			for _, prepared := range []bool{false, true} {
				for _, between := range []bool{false, true} {
					want := columnTypes(t, s.Bare, text, prepared, between)
					for range 2 { // cold, then with what is cached
						assert.Equal(t, want, columnTypes(t, s.DB, text, prepared, between), "%s, prepared %t, another between %t", text, prepared, between)
					}
				}
			}
		}
	}, target.SQLite)
}

// columnTypes are the column types of a query and its number of rows, in a transaction that is
// rolled back. With between, another query runs before they are read.
func columnTypes(t *testing.T, db *sql.DB, text string, prepared, between bool) (told []string) {
	ctx := dbguard.AtMost(context.Background(), 1)
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	defer tx.Rollback()
	query := func() (*sql.Rows, error) { return tx.QueryContext(ctx, text) }
	if prepared {
		stmt, err := tx.PrepareContext(ctx, text)
		require.NoError(t, err)
		defer stmt.Close()
		query = func() (*sql.Rows, error) { return stmt.QueryContext(ctx) }
	}
	rows, err := query()
	require.NoError(t, err)
	defer rows.Close()
	if between {
		var n int
		require.NoError(t, tx.QueryRowContext(ctx, "SELECT count(*) FROM item").Scan(&n))
	}
	types, err := rows.ColumnTypes()
	require.NoError(t, err)
	for _, c := range types {
		length, sized := c.Length()
		nullable, sure := c.Nullable()
		told = append(told, fmt.Sprint(c.Name(), c.ScanType(), c.DatabaseTypeName(), length, sized, nullable, sure))
	}
	n := 0
	for ; rows.Next(); n++ {
	}
	require.NoError(t, rows.Err())
	return append(told, fmt.Sprint(n))
}
