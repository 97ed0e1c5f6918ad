// Package pgxguard guards pgx without database/sql: a pgxpool.Pool, and everything
// taken out of it, that refuses what package dbguard refuses. Everything else is as
// without it.
//
//	cfg, err := pgxpool.ParseConfig(dsn)
//	g, err := dbguard.New(dbguard.Policy{})
//	pool, err := pgxguard.New(ctx, cfg, g) // in place of pgxpool.NewWithConfig
//
//	_, err = pool.Exec(ctx, "DELETE FROM users WHERE id = $1", id)
//	// cleanup.go:42: DG201 Unbounded: DELETE on users has no bound; …
//
//	_, err = pool.Exec(dbguard.AtMost(ctx, 1), "DELETE FROM users WHERE id = $1", id)
//
// A [Pool] and a [Conn] fit sqlc's DBTX interface, a transaction is a pgx.Tx,
// and pgx.BeginFunc, pgx.CollectRows and their like work with them.
//
// # What happens to a statement
//
// Reads go to the server as they are. What deletes or changes existing rows needs
// a bound; so does an INSERT or a CopyFrom whose triggers, rules or functions do,
// while one that only adds rows needs none. Rows are counted in every table,
// cascades and triggers included, and a statement that exceeds its bound is undone
// completely.
//
// Most statements take one round trip, as without a guard: a DELETE, UPDATE or
// INSERT of one table is rewritten so that the server itself refuses too many rows.
// Where rows have to be counted, the transaction or savepoint of the guard's (which
// never commits one of the caller's) is pipelined with the statement, from the
// second time on that a connection sends it: a DELETE with a cascade is one round
// trip, too. It takes one more if a Budget has to be charged, or an Observer is told
// in which tables the rows are. CopyFrom takes two more outside of a transaction; in
// one, one more for the first into a table.
//
// Up to a bound of 1,000 the rows of RETURNING are read before the caller sees the
// first of them, and a refusal is the error of Query, or of QueryRow's Scan. Beyond
// that, and for statements that can only be counted, they stream; the verdict is the
// error of Rows.Err once they are at their end or closed.
//
// The text that is judged is the one that the server gets: after pgx.NamedArgs or
// any other rewriter, and for the name of a prepared statement, its text. What finds
// nothing to do, such as DROP TABLE IF EXISTS of a missing table, is answered and not
// sent: it causes no notice.
//
// # Batches
//
// Each statement of a batch has the bound for itself. A batch is sent at once if
// each of its statements is a read, an INSERT into a table without triggers and
// rules, or a bounded DELETE or UPDATE of a table without triggers, cascades, rules,
// policies and children. If any of them had to be judged, all results are read before
// the first is handed out.
//
// The statements of any other batch run one by one, in one transaction: the
// caller's, or one that ends with BatchResults.Close as the batch's own implicit one
// does. That costs as many round trips as without a batch. They are prepared one by
// one, too: an error that pgx would have found before the first statement is found
// at its own. This is how a batch runs under a Budget, one that itself begins or
// ends transactions, and one that creates a function, view or trigger, sets the
// search_path or prepares a name before its last statement.
//
// Either way an error or a refusal undoes the whole batch outside of a transaction;
// inside one a refusal undoes only its statement, the rest of the batch does not
// run, and the transaction goes on.
//
// # Around the handles
//
// [Pool.Unwrap], [Conn.Conn] and pgx.Tx's Conn hand out pgx's own types. A tracer
// in their configuration sees all that is sent there and vetoes, with the same
// errors, what would not be counted: it returns a context that is done already,
// and the connection stays usable. Reads pass, and structure passes with its grant.
// That holds for the pgx.LargeObjects of a transaction, too: reading them passes, while
// Write, Truncate and Unlink need dbguard.Opaque in the context that opened the object.
// SELECT lo_put($1, $2, $3) on the transaction itself has its pages counted.
//
// Rows are deleted and changed there only with dbguard.Opaque; without it functions
// that may write are refused, and INSERTs into tables with triggers or rules, of
// which the server is asked each time, or once in a transaction. Of a veto,
// errors.Is and errors.As find the *dbguard.Violation.
//
// The user's own tracer in the configuration is called for every statement as the
// user wrote it, and for none of the guard's own.
//
// # What the guard does not see
//
// What goes below pgx, through a *pgconn.PgConn: Exec, ExecParams, ExecPrepared,
// ExecStatement, ExecBatch, StartPipeline, CopyFrom, CopyTo, its Frontend and its Conn,
// and pgconn's own hooks (AfterConnect, ValidateConnect). Everything of a *pgx.Conn is
// seen, in the hooks of the pool, after Hijack and on connections made of the pool's
// configuration, too. For calls that are judged there, a rewriter of the user's own is
// called twice, once to judge: a different result the second time is not noticed.
//
// database/sql over such a pool (stdlib.OpenDBFromPool) takes a veto for a broken
// connection: use package sqlguard there.
package pgxguard
