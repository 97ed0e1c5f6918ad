// Package engine runs judged statements: it chooses how a statement can be undone,
// counts the rows that it really changed, gets the verdict, and keeps or undoes it.
// The SQL adapters (sqlguard for database/sql, pgxguard for pgx) share it; each gives
// it a [Conn] with two methods.
//
// # The path of a statement
//
// A [Session] takes a statement through three steps:
//
//	parse   the text becomes a statement: what it does to which object (statement.go) and
//	        to the transaction (control.go), and what only the server can tell: which
//	        functions hide behind names (calls.go, hidden.go), what an INSERT triggers
//	        (insert.go), which objects do not exist (lookup.go). Session.judge, in
//	        session.go, asks for each in turn, and the guard last. What a text says by
//	        itself is cached (readings.go)
//	choose  a strategy that the verdict and the engine allow (strategy.go), and a
//	        rewrite: the caller's own text, or one that the server refuses when it
//	        exceeds the bound (rewrite.go)
//	run     open the transaction or savepoint, let the adapter send the text, count,
//	        settle, close (flight.go, and verdict.go for how it ends)
//
// What is passed from step to step has a type. Parsing makes a statement and, if a
// rule applies, a dbguard.Operation; a [Flight] carries both, with its strategy and
// rewrite, until [Flight.End] or [Flight.Answer].
//
// A text that only reads leaves after the first step, unless it may run code that
// writes: a function that it calls, or one behind a view, an operator or a cast. The
// catalogue is queried for these once per session, so that only new sessions notice
// what another connection creates later.
//
// There are other entry points: for several texts in one batch (batch.go), for a text
// that bypasses the adapter (bypass.go), and for MariaDB's single round trip
// (mysql_express.go). If the adapter can pipeline, the texts around a statement are
// sent with it (pipeline.go).
//
// # The engines
//
// What differs between engines is one type each, behind the backend interface
// (backend.go): how transactions begin and end, how to query whether one is open, and
// how to count. What only some engines have is an optional interface beside the code
// that uses it, such as hiddenFinder in hidden.go. Files are named after their
// engine: postgres.go has the backend, postgres_count.go its counter, and each other
// file one mechanism, which the comment at its top explains.
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
// SQLite is embedded: there are no round trips, and what costs is needless writing. There
// are three kinds of rewrite, the first two of which need no savepoint:
//
//	keyed    one row at most, by a key, and nothing but new rows indirectly (sqlite_key.go)
//	indexed  counts the rows by an index before it changes them (sqlite_key.go)
//	stopped  stops one row past the bound, and is undone (sqlite_stop.go)
//
// An INSERT of one row goes like the first (sqlite_insert.go). The others are counted
// according to which tables their triggers and foreign keys lead to (sqlite_reach.go).
package engine
