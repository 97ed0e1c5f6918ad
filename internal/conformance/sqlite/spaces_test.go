package sqlite

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// What is added to a text does not run together with its words, where only a parenthesis or a
// quote separates them.
func TestTextsWithoutSpaces(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, text := range []string{
			`CREATE TABLE w (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID`, `INSERT INTO w VALUES (1, 1), (2, 2)`,
			`CREATE TABLE p (id INTEGER PRIMARY KEY, a TEXT, b INT)`, `CREATE INDEX pa ON p (a)`, `INSERT INTO p VALUES (1, 'x', 0), (2, 'y', 0)`,
		} {
			s.Exec(t, text)
		}
		for _, text := range []string{
			`DELETE FROM p WHERE(id)=(1)RETURNING*`, `DELETE FROM p WHERE(id)=(1)AND(b)<(9)RETURNING*`, `DELETE FROM p WHERE(id<2)RETURNING*`,
			`DELETE FROM"p"WHERE"a"='x'RETURNING"id"`, `UPDATE"p"SET"b"=(2)WHERE"a"='x'RETURNING"id"`, `UPDATE"p"AS"q"SET"b"=(2)WHERE"id"=(1)RETURNING"id"`,
			`DELETE FROM[w]WHERE(a)=(1)AND(b)=(1)RETURNING*`, `DELETE FROM[w]AS"x"WHERE(a)<(2)RETURNING*`,
			`INSERT INTO"p"("id")VALUES(9)RETURNING"id"`, `INSERT INTO"p"VALUES(9,'x',1)ON CONFLICT(id)DO NOTHING RETURNING*`,
			`INSERT INTO"p"("id")VALUES(1)ON CONFLICT(id)DO UPDATE SET"b"=(7)RETURNING*`, `REPLACE INTO"p"VALUES(1,'x',1)RETURNING*`,
		} {
			want := columnTypes(t, s.Bare, text, false, false)
			for range 3 { // cold, then with what is cached
				assert.Equal(t, want, columnTypes(t, s.DB, text, false, false), text)
			}
		}
	}, target.SQLite)
}

// A parameter's name may begin with # and contain a quote: no string begins there.
func TestQuoteInAParameter(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		for _, args := range [][]any{nil, {sql.Named("a(')", 1)}} {
			_, err := s.DB.ExecContext(t.Context(), "SELECT #a('); DELETE FROM item --')", args...)
			require.ErrorIs(t, err, dbguard.Unfiltered)
			assert.Equal(t, stage.Untouched, s.Item(t))
		}
	}, target.SQLite)
}
