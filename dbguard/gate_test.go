package dbguard_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

func TestGateIsClosedUntilChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		checked := make(chan struct{})
		gate := dbguard.NewGate(func(ctx context.Context) error {
			select {
			case <-checked:
			case <-ctx.Done():
			}
			return nil
		}, dbguard.GateOptions{Timeout: time.Second})
		synctest.Wait()
		require.Equal(t, []string{"it was not checked yet"}, gate.Reasons())
		time.Sleep(2 * time.Second)
		require.Equal(t, []string{"context deadline exceeded"}, gate.Reasons(), "a check that gives up in silence is no pass")
		close(checked)
		require.NoError(t, gate.Wait(t.Context()))
		require.Empty(t, gate.Reasons())
		gate.Stop()
		require.Equal(t, []string{"its checks were stopped"}, gate.Reasons())
	})
}

// While the gate is closed the checks come soon, and then more and more rarely;
// while it is open they come every so often.
func TestGateBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Bool
		failing.Store(true)
		checks := make(chan time.Time, 100)
		gate := dbguard.NewGate(func(context.Context) error {
			checks <- time.Now()
			if failing.Load() {
				return errors.Join(errors.New("one"), errors.Join(errors.New("two"), nil))
			}
			return nil
		}, dbguard.GateOptions{Every: 10 * time.Second})
		time.Sleep(60 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"one", "two"}, gate.Reasons())
		last := <-checks
		for _, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
			next := <-checks
			require.InDelta(t, float64(want*time.Second), float64(next.Sub(last)), float64(want*time.Second)/5+1)
			last = next
		}
		failing.Store(false)
		require.NoError(t, gate.Wait(t.Context()))
		before := len(checks)
		time.Sleep(100 * time.Second)
		require.InDelta(t, 10, len(checks)-before, 2)
		gate.Stop()
	})
}

// While a check neither returns nor obeys its context, the verdict becomes outdated.
func TestGateVerdictAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		first := true
		gate := dbguard.NewGate(func(context.Context) error {
			if !first {
				<-release
			}
			first = false
			return nil
		}, dbguard.GateOptions{Every: 10 * time.Second, Timeout: time.Second})
		require.NoError(t, gate.Wait(t.Context()))
		time.Sleep(40 * time.Second)
		require.Equal(t, []string{"the last check is 40s old"}, gate.Reasons())
		close(release)
		gate.Stop()
	})
}

func TestGateCheckPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := dbguard.NewGate(func(context.Context) error { panic("oops") }, dbguard.GateOptions{})
		synctest.Wait()
		require.Equal(t, []string{"the check panicked: oops"}, gate.Reasons())
		gate.Stop()
	})
}

func TestGateWaitGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := dbguard.NewGate(func(context.Context) error { return errors.New("not yet") }, dbguard.GateOptions{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := gate.Wait(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "not yet")
		gate.Stop()
	})
}

func TestGateRefusesReadsIfAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := func(context.Context) error { return errors.New("not yet") }
		writes := dbguard.NewGate(closed, dbguard.GateOptions{})
		all := dbguard.NewGate(closed, dbguard.GateOptions{Reads: true})
		synctest.Wait()
		require.Empty(t, writes.Refuses(true))
		require.Equal(t, []string{"not yet"}, writes.Refuses(false))
		require.Equal(t, []string{"not yet"}, all.Refuses(true))
		var none *dbguard.Gate
		require.Empty(t, none.Refuses(false), "a nil gate is open")
		require.Empty(t, none.Reasons())
		writes.Stop()
		all.Stop()
	})
}

func TestGateHandler(t *testing.T) {
	var failure atomic.Pointer[error]
	err := errors.New("seeding")
	failure.Store(&err)
	gate := dbguard.NewGate(func(context.Context) error {
		if err := failure.Load(); err != nil {
			return *err
		}
		return nil
	}, dbguard.GateOptions{Every: 20 * time.Millisecond})
	defer gate.Stop()
	ask := func() (int, map[string]any) {
		w := httptest.NewRecorder()
		gate.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		var answer map[string]any
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		return w.Code, answer
	}
	require.Eventually(t, func() bool { return gate.Reasons()[0] == "seeding" }, 5*time.Second, time.Millisecond)
	status, answer := ask()
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, map[string]any{"ready": false, "reasons": []any{"seeding"}}, answer)
	failure.Store(nil)
	require.NoError(t, gate.Wait(t.Context()))
	status, answer = ask()
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, map[string]any{"ready": true, "reasons": []any{}}, answer)
}
