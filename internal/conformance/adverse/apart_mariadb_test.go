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
)

// An UPDATE of columns that are in no index is followed by no foreign key. What must
// be true before one does is done here while a session believes it: the rows of child
// that would go along are more than the bound.

const (
	keyed   = "ALTER TABLE t ADD KEY (n)"
	unkeyed = "ALTER TABLE t DROP KEY n"
	follows = "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t (n) ON UPDATE CASCADE"
)

var indexing = []struct {
	name  string
	texts []string
}{
	{"an index, and a key to it", []string{keyed, follows}},
	{"a key that has lost its index, and gets it back", []string{"SET foreign_key_checks = 0", keyed, follows, unkeyed, keyed}},
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
		"ALTER TABLE t RENAME COLUMN n TO o, RENAME COLUMN m TO n", "UPDATE t SET n = id", keyed, follows,
	}},
}

var updatesN = waysOf("UPDATE t SET n = n + 100 WHERE id = ?")

// withNumbers has child point to the numbers of t.
func (g *ground) withNumbers(t *testing.T) {
	t.Helper()
	g.others(t, "ALTER TABLE t ADD m INT", "UPDATE t SET n = id", "UPDATE child SET r = 1")
}

// eachIndexing has a test for each way of sending the UPDATE and each of these.
func eachIndexing(t *testing.T, test func(t *testing.T, g *ground, send oneWay, change []string)) {
	for way, send := range updatesN {
		for _, change := range indexing {
			t.Run(change.name+", "+way, func(t *testing.T) {
				each(t, onMariaDB, func(t *testing.T, g *ground) {
					g.withNumbers(t)
					test(t, g, send, change.texts)
				})
			})
		}
	}
}

func TestAnUpdateThatStoodApart(t *testing.T) {
	eachIndexing(t, func(t *testing.T, g *ground, send oneWay, change []string) {
		c := g.conn(t)
		until(t, c, "Created_tmp_tables", send)
		g.others(t, change...)
		for range 3 {
			require.ErrorIs(t, send(dbguard.AtMost(t.Context(), 1), c, 1), dbguard.ErrRefused)
			assert.Equal(t, 5, g.rows(t, "child WHERE r = 1"))
		}
	})
}

// What the schema was from the start is not believed away either.
func TestAnUpdateThatNeverStoodApart(t *testing.T) {
	eachIndexing(t, func(t *testing.T, g *ground, send oneWay, change []string) {
		g.others(t, change...)
		c, ctx := g.conn(t), dbguard.AtMost(t.Context(), 1)
		for range 2 {
			require.NoError(t, send(ctx, c, -1))
			time.Sleep(120 * time.Millisecond)
		}
		require.ErrorIs(t, send(ctx, c, 1), dbguard.ErrRefused)
		assert.Equal(t, 5, g.rows(t, "child WHERE r = 1"))
	})
}

// A key without an index leads nowhere.
func TestAKeyThatHasLostItsIndex(t *testing.T) {
	for way, send := range updatesN {
		t.Run(way, func(t *testing.T) {
			each(t, onMariaDB, func(t *testing.T, g *ground) {
				g.withNumbers(t)
				g.others(t, "SET foreign_key_checks = 0", keyed, follows, unkeyed)
				c := g.conn(t)
				until(t, c, "Created_tmp_tables", send)
				require.NoError(t, send(dbguard.AtMost(t.Context(), 1), c, 1))
				assert.Equal(t, 1, g.rows(t, "t WHERE n = 101"))
				assert.Equal(t, 5, g.rows(t, "child WHERE r = 1"))
			})
		})
	}
}

// TestIndexesThatComeAndGo lets the key and its index come and go while rows are
// updated, long enough each time for either to be believed.
func TestIndexesThatComeAndGo(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	each(t, onMariaDB, func(t *testing.T, g *ground) {
		g.withNumbers(t)
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		var others sync.WaitGroup
		others.Go(func() { comeAndGo(ctx, t, g) })
		passed, refused := 0, 0
		for begin := time.Now(); ctx.Err() == nil && (time.Since(begin) < 6*time.Second || passed*refused == 0); {
			switch err := g.turnOne(t, (passed+refused)%2 == 0); {
			case errors.Is(err, dbguard.ErrRefused):
				refused++
			case err == nil:
				passed++
			}
			require.Equal(t, 5, g.rows(t, "child WHERE r = 1"))
		}
		stop()
		others.Wait()
		t.Log(passed, "passed", refused, "refused")
		assert.Positive(t, passed)
		assert.Positive(t, refused)
	})
}

func comeAndGo(ctx context.Context, t *testing.T, g *ground) {
	for ctx.Err() == nil {
		g.others(t, "UPDATE t SET n = id", "SET foreign_key_checks = 0", keyed, follows)
		time.Sleep(300 * time.Millisecond)
		g.others(t, "ALTER TABLE child DROP FOREIGN KEY child_ibfk_1", unkeyed)
		time.Sleep(600 * time.Millisecond)
	}
}

// turnOne gives a row another number, and the next time the one it had.
func (g *ground) turnOne(t *testing.T, within bool) error {
	const text = "UPDATE t SET n = 1000 - n WHERE id = ?"
	ctx := dbguard.AtMost(t.Context(), 1)
	if !within {
		_, err := g.db.ExecContext(ctx, text, 1)
		return err
	}
	tx, err := g.db.BeginTx(ctx, nil)
	require.NoError(t, err)
	defer tx.Rollback()
	return twice(ctx, tx, text)
}

func twice(ctx context.Context, tx *sql.Tx, text string) error {
	for range 2 {
		if _, err := tx.ExecContext(ctx, text, 1); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// A key that only forbids, or acts on what the statement does not do, costs nothing.
func TestParentsTakeOneTrip(t *testing.T) {
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
			each(t, onMariaDB, func(t *testing.T, g *ground) {
				g.others(t, "ALTER TABLE child ADD FOREIGN KEY (r) REFERENCES t (id) "+tt.action)
				p, dsn := network.Through(t, g.DSN+"&interpolateParams=true", time.Millisecond)
				db := g.guardedAt(t, dsn)
				ctx := dbguard.AtMost(t.Context(), 1)
				for id := 2; id < 6; id++ {
					before := p.Trips()
					_, err := db.ExecContext(ctx, tt.text, id)
					require.NoError(t, err)
					if id > 2 { // what is asked once
						assert.EqualValues(t, 1, p.Trips()-before)
					}
				}
				_, err := db.ExecContext(ctx, tt.text, 1) // it has children
				_, bare := g.bare.ExecContext(t.Context(), tt.text, 1)
				assert.Equal(t, bare, err)
				assert.Equal(t, 5, g.rows(t, "child WHERE r = 1"))
			})
		})
	}
}
