package couch

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// request is the head of an HTTP request, parsed as CouchDB does.
type request struct {
	method string
	path   []string // decoded, without empty parts, without the prefix
	query  string
	header http.Header
	// unreadable is why the server, or a proxy, may read the head differently from
	// what it says.
	unreadable string
	// rewrites says that PouchDB runs a rewrite, wherever in the URL its path is.
	rewrites bool
}

// rewrites is what PouchDB looks for, also in the query.
var rewrites = regexp.MustCompile(`/[^/]*/_design/[^/]*/_rewrite/`)

// safe reports whether the method is safe, that is, changes nothing (RFC 9110,
// 9.2.1).
func safe(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return false
}

// plainlySafe reports, without allocating, that a request only reads, which is by far
// the most frequent case. _rewrite and _update run code in the database, even for a
// GET.
func plainlySafe(req *http.Request) bool {
	path := req.URL.Path
	if !safe(req.Method) || req.URL.Opaque != "" || strings.Contains(path, "_rewrite") || strings.Contains(path, "_update") ||
		strings.Contains(req.URL.RawQuery, "_rewrite") {
		return false
	}
	for name := range req.Header {
		if len(name) == len(methodOverride) && strings.EqualFold(name, methodOverride) {
			return false
		}
	}
	return true
}

// methodOverride is a header with which CouchDB lets clients without PUT and DELETE
// name the method.
const methodOverride = "X-Http-Method-Override"

func readRequest(req *http.Request, prefix string) request {
	r := request{method: strings.ToUpper(req.Method), header: req.Header, query: req.URL.RawQuery}
	if r.method == "" {
		r.method = http.MethodGet
	}
	if len(r.values(methodOverride)) > 0 {
		r.unreadable = "a header replaces its method"
	}
	if req.URL.Opaque != "" {
		r.unreadable = "its URL is opaque"
	}
	raw := req.URL.EscapedPath()
	rest, ok := strings.CutPrefix(raw, prefix)
	if !ok || (rest != "" && rest[0] != '/') {
		r.unreadable = "its path is not under " + prefix
		rest = raw
	}
	r.rewrites = rewrites.MatchString(raw + "?" + r.query)
	var bad bool
	if r.path, bad = split(rest); bad {
		r.unreadable = "its path is not properly escaped"
	}
	return r
}

// split parses a path as CouchDB does: empty parts vanish, so that "/db/" is "/db";
// then each part is decoded once, so that it may contain a slash.
func split(raw string) (parts []string, bad bool) {
	for part := range strings.SplitSeq(raw, "/") {
		if part == "" {
			continue
		}
		decoded, err := url.PathUnescape(part)
		if err != nil {
			decoded, bad = part, true
		}
		parts = append(parts, decoded)
	}
	return parts, bad
}

// pathReadings are how else a path may be read on the way: by a proxy that decodes it
// before it passes it on, once or twice, or that resolves dots.
func pathReadings(path []string) [][]string {
	var others [][]string
	text := strings.Join(path, "/")
	if !strings.ContainsAny(text, "%.") && !containsSlash(path) {
		return nil
	}
	for range 2 {
		parts, _ := split(escapePercent(text))
		others = append(others, resolveDots(parts))
		again, err := url.PathUnescape(text)
		if err != nil || again == text {
			break
		}
		text = again
	}
	return others
}

func containsSlash(path []string) bool {
	for _, part := range path {
		if strings.Contains(part, "/") {
			return true
		}
	}
	return false
}

// escapePercent keeps what is decoded from being decoded again.
func escapePercent(s string) string { return strings.ReplaceAll(s, "%", "%25") }

func resolveDots(parts []string) []string {
	var out []string
	for _, part := range parts {
		switch part {
		case ".":
		case "..":
			out = out[:max(len(out)-1, 0)]
		default:
			out = append(out, part)
		}
	}
	return out
}

// values are a header's, whatever the case of its name: a map that was filled without
// http.Header.Set is sent as it is.
func (r *request) values(name string) []string {
	var all []string
	for have, values := range r.header {
		if len(have) == len(name) && strings.EqualFold(have, name) {
			all = append(all, values...)
		}
	}
	return all
}

func (r *request) value(name string) string {
	if v := r.values(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// queryValues are the values of a query parameter. CouchDB also separates parameters
// by semicolons, and uses in some places the first and in others the last of one
// name.
func (r *request) queryValues(key string) (values []string) {
	for pair := range strings.FieldsFuncSeq(r.query, func(c rune) bool { return c == '&' || c == ';' }) {
		name, v, _ := strings.Cut(pair, "=")
		if name != key {
			if name, _ = url.QueryUnescape(name); name != key {
				continue
			}
		}
		v, _ = url.QueryUnescape(v)
		values = append(values, v)
	}
	return values
}

// namesRevision reports whether the request names the revision that it replaces.
func (r *request) namesRevision() bool {
	return len(r.queryValues("rev")) > 0 || len(r.values("If-Match")) > 0
}

// storesAsIs reports whether the request stores revisions as they are
// (new_edits=false).
func (r *request) storesAsIs() bool {
	return slices.ContainsFunc(r.queryValues("new_edits"), func(v string) bool { return v != "true" })
}
