package adverse

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/network"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// No foreign key follows an UPDATE of columns that are in no index. The tests change
// that while a session relies on it: the rows of child that would then follow are more
// than the bound.

const (
	addIndex        = "ALTER TABLE t ADD KEY (n)"
	dropIndex       = "ALTER TABLE t DROP KEY n"
	keyWithoutIndex = "a key that has lost its index, and gets it back" // MySQL does not let it
	addForeignKey   = "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t (n) ON UPDATE CASCADE"
)

var indexChanges = []struct {
	name  string
	texts []string
}{
	{"an index, and a key to it", []string{addIndex, addForeignKey}},
	{keyWithoutIndex, []string{"SET foreign_key_checks = 0", addIndex, addForeignKey, dropIndex, addIndex}},
	{"an index of two columns", []string{
		"ALTER TABLE child ADD s INT DEFAULT 7", "UPDATE t SET m = 7", "ALTER TABLE t ADD KEY (m, n)",
		"ALTER TABLE child ADD FOREIGN KEY (s, r) REFERENCES t (m, n) ON UPDATE CASCADE",
	}},
	{"a column that is made of it", []string{
		"ALTER TABLE t ADD g INT AS (n) STORED, ADD KEY (g)",
		"ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t (g) ON UPDATE CASCADE",
	}},
	{"a column that the server sets", []string{
		"ALTER TABLE t ADD at DATETIME DEFAULT '2000-01-01' ON UPDATE CURRENT_TIMESTAMP, ADD KEY (at)",
		"ALTER TABLE child ADD at DATETIME DEFAULT '2000-01-01', ADD FOREIGN KEY (at) REFERENCES t (at) ON UPDATE CASCADE",
	}},
	{"another column of that name", []string{
		"ALTER TABLE t RENAME COLUMN n TO o, RENAME COLUMN m TO n", "UPDATE t SET n = id", addIndex, addForeignKey,
	}},
}

var updateN = sendWays("UPDATE t SET n = n + 100 WHERE id = ?")

// linkChildToN gives the rows of child the n of row 1, so far without a foreign key.
func (f *fixture) linkChildToN(t *testing.T) {
	t.Helper()
	f.execBare(t, "ALTER TABLE t ADD m INT", "UPDATE t SET n = id", "UPDATE child SET r = 1")
}

// eachIndexChange runs a test for each change and each way of sending the UPDATE.
func eachIndexChange(t *testing.T, engines []target.Engine, test func(t *testing.T, f *fixture, send sendByID, change []string)) {
	for way, send := range updateN {
		for _, change := range indexChanges {
			t.Run(change.name+", "+way, func(t *testing.T) {
				engines := engines
				if change.name == keyWithoutIndex {
					engines = onMariaDB
				}
				each(t, engines, func(t *testing.T, f *fixture) {
					f.linkChildToN(t)
					test(t, f, send, change.texts)
				})
			})
		}
	}
}

func TestUpdateOfColumnsIndexedLater(t *testing.T) {
	eachIndexChange(t, onMariaDB, func(t *testing.T, f *fixture, send sendByID, change []string) {
		c := f.conn(t)
		untilCounterStops(t, c, "Created_tmp_tables", send)
		f.execBare(t, change...)
		for range 3 {
			require.ErrorIs(t, send(dbguard.AtMost(t.Context(), 1), c, 1), dbguard.ErrRefused)
			assert.Equal(t, 5, f.count(t, "child WHERE r = 1"))
		}
	})
}

// The same, with a schema that was so from the start.
func TestUpdateOfIndexedColumns(t *testing.T) {
	eachIndexChange(t, onMySQL, func(t *testing.T, f *fixture, send sendByID, change []string) {
		f.execBare(t, change...)
		c, ctx := f.conn(t), dbguard.AtMost(t.Context(), 1)
		for range 2 {
			require.NoError(t, send(ctx, c, -1))
			time.Sleep(120 * time.Millisecond)
		}
		require.ErrorIs(t, send(ctx, c, 1), dbguard.ErrRefused)
		assert.Equal(t, 5, f.count(t, "child WHERE r = 1"))
	})
}

// The server does not follow a foreign key that has lost its index. On MySQL it cannot.
func TestForeignKeyWithoutIndex(t *testing.T) {
	for way, send := range updateN {
		t.Run(way, func(t *testing.T) {
			each(t, onMariaDB, func(t *testing.T, f *fixture) {
				f.linkChildToN(t)
				f.execBare(t, "SET foreign_key_checks = 0", addIndex, addForeignKey, dropIndex)
				c := f.conn(t)
				untilCounterStops(t, c, "Created_tmp_tables", send)
				require.NoError(t, send(dbguard.AtMost(t.Context(), 1), c, 1))
				assert.Equal(t, 1, f.count(t, "t WHERE n = 101"))
				assert.Equal(t, 5, f.count(t, "child WHERE r = 1"))
			})
		})
	}
}

// TestIndexesAddedAndDroppedConcurrently adds and drops the foreign key and its index
// while rows are updated, leaving each state long enough for a session to rely on it.
func TestIndexesAddedAndDroppedConcurrently(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	each(t, onMySQL, func(t *testing.T, f *fixture) {
		f.linkChildToN(t)
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		var others sync.WaitGroup
		others.Go(func() { toggleIndex(ctx, t, f) })
		passed, refused := 0, 0
		for begin := time.Now(); ctx.Err() == nil && (time.Since(begin) < 6*time.Second || passed*refused == 0); {
			switch err := f.flipN(t, (passed+refused)%2 == 0); {
			case errors.Is(err, dbguard.ErrRefused):
				refused++
			case err == nil:
				passed++
			}
			require.Equal(t, 5, f.count(t, "child WHERE r = 1"))
		}
		stop()
		others.Wait()
		t.Log(passed, "passed", refused, "refused")
		assert.Positive(t, passed)
		assert.Positive(t, refused)
	})
}

func toggleIndex(ctx context.Context, t *testing.T, f *fixture) {
	for ctx.Err() == nil {
		f.execBare(t, "UPDATE t SET n = id", "SET foreign_key_checks = 0", addIndex, addForeignKey)
		time.Sleep(300 * time.Millisecond)
		f.execBare(t, "ALTER TABLE child DROP FOREIGN KEY child_ibfk_1", dropIndex)
		time.Sleep(600 * time.Millisecond)
	}
}

// flipN gives a row another n, and the next time the old one.
func (f *fixture) flipN(t *testing.T, within bool) error {
	const text = "UPDATE t SET n = 1000 - n WHERE id = ?"
	ctx := dbguard.AtMost(t.Context(), 1)
	if !within {
		_, err := f.db.ExecContext(ctx, text, 1)
		return err
	}
	tx, err := f.db.BeginTx(ctx, nil)
	require.NoError(t, err)
	defer tx.Rollback()
	return execTwice(ctx, tx, text)
}

func execTwice(ctx context.Context, tx *sql.Tx, text string) error {
	for range 2 {
		if _, err := tx.ExecContext(ctx, text, 1); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// A foreign key that only restricts, or acts on another event, costs no round trip.
func TestParentTablesTakeOneRoundTrip(t *testing.T) {
	const deletes, updates = "DELETE FROM t WHERE id = ?", "UPDATE t SET n = n + 1 WHERE id = ?"
	for _, tt := range []struct{ action, text string }{
		{"", deletes},
		{"ON DELETE NO ACTION ON UPDATE RESTRICT", deletes},
		{"ON UPDATE CASCADE", deletes},
		{"", updates},
		{"ON DELETE CASCADE", updates},
		{"ON DELETE SET NULL ON UPDATE CASCADE", updates},
		{"ON DELETE CASCADE ON UPDATE SET NULL", updates},
	} {
		t.Run(tt.text[:6]+" "+tt.action, func(t *testing.T) {
			each(t, onMariaDB, func(t *testing.T, f *fixture) {
				f.execBare(t, "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t (id) "+tt.action)
				p, dsn := network.Through(t, f.DSN+"&interpolateParams=true", time.Millisecond)
				db := f.openGuarded(t, dsn)
				ctx := dbguard.AtMost(t.Context(), 1)
				for id := 2; id < 6; id++ {
					before := p.Trips()
					_, err := db.ExecContext(ctx, tt.text, id)
					require.NoError(t, err)
					if id > 2 { // after what is asked only once
						assert.EqualValues(t, 1, p.Trips()-before)
					}
				}
				_, err := db.ExecContext(ctx, tt.text, 1) // it has children
				_, bare := f.bare.ExecContext(t.Context(), tt.text, 1)
				assert.Equal(t, bare, err)
				assert.Equal(t, 5, f.count(t, "child WHERE r = 1"))
			})
		})
	}
}
