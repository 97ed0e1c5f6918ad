package couch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// node sends the adapter's own queries to the server, over the connection of a
// request and with its credentials.
type node struct {
	base   http.RoundTripper
	prefix string
	req    *http.Request
}

// maxAnswer bounds what is read of a response.
const maxAnswer = 1 << 20

// forwardedHeaders are the headers that carry the credentials.
var forwardedHeaders = []string{"Authorization", "Cookie", "User-Agent", "X-Auth-Couchdb-Username", "X-Auth-Couchdb-Roles", "X-Auth-Couchdb-Token"}

// get sends a GET for a path whose parts are escaped.
func (n *node) get(path string) (status int, body []byte, err error) {
	return n.ask(n.req.Context(), http.MethodGet, path)
}

func (n *node) ask(ctx context.Context, method, path string) (status int, body []byte, err error) {
	u := *n.req.URL
	u.RawQuery, u.Fragment = "", ""
	u.RawPath = n.prefix + path
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
		return 0, nil, err
	}
	req := (&http.Request{
		Method: method, URL: &u, Host: n.req.Host, Header: http.Header{"Accept": {"application/json"}},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	for name, values := range n.req.Header {
		for _, keep := range forwardedHeaders {
			if strings.EqualFold(name, keep) {
				req.Header[name] = values
			}
		}
	}
	res, err := n.base.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return res.StatusCode, body, err
}

// database is the response to GET /{db}, as far as it is needed.
type database struct {
	DocCount          *int64 `json:"doc_count"`
	InstanceStartTime string `json:"instance_start_time"`
}

// docCount is the number of documents of a database; 0 if it does not exist.
func (n *node) docCount(db string) (int64, error) {
	status, body, err := n.get("/" + url.PathEscape(db))
	if err != nil {
		return -1, err
	}
	if status == http.StatusNotFound {
		return 0, nil
	}
	var d database
	if status != http.StatusOK || json.Unmarshal(body, &d) != nil || d.DocCount == nil {
		return -1, fmt.Errorf("GET of the database answered %d", status)
	}
	return *d.DocCount, nil
}

// isCouchDB reports that the server is CouchDB, which ends a replication if it is
// told to cancel. PouchDB starts it.
func (n *node) isCouchDB() bool {
	var told struct{ CouchDB string }
	status, body, err := n.get("/")
	return err == nil && status == http.StatusOK && json.Unmarshal(body, &told) == nil && told.CouchDB != ""
}
