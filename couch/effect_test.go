package couch_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/couch"
	"github.com/dbguard/dbguard-go/dbguard"
)

// What an answer says of the database is in the event; the caller gets the
// answer as it is. "It failed" is not "nothing happened".
func TestEffect(t *testing.T) {
	create := allow(t.Context(), dbguard.CreateDatabase("db"))
	one := dbguard.AtMost(t.Context(), 1)
	for _, c := range []struct {
		name   string
		req    *http.Request
		status int
		effect dbguard.Effect
	}{
		{"created", httptest.NewRequestWithContext(create, http.MethodPut, "http://couch.test/db", nil), 201, dbguard.EffectApplied},
		{"created without a quorum", httptest.NewRequestWithContext(create, http.MethodPut, "http://couch.test/db", nil), 202, dbguard.EffectUnknown},
		{"already there", httptest.NewRequestWithContext(create, http.MethodPut, "http://couch.test/db", nil), 412, dbguard.EffectUnknown},
		{"conflict of shard maps", httptest.NewRequestWithContext(create, http.MethodPut, "http://couch.test/db", nil), 500, dbguard.EffectUnknown},
		{"may not", httptest.NewRequestWithContext(create, http.MethodPut, "http://couch.test/db", nil), 401, dbguard.EffectNone},
		{"deleted", httptest.NewRequestWithContext(one, http.MethodDelete, "http://couch.test/db/doc?rev=1-x", nil), 200, dbguard.EffectApplied},
		{"deleted without a quorum", httptest.NewRequestWithContext(one, http.MethodDelete, "http://couch.test/db/doc?rev=1-x", nil), 202, dbguard.EffectUnknown},
		{"conflict", httptest.NewRequestWithContext(one, http.MethodDelete, "http://couch.test/db/doc?rev=1-x", nil), 409, dbguard.EffectNone},
		{"wrong precondition", httptest.NewRequestWithContext(one, http.MethodDelete, "http://couch.test/db/doc?rev=1-x", nil), 412, dbguard.EffectNone},
		{"gateway", httptest.NewRequestWithContext(one, http.MethodDelete, "http://couch.test/db/doc?rev=1-x", nil), 504, dbguard.EffectUnknown},
		{"no answer", httptest.NewRequestWithContext(one, http.MethodDelete, "http://couch.test/db/doc?rev=1-x", nil), 0, dbguard.EffectUnknown},
		{"no server", httptest.NewRequestWithContext(one, http.MethodDelete, "http://couch.test/db/doc?rev=1-x", nil), -1, dbguard.EffectNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			lost, refused := errors.New("EOF"), &net.OpError{Op: "dial", Err: errors.New("connection refused")}
			base := &server{answers: questions}
			answering := func(req *http.Request) (*http.Response, error) {
				switch {
				case req.Method == http.MethodGet:
					return base.RoundTrip(req)
				case c.status == 0:
					return nil, lost
				case c.status < 0:
					return nil, refused
				}
				return &http.Response{StatusCode: c.status, Body: http.NoBody, Request: req}, nil
			}
			g, rec := newGuard(t, dbguard.Policy{})
			res, err := couch.Transport(roundTripper(answering), g).RoundTrip(c.req)
			switch {
			case c.status == 0:
				require.Equal(t, error(lost), err, "the transport's error as it is")
			case c.status < 0:
				require.Equal(t, error(refused), err)
			default:
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Equal(t, c.status, res.StatusCode)
			}
			require.Len(t, rec.Events(), 1)
			require.Equal(t, c.effect, rec.Events()[0].Effect)
			if c.effect == dbguard.EffectUnknown {
				require.Equal(t, dbguard.OutcomeUnknown, rec.Events()[0].Outcome)
			}
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// A drop whose documents cannot be counted is refused, unless the caller has
// accepted that.
func TestDropUncounted(t *testing.T) {
	base := roundTripper(func(req *http.Request) (*http.Response, error) {
		res := httptest.NewRecorder()
		if req.Method == http.MethodGet {
			res.WriteHeader(http.StatusForbidden)
		}
		return res.Result(), nil
	})
	g, rec := newGuard(t, dbguard.Policy{})
	guarded := couch.Transport(base, g)
	ctx := allow(t.Context(), dbguard.DropDatabase("db"))
	_, err := guarded.RoundTrip(httptest.NewRequestWithContext(ctx, http.MethodDelete, "http://couch.test/db", nil)) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, dbguard.Uncountable)
	require.ErrorContains(t, err, "GET of the database answered 403")
	res, err := guarded.RoundTrip(httptest.NewRequestWithContext(allow(ctx, dbguard.Opaque()), http.MethodDelete, "http://couch.test/db", nil))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Len(t, rec.Events(), 2)
}

// Nothing of a document is in what is told of a request.
func TestNothingOfADocumentIsTold(t *testing.T) {
	g, rec := newGuard(t, dbguard.Policy{})
	guarded := couch.Transport(&server{answers: questions}, g)
	const secret = "c0nfidential"
	for method, target := range map[string]string{
		http.MethodDelete: "/tenants/" + secret + "?rev=1-" + secret,
		http.MethodPut:    "/tenants/" + secret + "/" + secret + "?rev=1",
		http.MethodPatch:  "/tenants/_" + secret,
		"COPY":            "/tenants/" + secret,
		http.MethodPost:   "/_replicate",
	} {
		body := strings.NewReader(`{"source":"https://u:` + secret + `@h/db","target":"db"}`)
		req := httptest.NewRequestWithContext(t.Context(), method, "http://couch.test"+target, body)
		req.Header.Set("Destination", secret+"?rev=1-x")
		_, err := guarded.RoundTrip(req) //nolint:bodyclose // there is none
		require.ErrorIs(t, err, dbguard.ErrRefused)
		require.NotContains(t, err.Error(), secret)
		var v *dbguard.Violation
		require.ErrorAs(t, err, &v)
		require.NotContains(t, v.Detail(), secret)
	}
	require.NotContains(t, rec.String(), secret)
}

// PouchDB does not cancel a replication: it starts it.
func TestCancelledReplications(t *testing.T) {
	for name, tt := range map[string]struct {
		welcome, body string
		refused       bool
	}{
		"CouchDB":       {`{"couchdb":"Welcome","version":"3.5.0"}`, `{"source":"a","target":"fresh","create_target":true,"cancel":true}`, false},
		"PouchDB":       {`{"express-pouchdb":"Welcome!","version":"4.2.0"}`, `{"source":"a","target":"fresh","create_target":true,"cancel":true}`, true},
		"by its number": {`{"express-pouchdb":"Welcome!"}`, `{"replication_id":"0a81+continuous","cancel":true}`, false},
		"nobody knows":  {`<html>`, `{"source":"a","target":"fresh","cancel":true}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			g, _ := newGuard(t, dbguard.Policy{})
			s := &server{answers: map[string]string{"/": tt.welcome}}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://couch.test/_replicate", strings.NewReader(tt.body))
			require.NoError(t, err)
			req.Header.Set("X-Caller", "1")
			res, err := couch.Transport(s, g).RoundTrip(req)
			if tt.refused {
				require.ErrorIs(t, err, dbguard.ErrRefused)
				require.Empty(t, s.take())
				return
			}
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
		})
	}
}

// PouchDB runs a rewrite wherever in the URL it finds its path, and whatever else is
// asked for.
func TestRewritesInTheURL(t *testing.T) {
	g, _ := newGuard(t, dbguard.Policy{})
	s := &server{answers: questions}
	for target, refused := range map[string]bool{
		"POST /tenants/_find?a=/tenants/_design/d/_rewrite/x":             true,
		"GET /tenants/_all_docs?a=/tenants/_design/d/_rewrite/x":          true,
		"POST /tenants/_all_docs/tenants/_design/d/_rewrite/x":            true,
		"GET /tenants/_all_docs/tenants/_design/d/_rewrite/x":             true,
		"GET /tenants/_all_docs?startkey=%22_design%2Fd%2F_rewrite%2F%22": false,
		"GET /tenants/_design/d?a=_rewrite/":                              false,
	} {
		t.Run(target, func(t *testing.T) {
			method, path, _ := strings.Cut(target, " ")
			req, err := http.NewRequestWithContext(t.Context(), method, "http://couch.test"+path, nil)
			require.NoError(t, err)
			req.Header.Set("X-Caller", "1")
			res, err := couch.Transport(s, g).RoundTrip(req)
			if refused {
				require.ErrorIs(t, err, dbguard.Unreadable)
				require.Empty(t, s.take())
				return
			}
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Len(t, s.take(), 1)
		})
	}
}
