// Package engine runs judged statements: it chooses where a statement can be
// undone, counts truly what it did, asks for the verdict, and keeps or undoes.
// Every SQL door shares it, and gives it a [Conn] of two methods.
//
// A statement travels through a [Session] in three steps:
//
//	read    the text becomes a statement: what it does to which object (statement.go)
//	choose  a way of running it that its verdict and its engine allow (way.go),
//	        and the words: the caller's own, or such that the server refuses what
//	        goes beyond the bound (wording.go)
//	run     open the way, let the door send the words, count, settle, close
//	        (flight.go)
//
// The better the words, the less there is to open and to count. PostgreSQL knows
// four kinds, tried in this order, each of which falls back to the next where the
// server says that it does not fit:
//
//	gated    in the caller's transaction: changes nothing if it is too much (postgres_gate.go)
//	bulk     many rows: counts before it changes (postgres_bulk.go)
//	sealed   fails on a row too many, and on anything hidden (postgres_bounded.go)
//	bounded  fails on a row too many; what is hidden is counted (postgres_bounded.go)
//
// An INSERT is sent in words that make sure that it does nothing but add rows
// (postgres_insert.go), or counted like the others.
//
// SQLite has no way to its server: what costs is what it writes for nothing. It
// knows three kinds, the first two of which need no savepoint:
//
//	keyed    one row at most, by a key, and nothing but new rows behind it (sqlite_key.go)
//	indexed  counts what an index finds before it changes it (sqlite_key.go)
//	stopped  ends one row past the bound, and is undone (sqlite_stop.go)
//
// An INSERT of one row goes like the first (sqlite_insert.go). What the triggers and
// foreign keys of a table lead to (sqlite_reach.go) says how the others are counted.
//
// A text that only reads leaves after its first step, unless it may run code that
// writes: a function that it calls (calls.go), or one that hides behind a view, an
// operator, a cast (hidden.go). Both are known by what the catalogue has said once,
// so that what another connection creates later is noticed by new sessions alone.
//
// What differs between the engines is one type each behind the backend
// interface: how transactions begin and end, how to ask whether one is open,
// and how to count.
package engine
