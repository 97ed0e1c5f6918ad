package couch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-kivik/kivik/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dbguard/dbguard-go/couch"
	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/couchmodel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A hundred goroutines on one client: each writes, is refused, and deletes
// what is its own; the events add up, and the budget that they share holds.
func TestManyAtOnce(t *testing.T) {
	const many = 100
	base := serve(t, couchmodel.New(1).Node(0))
	tenants(t, base, 0)
	g, rec := newGuard(t, dbguard.Policy{})
	db := newClient(t, base, g).DB("tenants")
	shared := dbguard.Budget(t.Context(), many/2)
	var wg sync.WaitGroup
	var mu sync.Mutex
	over := 0
	for i := range many {
		wg.Go(func() {
			id := fmt.Sprintf("document-%d", i)
			rev, err := db.Put(t.Context(), id, map[string]any{"text": strings.Repeat("x", i*1000)})
			assert.NoError(t, err)
			_, err = db.Delete(t.Context(), id, rev)
			assert.ErrorIs(t, err, dbguard.Unbounded)
			if _, err = db.Delete(shared, id, rev); err != nil {
				assert.ErrorIs(t, err, dbguard.OverBudget)
				mu.Lock()
				over++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Equal(t, many/2, over)
	stats, err := db.Stats(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, many/2, stats.DocCount)
	done, refused := 0, 0
	for _, e := range rec.Events() {
		switch e.Outcome {
		case dbguard.OutcomeDone:
			done++
		case dbguard.OutcomeRefused:
			refused++
		default:
			t.Errorf("%s: %s", e.Op.String(), e.Outcome)
		}
	}
	require.Equal(t, many/2, done)
	require.Equal(t, many+many/2, refused)
}

// Connections are reused, as without a guard.
func TestKeepAlive(t *testing.T) {
	count := func(base http.RoundTripper) int {
		conns := map[string]bool{}
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			conns[req.RemoteAddr] = true
			_, _ = io.Copy(w, req.Body)
		}))
		defer s.Close()
		client := &http.Client{Transport: base}
		defer client.CloseIdleConnections()
		for range 20 {
			req, err := http.NewRequestWithContext(dbguard.AtMost(t.Context(), 1), http.MethodPut, s.URL+"/db/doc", strings.NewReader(`{"_rev":"1-x"}`))
			require.NoError(t, err)
			res, err := client.Do(req)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
		}
		return len(conns)
	}
	g, _ := newGuard(t, dbguard.Policy{})
	require.Equal(t, 1, count(&http.Transport{}))
	require.Equal(t, 1, count(couch.Transport(&http.Transport{}, g)))
}

// dying is a server that reads some of a body and closes the connection.
func dying(t *testing.T, after int64) string {
	t.Helper()
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.CopyN(io.Discard, req.Body, after)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
}

// A connection that is lost in the middle of a body is the transport's error,
// and nobody claims to know what has become of the documents.
func TestConnectionLostInBody(t *testing.T) {
	text := `{"docs":[{"_id":"a","_rev":"1-x","text":"` + strings.Repeat("x", 8<<20) + `"}]}`
	for _, after := range []int64{0, 1000, 4 << 20} {
		url := dying(t, after)
		send := func(base http.RoundTripper) error {
			req, err := http.NewRequestWithContext(dbguard.AtMost(t.Context(), 1), http.MethodPost, url+"/db/_bulk_docs", io.MultiReader(strings.NewReader(text)))
			require.NoError(t, err)
			_, err = base.RoundTrip(req) //nolint:bodyclose // there is none
			require.Error(t, err)
			return err
		}
		bare := &http.Transport{}
		t.Cleanup(bare.CloseIdleConnections)
		g, rec := newGuard(t, dbguard.Policy{})
		direct, guarded := send(bare), send(couch.Transport(bare, g))
		require.NotErrorIs(t, guarded, dbguard.ErrRefused)
		require.Equal(t, fmt.Sprintf("%T", direct), fmt.Sprintf("%T", guarded), "%v, %v", direct, guarded)
		require.Len(t, rec.Events(), 1)
		require.Equal(t, dbguard.EffectUnknown, rec.Events()[0].Effect)
		require.EqualValues(t, 1, rec.Events()[0].Rows)
	}
}

// A server that has stopped was not reached: nothing has changed.
func TestServerStopped(t *testing.T) {
	s := httptest.NewServer(couchmodel.New(1).Node(0))
	s.Close()
	g, rec := newGuard(t, dbguard.Policy{})
	open := map[string]func() (*kivik.Client, error){
		"bare":    func() (*kivik.Client, error) { return kivik.New("couch", s.URL) },
		"guarded": func() (*kivik.Client, error) { return couch.New(s.URL, g) },
	}
	var errs []string
	for _, name := range []string{"bare", "guarded"} {
		client, err := open[name]()
		require.NoError(t, err)
		_, err = client.DB("tenants").Delete(dbguard.AtMost(t.Context(), 1), "a", "1-x")
		require.Equal(t, http.StatusBadGateway, kivik.HTTPStatus(err))
		errs = append(errs, err.Error())
		require.NoError(t, client.Close())
	}
	require.Equal(t, errs[0], errs[1])
	require.Len(t, rec.Events(), 1)
	require.Equal(t, dbguard.EffectNone, rec.Events()[0].Effect)
}

// A caller that gives up while the server is thinking gets its context's error.
func TestCancelledWhileWaiting(t *testing.T) {
	arrived, leave := make(chan struct{}, 2), make(chan struct{})
	url := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-leave }))
	defer close(leave)
	g, rec := newGuard(t, dbguard.Policy{})
	ctx, cancel := context.WithCancel(dbguard.AtMost(t.Context(), 1))
	go func() { <-arrived; cancel() }()
	_, err := newClient(t, url, g).DB("tenants").Put(ctx, "a", map[string]any{"_rev": "1-x"})
	require.True(t, errors.Is(err, context.Canceled), err)
	require.Equal(t, dbguard.EffectUnknown, rec.Events()[0].Effect)
}
