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
//	choose  a way of running it that its verdict and its engine allow (strategy.go),
//	        and the words: the caller's own, or such that the server refuses what
//	        goes beyond the bound (rewrite.go)
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
// Other ways to begin: several texts in one flight (batch.go), one that goes past
// the door (bypass.go), MariaDB's in one round trip (mysql_express.go). Where a door can
// send several texts at once, what stands around a statement goes with it (pipeline.go).
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
// The better the words, the less there is to open and to count. There are five kinds,
// tried in this order. Each but the first falls back to the next where the server says
// that it does not fit:
//
//	keyed    in the caller's transaction: one row at most, by a key (postgres_key.go)
//	gated    there, too: changes nothing if it is too much (postgres_gate.go)
//	bulk     many rows: counts before it changes (postgres_bulk.go)
//	sealed   fails on a row too many, and on anything hidden (postgres_bounded.go)
//	bounded  fails on a row too many; what is hidden is counted (postgres_bounded.go)
//
// An INSERT is sent in words that make sure that it does nothing but add rows
// (postgres_insert.go), or counted like the others.
//
// # MySQL and MariaDB
//
// The server tells too little of what a statement did, so that what it will do is read
// beforehand: triggers and routines (mysql_reach.go), foreign keys (mysql_keys.go, whose
// rows are counted by mysql_follow.go or the undo log). On MariaDB a statement of one
// table on which nothing hangs goes in one round trip: as a part of a compound
// (mysql_compound.go) that makes sure of that and undoes what is too much. What it need
// not look at again is known by proof (mysql_proof.go), or in the caller's transaction
// because it was seen there (mysql_seen.go).
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
