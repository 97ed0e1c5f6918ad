package corpus

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/snapshot"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// An Opener opens a database for the statement, with one connection.
type Opener func(tb testing.TB, d *target.Database) *sql.DB

func bare(tb testing.TB, d *target.Database) *sql.DB { return d.Bare(tb) }

// An Outcome is everything that a run of one entry in one mode has shown.
type Outcome struct {
	Err    error
	Answer answer
	Diff   snapshot.Diff // without the marker
	// Marker reports whether the row that the transaction wrote before the
	// statement was committed with it (mode tx).
	Marker bool
	// Alive is the error of a read on the same connection, or inside the same
	// transaction, after the statement.
	Alive error
	// Replaced reports that the read came over another connection: the pool hides that
	// from its user, who loses the session's state.
	Replaced bool
	// Leak lists goroutines that outlived the database handle.
	Leak error
}

// marker is a table of the runner's own.
const marker = "dbguard_marker"

// statementTimeout ends a run that hangs.
const statementTimeout = 20 * time.Second

// A fixture is a database on which an entry has been set up. It serves several runs, and
// several entries one after the other.
type fixture struct {
	target.Target
	entry Entry
	t     *testing.T // the databases last as long as this test
	// unbounded leaves out the bound of one row.
	unbounded bool

	db     *target.Database
	bare   *sql.DB
	start  *snapshot.Snapshot // before the setup
	before *snapshot.Snapshot // before the statement
}

func newFixture(t *testing.T, tg target.Target) *fixture { return &fixture{Target: tg, t: t} }

// use readies the fixture for an entry.
func (f *fixture) use(t *testing.T, e Entry) {
	t.Helper()
	f.entry = e
	if f.Engine != target.Postgres {
		f.t = t // or the server would hold a database of every entry to the end
	}
	if f.db != nil {
		f.reset(t)
	}
}

// create makes a fresh database and sets the entry up.
func (f *fixture) create(t *testing.T) {
	t.Helper()
	f.db = f.Target.Database(f.t, f.entry.options()...)
	f.bare = f.db.Bare(t)
	f.t.Cleanup(f.clear) // runs before the database is dropped
	f.start = snap(t, f.db, f.bare)
	f.setUp(t)
}

// setUp sets the entry up in an empty database.
func (f *fixture) setUp(t *testing.T) {
	t.Helper()
	f.exec(t, "CREATE TABLE "+marker+" (id INT PRIMARY KEY)")
	if f.entry.Setup != "" {
		f.exec(t, f.entry.Setup)
	}
	f.before = snap(t, f.db, f.bare)
}

// reset restores the state after the setup. A new database costs PostgreSQL ten times as
// much as a new schema, which is as good where nothing else was created.
func (f *fixture) reset(t *testing.T) {
	t.Helper()
	if f.Engine == target.Postgres {
		const empty = "SET lock_timeout = '2s'; DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC; RESET lock_timeout"
		if _, err := f.bare.ExecContext(t.Context(), empty); err == nil {
			left := snapshot.Between(f.start, snap(t, f.db, f.bare))
			if left.String() == "dropped schema public, created schema public" {
				f.setUp(t)
				return
			}
		}
	}
	f.clear()
}

// clear drops the databases that the entry has created beside its own, and closes its
// handle.
func (f *fixture) clear() {
	if f.db == nil {
		return
	}
	ctx := context.WithoutCancel(f.t.Context())
	if s, err := f.db.Snapshot(ctx, f.bare); err != nil {
		f.t.Error(err)
	} else {
		for _, name := range snapshot.Between(f.start, s).Created {
			if name, ok := strings.CutPrefix(name, "database "); ok {
				_, err := f.bare.ExecContext(ctx, "DROP DATABASE "+name)
				assert.NoError(f.t, err)
			}
		}
	}
	assert.NoError(f.t, f.bare.Close())
	f.db = nil
}

// measure sets what an inherited entry does here. One whose tables are MariaDB's own is skipped.
func (f *fixture) measure(t *testing.T, e Entry) Entry {
	t.Helper()
	if !e.inherited {
		return e
	}
	o := f.Run(t, e.bareMode(), bare)
	rows := o.Diff.RowsHit()
	e.RowsHit, e.BoundedOK = &rows, o.Diff.Escape(1) == ""
	f.entry = e
	return e
}

func (f *fixture) exec(t *testing.T, text string) {
	t.Helper()
	_, err := f.bare.ExecContext(t.Context(), text)
	if err != nil && f.entry.inherited {
		t.Skipf("the tables cannot be made on %s: %v", f.Engine, err)
	}
	require.NoError(t, err, f.entry.ID)
}

// Run runs the statement in the mode, with a bound of one row, over a handle
// from open, on a database that is as the setup left it.
func (f *fixture) Run(t *testing.T, m Mode, open Opener) (o Outcome) {
	t.Helper()
	return f.try(t, func(ctx context.Context) Outcome {
		db := open(t, f.db)
		o := runOn(ctx, f.Engine, db, m, f.entry.Statement)
		require.NoError(t, db.Close())
		return o
	})
}

// try is Run for any way of running the statement.
func (f *fixture) try(t *testing.T, run func(context.Context) Outcome) (o Outcome) {
	t.Helper()
	if f.db == nil {
		f.create(t)
	}
	if f.Engine == target.SQLite {
		t.Chdir(f.db.Dir()) // for the files that the statement names
	}
	f.awaitSessionsEnd(t)
	ctx := t.Context()
	if !f.unbounded {
		ctx = dbguard.AtMost(ctx, 1)
	}
	settled := goleak.IgnoreCurrent()
	o = run(ctx)
	o.Leak = goleak.Find(settled)

	after := snap(t, f.db, f.bare)
	o.Diff = snapshot.Between(f.before, after)
	if o.Marker = takeMarker(&o.Diff); o.Marker {
		f.exec(t, "DELETE FROM "+marker)
	}
	if !o.Diff.Empty() {
		f.reset(t)
	}
	return o
}

// awaitSessionsEnd waits until PostgreSQL has ended the sessions of earlier runs, which hold
// advisory locks a moment longer than their client.
func (f *fixture) awaitSessionsEnd(t *testing.T) {
	t.Helper()
	if f.Engine != target.Postgres {
		return
	}
	const others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
	for range 1000 {
		var n int
		if err := f.bare.QueryRowContext(t.Context(), others).Scan(&n); err != nil || n == 0 {
			require.NoError(t, err)
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Log("somebody else is connected to the database")
}

func snap(t *testing.T, d *target.Database, db *sql.DB) *snapshot.Snapshot {
	t.Helper()
	s, err := d.Snapshot(t.Context(), db)
	require.NoError(t, err)
	return s
}

// takeMarker removes the runner's row from the difference.
func takeMarker(d *snapshot.Diff) bool {
	for name, n := range d.Added {
		if strings.Contains(name, marker) {
			delete(d.Added, name)
			return n == 1
		}
	}
	return false
}

func runOn(ctx context.Context, engine target.Engine, db *sql.DB, m Mode, text string) (o Outcome) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	if m.inTx {
		return runInTx(ctx, db, m, text)
	}
	was, err := connectionID(ctx, engine, db)
	if err != nil {
		return Outcome{Err: fmt.Errorf("before the statement: %w", err)}
	}
	o.Answer, o.Err = m.run(ctx, db, text)
	is, err := connectionID(ctx, engine, db)
	o.Alive, o.Replaced = err, err == nil && was != is
	return o
}

// connectionID is also the proof that the connection works. SQLite has no
// number for one.
func connectionID(ctx context.Context, engine target.Engine, s session) (id string, err error) {
	text := target.Of(map[target.Engine]string{
		target.SQLite:   "SELECT 1",
		target.Postgres: "SELECT pg_backend_pid()",
		target.MariaDB:  "SELECT connection_id()",
	}, engine)
	err = s.QueryRowContext(ctx, text).Scan(&id)
	return id, err
}

// runInTx writes the marker, runs the statement and commits: after a refusal
// the marker must have been kept.
func runInTx(ctx context.Context, db *sql.DB, m Mode, text string) (o Outcome) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return Outcome{Err: fmt.Errorf("before the statement: %w", err)}
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO "+marker+" VALUES (1)"); err != nil {
		return Outcome{Err: errors.Join(fmt.Errorf("before the statement: %w", err), tx.Rollback())}
	}
	o.Answer, o.Err = m.run(ctx, tx, text)
	var one int
	o.Alive = tx.QueryRowContext(ctx, "SELECT 1").Scan(&one)
	if err := tx.Commit(); err != nil {
		// Not the statement's error, but the caller sees it, too.
		o.Err = errors.Join(o.Err, fmt.Errorf("commit: %w", err), rollback(tx))
	}
	return o
}

func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}
