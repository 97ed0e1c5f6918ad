package couch

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// system is db.system.name of the OpenTelemetry conventions.
const system = "couchdb"

// readHead reads the head of the request and finds its endpoint.
func (t *transport) readHead(req *http.Request) *analysis {
	r := &analysis{request: readRequest(req, t.prefix), node: t.node(req)}
	r.trailingSlash = strings.HasSuffix(req.URL.Path, "/")
	if r.unreadable == "" {
		r.route()
	}
	return r
}

// route finds the endpoint, the database and the document of the path.
func (r *analysis) route() {
	path := normalPath(r.path)
	if r.endpoint == nil {
		r.endpoint = find(r.method, path)
	}
	if r.endpoint != nil && !safe(r.method) {
		r.unreadable = r.misreadByProxy()
	}
	if r.rewrites && (r.endpoint == nil || r.endpoint.name != "_rewrite") {
		r.unreadable = "the path of a rewrite is in its URL"
	}
	if len(path) == 0 || (path[0][0] == '_' && !systemDatabase(path[0])) {
		return
	}
	r.db = path[0]
	if len(path) > 1 && matchesPart("{doc}", path[1]) {
		r.doc = path[1]
	}
}

// misreadByProxy is how a proxy may make something worse of the request: decoded once
// more, or with its dots resolved, the path leads to another endpoint that is not
// about one document. The exception: a slash in the name of a database or document
// leads to an attachment, which is no worse.
func (r *analysis) misreadByProxy() string {
	for _, path := range pathReadings(r.path) {
		if other := find(r.method, normalPath(path)); other != nil && other != r.endpoint && !other.ofDocument() {
			return "its path reads differently when it is decoded twice, or without its dots"
		}
	}
	return ""
}

// ofDocument reports whether an endpoint is about one document, attachments included:
// a slash more or less changes nothing.
func (e *endpoint) ofDocument() bool {
	return len(e.parts) > 1 && e.parts[1] == "{doc}"
}

func (r *analysis) inspect(ctx context.Context, b *body) error {
	c, trouble, err := b.inspect(ctx, &r.request, r.endpoint.body, databaseKind(r.db) != plainDatabase)
	if err != nil {
		return err
	}
	r.content = c
	if trouble != "" && r.unreadable == "" {
		r.unreadable = trouble
	}
	return nil
}

// addActs determines what the request does.
func (r *analysis) addActs() {
	switch {
	case r.unreadable != "":
		r.act(dbguard.Unread, r.db, r.unreadable)
	case r.endpoint == nil && !safe(r.method):
		r.act(dbguard.Unread, r.db, "no such endpoint is known")
	case r.endpoint != nil && r.endpoint.judge != nil:
		if r.endpoint.body == document && len(r.entries) == 0 {
			r.entries = []entry{{}} // without a body
		}
		r.endpoint.judge(r)
	}
}

// mayChange reports whether the request may change anything, so that a gate for
// writes applies.
func (r *analysis) mayChange() bool {
	return len(r.acts) > 0 || (r.endpoint != nil && r.endpoint.judge != nil)
}

// askServer queries what only the server can tell: how many documents a database has
// that is dropped, and whether the cluster is ready for one that is created. It
// reports whether that changed the acts.
func (r *analysis) askServer(ctx context.Context, gate *dbguard.Gate) (again bool) {
	if r.countDocs {
		n, err := r.node.docCount(r.db)
		if err != nil {
			r.act(dbguard.Uncounted, r.db, err.Error())
			again = true
		}
		r.rows = n
	}
	if r.createsDB && gate == nil {
		if err := r.node.ready(ctx, Expect{}); err != nil {
			r.act(dbguard.Unready, "", err.Error())
			again = true
		}
	}
	return again
}

func (r *analysis) count() dbguard.Count {
	c := dbguard.Count{Rows: r.rows}
	if r.db != "" && r.rows > 0 {
		c.Tables = []dbguard.TableRows{{Table: r.db, Rows: r.rows}}
	}
	return c
}

// op is the operation in the guard's terms. It contains no document id, no query and
// no body.
func (r *analysis) op() dbguard.Op {
	name := r.method
	if r.endpoint != nil {
		name = r.endpoint.name
	}
	summary := name
	if r.db != "" {
		summary += " " + r.db
	}
	return dbguard.Op{
		System: system, Namespace: r.db, Name: name, Summary: summary, Text: r.text(), Statements: 1,
		Acts: slices.Clone(r.acts),
	}
}

// text is the request line, masked after the database.
func (r *analysis) text() string {
	if r.endpoint == nil || len(r.endpoint.parts) == 0 {
		return strings.TrimSuffix(r.method+" /"+r.db, "/") + "/" + restOfPath
	}
	parts := slices.Clone(r.endpoint.parts)
	for i, part := range parts {
		if part == "{db}" {
			parts[i] = r.db
		}
	}
	return r.method + " /" + strings.Join(parts, "/")
}
