// Package pgxguard is the SQL door for those who use pgx without database/sql:
// a pgxpool.Pool, and everything taken out of it, that refuses what package
// dbguard says no to. Everything else is as without it.
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
// Reads and inserts, CopyFrom among them, go to the server as they are. What
// deletes or changes existing rows needs a bound, runs where it can be undone
// (in a transaction or savepoint of the guard's, never committing one of the
// caller's), is counted by the server's own counters, cascades and triggers
// included, and is undone if it went over. The rows of RETURNING stream; the
// verdict is the error of Rows.Err once they are at their end or closed, or of
// QueryRow's Scan.
//
// The text that is judged is the one that the server gets: after
// pgx.NamedArgs or any other rewriter, and that of the statement where a
// prepared one is called by its name.
//
// # Batches
//
// A batch of nothing but reads and inserts travels in one flight, as ever. In
// any other the statements run one by one, each within its bound, in one
// transaction: the caller's, or one that ends with BatchResults.Close as the
// batch's own implicit one does. So an error or a refusal undoes the whole batch
// outside of a transaction; inside one a refusal undoes its statement alone, the
// rest of the batch does not run, and the transaction goes on. A batch that
// itself begins or ends transactions runs one by one without another around it.
//
// This costs round trips: as many as without a batch. What is run one by one is
// prepared one by one, too, so that an error which pgx would have found before
// the first statement is found at its own.
//
// # Around the handles
//
// [Pool.Unwrap], [Conn.Conn] and pgx.Tx's Conn hand out what pgx knows. A tracer
// in its configuration sees all that is sent there and vetoes, with the same
// errors, what nobody would count: it returns a context that is done already,
// and the connection lives on. Reads and inserts pass; structure passes with its
// grant; rows are deleted and changed there only with dbguard.Opaque. Of a
// veto, errors.Is and errors.As find the *dbguard.Violation. The user's own
// tracer, in the configuration, is told of everything but the guard's own
// statements.
//
// # What the guard does not see
//
// What goes below pgx: PgConn().Exec and its kin, and pgconn's own hooks
// (AfterConnect, ValidateConnect). Where nobody vouches for a call, a rewriter
// of the user's own is asked twice, once to judge: one that answers differently
// the second time is not seen. Large objects, which are no rows.
//
// database/sql over such a pool (stdlib.OpenDBFromPool) takes a veto for a broken
// connection: use package sqlguard there.
package pgxguard
