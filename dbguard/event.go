package dbguard

import "context"

// Outcome says in one word how an operation ended.
type Outcome string

const (
	OutcomeDone    Outcome = "done"    // it ran, and what it changed stands or will when the caller commits
	OutcomeRefused Outcome = "refused" // it was not sent, or stopped before it changed a row
	OutcomeUndone  Outcome = "undone"  // it ran, exceeded its bound, and was rolled back; or the caller's transaction was
	OutcomeFailed  Outcome = "failed"  // the database or the driver returned an error
	OutcomeUnknown Outcome = "unknown" // the reply that would have told was lost
)

// Event describes one operation that deletes or changes existing rows, changes the
// schema, or was refused. Reads and plain inserts produce none.
type Event struct {
	Op       Op
	Outcome  Outcome
	Effect   Effect
	Rows     int64       // existing rows deleted or changed; -1 when unknown
	Tables   []TableRows // where they are, as far as the engine can tell
	Limit    int64       // the bound that applied; -1 without one
	Rule     RuleID      // why it was refused or, with OutcomeDone, what was only warned of or observed
	Findings []Finding   // all of them
	Site     string      // the caller's file:line
	Reason   string      // of the grants that it used
	Err      error       // what the caller got

	// Transaction numbers the caller's transaction that it was part of; 0 outside of
	// one.
	Transaction uint64
	// TransactionEnd marks the Event of a transaction that was rolled back, or whose
	// COMMIT is unconfirmed: what its other Events reported as done was undone, or
	// may have been. Rows and Tables sum them up. A commit produces no Event.
	TransactionEnd bool
}

// RowsByTable is Tables or, if the engine reported none and the operation names a
// single table, that table with all the rows.
func (e *Event) RowsByTable() []TableRows {
	return tablesOf(&e.Op, Count{Rows: e.Rows, Tables: e.Tables})
}

// Observer receives every Event. It is called on the goroutine of the operation,
// possibly on several at once.
type Observer interface {
	Observe(ctx context.Context, e Event)
}
