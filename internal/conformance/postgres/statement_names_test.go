package postgres

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// A name that the driver uses for its prepared statements must not come to mean another
// statement: that would be judged by the old text.
func TestDriverStatementNames(t *testing.T) {
	onEachDriver(t, func(t *testing.T, f *fixture) {
		read, err := f.db.Prepare("SELECT count(*) FROM t WHERE id < $1")
		require.NoError(t, err)
		defer read.Close()
		var n int
		require.NoError(t, read.QueryRow(3).Scan(&n))
		var name string
		require.NoError(t, f.db.QueryRow("SELECT min(name) FROM pg_prepared_statements WHERE statement LIKE '%< $1'").Scan(&name))
		_, err = f.db.Exec(`DEALLOCATE "` + name + `"`)
		require.NoError(t, err)
		_, err = f.db.Exec(`PREPARE "` + name + `" (int) AS DELETE FROM t WHERE id > $1`)
		require.ErrorIs(t, err, dbguard.ErrRefused)
		_ = read.QueryRow(3).Scan(&n)
		assert.Equal(t, 20, f.count("t"))
		_, err = f.db.Exec("PREPARE q (int) AS DELETE FROM t WHERE id > $1")
		require.NoError(t, err)
		_, err = f.db.Exec("EXECUTE q(3)")
		require.ErrorIs(t, err, dbguard.ErrRefused)
	})
}
