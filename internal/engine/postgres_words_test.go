package engine

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

func readText(text string) *sqlscan.Text {
	var t sqlscan.Text
	sqlscan.Classify(&t, text, sqlscan.PostgreSQL, sqlscan.PostgreSQL.DefaultMode())
	return &t
}

// A condition is evaluated twice only if it finds the same rows both times.
func TestStable(t *testing.T) {
	tests := map[string]bool{
		"DELETE FROM t WHERE id = $1":                                             true,
		"UPDATE t SET (a, b) = ($1, $2) WHERE id IN (1, 2) AND lower(s) = 'x'":    true,
		"DELETE FROM t WHERE s = ANY ($1::text[]) AND at < now() - interval '1d'": true,
		"DELETE FROM t WHERE random() < 0.5":                                      false,
		`DELETE FROM t WHERE "lower"(s) = 'x'`:                                    false,
		"DELETE FROM t WHERE id = (SELECT max(id) FROM t)":                        false,
		"DELETE FROM t WHERE CURRENT OF c":                                        false,
		"WITH w AS (TABLE u) DELETE FROM t WHERE id = 1":                          false,
		"DELETE FROM t WHERE at < clock_timestamp()":                              false,
	}
	for text, want := range tests {
		r := readText(text)
		require.NotEmpty(t, r.Ops, text)
		assert.Equal(t, want, isStableText(r, r.Ops[0].At.Start), text)
	}
}

func TestTargetClause(t *testing.T) {
	tests := map[string]string{
		"DELETE FROM ONLY s.t AS x WHERE id = 1":          " ONLY s.t AS x ",
		"DELETE FROM t":                                   " t",
		"DELETE FROM t;":                                  " t",
		`UPDATE "set" "where" SET a = 1 WHERE id = 1`:     ` "set" "where" `,
		"UPDATE t /* from */ SET a = 1":                   " t /* from */ ",
		"DELETE /* from */ FROM t -- where\nWHERE id = 1": " t -- where\n",
	}
	for text, want := range tests {
		r := readText(text)
		x := newTarget(r, &r.Ops[0], nil)
		assert.Equal(t, want, targetClause(r, &x), text)
	}
}

func TestTrimTrailing(t *testing.T) {
	for _, text := range []string{"DELETE FROM t", "DELETE FROM t;", "DELETE FROM t -- all", "DELETE FROM t /* ; */ ;; -- ;"} {
		assert.Equal(t, "DELETE FROM t", trimTrailing(readText(text)), text)
	}
}

// serverError is an error with a SQLSTATE.
type serverError struct{ state, text string }

func (e serverError) Error() string    { return e.text }
func (e serverError) SQLState() string { return e.state }

func TestRaised(t *testing.T) {
	ours := `ERROR: invalid input syntax for type integer: "dbguard ` + nonce + ` under 7" (SQLSTATE 22P02)`
	word, value := raised(serverError{"22P02", ours})
	assert.Equal(t, [2]string{raisedUnder, "7"}, [2]string{word, value})
	for _, err := range []error{
		serverError{"22P02", `invalid input syntax for type integer: "dbguard under 7"`},
		serverError{"P0001", ours},
		errors.New(ours),
	} {
		word, _ := raised(err)
		assert.Empty(t, word, "not ours: %v", err)
	}
}
