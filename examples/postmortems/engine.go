package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	_ "modernc.org/sqlite" // registers "sqlite"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/sqlguard"
)

// An engine is a database that the replays fill and empty, with the details of its
// SQL dialect.
type engine struct {
	system  string // db.system.name of the OpenTelemetry conventions
	version string // "SQLite 3.51.2"

	bare  *sql.DB
	guard func(*dbguard.Guard) (*sql.DB, error) // the same database behind a guard

	dialector    func(*sql.DB) gorm.Dialector
	bind         func(query string) string // writes the engine's own placeholders for "?"
	tableOptions string                    // what follows the columns of a CREATE TABLE

	// close removes all that the engine made.
	close func() error
}

// errDSN is a DSN that the driver cannot read.
var errDSN = errors.New("the DSN cannot be read")

// poolSize is enough for programs that use one connection at a time.
const poolSize = 4

// openSQLite makes a database file in a temporary folder: no server, no cgo. A file
// and not memory, so that the bare and the guarded handle see the same database.
func openSQLite(ctx context.Context) (*engine, error) {
	dir, err := os.MkdirTemp("", "dbguard-postmortems-")
	if err != nil {
		return nil, err
	}
	dsn := "file:" + filepath.ToSlash(filepath.Join(dir, "postmortem.db")) + "?_pragma=foreign_keys(1)&_pragma=busy_timeout(5000)"
	bare, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	var version string
	if err := bare.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return nil, errors.Join(err, bare.Close(), os.RemoveAll(dir))
	}
	return &engine{
		system:    "sqlite",
		version:   "SQLite " + version,
		bare:      bare,
		guard:     func(g *dbguard.Guard) (*sql.DB, error) { return sqlguard.Open("sqlite", dsn, g) },
		dialector: func(db *sql.DB) gorm.Dialector { return sqlite.New(sqlite.Config{Conn: db}) },
		bind:      func(query string) string { return query },
		close:     func() error { return errors.Join(bare.Close(), os.RemoveAll(dir)) },
	}, nil
}

// orm opens GORM over a handle, bare or guarded.
func (e *engine) orm(db *sql.DB) (*gorm.DB, error) {
	return gorm.Open(e.dialector(db), &gorm.Config{Logger: logger.Discard})
}

// handle opens the database, guarded if g is given.
func (e *engine) handle(g *dbguard.Guard) (db *sql.DB, done func() error, err error) {
	if g == nil {
		return e.bare, func() error { return nil }, nil
	}
	db, err = e.guard(g)
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(poolSize)
	return db, db.Close, nil
}

// execAll runs statements on the bare handle: replays create their tables without the
// guard, as a separate migration tool would.
func (e *engine) execAll(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := e.bare.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", firstLine(s), err)
		}
	}
	return nil
}

// dropTables drops the tables in the order given, children first.
func (e *engine) dropTables(ctx context.Context, tables ...string) error {
	for _, t := range tables {
		if err := e.execAll(ctx, "DROP TABLE IF EXISTS "+t); err != nil {
			return err
		}
	}
	return nil
}
