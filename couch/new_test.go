package couch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-kivik/kivik/v4"
	"github.com/go-kivik/kivik/v4/couchdb"
	"github.com/go-kivik/kivik/v4/couchdb/chttp"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/couch"
	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/dbguard/dbguardtest"
	"github.com/dbguard/dbguard-go/internal/couchmodel"
)

// serve serves a handler until the test ends.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func newClient(t testing.TB, dsn string, g *dbguard.Guard, opts ...kivik.Option) *kivik.Client {
	t.Helper()
	client, err := couch.New(dsn, g, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// tenants creates a database of so many documents, without the guard.
func tenants(t testing.TB, base string, documents int) {
	t.Helper()
	do := func(method, path, body string) {
		req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Less(t, res.StatusCode, 300)
	}
	do(http.MethodPut, "/tenants", "")
	for i := range documents {
		do(http.MethodPut, "/tenants/"+string(rune('a'+i)), `{"n":1}`)
	}
}

func allow(ctx context.Context, grants ...dbguard.Grant) context.Context {
	return dbguard.Allow(ctx, "the test asks for it", grants...)
}

func TestMainPath(t *testing.T) {
	node := couchmodel.New(1).Node(0)
	g, rec := newGuard(t, dbguard.Policy{})
	client := newClient(t, serve(t, node), g)
	ctx := t.Context()

	err := client.CreateDB(ctx, "tenants")
	dbguardtest.AssertRefused(t, err, dbguard.ImplicitCreate)
	require.Equal(t, http.StatusForbidden, kivik.HTTPStatus(err))
	require.Empty(t, node.Documents())
	require.NoError(t, client.CreateDB(allow(ctx, dbguard.CreateDatabase("tenants")), "tenants"))

	db := client.DB("tenants")
	rev, err := db.Put(ctx, "ada", map[string]any{"n": 1})
	require.NoError(t, err, "a new document needs nothing")
	_, err = db.Put(ctx, "ada", map[string]any{"n": 2, "_rev": rev})
	dbguardtest.AssertRefused(t, err, dbguard.Unbounded)
	rev, err = db.Put(dbguard.AtMost(ctx, 1), "ada", map[string]any{"n": 2, "_rev": rev})
	require.NoError(t, err)
	_, err = db.Delete(ctx, "ada", rev)
	dbguardtest.AssertRefused(t, err, dbguard.Unbounded)

	dbguardtest.AssertRefused(t, client.DestroyDB(ctx, "tenants"), dbguard.Drop)
	err = client.DestroyDB(dbguard.AtMost(allow(ctx, dbguard.DropDatabase("tenants")), 0), "tenants")
	dbguardtest.AssertRefused(t, err, dbguard.OverLimit)
	require.Equal(t, map[string][]string{"tenants": {"ada"}}, node.Documents())
	dbguardtest.AssertChanged(t, rec, "tenants", 1)

	rec.Reset()
	require.NoError(t, client.DestroyDB(dbguard.AtMost(allow(ctx, dbguard.DropDatabase("tenants")), 1), "tenants"))
	require.Empty(t, node.Documents())
	require.EqualValues(t, 1, rec.Events()[0].Rows)
	require.Equal(t, "the test asks for it", rec.Events()[0].Reason)
}

// An id that is empty by accident makes a request about the database of one
// about a document.
func TestEmptyID(t *testing.T) {
	node := couchmodel.New(1).Node(0)
	base := serve(t, node)
	tenants(t, base, 3)
	g, _ := newGuard(t, dbguard.Policy{})
	client := &http.Client{Transport: couch.Transport(nil, g)}
	req, err := http.NewRequestWithContext(dbguard.AtMost(t.Context(), 1), http.MethodDelete, base+"/tenants/"+"", nil)
	require.NoError(t, err)
	_, err = client.Do(req) //nolint:bodyclose // there is none
	dbguardtest.AssertRefused(t, err, dbguard.Drop)
	require.ErrorContains(t, err, `DELETE database on tenants would lose it for good (the document id is empty); nothing was changed. `+
		`To drop it on purpose: dbguard.Allow(ctx, reason, dbguard.DropDatabase("tenants"))`)
	require.Len(t, node.Documents()["tenants"], 3)
}

func TestBulkIsCountedByTheRequest(t *testing.T) {
	node := couchmodel.New(1).Node(0)
	base := serve(t, node)
	tenants(t, base, 3)
	g, rec := newGuard(t, dbguard.Policy{})
	db := newClient(t, base, g).DB("tenants")
	bulk := []any{
		map[string]any{"_id": "a", "_rev": "9-x", "_deleted": true},
		map[string]any{"_id": "b", "_rev": "9-x", "_deleted": true},
	}
	asTheyAre := kivik.Param("new_edits", false)
	_, err := db.BulkDocs(dbguard.AtMost(t.Context(), 1), bulk, asTheyAre)
	dbguardtest.AssertRefused(t, err, dbguard.OverLimit)
	require.Len(t, node.Documents()["tenants"], 3)

	results, err := db.BulkDocs(dbguard.AtMost(t.Context(), 2), bulk, asTheyAre)
	require.NoError(t, err)
	require.Empty(t, results, "the answer tells of nothing")
	require.Equal(t, []string{"c"}, node.Documents()["tenants"])
	dbguardtest.AssertChanged(t, rec, "tenants", 2)
}

// Budgets and standing limits hold for documents as for rows.
func TestBudgetAndLimits(t *testing.T) {
	base := serve(t, couchmodel.New(1).Node(0))
	tenants(t, base, 3)
	g, _ := newGuard(t, dbguard.Policy{Limits: map[string]int64{"tenants": 1}})
	db := newClient(t, base, g).DB("tenants")
	ctx := dbguard.Budget(t.Context(), 1)
	for i, id := range []string{"a", "b"} {
		rev, err := db.GetRev(ctx, id)
		require.NoError(t, err)
		_, err = db.Delete(ctx, id, rev)
		if i == 0 {
			require.NoError(t, err)
			continue
		}
		dbguardtest.AssertRefused(t, err, dbguard.OverBudget)
	}
	_, err := db.Purge(t.Context(), map[string][]string{"b": {"1-x"}, "c": {"1-x"}})
	dbguardtest.AssertRefused(t, err, dbguard.OverLimit)
}

// A request that the server refused costs no budget.
func TestBudgetIsGivenBack(t *testing.T) {
	base := serve(t, couchmodel.New(1).Node(0))
	tenants(t, base, 1)
	g, rec := newGuard(t, dbguard.Policy{})
	db := newClient(t, base, g).DB("tenants")
	ctx := dbguard.Budget(t.Context(), 1)
	_, err := db.Delete(ctx, "a", "9-wrong")
	require.Equal(t, http.StatusConflict, kivik.HTTPStatus(err))
	require.Equal(t, dbguard.EffectNone, rec.Events()[0].Effect)
	rev, err := db.GetRev(ctx, "a")
	require.NoError(t, err)
	_, err = db.Delete(ctx, "a", rev)
	require.NoError(t, err)
}

func TestNewRefusesANilGuard(t *testing.T) {
	_, err := couch.New("http://localhost", nil)
	require.ErrorContains(t, err, "the Guard is nil")
	req := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
	_, err = couch.Transport(nil, nil).RoundTrip(req) //nolint:bodyclose // there is none
	require.ErrorContains(t, err, "the Guard is nil")
	g, _ := newGuard(t, dbguard.Policy{})
	_, err = couch.New("", g)
	require.Error(t, err, "kivik's own error")
}

// requestLog notes who asked for what.
type requestLog struct {
	http.Handler
	authorization []string
	cookies       int
	agents        []string
}

func (l *requestLog) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	l.authorization = append(l.authorization, req.Header.Get("Authorization"))
	l.cookies += len(req.Cookies())
	l.agents = append(l.agents, req.UserAgent())
	if req.URL.Path == "/_session" {
		http.SetCookie(w, &http.Cookie{Name: "AuthSession", Value: "ada", Path: "/"})
		_, _ = w.Write([]byte(`{"ok":true}`))
		return
	}
	l.Handler.ServeHTTP(w, req)
}

// All ways to log in, a client of the user's own and kivik's options can be combined,
// and the adapter's own queries have the caller's credentials.
func TestNewComposes(t *testing.T) {
	create := func(t *testing.T, client *kivik.Client) {
		t.Helper()
		require.NoError(t, client.CreateDB(allow(t.Context(), dbguard.CreateDatabase("fresh")), "fresh"))
		dbguardtest.AssertRefused(t, client.CreateDB(t.Context(), "other"), dbguard.ImplicitCreate)
	}
	g, _ := newGuard(t, dbguard.Policy{})
	newLog := func() *requestLog { return &requestLog{Handler: couchmodel.New(1).Node(0)} }

	t.Run("cookie", func(t *testing.T) {
		log := newLog()
		create(t, newClient(t, strings.Replace(serve(t, log), "//", "//ada:secret@", 1), g))
		require.Equal(t, 3, log.cookies, "two questions and the request itself")
	})
	t.Run("basic", func(t *testing.T) {
		log := newLog()
		create(t, newClient(t, serve(t, log), g, couchdb.BasicAuth("ada", "secret"), couchdb.OptionUserAgent("mine")))
		require.Len(t, log.authorization, 3)
		for i := range log.authorization {
			require.Contains(t, log.authorization[i], "Basic ")
			require.Contains(t, log.agents[i], "mine")
		}
	})
	t.Run("client of one's own", func(t *testing.T) {
		log := newLog()
		mine := 0
		own := &http.Client{Transport: countingTransport{&mine}}
		create(t, newClient(t, serve(t, log), g, couchdb.OptionHTTPClient(own)))
		require.Equal(t, 3, mine)
		require.IsType(t, countingTransport{}, own.Transport, "the user's client is changed")
	})
	t.Run("unix socket", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "couch.sock")
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
		require.NoError(t, err)
		server := &http.Server{Handler: newLog()} //nolint:gosec // a test's
		go server.Serve(listener)                 //nolint:errcheck // it ends with the test
		defer server.Close()
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}
		create(t, newClient(t, "http://couch", g, couchdb.OptionHTTPClient(&http.Client{Transport: &http.Transport{DialContext: dial}})))
	})
	t.Run("proxy", func(t *testing.T) {
		proxied := 0
		model := newLog()
		proxy := serve(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Host == "couch.test" {
				proxied++
			}
			model.ServeHTTP(w, req)
		}))
		u, err := url.Parse(proxy)
		require.NoError(t, err)
		create(t, newClient(t, "http://couch.test", g, couchdb.OptionHTTPClient(&http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(u)}})))
		require.Equal(t, 3, proxied)
	})
	t.Run("HTTP/2", func(t *testing.T) {
		version := ""
		model := newLog()
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			version = req.Proto
			model.ServeHTTP(w, req)
		}))
		server.EnableHTTP2 = true
		server.StartTLS()
		defer server.Close()
		create(t, newClient(t, server.URL, g, couchdb.OptionHTTPClient(server.Client())))
		require.Equal(t, "HTTP/2.0", version)
	})
	t.Run("under a path", func(t *testing.T) {
		create(t, newClient(t, serve(t, http.StripPrefix("/couch", newLog()))+"/couch", g))
	})
	t.Run("without compression", func(t *testing.T) {
		create(t, newClient(t, serve(t, newLog()), g, couchdb.OptionNoRequestCompression()))
	})
}

type countingTransport struct{ n *int }

func (c countingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	*c.n++
	return http.DefaultTransport.RoundTrip(req)
}

func TestErrorsSurviveKivik(t *testing.T) {
	g, _ := newGuard(t, dbguard.Policy{})
	base := serve(t, couchmodel.New(1).Node(0))
	tenants(t, base, 1)
	_, err := newClient(t, base, g).DB("tenants").Delete(t.Context(), "a", "1-x")
	var v *dbguard.Violation
	require.ErrorAs(t, err, &v)
	require.Equal(t, "couchdb", v.Op.System)
	require.Equal(t, "DELETE /tenants/{doc}", v.Op.Text)
	require.Contains(t, v.Site, "new_test.go:")
	require.ErrorIs(t, err, dbguard.ErrRefused)
	require.ErrorIs(t, err, dbguard.Unbounded)
	require.Equal(t, http.StatusForbidden, kivik.HTTPStatus(err))
	require.ErrorContains(t, err, "DELETE on tenants has no bound; nothing was changed. Say how many rows it may change: dbguard.AtMost(ctx, n)")
}

func TestDatabaseMissing(t *testing.T) {
	g, _ := newGuard(t, dbguard.Policy{})
	base := serve(t, couchmodel.New(1).Node(0))
	tenants(t, base, 1)
	client := newClient(t, base, g)
	ctx := t.Context()
	here, gone := client.DB("tenants"), client.DB("gone")
	var doc struct{}
	_, headHere := here.GetRev(ctx, "none")
	_, headGone := gone.GetRev(ctx, "none")
	_, putGone := gone.Put(ctx, "a", map[string]any{})
	_, statsGone := gone.Stats(ctx)
	for name, c := range map[string]struct {
		err     error
		missing bool
	}{
		"document":                      {here.Get(ctx, "none").ScanDoc(&doc), false},
		"document in a missing one":     {gone.Get(ctx, "none").ScanDoc(&doc), true},
		"revision":                      {headHere, false},
		"revision in a missing one":     {headGone, true},
		"new document in a missing one": {putGone, true},
		"statistics of a missing one":   {statsGone, true},
		"all documents":                 {gone.AllDocs(ctx).Err(), true},
	} {
		require.Equal(t, http.StatusNotFound, kivik.HTTPStatus(c.err), name)
		require.Equal(t, c.missing, errors.Is(c.err, couch.ErrDatabaseMissing), name)
		var http *chttp.HTTPError
		require.ErrorAs(t, c.err, &http, name)
	}
	exists, err := client.DBExists(ctx, "gone")
	require.NoError(t, err)
	require.False(t, exists)
}

// The answer that was read to find out is whole for the caller.
func TestNotFoundIsReadWhole(t *testing.T) {
	g, _ := newGuard(t, dbguard.Policy{})
	long := `{"error":"not_found","reason":"` + strings.Repeat("x", 100_000) + `"}`
	base := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.Copy(w, bytes.NewReader([]byte(long)))
	}))
	err := newClient(t, base, g).DB("tenants").Get(t.Context(), "a").Err()
	var kivikErr *chttp.HTTPError
	require.ErrorAs(t, err, &kivikErr)
	var want struct{ Reason string }
	require.NoError(t, json.Unmarshal([]byte(long), &want))
	require.Equal(t, want.Reason, kivikErr.Reason)
}
