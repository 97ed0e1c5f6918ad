package dbguard

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Gate holds a verdict on whether a server may be written to, with its reasons, and
// keeps it fresh. While it is closed, an adapter that is given one refuses operations
// as rule NotReady. It is closed until the first check has passed, while a check
// fails or does not return, and after Stop. Share it freely; a nil Gate is open.
type Gate struct {
	check   func(context.Context) error
	options GateOptions
	state   atomic.Pointer[gateState]
	stop    context.CancelFunc
	stopped chan struct{}

	mu      sync.Mutex
	changed chan struct{} // closed when the state is replaced
}

// GateOptions say how a Gate keeps its verdict fresh. The zero value is usable.
type GateOptions struct {
	// Every is the time between checks while the gate is open, 10 seconds unless set,
	// varied by up to a fifth so that many gates do not check at once. While the gate
	// is closed, the first check comes after a tenth of it, and each further one
	// after twice the time, up to Every.
	Every time.Duration
	// Timeout limits one check: half of Every unless set.
	Timeout time.Duration
	// Reads makes the gate refuse reads, too.
	Reads bool
}

// gateState is one verdict.
type gateState struct {
	reasons []string // empty: open
	at      time.Time
}

// NewGate makes a Gate and starts to check in the background, until Stop.
// check returns nil if the server is ready, else why it is not; the errors of
// errors.Join are one reason each.
func NewGate(check func(context.Context) error, o GateOptions) *Gate {
	if o.Every <= 0 {
		o.Every = 10 * time.Second
	}
	if o.Timeout <= 0 {
		o.Timeout = o.Every / 2
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &Gate{check: check, options: o, stop: cancel, stopped: make(chan struct{}), changed: make(chan struct{})}
	g.state.Store(&gateState{reasons: []string{"it was not checked yet"}, at: time.Now()})
	go g.run(ctx)
	return g
}

// Stop ends the checks and closes the gate for good.
func (g *Gate) Stop() {
	g.stop()
	<-g.stopped
	g.set([]string{"its checks were stopped"})
}

// Reasons are why the gate is closed; none if it is open.
func (g *Gate) Reasons() []string {
	if g == nil {
		return nil
	}
	s := g.state.Load()
	if len(s.reasons) > 0 {
		return s.reasons
	}
	if age := time.Since(s.at); age > 3*g.options.Every+g.options.Timeout {
		return []string{fmt.Sprintf("the last check is %s old", age.Round(time.Second))}
	}
	return nil
}

// Refuses are the reasons to refuse an operation: none if the gate is open, or
// if the operation only reads and the gate lets reads pass.
func (g *Gate) Refuses(reads bool) []string {
	if g == nil || (reads && !g.options.Reads) {
		return nil
	}
	return g.Reasons()
}

// Wait returns when the gate is open, or with the reasons when ctx is done.
func (g *Gate) Wait(ctx context.Context) error {
	for {
		g.mu.Lock()
		changed := g.changed
		g.mu.Unlock()
		reasons := g.Reasons()
		if len(reasons) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("dbguard: the gate is closed: %v: %w", reasons, ctx.Err())
		}
	}
}

// Handler answers a load balancer: 200 while the gate is open, else 503, and
// in both cases the reasons as JSON.
func (g *Gate) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer := struct {
			Ready   bool     `json:"ready"`
			Reasons []string `json:"reasons"`
		}{Reasons: g.Reasons()}
		status := http.StatusServiceUnavailable
		if len(answer.Reasons) == 0 {
			answer.Ready, answer.Reasons, status = true, []string{}, http.StatusOK
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer)
	})
}

func (g *Gate) run(ctx context.Context) {
	defer close(g.stopped)
	closed := time.Duration(0) // the delay after the last failure, 0 after a success
	for {
		delay := g.options.Every
		if g.refresh(ctx) {
			closed = 0
		} else {
			closed = min(max(2*closed, g.options.Every/10), g.options.Every)
			delay = closed
		}
		timer := time.NewTimer(jitter(delay))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func (g *Gate) refresh(ctx context.Context) (open bool) {
	ctx, cancel := context.WithTimeout(ctx, g.options.Timeout)
	defer cancel()
	err := g.safeCheck(ctx)
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	g.set(reasonsOf(err))
	return err == nil
}

// safeCheck runs the check; a panic in it is a reason to stay closed.
func (g *Gate) safeCheck(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the check panicked: %v", p)
		}
	}()
	return g.check(ctx)
}

func (g *Gate) set(reasons []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state.Store(&gateState{reasons, time.Now()})
	close(g.changed)
	g.changed = make(chan struct{})
}

// reasonsOf are the messages of an error, one for each joined error.
func reasonsOf(err error) []string {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // only the outermost
	if !ok {
		return []string{err.Error()}
	}
	var reasons []string
	for _, e := range joined.Unwrap() {
		reasons = append(reasons, reasonsOf(e)...)
	}
	return reasons
}

// jitter varies a delay by up to a fifth.
func jitter(d time.Duration) time.Duration {
	fifth := int64(d) / 5
	if fifth <= 0 {
		return d
	}
	return d + time.Duration(rand.Int64N(2*fifth)-fifth) //nolint:gosec // nobody gains from guessing it
}
