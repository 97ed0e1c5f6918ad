package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// keyRow is a row of the query for foreign keys.
func keyRow(column string, kind int64) []any {
	return []any{"d/fk", "d", "child", "d", "t", kind, column, "id"}
}

// A foreign key that is missing when the keys are looked up and back when the
// statement runs was not part of the count; nor was another key of the same name.
func TestKeysThatComeAndGo(t *testing.T) {
	tests := []struct {
		name          string
		before, after []any
		counted       bool
	}{
		{"one that changes nothing", keyRow("r", 0), keyRow("r", 0), true},
		{"gone, and back", nil, keyRow("r", deleteCascade), false},
		{"gone for good", keyRow("r", 0), nil, false},
		{"of another kind", keyRow("r", 0), keyRow("r", deleteCascade), false},
		{"of another column", keyRow("r", 0), keyRow("s", 0), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, my)
			r.conn.on("engines", "d", "t", "BASE TABLE", "InnoDB", "YES", "").on("derived", int64(0)).
				on("referred", int64(1)).on("keys", tt.before...).on("keys again", tt.after...)
			err := r.send(atMost(1), "DELETE FROM t WHERE id = 7", 1, nil)
			if tt.counted {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, dbguard.Uncountable)
			assert.Contains(t, r.sent(), rollbackText)
		})
	}
}

// The column's collation depends on lower_case_table_names. Only a literal takes any.
func TestNamesInTheDictionaryAreLiterals(t *testing.T) {
	m := &mysql{version: "9.7.0"}
	assert.Equal(t, `REF_NAME IN ('a/t', 'a/b''c', _utf8mb3 x'612f5c')`, m.referencesAny([]mysqlTable{{"a", "t"}, {"a", "b'c"}, {"a", `\`}}))
}
