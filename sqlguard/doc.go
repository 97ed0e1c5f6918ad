// Package sqlguard is the adapter for database/sql: a *sql.DB, opened through any
// driver, that refuses what package dbguard refuses. Everything else works as without
// it.
//
//	g, err := dbguard.New(dbguard.Policy{})
//	db, err := sqlguard.Open("pgx", dsn, g) // in place of sql.Open
//	db.SetMaxOpenConns(10)
//
//	_, err = db.ExecContext(ctx, "DELETE FROM users WHERE id = $1", id)
//	// cleanup.go:42: DG201 Unbounded: DELETE on users has no bound; …
//
//	_, err = db.ExecContext(dbguard.AtMost(ctx, 1), "DELETE FROM users WHERE id = $1", id)
//
// # Opening a database
//
// [Open] takes a driver name and a DSN, [OpenX] does so for sqlx, [WrapConnector]
// takes a driver.Connector, and [Register] registers a guarded driver under a name of
// its own, for code that opens its database by name. ORMs take the *sql.DB; those
// that are given a DSN open an unguarded connection of their own.
//
// # What happens to a statement
//
// Reads and plain inserts go to the driver as they are. A statement that deletes or
// changes existing rows needs a bound, runs where it can be undone (in a transaction
// or savepoint of the guard's, which never commits one of the caller's), is counted,
// and is undone if it exceeds the bound. The rows of RETURNING stream; the verdict is
// the error of Rows.Err, of Rows.Close if they are closed early, or of QueryRow's
// Scan. Prepared statements are judged each time they run.
//
// driver.ErrBadConn, on which database/sql retries a statement, is never returned
// once the statement may have run.
//
// # What the guard does not see
//
// Connections that are not the guard's: db.Driver().Open, or the driver imported
// directly. What is done with the driver's own connection, which [Raw] returns for a
// reason that it traces. What the server does by itself.
package sqlguard
