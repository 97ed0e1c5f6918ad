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
	// detectServer asks, once, what kind of server it is.
	detectServer(ctx context.Context) error
	// mode asks for the session state that changes how texts are read.
	mode(ctx context.Context) (sqlscan.Mode, error)
	// refineReading takes note of a text that was read, and corrects what was read in it by
	// what the server knows. form is the one that the door asks for.
	refineReading(ctx context.Context, t *sqlscan.Text, form Form) error
	// ping finds out whether the connection is alive.
	ping(ctx context.Context) error
	// counter makes what counts the statement of a flight.
	counter(f *Flight) counter
	// noteChanges notes what a text may have changed of the session: settings,
	// counters. outside says that no transaction of the caller's is open.
	noteChanges(st *statement, outside bool)
	// forget drops what was learnt of the session.
	forget()
}

// transactions says how an engine opens, keeps and undoes.
type transactions interface {
	// state asks whether a transaction is open.
	state(ctx context.Context) (txState, error)
	// frame is what surrounds the flight's statement, given its way.
	frame(f *Flight) frame
	// isNoTransaction reports that err says that there is no such transaction or savepoint.
	isNoTransaction(err error) bool
	// isTxAborted reports that err says that the transaction takes nothing but a ROLLBACK.
	isTxAborted(err error) bool
	// isTxControlError reports that err is that of code which tried to.
	isTxControlError(err error) bool
	// txBegan notes that the caller has begun one, maybe at a level of isolation of its
	// own, and returns what has become of one that was open.
	txBegan(isolated bool) dbguard.Effect
	// txEnded notes that the caller's transaction has ended, and returns the state
	// that this leaves.
	txEnded() txState
}

// catalogue answers what a name in a statement about structure stands for.
type catalogue interface {
	// find says what the target is now. It never fails a transaction: what
	// cannot be found out is existing.
	find(ctx context.Context, x *target) (existence, error)
}

// existence is what a name stands for.
type existence uint8

const (
	existing  existence = iota // something that is there, or nobody knows
	missing                    // nothing
	temporary                  // something that only this session sees
	shadowing                  // that, in front of something that is there
)

// and is what a name stands for that also stands for something else, which is
// temporary and hides the others, or is not.
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
	// survey looks at things before anything is opened, baseline right after.
	// A note says why the statement cannot be counted or undone.
	survey(ctx context.Context) (note string, err error)
	baseline(ctx context.Context) (note string, err error)
	// count is the true count, asked before the transaction is closed.
	count(ctx context.Context, affected int64) (dbguard.Count, error)
}

// deferring is a counter of an engine that may put off a part of a statement to
// the COMMIT.
type deferring interface {
	// runDeferred has it done now. Its error is the statement's own.
	runDeferred(ctx context.Context) error
}

// closing is a counter that can count, judge and keep in one text.
type closing interface {
	// close does, or says that it cannot. It returns the count of what was kept,
	// or, with refused, that of what is undone.
	close(ctx context.Context, affected int64) (can bool, count dbguard.Count, refused bool, err error)
}

// affectedCounter trusts the driver's count of rows, for servers without
// anything better: only one DELETE or UPDATE of one table is counted so.
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
