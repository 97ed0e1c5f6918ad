package couchmodel

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// RoundTrip sends a request to the node that its URL's host names, without a
// network: "node1" is the first. It makes the cluster an http.RoundTripper.
func (c *Cluster) RoundTrip(req *http.Request) (*http.Response, error) {
	node, err := c.nodeByHost(req.URL.Hostname())
	if err != nil {
		return nil, err
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	in := req.Clone(req.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := &response{header: http.Header{}, status: http.StatusOK}
	node.ServeHTTP(w, in)
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.header, Request: req,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()),
	}, in.Body.Close()
}

func (c *Cluster) nodeByHost(host string) (*Node, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.nodes {
		if n.Name == "couchdb@"+host {
			return n, nil
		}
	}
	return nil, fmt.Errorf("no node is named %s", host)
}

// response is an http.ResponseWriter.
type response struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *response) Header() http.Header         { return w.header }
func (w *response) WriteHeader(status int)      { w.status = status }
func (w *response) Write(p []byte) (int, error) { return w.body.Write(p) }
