package couch

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-kivik/kivik/v4"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Every row of the table can be reached: no earlier row answers its own path.
func TestEveryEndpointIsReached(t *testing.T) {
	for i := range endpoints {
		e := &endpoints[i]
		var path []string
		for _, part := range e.parts {
			switch part {
			case "{db}":
				part = "tenants"
			case "{doc}":
				part = "x"
			case restOfPath:
				part = "rest"
			}
			path = append(path, strings.Trim(part, "{}"))
		}
		for method := range strings.SplitSeq(e.methods, " ") {
			if method == "*" {
				method = http.MethodPut
			}
			require.Same(t, e, find(method, normalPath(path)), "%s %s", method, e.path)
		}
		if e.body != opaque {
			require.NotNil(t, e.judge, "%s is read, but not judged", e.path)
		}
	}
}

// Of a parameter that occurs twice CouchDB may use either.
func TestParametersToldTwice(t *testing.T) {
	for query, grafts := range map[string]bool{
		"": false, "new_edits=true": false, "new_edits=false": true, "new_edits=true&new_edits=false": true,
		"new_edits=false;new_edits=true": true, "new%5Fedits=false": true, "rev=1-x&new_edits=true": false,
	} {
		r := request{query: query}
		require.Equal(t, grafts, r.storesAsIs(), query)
		require.Equal(t, strings.Contains(query, "rev"), r.namesRevision(), query)
	}
}

func TestPrefix(t *testing.T) {
	for _, c := range []struct {
		prefix, method, path string
		rule                 dbguard.RuleID
	}{
		{"", http.MethodPut, "/couch/db", ""},
		{"/couch", http.MethodPut, "/couch/db", dbguard.ImplicitCreate},
		{"/couch/", http.MethodPut, "/couch/db", dbguard.ImplicitCreate},
		{"couch", http.MethodDelete, "/couch/db/", dbguard.Drop},
		{"/couch", http.MethodPut, "/couch/db/doc", ""},
		{"/couch", http.MethodPut, "/db/doc", dbguard.Unreadable},
		{"/couch", http.MethodPut, "/couchdb/doc", dbguard.Unreadable},
		{"/couch", http.MethodDelete, "/couch", dbguard.Unreadable},
		{"/couch", http.MethodGet, "/elsewhere", ""},
		{"/a%2Fb", http.MethodPut, "/a%2Fb/db", dbguard.ImplicitCreate},
	} {
		t.Run(c.prefix+" "+c.path, func(t *testing.T) {
			require.Equal(t, c.rule, refused(t, c.method, c.path, WithPrefix(c.prefix)))
		})
	}
}

// refused is the rule by which a request without a body is refused, "" if none.
func refused(t *testing.T, method, path string, opts ...kivik.Option) dbguard.RuleID {
	t.Helper()
	sent := false
	base := roundTripper(func(req *http.Request) (*http.Response, error) {
		sent = true
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
	})
	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	var c config
	for _, o := range opts {
		o.Apply(&c)
	}
	u, err := url.Parse("http://couch.test" + path)
	require.NoError(t, err)
	res, err := newTransport(base, g, c).RoundTrip((&http.Request{Method: method, URL: u, Header: http.Header{}}).WithContext(t.Context()))
	var v *dbguard.Violation
	if errors.As(err, &v) {
		require.False(t, sent)
		return v.Rule
	}
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.True(t, sent)
	return ""
}

func TestOpaqueURL(t *testing.T) {
	d := newTestTransport(t, roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("sent") }), 1)
	req := (&http.Request{
		Method: http.MethodDelete, Header: http.Header{},
		URL: &url.URL{Scheme: "http", Host: "couch.test", Path: "/_session", Opaque: "//couch.test/tenants"},
	}).WithContext(t.Context())
	_, err := d.RoundTrip(req) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, dbguard.Unreadable)
}

// FuzzPath compares the adapter with what CouchDB does with a path: it cuts it at
// its slashes, drops what is empty, and decodes each part once. Nothing that
// drops a database or deletes a document by that reading passes unjudged.
func FuzzPath(f *testing.F) {
	for _, path := range []string{
		"/db", "/db/", "//db", "/db/doc", "/db%2Fdoc", "/db/%2F", "/db/..", "/db/%2e%2e", "/%64b", "/_node/_local/db", "/_node/x/_dbs/db",
		"/db/_design/d", "/db/_design%2Fd", "/db/_local/l", "/db/_design/d/_update/u", "/_session", "/db/_security", "/db/%255Fbulk_docs", "/",
	} {
		for _, method := range []string{"PUT", "DELETE", "POST", "GET", "COPY", "delete"} {
			f.Add(method, path)
		}
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		u, err := url.Parse("http://couch.test" + path)
		if err != nil || u.Host != "couch.test" || u.RawQuery != "" || u.Fragment != "" {
			t.Skip()
		}
		_, err = http.NewRequest(method, u.String(), nil)
		if err != nil {
			t.Skip()
		}
		if strings.EqualFold(method, "DELETE") && destroys(u.EscapedPath()) {
			require.NotEmpty(t, refused(t, method, path), "%s %s passed", method, path)
			return
		}
		_ = refused(t, method, path)
	})
}

// destroys reports whether CouchDB drops or deletes anything for DELETE of the path.
func destroys(path string) bool {
	var parts []string
	for _, part := range strings.FieldsFunc(path, func(c rune) bool { return c == '/' }) {
		decoded, err := url.PathUnescape(part)
		if err != nil {
			return false
		}
		parts = append(parts, decoded)
	}
	if len(parts) >= 3 && parts[0] == "_node" {
		parts = parts[2:]
	}
	return len(parts) > 0 && (parts[0][0] != '_' || parts[0] == "_users" || parts[0] == "_dbs")
}
