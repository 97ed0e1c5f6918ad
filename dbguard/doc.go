// Package dbguard defines operations, bounds, rules and violations, and judges
// operations: no database is created implicitly, every DELETE and UPDATE carries a
// bound on the rows it may touch, and every destructive operation is traced. It is
// independent of any database; the adapters are not (package sqlguard for
// database/sql, package couch for CouchDB).
//
//	g, err := dbguard.New(dbguard.Policy{})
//	db, err := sqlguard.Open("sqlite", "app.db", g)
//	_, err = db.ExecContext(dbguard.AtMost(ctx, 1), "DELETE FROM users WHERE id = ?", id)
//
// # Bounds and grants
//
// [AtMost], [Exactly] and [Budget] bound what the statements under a context may
// delete or change; [Allow] permits, with a reason, what a [Grant] names.
// Policy.Limits are for code that has no context to pass.
//
// # Violations and events
//
// A refused operation returns a [*Violation]: one line with the call site, the rule,
// the effect on the database, and the next step. Every destructive operation produces
// an [Event], a span and a metric, whether it was done, refused or undone. Package
// dbguardtest turns events into assertions.
package dbguard
