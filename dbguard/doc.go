// Package dbguard says what a database operation, a bound, a rule and a
// violation are, and judges: no database comes into being that nobody asked
// for, every DELETE and UPDATE carries a bound on the rows it may touch, and
// every destructive operation leaves a trace. It knows no database; the doors
// do (package sqlguard for database/sql).
//
//	g, err := dbguard.New(dbguard.Policy{})
//	db, err := sqlguard.Open("sqlite", "app.db", g)
//	_, err = db.ExecContext(dbguard.AtMost(ctx, 1), "DELETE FROM users WHERE id = ?", id)
//
// # Saying what is meant
//
// [AtMost], [Exactly] and [Budget] bound what the statements under a context
// may delete or change; [Allow] permits, with a reason, what a [Grant] names.
// Policy.Limits serve code that has no context to pass.
//
// # Being told
//
// A refused operation returns a [*Violation]: one line with the caller's
// place, the rule, what is left of it in the database, and the next step. Every
// destructive operation makes an [Event], a span and a count, whether it was
// done, refused or undone. Package dbguardtest turns events into assertions.
package dbguard
