package couch_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/couch"
	"github.com/dbguard/dbguard-go/dbguard"
	harness "github.com/dbguard/dbguard-go/internal/conformance/couch"
	"github.com/dbguard/dbguard-go/internal/couchmatrix"
)

// outcome is what a caller sees of a request, and what is there afterwards.
type outcome struct {
	status   int
	header   http.Header
	body     string
	contents string
}

func newFixture(t *testing.T, s *harness.Server) *harness.Fixture {
	t.Helper()
	w, err := harness.NewFixture(t.Context(), s)
	require.NoError(t, err)
	return w
}

func send(t *testing.T, w *harness.Fixture, base http.RoundTripper, c couchmatrix.Case, pass couchmatrix.Pass) (outcome, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if pass != nil {
		ctx = pass(ctx)
	}
	req, err := c.Request(ctx, w.URL, w.Replace)
	require.NoError(t, err)
	if user := req.URL.User; user != nil { // http.Client does this
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	var o outcome
	res, err := base.RoundTrip(req)
	if err == nil {
		text, readErr := io.ReadAll(res.Body)
		require.NoError(t, readErr)
		require.NoError(t, res.Body.Close())
		res.Header.Del("Date")
		o.status, o.header, o.body = res.StatusCode, res.Header, harness.Masked(string(text))
		for name := range o.header {
			o.header[name] = strings.Split(harness.Masked(strings.Join(o.header[name], "\n")), "\n")
		}
	}
	var contentsErr error
	o.contents, contentsErr = w.Contents(t.Context())
	require.NoError(t, contentsErr)
	return o, err
}

// nondeterministic are requests, by the beginnings of their names, to which PouchDB Server
// answers differently every time, or not at all: bare as well as guarded.
var nondeterministic = map[string]string{
	"replicate":                    "the answer holds times and the history of all replications before it",
	"replication document":         "it runs in the background, and writes to its document",
	"config, 1.x":                  "the answer is the value that was there before",
	"users,":                       "as user",
	"user,":                        "a user that was there before goes on with its revisions",
	"login":                        "the answer holds a cookie with the time",
	"bulk, new,":                   "documents without ids are stored under ids of chance, in their order",
	"method replaced":              "as bulk, new",
	"document, not JSON, multi":    "never answered",
	"document, an open string, mu": "never answered",
	"document, two, multi":         "never answered",
	"document, an array, multi":    "never answered",
	"document, empty":              "never answered",
	"multipart without a boundary": "never answered",
	"multipart of another kind":    "never answered",
	"multipart written otherwise":  "never answered",
}

func isNondeterministic(name string) bool {
	for prefix := range nondeterministic {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// Every request of the matrix on a server: one that is refused changes nothing in any
// database, one that is allowed has the answer and the effect that it has bare.
func TestMatrix(t *testing.T) {
	for _, s := range harness.Servers(t) {
		t.Run(fmt.Sprintf("pouch=%t", s.Pouch), func(t *testing.T) { testMatrix(t, s) })
	}
}

func testMatrix(t *testing.T, s *harness.Server) {
	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	door := couch.Transport(base, g)
	w := newFixture(t, s)
	unchanged, err := w.Contents(t.Context())
	require.NoError(t, err)
	renew := func(t *testing.T, after outcome) {
		if after.contents != unchanged {
			w = newFixture(t, s)
		}
	}
	refused, allowed := 0, 0
	for _, c := range couchmatrix.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			if c.Rule != "" && !c.PerUser {
				got, err := send(t, w, door, c, nil)
				require.ErrorIs(t, err, c.Rule)
				require.Equal(t, unchanged, got.contents, "it was refused, and something has changed")
				refused++
			}
			if isNondeterministic(c.Name) || (c.Form != couchmatrix.Plain && testing.Short()) {
				return
			}
			bare, bareErr := send(t, w, base, c, nil)
			renew(t, bare)
			got, err := send(t, w, door, c, c.Pass)
			renew(t, got)
			if strings.HasPrefix(c.Name, "bounded by none") {
				require.ErrorIs(t, err, dbguard.OverLimit)
				return
			}
			require.NoError(t, bareErr)
			require.NoError(t, err)
			require.Equal(t, bare, got)
			allowed++
		})
	}
	t.Logf("%d requests refused, %d answered as bare", refused, allowed)
}
