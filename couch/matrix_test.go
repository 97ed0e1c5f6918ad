package couch_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/couch"
	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/dbguard/dbguardtest"
	"github.com/dbguard/dbguard-go/internal/couchmatrix"
)

func asItIs(s string) string { return s }

// bodyOf is the body of a case as its bare request sends it.
func bodyOf(t *testing.T, c couchmatrix.Case) (body []byte, length int64) {
	t.Helper()
	req, err := c.Request(t.Context(), "http://couch.test", asItIs)
	require.NoError(t, err)
	if req.Body != nil {
		body, err = io.ReadAll(req.Body)
		require.NoError(t, err)
	}
	return body, req.ContentLength
}

// Every request of the matrix: without a bound or grant it is refused by the rule, and
// nothing is sent; with them it passes, and arrives as it was sent.
func TestMatrix(t *testing.T) {
	s := &server{answers: questions}
	g, rec := newGuard(t, dbguard.Policy{})
	d := guardedServer{couch.Transport(s, g), s, rec}
	cases := couchmatrix.Cases()
	require.GreaterOrEqual(t, len(cases), 150)
	names := map[string]bool{}
	for _, c := range cases {
		require.False(t, names[c.Name], "two cases are named %s", c.Name)
		names[c.Name] = true
		t.Run(c.Name, func(t *testing.T) { d.unsaid(t, c) })
		t.Run(c.Name+", allowed", func(t *testing.T) { d.said(t, c) })
	}
}

// guardedServer is a guarded transport to a fake server, with the events of its
// guard.
type guardedServer struct {
	http.RoundTripper
	server *server
	rec    *dbguardtest.Recorder
}

func (d guardedServer) send(ctx context.Context, t *testing.T, c couchmatrix.Case) error {
	t.Helper()
	d.rec.Reset()
	d.server.take()
	req, err := c.Request(ctx, "http://couch.test", asItIs)
	require.NoError(t, err)
	req.Header.Set("X-Caller", "1")
	res, err := d.RoundTrip(req)
	if err == nil {
		require.NoError(t, res.Body.Close())
	}
	return err
}

// unsaid sends the request without a bound or grant.
func (d guardedServer) unsaid(t *testing.T, c couchmatrix.Case) {
	err := d.send(t.Context(), t, c)
	if c.Rule == "" {
		require.NoError(t, err)
		arrived(t, d.server, c)
		require.Empty(t, d.rec.Events())
		return
	}
	var v *dbguard.Violation
	require.ErrorAs(t, err, &v)
	require.Equal(t, c.Rule, v.Rule, v.Error())
	require.Equal(t, dbguard.EffectNone, v.Effect)
	require.Empty(t, d.server.take(), "it was sent nevertheless")
	require.Len(t, d.rec.Events(), 1)
}

// said sends the request with the bound and grants that it needs.
func (d guardedServer) said(t *testing.T, c couchmatrix.Case) {
	if c.Pass == nil {
		require.Empty(t, c.Rule, "nothing lets it through")
		return
	}
	err := d.send(c.Pass(t.Context()), t, c)
	if strings.HasPrefix(c.Name, "bounded by none") {
		require.ErrorIs(t, err, dbguard.OverLimit)
		require.Empty(t, d.server.take())
		return
	}
	require.NoError(t, err)
	arrived(t, d.server, c)
	require.Len(t, d.rec.Events(), 1)
	e := d.rec.Events()[0]
	require.Equal(t, c.Rows, e.Rows, "documents")
	require.NotEqual(t, dbguard.OutcomeRefused, e.Outcome)
}

// arrived requires that one request arrived, byte by byte as without a guard.
func arrived(t *testing.T, s *server, c couchmatrix.Case) {
	t.Helper()
	got := s.take()
	require.Len(t, got, 1)
	want, length := bodyOf(t, c)
	require.Equal(t, c.Method, got[0].method)
	bare, err := http.NewRequest(c.Method, "http://couch.test"+c.Path, nil)
	require.NoError(t, err)
	require.Equal(t, bare.URL.RequestURI(), got[0].uri)
	require.Equal(t, string(want), string(got[0].body))
	require.Equal(t, length, got[0].length)
}

// In Observe mode every request arrives, and the events tell of those that
// would have been refused.
func TestMatrixObserved(t *testing.T) {
	s := &server{answers: questions}
	g, rec := newGuard(t, dbguard.Policy{Mode: dbguard.Observe})
	d := guardedServer{couch.Transport(s, g), s, rec}
	for _, c := range couchmatrix.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			require.NoError(t, d.send(t.Context(), t, c))
			arrived(t, s, c)
			if c.Rule == "" {
				require.Empty(t, rec.Events())
				return
			}
			require.Len(t, rec.Events(), 1)
			require.Equal(t, c.Rule, rec.Events()[0].Rule)
		})
	}
}
