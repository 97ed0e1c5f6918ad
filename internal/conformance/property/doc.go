// Package property tests the guard on random schemas, rows and statements: a case is made
// from a seed, run bare on one database and guarded on its twin, and compared.
//
// Either the guarded statement passed: then both databases and both answers are
// the same, and no more existing rows are gone or changed than the bound says.
// Or it was refused: then the database is as it was before the statement, the
// connection works, and so does the caller's transaction. A refusal must be justified:
// the text breaks a rule, or the bare run went over the bound.
//
// What an engine is known to miss is listed in gaps.go, each gap with a test of
// when it explains a failure. A failure that nothing explains is shrunk to the
// fewest statements that still show it and printed with its seed.
package property
