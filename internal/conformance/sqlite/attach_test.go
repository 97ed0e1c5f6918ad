package sqlite

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// A text may attach a file and insert into its tables, of which nothing is known.
func TestTextsThatOpenAFile(t *testing.T) {
	for text, refused := range map[string]bool{
		"INSERT INTO o.first VALUES (5)":          true, // a trigger deletes
		"INSERT INTO first VALUES (5)":            true,
		"INSERT INTO o.only VALUES (1)":           true, // replaces another row
		"INSERT INTO o.kept VALUES (4)":           false,
		"INSERT INTO item (v) SELECT n FROM kept": false,
	} {
		t.Run(text, func(t *testing.T) {
			stage.Each(t, func(t *testing.T, s *stage.Stage) {
				file := filepath.Join(t.TempDir(), "o.db")
				other, err := sql.Open(s.Driver, "file:"+file)
				require.NoError(t, err)
				defer other.Close()
				for _, text := range []string{
					"CREATE TABLE first (n INT)", "CREATE TABLE kept (n INT)", "INSERT INTO kept VALUES (1), (2), (3)",
					"CREATE TRIGGER a AFTER INSERT ON first BEGIN DELETE FROM kept; END",
					"CREATE TABLE only (n INT UNIQUE ON CONFLICT REPLACE)", "INSERT INTO only VALUES (1)",
				} {
					_, err := other.Exec(text)
					require.NoError(t, err)
				}
				_, err = s.DB.ExecContext(dbguard.AtMost(t.Context(), 0), "ATTACH '"+file+"' AS o; "+text)
				if !refused {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, dbguard.Uncountable)
				var kept int
				require.NoError(t, other.QueryRow("SELECT count(*) FROM kept").Scan(&kept))
				assert.Equal(t, 3, kept)
			}, target.SQLite)
		})
	}
}
