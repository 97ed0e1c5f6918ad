package postgres

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// A name by which the driver calls what it has prepared is not made to stand for
// something else: that would be judged by the text that it had.
func TestDriversNames(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		read, err := w.db.Prepare("SELECT count(*) FROM t WHERE id < $1")
		require.NoError(t, err)
		defer read.Close()
		var n int
		require.NoError(t, read.QueryRow(3).Scan(&n))
		var name string
		require.NoError(t, w.db.QueryRow("SELECT min(name) FROM pg_prepared_statements WHERE statement LIKE '%< $1'").Scan(&name))
		_, err = w.db.Exec(`DEALLOCATE "` + name + `"`)
		require.NoError(t, err)
		_, err = w.db.Exec(`PREPARE "` + name + `" (int) AS DELETE FROM t WHERE id > $1`)
		require.ErrorIs(t, err, dbguard.ErrRefused)
		_ = read.QueryRow(3).Scan(&n)
		assert.Equal(t, 20, w.count("t"))
		_, err = w.db.Exec("PREPARE q (int) AS DELETE FROM t WHERE id > $1")
		require.NoError(t, err)
		_, err = w.db.Exec("EXECUTE q(3)")
		require.ErrorIs(t, err, dbguard.ErrRefused)
	})
}
