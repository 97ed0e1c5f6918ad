package adverse

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Where one argument makes the server parse the caller's text again, it takes the types of
// all arguments, and converts them differently.
var retyped = []struct {
	text string
	args []any
}{
	{"DELETE FROM kinds WHERE s = ? AND n = ?", []any{1, "1.5"}},
	{"DELETE FROM kinds WHERE s = ? OR n = ?", []any{9, []byte("2.5")}},
	{"DELETE FROM kinds WHERE CASE WHEN n > ? THEN ? ELSE ? END", []any{"", -1.5, "1"}},
	{"UPDATE kinds SET n = ? WHERE (n, id) IN ((?, ?), (?, ?))", []any{5, 2, "1", "1.5", 0}},
	{"UPDATE kinds SET n = ?, de = ? WHERE id = ?", []any{"3.5", 1.5, "1"}},
	{"UPDATE kinds SET de = ?, s = ? WHERE s = ?", []any{1.5, "é", "1"}},
	{"UPDATE kinds SET n = IF(at = ?, 7, n) WHERE s = ?", []any{99, 1}},
	{"UPDATE kinds SET de = de * ? WHERE id = ?", []any{1.3, 1}}, // as DECIMAL 1.50, as DOUBLE 1.49
	{"INSERT INTO kinds (id, n, de) VALUES (?, ?, ?)", []any{9, "7.5", 0.1}},
}

func TestTypesOfSeveralArguments(t *testing.T) {
	for _, params := range []string{"", "&interpolateParams=true"} {
		for _, mode := range []string{"DEFAULT", "''"} {
			t.Run(mode+params, func(t *testing.T) {
				each(t, onMySQL, func(t *testing.T, f *fixture) {
					bare, err := sql.Open(f.Driver, f.DSN+params)
					require.NoError(t, err)
					defer bare.Close()
					bare.SetMaxOpenConns(1)
					for _, r := range retyped {
						guarded := f.openGuarded(t, f.DSN+params) // a new one, which tries the fast path
						for _, db := range []*sql.DB{bare, guarded} {
							_, err := db.ExecContext(t.Context(), "SET sql_mode = "+mode)
							require.NoError(t, err)
						}
						want := f.retypedOutcome(t, bare, r.text, r.args)
						assert.Equal(t, want, f.retypedOutcome(t, guarded, r.text, r.args), "%s %v", r.text, r.args)
					}
				})
			})
		}
	}
}

func (f *fixture) retypedOutcome(t *testing.T, db *sql.DB, text string, args []any) string {
	t.Helper()
	f.execBare(t, "DROP TABLE IF EXISTS kinds", "CREATE TABLE kinds (id INT PRIMARY KEY, n INT, s VARCHAR(20), de DECIMAL(10,2), at YEAR) CHARACTER SET utf8mb4",
		"INSERT INTO kinds VALUES (1, 1, '1', 1.15, 1999), (2, 2, 'b', 1, NULL), (3, 0, 'c', 0, NULL), (4, NULL, NULL, NULL, NULL)")
	said := ""
	if res, err := db.ExecContext(dbguard.AtMost(t.Context(), 9), text, args...); err != nil {
		said = err.Error()
	} else {
		n, err := res.RowsAffected()
		require.NoError(t, err)
		said = fmt.Sprint(n)
	}
	var holds sql.NullString
	require.NoError(t, f.bare.QueryRowContext(t.Context(), "SELECT GROUP_CONCAT(CONCAT_WS(' ', id, n, s, de, at) ORDER BY id) FROM kinds").Scan(&holds))
	return said + ": " + holds.String
}
