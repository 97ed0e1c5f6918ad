package adverse

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// KILL QUERY ends the statement, even where it meets one of the guard's own queries.
func TestKillQuery(t *testing.T) {
	for _, text := range []string{"DELETE FROM t WHERE id = 1", "DELETE FROM t WHERE id = 1 RETURNING id"} {
		each(t, onMySQL, func(t *testing.T, f *fixture) {
			f.skipMariaDBs(t, text)
			f.execBare(t, "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t (id) ON UPDATE CASCADE ON DELETE CASCADE")
			db := f.openGuarded(t, f.DSN+"&innodb_lock_wait_timeout=3")
			var id int64
			require.NoError(t, db.QueryRow("SELECT CONNECTION_ID()").Scan(&id))
			other, err := f.bare.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			_, err = other.ExecContext(t.Context(), "UPDATE t SET n = 7 WHERE id = 1")
			require.NoError(t, err)
			done := make(chan error, 1)
			go func() {
				rows, err := db.QueryContext(dbguard.AtMost(t.Context(), 9), text)
				if err == nil {
					err = rows.Err()
					_ = rows.Close()
				}
				done <- err
			}()
			time.Sleep(500 * time.Millisecond) // it waits for the row
			_, err = other.ExecContext(t.Context(), fmt.Sprintf("KILL QUERY %d", id))
			require.NoError(t, err)
			assert.ErrorContains(t, <-done, "1317")
			require.NoError(t, other.Rollback())
			assert.Equal(t, 1, f.count(t, "t WHERE id = 1"))
		})
	}
}

// LOAD DATA LOCAL is a dialogue between the server and the driver.
func TestLoadDataLocal(t *testing.T) {
	mysql.RegisterReaderHandler("dbguard", func() io.Reader { return strings.NewReader("21\n22\n") })
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		const text = "LOAD DATA LOCAL INFILE 'Reader::dbguard' INTO TABLE t (id) SET n = 5"
		r, err := f.db.ExecContext(t.Context(), text)
		require.NoError(t, err)
		n, err := r.RowsAffected()
		require.NoError(t, err)
		assert.EqualValues(t, 2, n)
		f.assertWorks(t)
		assert.Equal(t, 2, f.count(t, "t WHERE n = 5"))
		f.execBare(t, "CREATE TRIGGER trg AFTER INSERT ON t FOR EACH ROW DELETE FROM child WHERE r = 1", "DELETE FROM t WHERE id > 20")
		_, err = f.db.ExecContext(dbguard.AtMost(t.Context(), 4), text)
		require.ErrorIs(t, err, dbguard.OverLimit)
		assert.Equal(t, 5, f.count(t, "child"))
	})
}
