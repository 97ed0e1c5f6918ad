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
// that bypasses the adapter (bypass.go), and for the single round trip of MariaDB and
// MySQL (mysql_fastpath.go). If the adapter can pipeline, the texts around a statement
// are sent with it (pipeline.go).
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
// The more a statement can verify by itself, the fewer round trips and counts it needs.
// There are five kinds of rewrite, tried in this order. Each but the first falls back to
// the next where the server shows that it does not fit:
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
// in one text (postgres_commit.go); in the caller's, an adapter that can pipeline has the
// server compare with a baseline (postgres_pipeline.go). Deferred triggers are counted
// before the caller's COMMIT (postgres_deferred.go). Code that a text runs without naming
// it is found in the catalogue (postgres_hidden.go).
//
// # MySQL and MariaDB
//
// The server reports too little of what a statement did. So what it will do is looked
// up beforehand: triggers and routines (mysql_reach.go), foreign keys
// (mysql_foreign_keys.go, mysql_dictionary.go). Rows that cascades change are counted by
// walking the keys or by the undo log (mysql_cascade.go); MySQL has counted them itself
// since 9.6.
//
// A statement on one table without triggers and cascades takes one round trip
// (mysql_fastpath.go). On MariaDB a prepared compound statement wraps it, checks that the
// table is still such a one, and rolls back what is too much (mysql_fastpath_wrapper.go).
// What it need not look up again is known by a check of the table's definition
// (mysql_definition.go) or, in the caller's transaction, from an earlier statement
// (mysql_txcache.go). On MySQL it is sent as a prepared statement that bounds itself, and
// fails if its table has changed (mysql_prepared.go); on MariaDB, too, if it is an INSERT,
// or an UPDATE of unindexed columns, that comes often (mysql_prepared_mariadb.go).
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
