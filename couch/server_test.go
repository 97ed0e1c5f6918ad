package couch_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/dbguard/dbguardtest"
)

// sent is a request as it arrived.
type sent struct {
	method, uri string
	header      http.Header
	length      int64
	body        []byte
}

// server is a RoundTripper that records what is sent to it. It answers queries of
// the adapter from answers, by path, and anything else with 200.
type server struct {
	answers map[string]string

	mu       sync.Mutex
	requests []sent // without the adapter's own queries
}

// questions are the adapter's own queries, with the answers of a healthy single node
// that has couch_peruser.
var questions = map[string]string{
	"/":                                   `{"couchdb":"Welcome","version":"3.5.0"}`,
	"/_up":                                `{"status":"ok","seeds":{}}`,
	"/_membership":                        `{"all_nodes":["n"],"cluster_nodes":["n"]}`,
	"/_node/_local/_config/couch_peruser": `{"enable":"true","delete_dbs":"true"}`,
	"/tenants":                            `{"doc_count":4,"instance_start_time":"1"}`,
	"/tenants%2Fusers":                    `{"doc_count":1,"instance_start_time":"1"}`,
	"/shards%2F00000000-ffffffff%2Ftenants.17": `{"doc_count":0}`,
}

func (s *server) RoundTrip(req *http.Request) (*http.Response, error) {
	got := sent{method: req.Method, uri: req.URL.RequestURI(), header: req.Header, length: req.ContentLength}
	if req.Body != nil {
		var err error
		if got.body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		if err := req.Body.Close(); err != nil {
			return nil, err
		}
	}
	answer := s.answers[got.uri]
	if len(req.Header["X-Caller"]) > 0 { // no query of the adapter's
		s.mu.Lock()
		s.requests = append(s.requests, got)
		s.mu.Unlock()
	}
	status := http.StatusOK
	switch {
	case answer == "" && got.uri == "/nowhere":
		status, answer = http.StatusNotFound, `{"error":"not_found","reason":"Database does not exist."}`
	case answer == "":
		answer = `{"ok":true}`
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(strings.NewReader(answer)), ContentLength: int64(len(answer)),
	}, nil
}

func (s *server) take() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.requests
	s.requests = nil
	return all
}

func newGuard(t testing.TB, p dbguard.Policy) (*dbguard.Guard, *dbguardtest.Recorder) {
	t.Helper()
	rec := dbguardtest.NewRecorder()
	p.Observers = append(p.Observers, rec)
	g, err := dbguard.New(p)
	require.NoError(t, err)
	return g, rec
}
