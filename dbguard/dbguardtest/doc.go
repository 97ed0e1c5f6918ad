// Package dbguardtest turns what a dbguard.Guard reports into assertions, for
// the unit tests of applications.
//
//	rec := dbguardtest.NewRecorder()
//	g, err := dbguard.New(dbguard.Policy{Observers: []dbguard.Observer{rec}})
//	db, err := sqlguard.Open("sqlite", ":memory:", g)
//
//	err = shop.EraseUser(ctx, db, 7)
//	dbguardtest.AssertChanged(t, rec, "users", 1)
//
//	err = shop.EraseUser(ctx, db, 0)
//	dbguardtest.AssertRefused(t, err, dbguard.Unbounded)
//
// The assertions work like testify's: they take anything with an Errorf and an
// optional message, and return whether they held. A failure lists what was
// recorded.
package dbguardtest
