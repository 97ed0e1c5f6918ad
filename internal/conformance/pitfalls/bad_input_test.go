package pitfalls

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
)

const megabyte = 1 << 20

// inList is IN (…) with n elements, of which the first hits exist.
func inList(n, hits int) string {
	var b strings.Builder
	fmt.Fprint(&b, "IN (", 1)
	for i := 2; i <= n; i++ {
		if i > hits {
			fmt.Fprint(&b, ",", i+stage.Rows)
		} else {
			fmt.Fprint(&b, ",", i)
		}
	}
	return b.String() + ")"
}

// Large texts are read like small ones.
func TestLargeTexts(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, row := range []struct {
			name, text string
			over       bool
		}{
			{"a list that hits one row", "UPDATE item SET v = 1 WHERE id " + inList(100_000, 1), false},
			{"a list that hits two", "DELETE FROM item WHERE id " + inList(100_000, 2), true},
			{"a string of 10 MB", "UPDATE item SET v = v + 1 WHERE id = 1 AND '" + strings.Repeat("it''s; ", 10*megabyte/7) + "' <> ''", false},
			{"a comment of 10 MB", "DELETE FROM item /*" + strings.Repeat(" WHERE", 10*megabyte/6) + " */ WHERE id > 1", true},
			{"white space of 10 MB", "DELETE FROM item" + strings.Repeat(" \n", 5*megabyte) + "WHERE id > 1", true},
		} {
			start := time.Now()
			_, err := s.DB.ExecContext(dbguard.AtMost(t.Context(), 1), row.text)
			if row.over {
				require.ErrorIs(t, err, dbguard.OverLimit, row.name)
				assert.Less(t, len(err.Error()), 10_000, row.name)
			} else {
				require.NoError(t, err, row.name)
			}
			assert.Less(t, time.Since(start), 30*time.Second, row.name)
		}
		s.AssertWorks(t)
		var n int
		require.NoError(t, s.Bare.QueryRow("SELECT count(*) FROM item").Scan(&n))
		assert.Equal(t, stage.Rows, n)
	})
}

// What cannot be read is refused by the guard or by the server: nothing happens.
func TestBrokenTexts(t *testing.T) {
	texts := map[string]string{
		"a NUL between statements": "SELECT 1;\x00 DELETE FROM item",
		"a NUL within one":         "DELETE FROM item \x00WHERE id = 1",
		"a NUL in a string":        "DELETE FROM item WHERE '\x00' = '' OR id > 1",
		"a NUL in a comment":       "DELETE FROM item /* \x00 */ WHERE id > 1",
		"a NUL at the end":         "DELETE FROM item WHERE id > 1\x00",
		"invalid UTF-8":            "DELETE FROM item WHERE '\xff\xfe' <> '' AND id > 1",
		"invalid UTF-8 in a name":  "DELETE FROM item WHERE id > 1 AND \xc3\x28 = 1",
		"half of a letter":         "DELETE FROM item WHERE id > 1 AND '\xe2\x82' <> ''",
		"an open string":           "DELETE FROM item WHERE id > 1 AND 'x <> ''",
		"an open name":             "DELETE FROM item WHERE \"id > 1",
		"an open backquote":        "DELETE FROM item WHERE `id > 1",
		"an open comment":          "DELETE FROM item WHERE id > 1 /* x",
		"an open dollar quote":     "DELETE FROM item WHERE id > 1 AND $a$ x $b$ <> ''",
		"an open parenthesis":      "DELETE FROM item WHERE (id > 1",
		"a parenthesis too many":   "DELETE FROM item WHERE id > 1)",
		"deep parentheses":         "DELETE FROM item WHERE " + strings.Repeat("(", 50_000) + "id > 1" + strings.Repeat(")", 50_000),
		"deep queries":             "DELETE FROM item WHERE id IN " + strings.Repeat("(SELECT id FROM item WHERE id IN ", 500) + "(1)" + strings.Repeat(")", 500) + " OR id > 1",
		"a lone backslash":         `DELETE FROM item WHERE id > 1 \`,
		"an open executable":       "DELETE FROM item /*! WHERE id > 1",
		"a byte-order mark within": "DELETE FROM item \ufeffWHERE id > 1",
		"a no-break space":         "DELETE\u00a0FROM\u00a0item",
	}
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for name, text := range texts {
			_, err := s.DB.ExecContext(dbguard.AtMost(t.Context(), 1), text)
			assert.Error(t, err, name)
			rows, err := s.DB.QueryContext(dbguard.AtMost(t.Context(), 1), text)
			if err == nil {
				for rows.Next() {
				}
				err = rows.Err()
				require.NoError(t, rows.Close(), name)
			}
			assert.Error(t, err, name)
			require.Equal(t, stage.Untouched, s.Item(t), name)
		}
		s.AssertWorks(t)
	})
}
