// Package stage sets a small table up on every target, guarded and bare.
package stage

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/dbguard/dbguardtest"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// Rows is how many rows the table item has, with ids from 1.
const Rows = 50

// A Stage is a database with a table item (id, v), every v being 0.
type Stage struct {
	*target.Database
	DB   *sql.DB // guarded, one connection
	Bare *sql.DB // another session, without a guard
	Rec  *dbguardtest.Recorder
}

// Each runs a test on every target of the engines, or of all of them.
func Each(t *testing.T, test func(*testing.T, *Stage), engines ...target.Engine) {
	for _, tg := range target.All() {
		if len(engines) == 0 || slices.Contains(engines, tg.Engine) {
			t.Run(tg.String(), func(t *testing.T) { test(t, New(t, tg)) })
		}
	}
}

// New sets the stage on one target.
func New(t *testing.T, tg target.Target) *Stage {
	t.Helper()
	return On(t, tg.Database(t))
}

// On sets the stage on a database.
func On(t *testing.T, d *target.Database) *Stage {
	t.Helper()
	s := &Stage{Database: d, Rec: dbguardtest.NewRecorder()}
	s.Bare = s.Database.Bare(t)
	t.Cleanup(func() { assert.NoError(t, s.Bare.Close()) })
	s.Fill(t, "item", "")
	s.DB = s.Open(t, s.DSN)
	t.Cleanup(func() {
		assert.Zero(t, s.DB.Stats().InUse, "a connection is still in use")
		assert.NoError(t, s.DB.Close())
	})
	return s
}

// Fill makes a table like item, with suffix behind its columns.
func (s *Stage) Fill(t *testing.T, table, suffix string) {
	t.Helper()
	s.Exec(t, "CREATE TABLE "+table+" (id INTEGER PRIMARY KEY, v INTEGER NOT NULL)"+suffix)
	values := make([]string, Rows)
	for i := range values {
		values[i] = "(" + strconv.Itoa(i+1) + ", 0)"
	}
	s.Exec(t, "INSERT INTO "+table+" VALUES "+strings.Join(values, ", "))
}

// Open opens the database once more, guarded and recorded, with one connection.
func (s *Stage) Open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	g, err := dbguard.New(dbguard.Policy{Observers: []dbguard.Observer{s.Rec}})
	require.NoError(t, err)
	elsewhere := *s.Database
	elsewhere.DSN = dsn
	return elsewhere.Guarded(t, g)
}

// Conn takes the guarded connection for the test.
func (s *Stage) Conn(t *testing.T) *sql.Conn {
	t.Helper()
	conn, err := s.DB.Conn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// Exec runs a statement without a guard.
func (s *Stage) Exec(t *testing.T, text string) {
	t.Helper()
	_, err := s.Bare.ExecContext(t.Context(), text)
	require.NoError(t, err, text)
}

// Int is the one value that a query returns, on the bare connection.
func (s *Stage) Int(t *testing.T, query string) (n int) {
	t.Helper()
	require.NoError(t, s.Bare.QueryRowContext(context.WithoutCancel(t.Context()), query).Scan(&n), query)
	return n
}

// Item is the table as the bare connection sees it: its rows and the sum of v.
func (s *Stage) Item(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("%d rows, sum %d", s.Int(t, "SELECT count(*) FROM item"), s.Int(t, "SELECT coalesce(sum(v), 0) FROM item"))
}

// Untouched is Item as it was set up.
const Untouched = "50 rows, sum 0"

// AssertWorks checks that the guarded pool works, and that no transaction is left open in it:
// the bare connection sees a change at once.
func (s *Stage) AssertWorks(t *testing.T) {
	t.Helper()
	before := s.Int(t, "SELECT v FROM item WHERE id = 50")
	_, err := s.DB.ExecContext(dbguard.AtMost(t.Context(), 1), "UPDATE item SET v = v + 1 WHERE id = 50")
	require.NoError(t, err, "the pool works")
	assert.Equal(t, before+1, s.Int(t, "SELECT v FROM item WHERE id = 50"), "a change is committed")
	s.Exec(t, "UPDATE item SET v = v - 1 WHERE id = 50")
}
