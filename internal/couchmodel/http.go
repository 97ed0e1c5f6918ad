package couchmodel

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// answer is what a request is answered.
type answer struct {
	status int
	body   any
	rev    string
}

func failed(status int, code, reason string) answer {
	return answer{status: status, body: map[string]string{"error": code, "reason": reason}}
}

var (
	noDatabase = failed(http.StatusNotFound, "not_found", "Database does not exist.")
	noDocument = failed(http.StatusNotFound, "not_found", "missing")
	conflict   = failed(http.StatusConflict, "conflict", "Document update conflict.")
	badRequest = failed(http.StatusBadRequest, "bad_request", "invalid UTF-8 JSON")
	notAllowed = failed(http.StatusMethodNotAllowed, "method_not_allowed", "Only some methods are allowed")
	ok         = map[string]bool{"ok": true}
)

// ServeHTTP answers as a node does.
func (n *Node) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := readBody(req)
	n.cluster.mu.Lock()
	a := badRequest
	if err == nil {
		a = n.answer(req, body)
	}
	n.cluster.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if a.rev != "" {
		w.Header().Set("ETag", `"`+a.rev+`"`)
	}
	w.WriteHeader(a.status)
	if req.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(a.body)
	}
}

func readBody(req *http.Request) (map[string]any, error) {
	var r io.Reader = req.Body
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		r = z
	}
	var body map[string]any
	if err := json.NewDecoder(r).Decode(&body); err != nil && err != io.EOF {
		return nil, err
	}
	return body, nil
}

// parts are the path as CouchDB splits it: empty parts vanish.
func parts(req *http.Request) (parts []string) {
	for part := range strings.SplitSeq(req.URL.EscapedPath(), "/") {
		if decoded, err := url.PathUnescape(part); err == nil && decoded != "" {
			parts = append(parts, decoded)
		}
	}
	return parts
}

func (n *Node) answer(req *http.Request, body map[string]any) answer {
	p := parts(req)
	switch {
	case len(p) == 0:
		return answer{status: http.StatusOK, body: map[string]string{"couchdb": "Welcome", "version": "3.5.0"}}
	case p[0] == "_up":
		if n.Status != "ok" {
			return answer{status: http.StatusNotFound, body: map[string]string{"status": n.Status}}
		}
		return answer{status: http.StatusOK, body: map[string]string{"status": "ok"}}
	case p[0] == "_membership":
		return n.membership()
	case p[0] == "_node" && len(p) == 3 && p[2] == "_dbs":
		return n.shardMapsOf(p[1])
	case p[0] == "_all_dbs":
		names := []string{}
		for name := range n.maps {
			names = append(names, name)
		}
		return answer{status: http.StatusOK, body: names}
	case p[0][0] == '_' && p[0] != "_users":
		return failed(http.StatusNotFound, "not_found", "unknown to the model")
	case len(p) == 1:
		return n.database(req.Method, p[0], body)
	}
	m, found := n.maps[p[0]]
	if !found {
		return noDatabase
	}
	return n.cluster.files[m.file].answer(req, p[1:], body)
}

func (n *Node) membership() answer {
	names := []string{}
	for _, other := range n.cluster.nodes {
		names = append(names, other.Name)
	}
	return answer{status: http.StatusOK, body: map[string]any{"all_nodes": names, "cluster_nodes": names}}
}

// shardMapsOf is GET /_node/{name}/_dbs.
func (n *Node) shardMapsOf(name string) answer {
	for _, other := range n.cluster.nodes {
		if other.Name == name || (name == "_local" && other == n) {
			return answer{status: http.StatusOK, body: map[string]any{"db_name": "_dbs", "doc_count": len(other.maps)}}
		}
	}
	return failed(http.StatusNotFound, "not_found", "no such node")
}

func (n *Node) database(method, name string, body map[string]any) answer {
	m, found := n.maps[name]
	switch {
	case method == http.MethodPut && n.create(name):
		return answer{status: http.StatusCreated, body: ok}
	case method == http.MethodPut:
		return failed(http.StatusPreconditionFailed, "file_exists", "The database could not be created, the file already exists.")
	case method == http.MethodDelete && n.drop(name):
		return answer{status: http.StatusOK, body: ok}
	case !found:
		return noDatabase
	case method == http.MethodPost:
		id, _ := body["_id"].(string)
		return n.cluster.files[m.file].store(id, body)
	}
	return answer{status: http.StatusOK, body: map[string]any{
		"db_name": name, "doc_count": len(n.cluster.files[m.file].ids()), "instance_start_time": m.created,
	}}
}
