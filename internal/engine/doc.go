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
// What differs between the engines is one type each behind the backend
// interface: how transactions begin and end, how to ask whether one is open,
// and how to count.
package engine
