// Package engine runs judged statements: it chooses where a statement can be
// undone, counts truly what it did, asks for the verdict, and keeps or undoes.
// Every SQL door shares it, and gives it a [Conn] of two methods.
//
// # The way of a statement
//
// A statement travels through a [Session] in three steps:
//
//	read    the text becomes a statement: what it does to which object (statement.go),
//	        and to the transaction (control.go), and what only the server knows of
//	        that: code behind names (calls.go, hidden.go), what an INSERT sets off
//	        (insert.go), what is not there (lookup.go). Session.judge, in session.go,
//	        asks for each in turn, and the guard last. What a text says by itself
//	        is kept for when it comes again (readings.go)
//	choose  a way of running it that its verdict and its engine allow (way.go),
//	        and the words: the caller's own, or such that the server refuses what
//	        goes beyond the bound (wording.go)
//	run     open the way, let the door send the words, count, settle, close
//	        (flight.go, and verdict.go for how it ends)
//
// What goes from step to step has a type. Reading makes a statement and, where the
// rules ask, a dbguard.Operation; a [Flight] carries both, with its way and its wording,
// until [Flight.End] or [Flight.Answer].
//
// A text that only reads leaves after its first step, unless it may run code that
// writes: a function that it calls, or one that hides behind a view, an operator, a
// cast. Both are known by what the catalogue has said once, so that what another
// connection creates later is noticed by new sessions alone.
//
// Other ways to begin: several texts in one flight (among.go), one that goes past
// the door (past.go), MariaDB's in one round trip (mysql_fastpath.go). Where a door can
// send several texts at once, what stands around a statement goes with it (escort.go).
//
// # The engines
//
// What differs between the engines is one type each behind the backend interface
// (backend.go): how transactions begin and end, how to ask whether one is open, and how
// to count. What not all of them have is an interface beside the code that asks for it,
// as hiding is in hidden.go. Files are called by their engine: postgres.go has the
// backend, postgres_count.go its counter, and each of the others one thing that it
// does, which is told at its head.
//
// # PostgreSQL
//
// The more a statement can verify by itself, the fewer round trips and counts it needs.
// There are five wordings, tried in this order. Each but the first falls back to the next
// where the server shows that it does not fit:
//
//	keyed    in the caller's transaction: one row at most, by a unique key (postgres_key.go)
//	gated    there, too: changes nothing if there are too many rows (postgres_gate.go)
//	bulk     large bound: counts the rows before it changes them (postgres_bulk.go)
//	sealed   fails at the first row too many, and at any hidden write (postgres_bounded.go)
//	bounded  fails at the first row too many; hidden writes are counted (postgres_bounded.go)
//
// An INSERT is rewritten so that it verifies that it does nothing but add rows
// (postgres_insert.go), or counted like the others. What is counted are the server's
// per-transaction counters (postgres_count.go) and, if these exceed the bound, the rows
// themselves (postgres_distinct.go). The guard's own transaction is counted and committed
// in one text (postgres_commit.go); in the caller's, a door that can pipeline has the
// server compare with a baseline (postgres_pipeline.go). Deferred triggers are counted
// before the caller's COMMIT (postgres_deferred.go). Code that a text runs without naming
// it is found in the catalogue (postgres_hidden.go).
//
// # MySQL and MariaDB
//
// The server reports too little of what a statement did. So what it will do is looked
// up beforehand: triggers and routines (mysql_reach.go), foreign keys
// (mysql_foreign_keys.go). Rows that cascades change are counted by walking the keys or
// by the undo log (mysql_cascade.go). On MariaDB a statement on one table without
// triggers and cascades takes one round trip (mysql_fastpath.go): a prepared compound
// statement wraps it, checks that the table is still such a one, and rolls back what is
// too much (mysql_fastpath_wrapper.go). What it need not look up again is known by a
// check of the table's definition (mysql_definition.go) or, in the caller's transaction,
// from an earlier statement (mysql_txcache.go).
//
// # SQLite
//
// There is no way to the server: what costs is what it writes for nothing. There are
// three kinds of words, the first two of which need no savepoint:
//
//	keyed    one row at most, by a key, and nothing but new rows behind it (sqlite_key.go)
//	indexed  counts what an index finds before it changes it (sqlite_key.go)
//	stopped  ends one row past the bound, and is undone (sqlite_stop.go)
//
// An INSERT of one row goes like the first (sqlite_insert.go). What the triggers and
// foreign keys of a table lead to (sqlite_reach.go) says how the others are counted.
package engine
