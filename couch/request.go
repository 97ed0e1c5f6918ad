package couch

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// request is what the head of an HTTP request says, read as CouchDB reads it.
type request struct {
	method string
	path   []string // decoded, without empty parts, without the door's prefix
	query  string
	header http.Header
	// unread is why the server, or a proxy on the way, may read the head
	// differently from what it says.
	unread string
	// rewrites says that PouchDB runs a rewrite, wherever in the URL its path is.
	rewrites bool
}

// rewrites is what PouchDB looks for, in the query, too.
var rewrites = regexp.MustCompile(`/[^/]*/_design/[^/]*/_rewrite/`)

// safe reports whether the method promises to change nothing (RFC 9110, 9.2.1).
func safe(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return false
}

// plainlySafe reports, without allocating, that a request only reads: it is by
// far the most frequent answer. _rewrite and _update are code of the
// database's, which a GET runs as well.
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

// methodOverride is a header by which CouchDB lets clients without PUT and
// DELETE name the method that they mean.
const methodOverride = "X-Http-Method-Override"

func readRequest(req *http.Request, prefix string) request {
	r := request{method: strings.ToUpper(req.Method), header: req.Header, query: req.URL.RawQuery}
	if r.method == "" {
		r.method = http.MethodGet
	}
	if len(r.values(methodOverride)) > 0 {
		r.unread = "a header replaces its method"
	}
	if req.URL.Opaque != "" {
		r.unread = "its URL is opaque"
	}
	raw := req.URL.EscapedPath()
	rest, ok := strings.CutPrefix(raw, prefix)
	if !ok || (rest != "" && rest[0] != '/') {
		r.unread = "its path is not under " + prefix
		rest = raw
	}
	r.rewrites = rewrites.MatchString(raw + "?" + r.query)
	var bad bool
	if r.path, bad = split(rest); bad {
		r.unread = "its path is not properly escaped"
	}
	return r
}

// split is how CouchDB reads a path: empty parts vanish, so that "/db/" is
// "/db"; then each part is decoded once, so that a slash may be in it.
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

// readings are how else a path may be read on the way: by a proxy that decodes
// it before it passes it on, once or twice, or that resolves dots.
func readings(path []string) [][]string {
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

// values are a header's, whatever the case of its name: a map that was written
// without http.Header.Set goes out as it is.
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

// queried are the values of a query parameter. CouchDB separates parameters by
// semicolons, too, and believes now the first and now the last of one name.
func (r *request) queried(key string) (values []string) {
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

// revised reports whether the request names the revision that it follows on.
func (r *request) revised() bool {
	return len(r.queried("rev")) > 0 || len(r.values("If-Match")) > 0
}

// grafts reports whether the request stores revisions as they are.
func (r *request) grafts() bool {
	return slices.ContainsFunc(r.queried("new_edits"), func(v string) bool { return v != "true" })
}
