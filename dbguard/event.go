package dbguard

import "context"

// Outcome says in a word how an operation ended.
type Outcome string

const (
	OutcomeDone    Outcome = "done"    // it ran, within its bounds
	OutcomeRefused Outcome = "refused" // it was not sent
	OutcomeUndone  Outcome = "undone"  // it ran, went over, and was rolled back; or the caller's transaction was
	OutcomeFailed  Outcome = "failed"  // the database or the driver returned an error
	OutcomeUnknown Outcome = "unknown" // a reply was lost when it mattered
)

// Event tells of one operation that deletes or changes existing rows, touches
// structure, or was refused. Reads and plain inserts make none.
type Event struct {
	Op       Op
	Outcome  Outcome
	Effect   Effect
	Rows     int64       // existing rows deleted or changed; -1 when unknown
	Tables   []TableRows // where they are, as far as it is known
	Limit    int64       // the bound that held; -1 without one
	Rule     RuleID      // the first finding's rule: why it was refused or, with OutcomeDone, what was warned of or only observed
	Findings []Finding   // all of them
	Site     string      // the caller's file:line
	Reason   string      // of the grants that it made use of
	Err      error       // what the caller got
}

// Observer is told of every Event. It is called on the goroutine of the
// operation, possibly on several at once.
type Observer interface {
	Observe(ctx context.Context, e Event)
}
