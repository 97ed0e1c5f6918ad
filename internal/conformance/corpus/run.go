package corpus

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dbguard/dbguard-go/internal/conformance/snapshot"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// An Opener opens a database for the statement, with one connection.
type Opener func(tb testing.TB, d *target.Database) *sql.DB

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
	// Replaced reports that the read came over another connection: the pool
	// hides that from its user, who loses what the session held.
	Replaced bool
	// Leak tells of goroutines that outlived the database handle.
	Leak error
}

// marker is a table of the runner's own.
const marker = "dbguard_marker"

// statementTimeout ends a run that hangs.
const statementTimeout = 20 * time.Second

// Run takes a fresh database, sets the entry up bare, and runs its statement
// in the mode over a handle from open.
func Run(t *testing.T, tg target.Target, e Entry, m Mode, open Opener) (o Outcome) {
	t.Helper()
	d := tg.Database(t, e.options()...)
	if d.Engine == target.SQLite {
		t.Chdir(d.Dir()) // for the files that it names
	}
	bare := d.Bare(t)
	defer bare.Close()
	start := snap(t, d, bare)
	_, err := bare.ExecContext(t.Context(), "CREATE TABLE "+marker+" (id INT PRIMARY KEY)")
	require.NoError(t, err)
	if e.Setup != "" {
		_, err = bare.ExecContext(t.Context(), e.Setup)
		require.NoError(t, err, "setup of %s", e.ID)
	}
	before := snap(t, d, bare)

	settled := goleak.IgnoreCurrent()
	db := open(t, d)
	o = runOn(t.Context(), tg.Engine, db, m, e.Statement)
	require.NoError(t, db.Close())
	o.Leak = goleak.Find(settled)

	after := snap(t, d, bare)
	o.Diff = snapshot.Between(before, after)
	o.Marker = takeMarker(&o.Diff)
	dropDatabases(t, bare, snapshot.Between(start, after).Created)
	return o
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

// dropDatabases takes away what an entry has left on a server beside its database.
func dropDatabases(t *testing.T, db *sql.DB, created []string) {
	t.Helper()
	for _, name := range created {
		if name, ok := strings.CutPrefix(name, "database "); ok {
			_, err := db.ExecContext(t.Context(), "DROP DATABASE "+name)
			require.NoError(t, err)
		}
	}
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
	text := map[target.Engine]string{
		target.SQLite:   "SELECT 1",
		target.Postgres: "SELECT pg_backend_pid()",
		target.MariaDB:  "SELECT connection_id()",
	}[engine]
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
		// Not the statement's error, but the caller's business all the same.
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
