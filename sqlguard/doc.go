// Package sqlguard is the SQL door: a *sql.DB, opened through any database/sql
// driver, that refuses what package dbguard says no to. Everything else is as
// without it.
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
// # Four ways in
//
// [Open] takes a driver's name and a DSN, [OpenX] does so for sqlx,
// [WrapConnector] takes a driver.Connector, and [Register] makes a guarded
// driver under a name of its own for code that opens its database by name. ORMs
// take the *sql.DB; those that are given a DSN open a connection of their own,
// around the guard.
//
// # What happens to a statement
//
// Reads and plain inserts go to the driver as they are. What deletes or changes
// existing rows needs a bound, runs where it can be undone (in a transaction or
// savepoint of the guard's, never committing one of the caller's), is counted,
// and is undone if it went over. The rows of RETURNING stream; the verdict is
// the error of Rows.Err, of Rows.Close where they are closed early, or of
// QueryRow's Scan. Prepared statements are judged each time they run.
//
// driver.ErrBadConn, on which database/sql runs a statement again, is never
// returned once the statement may have run.
//
// # What the guard does not see
//
// A connection that is not the guard's: db.Driver().Open, or the driver
// imported directly. What is done with the driver's own connection, which [Raw]
// hands out for a reason that it traces. What the server does by itself.
package sqlguard
