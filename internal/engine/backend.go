package engine

import (
	"context"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// backend is what differs between the engines.
type backend interface {
	transactions
	catalogue

	// system is db.system.name of the OpenTelemetry conventions.
	system() string
	// detectServer asks, once, for the kind and version of the server.
	detectServer(ctx context.Context) error
	// mode queries the session settings that change how a text is parsed.
	mode(ctx context.Context) (sqlscan.Mode, error)
	// refineReading corrects the parsed text by what the server knows, and notes what
	// later texts depend on. form is the one that the adapter asks for.
	refineReading(ctx context.Context, t *sqlscan.Text, form Form) error
	// ping checks that the connection is alive.
	ping(ctx context.Context) error
	// counter makes the counter for the statement of a flight.
	counter(f *Flight) counter
	// noteChanges drops or updates cached session state that a text may have changed:
	// settings, counters. outside says that the caller has no transaction open.
	noteChanges(st *statement, outside bool)
	// forget drops all cached session state.
	forget()
}

// transactions is how an engine opens, commits and rolls back.
type transactions interface {
	// state queries whether a transaction is open.
	state(ctx context.Context) (txState, error)
	// frame is what is sent before and after the flight's statement, given its
	// strategy.
	frame(f *Flight) frame
	// isNoTransaction reports an error that says there is no such transaction or
	// savepoint.
	isNoTransaction(err error) bool
	// isTxAborted reports an error that says the transaction accepts nothing but a
	// ROLLBACK.
	isTxAborted(err error) bool
	// isTxControlError reports the error of code that tried to end its caller's
	// transaction.
	isTxControlError(err error) bool
	// txBegan notes that the caller has begun a transaction, possibly at an isolation
	// level that it chose, and returns what has become of one that was open.
	txBegan(isolated bool) dbguard.Effect
	// txEnded notes that the caller's transaction has ended, and returns the state
	// after that.
	txEnded() txState
}

// catalogue resolves the names in DDL statements.
type catalogue interface {
	// find says what the target is now. It never makes a transaction fail: what
	// cannot be found out counts as existing.
	find(ctx context.Context, x *target) (existence, error)
}

// existence is what a name resolves to.
type existence uint8

const (
	existing  existence = iota // an existing object, or it is not known
	missing                    // no object
	temporary                  // an object that only this session sees
	shadowing                  // a temporary object that hides an existing one
)

// and combines e with another object of the same name, which is temporary or not.
func (e existence) and(temp bool) existence {
	switch {
	case temp && (e == missing || e == temporary):
		return temporary
	case !temp && (e == missing || e == existing):
		return existing
	}
	return shadowing
}

// counter counts the existing rows that one statement deletes or changes.
type counter interface {
	// survey inspects the statement's tables before anything is opened, baseline runs
	// right after opening. A non-empty note says why the statement cannot be counted
	// or undone.
	survey(ctx context.Context) (note string, err error)
	baseline(ctx context.Context) (note string, err error)
	// count is the true count, taken before the transaction is closed.
	count(ctx context.Context, affected int64) (dbguard.Count, error)
}

// deferring is a counter of an engine that may defer a part of a statement to the
// COMMIT.
type deferring interface {
	// runDeferred runs that part now. Its error is the statement's own.
	runDeferred(ctx context.Context) error
}

// closing is a counter that can count, judge and commit in one text.
type closing interface {
	// close does so, or reports that it cannot. It returns the count of what was kept
	// or, if refused, of what was undone.
	close(ctx context.Context, affected int64) (can bool, count dbguard.Count, refused bool, err error)
}

// affectedCounter trusts the driver's number of affected rows, for servers that offer
// nothing better. Only a single DELETE or UPDATE of one table is counted this way.
type affectedCounter struct{ st *statement }

func (c affectedCounter) survey(context.Context) (string, error) {
	if c.st.simple() == nil {
		return "this server does not count what such a statement changes", nil
	}
	return "", nil
}

func (affectedCounter) baseline(context.Context) (string, error) { return "", nil }

func (affectedCounter) count(_ context.Context, affected int64) (dbguard.Count, error) {
	return dbguard.Count{Rows: affected}, nil
}
