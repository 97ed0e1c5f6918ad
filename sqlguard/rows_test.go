package sqlguard_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

const returning = "DELETE FROM app WHERE id = 1 RETURNING a, b"

func threeRows() *fake {
	return &fake{sets: [][][]driver.Value{{{int64(1), "one"}, {int64(2), []byte("two")}, {int64(3), "three"}}}}
}

func guarded(t testing.TB, f *fake, p dbguard.Policy) *sql.DB {
	t.Helper()
	db := sql.OpenDB(sqlguard.WrapConnector(f, newGuard(t, p), sqlguard.WithDialect(sqlguard.PostgreSQL)))
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db
}

// ended is how the guard's own transaction ended.
func ended(f *fake) (how string) {
	for _, call := range f.log() {
		for _, word := range []string{"COMMIT", "ROLLBACK", "RELEASE"} {
			if strings.Contains(call, `"`+word) {
				how = word
			}
		}
	}
	return how
}

func TestReturningIsJudgedAtTheEnd(t *testing.T) {
	for _, c := range []struct {
		why   string
		bound int64
		how   string
	}{
		{"within", 3, "COMMIT"},
		{"over", 2, "ROLLBACK"},
	} {
		ctx := dbguard.AtMost(context.Background(), c.bound)
		check := func(t *testing.T, f *fake, err error) {
			t.Helper()
			if c.how == "COMMIT" {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, dbguard.OverLimit)
			}
			assert.Equal(t, c.how, ended(f))
		}
		t.Run(c.why+", rows read to the end", func(t *testing.T) {
			f := threeRows()
			rows, err := guarded(t, f, dbguard.Policy{}).QueryContext(ctx, returning)
			require.NoError(t, err)
			n := 0
			for rows.Next() {
				n++
			}
			assert.Equal(t, 3, n, "the rows stream")
			check(t, f, rows.Err())
			assert.NoError(t, rows.Close(), "told once")
		})
		t.Run(c.why+", rows closed early", func(t *testing.T) {
			f := threeRows()
			rows, err := guarded(t, f, dbguard.Policy{}).QueryContext(ctx, returning)
			require.NoError(t, err)
			require.True(t, rows.Next())
			check(t, f, rows.Close())
		})
		t.Run(c.why+", QueryRow", func(t *testing.T) {
			f := threeRows()
			var a, b any
			check(t, f, guarded(t, f, dbguard.Policy{}).QueryRowContext(ctx, returning).Scan(&a, &b))
		})
		t.Run(c.why+", QueryRow of a prepared statement", func(t *testing.T) {
			f := threeRows()
			s, err := guarded(t, f, dbguard.Policy{}).PrepareContext(ctx, returning)
			require.NoError(t, err)
			defer s.Close()
			var a, b any
			check(t, f, s.QueryRowContext(ctx).Scan(&a, &b))
		})
		t.Run(c.why+", only a context that ends", func(t *testing.T) {
			f := threeRows()
			db := guarded(t, f, dbguard.Policy{})
			ctx, cancel := context.WithCancel(ctx)
			rows, err := db.QueryContext(ctx, returning)
			require.NoError(t, err)
			cancel()
			(&app{db: db}).settle()
			assert.Equal(t, "ROLLBACK", ended(f), "nobody read the rows, nobody knows how many there were")
			assert.ErrorIs(t, rows.Err(), context.Canceled)
		})
	}
}

// TestStatementBetweenRows is what SQLite's drivers allow: another statement
// before the rows of the first are read. The first is settled by then.
func TestStatementBetweenRows(t *testing.T) {
	f := threeRows()
	f.changed = 1
	ctx := dbguard.AtMost(context.Background(), 2)
	tx, err := guarded(t, f, dbguard.Policy{}).BeginTx(ctx, nil)
	require.NoError(t, err)
	rows, err := tx.QueryContext(ctx, returning)
	require.NoError(t, err)
	require.True(t, rows.Next())
	_, err = tx.ExecContext(ctx, "SELECT 1 FROM app")
	require.NoError(t, err)
	assert.Empty(t, ended(f), "a read does not matter")
	_, err = tx.ExecContext(ctx, "INSERT INTO app VALUES (7)")
	require.NoError(t, err)

	var undone, inserted int
	for i, call := range f.log() {
		switch {
		case strings.Contains(call, "ROLLBACK TO"):
			undone = i
		case strings.Contains(call, "INSERT"):
			inserted = i
		}
	}
	assert.Positive(t, undone)
	assert.Less(t, undone, inserted, "the insert stands")

	var a, b any
	require.NoError(t, rows.Scan(&a, &b), "the row of before")
	assert.Equal(t, "one", b)
	require.True(t, rows.Next())
	require.NoError(t, rows.Scan(&a, &b))
	assert.Equal(t, []byte("two"), b)
	require.True(t, rows.Next())
	assert.False(t, rows.Next())
	assert.ErrorIs(t, rows.Err(), dbguard.OverLimit)
	require.NoError(t, tx.Commit())
}

// TestStatementBetweenRowsObserved: what is only observed is not waited for, the
// driver is called as it would be.
func TestStatementBetweenRowsObserved(t *testing.T) {
	var told events
	f := threeRows()
	f.changed = 1
	ctx := dbguard.AtMost(context.Background(), 2)
	db := guarded(t, f, dbguard.Policy{Mode: dbguard.Observe, Observers: []dbguard.Observer{&told}})
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	rows, err := tx.QueryContext(ctx, returning)
	require.NoError(t, err)
	require.True(t, rows.Next())
	_, err = tx.ExecContext(ctx, "INSERT INTO app VALUES (7)")
	require.NoError(t, err)
	n := 1
	for rows.Next() {
		n++
	}
	assert.Equal(t, 3, n)
	assert.NoError(t, rows.Err())
	require.NoError(t, tx.Commit())
	require.Len(t, told, 1)
	assert.EqualValues(t, -1, told[0].Rows, "nobody counted them to the end")
}

func TestObservedRowsAreCounted(t *testing.T) {
	var told events
	db := guarded(t, threeRows(), dbguard.Policy{Mode: dbguard.Observe, Observers: []dbguard.Observer{&told}})
	rows, err := db.QueryContext(dbguard.AtMost(context.Background(), 2), returning)
	require.NoError(t, err)
	for rows.Next() {
	}
	assert.NoError(t, rows.Err())
	require.Len(t, told, 1)
	assert.EqualValues(t, 3, told[0].Rows)
	assert.Equal(t, dbguard.OverLimit, told[0].Rule, "would have been refused")
}
