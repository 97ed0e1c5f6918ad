package dbguardtest

import (
	"context"
	"slices"
	"sync"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Recorder keeps every Event of the guards that it observes: put it into
// Policy.Observers. It is safe for concurrent use.
type Recorder struct {
	mu     sync.Mutex
	events []dbguard.Event
}

var _ dbguard.Observer = (*Recorder)(nil)

// NewRecorder makes an empty Recorder.
func NewRecorder() *Recorder { return &Recorder{} }

// Observe records the event.
func (r *Recorder) Observe(_ context.Context, e dbguard.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// Events are those recorded so far, in order.
func (r *Recorder) Events() []dbguard.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Reset forgets what was recorded, so that the next assertion is about what comes
// after: call it once the fixtures are set up.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = nil
}

// String is a table of the events.
func (r *Recorder) String() string { return table(r.Events()) }
