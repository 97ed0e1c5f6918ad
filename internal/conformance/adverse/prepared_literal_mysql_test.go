package adverse

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/network"
)

// A text without arguments is prepared for once, which takes half of the round trips of the
// ordinary way, and kept if it comes again. Those that do not leave nothing on the server.
func TestTextsWithoutArguments(t *testing.T) {
	each(t, onOnlyMySQL, func(t *testing.T, f *fixture) {
		p, dsn := network.Through(t, f.DSN, time.Millisecond)
		c, err := f.openGuarded(t, dsn).Conn(t.Context())
		require.NoError(t, err)
		defer c.Close()
		trips := func(text string) int64 {
			before := p.Trips()
			_, err := c.ExecContext(dbguard.AtMost(t.Context(), 1), text)
			require.NoError(t, err)
			return p.Trips() - before
		}
		status := func(name string) (n int) {
			require.NoError(t, c.QueryRowContext(t.Context(), "SHOW SESSION STATUS LIKE '"+name+"'").Scan(&name, &n))
			return n
		}
		trips("UPDATE t SET n = 0 WHERE id = 1")
		texts := []string{"UPDATE t SET n = n + 1 WHERE id = 2", "DELETE FROM t WHERE id = 100 -- none"}
		for _, text := range texts {
			assert.Equal(t, []int64{5, 5, 1, 1}, []int64{trips(text), trips(text), trips(text), trips(text)}, text)
		}
		before := status("Com_stmt_prepare") - status("Com_stmt_close")
		for i := range 50 {
			trips(fmt.Sprintf("DELETE FROM t WHERE id = 10%02d", i))
		}
		assert.Equal(t, before, status("Com_stmt_prepare")-status("Com_stmt_close"))
		assert.EqualValues(t, 1, trips(texts[0]), "others have not driven it out")
		_, err = c.ExecContext(dbguard.AtMost(t.Context(), 1), "UPDATE t SET n = 77 WHERE id > 1")
		require.ErrorIs(t, err, dbguard.OverLimit)
		assert.Zero(t, f.count(t, "t WHERE n = 77"))
	})
}

// In a prepared statement a variable keeps the type that it had at PREPARE.
func TestTextWithVariable(t *testing.T) {
	each(t, onOnlyMySQL, func(t *testing.T, f *fixture) {
		c := f.conn(t)
		for i, value := range []string{"NULL", "10", "'ab'", "1e1", "_ucs2 x'0061'", "NULL", "CAST(10 AS UNSIGNED)", "'zz'", "TRUE + 20"} {
			exec(t, c, "SELECT "+value+" INTO @which") // SET would have the session forget its texts
			for range 2 {
				_, err := c.ExecContext(dbguard.Exactly(t.Context(), 1), "UPDATE t SET n = n + 1 WHERE id = 1 AND LENGTH(COALESCE(@which, 0x4141)) = 2")
				require.NoError(t, err, "%d: %s", i, value)
				_, err = c.ExecContext(dbguard.Exactly(t.Context(), 1), "UPDATE t SET n = n + 1 WHERE id = ? AND LENGTH(COALESCE(@which, 0x4141)) = 2", 1)
				require.NoError(t, err, "%d: %s", i, value)
			}
		}
	})
}

// Where the prepared text is of no use, a transaction does not prepare it either.
func TestFirstTextOfATransactionOnATableWithATrigger(t *testing.T) {
	each(t, onOnlyMySQL, func(t *testing.T, f *fixture) {
		f.execBare(t, "CREATE TRIGGER trg AFTER DELETE ON t FOR EACH ROW SET @a = 1")
		c, prepared := f.conn(t), 0
		for i := range 3 {
			tx, err := c.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			exec(t, tx, fmt.Sprintf("DELETE FROM t WHERE id = 10%d", i))
			require.NoError(t, tx.Commit())
			before, name := prepared, ""
			require.NoError(t, c.QueryRowContext(t.Context(), "SHOW SESSION STATUS LIKE 'Com_stmt_prepare'").Scan(&name, &prepared))
			assert.True(t, i == 0 || prepared == before, "%d, then %d", before, prepared)
		}
	})
}
