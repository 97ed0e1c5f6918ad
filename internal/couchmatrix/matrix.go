// Package couchmatrix is the table of requests with which the CouchDB adapter is tested: the request,
// the rule that refuses it, and what permits it. The adapter's own
// tests use it, and so do those
// on real servers.
package couchmatrix

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// The databases that the requests are about. "tenants" holds the documents
// x, y and z, a design document, a local document and an attachment.
const (
	DB      = "tenants"
	Slashed = "tenants/users" // a database whose name has a slash
	Other   = "audit"
)

// Rev is a placeholder in paths, headers and bodies for the revision of document x, and
// DesignRev for that of the design document.
const (
	Rev       = "1-0000000000000000000000000000cafe"
	DesignRev = "1-0000000000000000000000000000beef"
)

// Pass adds to the context what permits a request.
type Pass func(context.Context) context.Context

// Case is one request.
type Case struct {
	Name   string
	Method string
	Path   string // escaped, with the query
	Header http.Header
	Body   string
	// Form is how the body is sent.
	Form Form
	// Rule refuses the request if the caller gives no bound or grant; "" lets it pass.
	Rule dbguard.RuleID
	// Rows are the documents that it deletes or changes, for the event.
	Rows int64
	// Pass lets it through; nil if nothing needs to.
	Pass Pass
	// PerUser says that the rule refuses it only where couch_peruser is on.
	PerUser bool
}

// Form is the encoding of a body.
type Form uint8

// The forms.
const (
	Plain     Form = iota // with its length
	Chunked               // of unknown length
	Gzip                  // compressed, as kivik does, of unknown length
	Multipart             // as the first part of multipart/related, before an attachment
)

// String names the form.
func (f Form) String() string { return [...]string{"plain", "chunked", "gzip", "multipart"}[f] }

// Cases are all requests: those with a body in every form that it can have.
func Cases() []Case {
	var all []Case
	for _, group := range [][]Case{databases(), system(), documents(), bulks(), special(), reads(), unusual()} {
		for _, c := range group {
			all = append(all, c.forms()...)
		}
	}
	return all
}

// forms are the case itself, and the same with its body in other forms.
func (c Case) forms() []Case {
	if c.Form != Plain || c.Body == "" || !strings.ContainsAny(c.Body[:1], "{[") {
		return []Case{c}
	}
	forms := []Form{Plain, Chunked, Gzip}
	if c.Method == http.MethodPut && strings.Count(c.Path, "/") == 2 && !strings.Contains(c.Path, "/_") {
		forms = append(forms, Multipart)
	}
	out := make([]Case, 0, len(forms))
	for _, f := range forms {
		next := c
		next.Form = f
		next.Name = fmt.Sprintf("%s, %s", c.Name, f)
		out = append(out, next)
	}
	return out
}

// Request is the case as a request to the server at base. replace is applied
// to its path, its headers and its body, to bring in real revisions.
func (c Case) Request(ctx context.Context, base string, replace func(string) string) (*http.Request, error) {
	var body io.Reader
	kind := "application/json"
	text := []byte(replace(c.Body))
	switch {
	case c.Body == "":
	case c.Form == Plain:
		body = bytes.NewReader(text)
	case c.Form == Chunked:
		body = io.MultiReader(bytes.NewReader(text))
	case c.Form == Gzip:
		body = io.MultiReader(bytes.NewReader(compressed(text)))
	case c.Form == Multipart:
		text, kind = related(text)
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, c.Method, base+replace(c.Path), body)
	if err != nil {
		return nil, err
	}
	if c.Body != "" {
		req.Header.Set("Content-Type", kind)
	}
	if c.Form == Gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	for name, values := range c.Header {
		for i := range values {
			req.Header[name] = append(req.Header[name][:i], replace(values[i]))
		}
	}
	return req, nil
}

func compressed(text []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(text)
	_ = z.Close()
	return b.Bytes()
}

// related is a document before an attachment, which looks like a document too.
func related(text []byte) (body []byte, kind string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.SetBoundary("c0uch")
	part, _ := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/json"}})
	_, _ = part.Write(text)
	part, _ = w.CreatePart(textproto.MIMEHeader{
		"Content-Type": {"text/plain"}, "Content-Disposition": {`attachment; filename="note.txt"`},
	})
	_, _ = part.Write([]byte(`{"_deleted":true,"_rev":"9-x"}`))
	_ = w.Close()
	return b.Bytes(), `multipart/related; boundary="c0uch"`
}

// The ways to pass.

func atMost(n int64) Pass {
	return func(ctx context.Context) context.Context { return dbguard.AtMost(ctx, n) }
}

func allowed(grants ...dbguard.Grant) Pass {
	return func(ctx context.Context) context.Context {
		return dbguard.Allow(ctx, "the matrix asks for it", grants...)
	}
}

func combine(a, b Pass) Pass {
	return func(ctx context.Context) context.Context { return a(b(ctx)) }
}
