// Package door tests the SQL door on real drivers and real engines: the ways in which an
// application can run a statement, and what it then sees.
package door

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
	"github.com/dbguard/dbguard-go/sqlguard"
)

func TestMain(m *testing.M) { servers.Main(m) }

// A fixture is a database with a table of ten rows, guarded.
type fixture struct {
	target.Target
	db, bare *sql.DB
	events   []dbguard.Event
}

func (s *fixture) Observe(_ context.Context, e dbguard.Event) { s.events = append(s.events, e) }

func onAll(t *testing.T, test func(*testing.T, *fixture)) {
	for _, tg := range target.All() {
		t.Run(tg.String(), func(t *testing.T) {
			d := tg.Database(t)
			s := &fixture{Target: tg, bare: d.Bare(t)}
			t.Cleanup(func() { s.bare.Close() })
			_, err := s.bare.Exec("CREATE TABLE item (id INTEGER PRIMARY KEY, name VARCHAR(20))")
			require.NoError(t, err)
			for i := range 10 {
				_, err := s.bare.Exec("INSERT INTO item VALUES (" + strconv.Itoa(i+1) + ", 'one')")
				require.NoError(t, err)
			}
			g, err := dbguard.New(dbguard.Policy{Observers: []dbguard.Observer{s}})
			require.NoError(t, err)
			s.db, err = sqlguard.Open(tg.Driver, d.DSN, g)
			require.NoError(t, err)
			t.Cleanup(func() { s.db.Close() })
			s.db.SetMaxOpenConns(1)
			test(t, s)
			assert.Zero(t, s.db.Stats().InUse, "a connection is still in use")
			require.NoError(t, s.db.PingContext(t.Context()), "the connection works")
		})
	}
}

// bind writes ? in the placeholder style of the driver.
func (s *fixture) bind(text string) string {
	if s.Engine != target.Postgres {
		return text
	}
	for i := 1; strings.Contains(text, "?"); i++ {
		text = strings.Replace(text, "?", "$"+strconv.Itoa(i), 1)
	}
	return text
}

// countItems counts the rows, as another session sees them.
func (s *fixture) countItems(t *testing.T) (n int) {
	t.Helper()
	require.NoError(t, s.bare.QueryRow("SELECT count(*) FROM item").Scan(&n))
	return n
}

func TestExec(t *testing.T) {
	onAll(t, func(t *testing.T, s *fixture) {
		ctx := t.Context()
		_, err := s.db.ExecContext(ctx, s.bind("DELETE FROM item WHERE id <= ?"), 3)
		assert.ErrorIs(t, err, dbguard.Unbounded)
		_, err = s.db.ExecContext(dbguard.AtMost(ctx, 2), s.bind("DELETE FROM item WHERE id <= ?"), 3)
		assert.ErrorIs(t, err, dbguard.OverLimit)
		assert.Equal(t, 10, s.countItems(t))
		res, err := s.db.ExecContext(dbguard.AtMost(ctx, 3), s.bind("DELETE FROM item WHERE id <= ?"), 3)
		require.NoError(t, err)
		n, err := res.RowsAffected()
		require.NoError(t, err)
		assert.EqualValues(t, 3, n)
		assert.Equal(t, 7, s.countItems(t))
		var v *dbguard.Violation
		_, err = s.db.ExecContext(dbguard.AtMost(ctx, 3), "DELETE FROM item")
		require.ErrorAs(t, err, &v)
		assert.Contains(t, v.Site, "door_test.go:")
		assert.Equal(t, 7, s.countItems(t))
	})
}

func TestPreparedAcrossTransactions(t *testing.T) {
	onAll(t, func(t *testing.T, s *fixture) {
		ctx := dbguard.AtMost(t.Context(), 1)
		stmt, err := s.db.PrepareContext(ctx, s.bind("DELETE FROM item WHERE id >= ? AND id <= ?"))
		require.NoError(t, err)
		defer stmt.Close()
		for i := 1; i <= 2; i++ {
			tx, err := s.db.BeginTx(ctx, nil)
			require.NoError(t, err)
			_, err = tx.StmtContext(ctx, stmt).ExecContext(ctx, 5, 8)
			assert.ErrorIs(t, err, dbguard.OverLimit)
			_, err = tx.StmtContext(ctx, stmt).ExecContext(ctx, i, i)
			require.NoError(t, err, "the transaction goes on")
			require.NoError(t, tx.Commit())
		}
		_, err = stmt.ExecContext(ctx, 9, 9)
		require.NoError(t, err)
		assert.Equal(t, 7, s.countItems(t))
	})
}

func (s *fixture) needsReturning(t *testing.T) {
	t.Helper()
	if s.Engine == target.MySQL {
		t.Skip("MySQL has no RETURNING")
	}
}

func TestReturning(t *testing.T) {
	onAll(t, func(t *testing.T, s *fixture) {
		s.needsReturning(t)
		text := s.bind("DELETE FROM item WHERE id <= ? RETURNING id")
		rows, err := s.db.QueryContext(dbguard.AtMost(t.Context(), 2), text, 3)
		if s.Engine == target.Postgres {
			assert.ErrorIs(t, err, dbguard.OverLimit, "the server has stopped at the third row")
		} else {
			require.NoError(t, err)
			n := 0
			for rows.Next() {
				n++
			}
			assert.Equal(t, 3, n, "the rows stream")
			assert.ErrorIs(t, rows.Err(), dbguard.OverLimit)
			require.NoError(t, rows.Close())
		}
		assert.Equal(t, 10, s.countItems(t))

		var id int
		err = s.db.QueryRowContext(dbguard.AtMost(t.Context(), 2), text, 3).Scan(&id)
		assert.ErrorIs(t, err, dbguard.OverLimit)
		assert.Equal(t, 10, s.countItems(t))
		require.NoError(t, s.db.QueryRowContext(dbguard.AtMost(t.Context(), 3), text, 3).Scan(&id))
		assert.Equal(t, 7, s.countItems(t))
		tx, err := s.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, tx.QueryRowContext(dbguard.AtMost(t.Context(), 1), text, 4).Scan(&id))
		assert.ErrorIs(t, tx.QueryRowContext(dbguard.AtMost(t.Context(), 1), text, 9).Scan(&id), dbguard.OverLimit)
		require.NoError(t, tx.Commit())
		assert.Equal(t, 6, s.countItems(t))
	})
}

// TestReturningThroughPreparedExec: SQLite does not finish a statement whose RETURNING rows
// the driver leaves unread.
func TestReturningThroughPreparedExec(t *testing.T) {
	onAll(t, func(t *testing.T, s *fixture) {
		s.needsReturning(t)
		ctx := dbguard.AtMost(t.Context(), 2)
		stmt, err := s.db.PrepareContext(ctx, s.bind("DELETE FROM item WHERE id <= ? RETURNING id"))
		require.NoError(t, err)
		defer stmt.Close()
		_, err = stmt.ExecContext(ctx, 3)
		require.ErrorIs(t, err, dbguard.OverLimit)
		assert.Equal(t, 10, s.countItems(t))
		_, err = stmt.ExecContext(ctx, 2) // its RowsAffected is up to the driver
		require.NoError(t, err)
		assert.Equal(t, 8, s.countItems(t))
	})
}

// TestNothingToDrop: a DROP of what is missing passes, whichever way it is sent.
func TestNothingToDrop(t *testing.T) {
	onAll(t, func(t *testing.T, s *fixture) {
		_, err := s.db.ExecContext(t.Context(), "DROP TABLE IF EXISTS missing")
		require.NoError(t, err)
		rows, err := s.db.QueryContext(t.Context(), "DROP TABLE IF EXISTS missing")
		require.NoError(t, err)
		assert.False(t, rows.Next())
		require.NoError(t, rows.Close())
		_, err = s.db.ExecContext(t.Context(), "DROP TABLE IF EXISTS item")
		require.ErrorIs(t, err, dbguard.Drop)
	})
}

func TestQueryOfAPlainDelete(t *testing.T) {
	onAll(t, func(t *testing.T, s *fixture) {
		run := func(bound int64) error {
			rows, err := s.db.QueryContext(dbguard.AtMost(t.Context(), bound), s.bind("DELETE FROM item WHERE id <= ?"), 3)
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			return errors.Join(rows.Err(), rows.Close())
		}
		assert.ErrorIs(t, run(2), dbguard.OverLimit)
		assert.Equal(t, 10, s.countItems(t))
		assert.NoError(t, run(3))
		assert.Equal(t, 7, s.countItems(t))
	})
}

func TestLastInsertID(t *testing.T) {
	onAll(t, func(t *testing.T, s *fixture) {
		if s.Engine == target.Postgres {
			t.Skip("PostgreSQL's drivers have none")
		}
		res, err := s.db.ExecContext(t.Context(), s.bind("INSERT INTO item VALUES (?, 'new')"), 77)
		require.NoError(t, err)
		bare, err := s.bare.ExecContext(t.Context(), s.bind("INSERT INTO item VALUES (?, 'new')"), 78)
		require.NoError(t, err)
		got, err := res.LastInsertId()
		require.NoError(t, err)
		want, err := bare.LastInsertId()
		require.NoError(t, err)
		if want != 0 {
			want--
		}
		assert.Equal(t, want, got)
	})
}

func TestCancelled(t *testing.T) {
	onAll(t, func(t *testing.T, s *fixture) {
		s.needsReturning(t)
		ctx, cancel := context.WithCancel(dbguard.AtMost(t.Context(), 5))
		rows, err := s.db.QueryContext(ctx, s.bind("DELETE FROM item WHERE id <= ? RETURNING id"), 3)
		require.NoError(t, err)
		require.True(t, rows.Next())
		cancel()
		assert.Eventually(t, func() bool { return s.db.Stats().InUse == 0 }, 5*time.Second, time.Millisecond)
		assert.ErrorIs(t, rows.Err(), context.Canceled)
		if s.Engine == target.Postgres { // as without a guard: PostgreSQL shows no row before it has seen the last
			assert.Equal(t, 7, s.countItems(t), "within the bound, and final")
			return
		}
		assert.Equal(t, 10, s.countItems(t), "nobody read the rows to their end")
	})
}

func TestMissingFile(t *testing.T) {
	for _, tg := range target.All() {
		if tg.Engine != target.SQLite {
			continue
		}
		for why, form := range map[string]func(string) string{
			"path":           func(p string) string { return p },
			"path, WAL":      func(p string) string { return p + "?_pragma=journal_mode(WAL)&_journal_mode=WAL" },
			"URI":            func(p string) string { return "file:" + p + "?cache=private" },
			"URI, authority": func(p string) string { return "file://localhost" + p },
			"URI, encoded":   func(p string) string { return "file:" + strings.ReplaceAll(p, "app", "%61pp") },
		} {
			t.Run(tg.Name+"/"+why, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "app.db")
				g, err := dbguard.New(dbguard.Policy{})
				require.NoError(t, err)
				open := func() *sql.DB {
					db, err := sqlguard.Open(tg.Driver, form(path), g)
					require.NoError(t, err)
					t.Cleanup(func() { db.Close() })
					return db
				}
				var v *dbguard.Violation
				require.ErrorAs(t, open().PingContext(t.Context()), &v)
				assert.Equal(t, dbguard.ImplicitCreate, v.Rule)
				assert.NoFileExists(t, path)
				name := v.Op.Acts[0].Object
				db := open()
				require.NoError(t, db.PingContext(dbguard.Allow(t.Context(), "test", dbguard.CreateDatabase(name))))
				_, err = db.ExecContext(t.Context(), "CREATE TABLE x (y)")
				require.NoError(t, err)
				assert.FileExists(t, path)
				require.NoError(t, open().PingContext(t.Context()), "it is there now")
			})
		}
	}
}

// TestMissingFileBehindAConnector: the DSN is hidden, so that the file exists before the
// guard can refuse to create it.
func TestMissingFileBehindAConnector(t *testing.T) {
	for _, tg := range target.All() {
		if tg.Engine != target.SQLite {
			continue
		}
		for _, params := range []string{"", "?_pragma=journal_mode(WAL)&_journal_mode=WAL"} {
			t.Run(tg.Name+params, func(t *testing.T) {
				base, err := sql.Open(tg.Driver, ":memory:")
				require.NoError(t, err)
				defer base.Close()
				path := filepath.Join(t.TempDir(), "app.db")
				g, err := dbguard.New(dbguard.Policy{})
				require.NoError(t, err)
				db := sql.OpenDB(sqlguard.WrapConnector(opaqueConnector{base.Driver(), path + params}, g))
				defer db.Close()
				var v *dbguard.Violation
				require.ErrorAs(t, db.PingContext(t.Context()), &v)
				assert.Equal(t, dbguard.ImplicitCreate, v.Rule)
				grant := dbguard.CreateDatabase(v.Op.Acts[0].Object)
				require.NoError(t, db.PingContext(dbguard.Allow(t.Context(), "test", grant)))
			})
		}
	}
}
