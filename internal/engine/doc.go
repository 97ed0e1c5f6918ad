// Package engine runs judged statements: it chooses where a statement can be
// undone, counts truly what it did, asks for the verdict, and keeps or undoes.
// Every SQL door shares it, and gives it a [Conn] of two methods.
//
// A statement travels through a [Session] in three steps:
//
//	read    the text becomes a statement: what it does to which object (statement.go)
//	choose  a way of running it that its verdict and its engine allow (way.go)
//	run     open the way, let the door send the caller's own statement, count,
//	        settle, close (flight.go)
//
// What differs between the engines is one type each behind the backend
// interface: how transactions begin and end, how to ask whether one is open,
// and how to count.
package engine
