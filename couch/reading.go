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

// read reads the head of the request and finds its row.
func (t *transport) read(req *http.Request) *reading {
	r := &reading{request: readRequest(req, t.prefix), node: t.node(req)}
	r.slash = strings.HasSuffix(req.URL.Path, "/")
	if r.unread == "" {
		r.locate()
	}
	return r
}

// locate finds the row, the database and the document of the path.
func (r *reading) locate() {
	path := normal(r.path)
	if r.row == nil {
		r.row = find(r.method, path)
	}
	if r.row != nil && !safe(r.method) {
		r.unread = r.misread()
	}
	if r.rewrites && (r.row == nil || r.row.name != "_rewrite") {
		r.unread = "the path of a rewrite is in its URL"
	}
	if len(path) == 0 || (path[0][0] == '_' && !systemDatabase(path[0])) {
		return
	}
	r.db = path[0]
	if len(path) > 1 && matchesPart("{doc}", path[1]) {
		r.doc = path[1]
	}
}

// misread is why a proxy on the way may make something worse of the request:
// its path decoded once more, or its dots resolved, leads to another row that
// is not about one document. A database with a slash in its name, and a
// document with one, lead to an attachment, which is none the worse.
func (r *reading) misread() string {
	for _, path := range readings(r.path) {
		if other := find(r.method, normal(path)); other != nil && other != r.row && !other.ofDocument() {
			return "its path reads differently when it is decoded twice, or without its dots"
		}
	}
	return ""
}

// ofDocument reports whether a row is one of those that are about one
// document, attachments included: a slash more or less changes nothing.
func (e *endpoint) ofDocument() bool {
	return len(e.parts) > 1 && e.parts[1] == "{doc}"
}

func (r *reading) inspect(ctx context.Context, b *body) error {
	c, trouble, err := b.inspect(ctx, &r.request, r.row.body, databaseKind(r.db) != plainDatabase)
	if err != nil {
		return err
	}
	r.content = c
	if trouble != "" && r.unread == "" {
		r.unread = trouble
	}
	return nil
}

// conclude says what the request does.
func (r *reading) conclude() {
	switch {
	case r.unread != "":
		r.act(dbguard.Unread, r.db, r.unread)
	case r.row == nil && !safe(r.method):
		r.act(dbguard.Unread, r.db, "no such endpoint is known")
	case r.row != nil && r.row.judge != nil:
		if r.row.body == document && len(r.entries) == 0 {
			r.entries = []entry{{}} // without a body
		}
		r.row.judge(r)
	}
}

// mayChange reports whether the request may change anything: a gate for writes
// is asked then.
func (r *reading) mayChange() bool {
	return len(r.acts) > 0 || (r.row != nil && r.row.judge != nil)
}

// askServer finds out what only the server can tell: how many documents a
// database that is dropped has, and whether the cluster is ready for one that
// is created. It reports whether that changed the acts.
func (r *reading) askServer(ctx context.Context, gate *dbguard.Gate) (again bool) {
	if r.counts {
		n, err := r.node.docCount(r.db)
		if err != nil {
			r.act(dbguard.Uncounted, r.db, err.Error())
			again = true
		}
		r.rows = n
	}
	if r.creates && gate == nil {
		if err := r.node.ready(ctx, Expect{}); err != nil {
			r.act(dbguard.Unready, "", err.Error())
			again = true
		}
	}
	return again
}

func (r *reading) count() dbguard.Count {
	c := dbguard.Count{Rows: r.rows}
	if r.db != "" && r.rows > 0 {
		c.Tables = []dbguard.TableRows{{Table: r.db, Rows: r.rows}}
	}
	return c
}

// op is the operation in the guard's terms. It shows no document's id, no
// query and no body.
func (r *reading) op() dbguard.Op {
	name := r.method
	if r.row != nil {
		name = r.row.name
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

// text is the request's line, masked after the database.
func (r *reading) text() string {
	if r.row == nil || len(r.row.parts) == 0 {
		return strings.TrimSuffix(r.method+" /"+r.db, "/") + "/" + restOfPath
	}
	parts := slices.Clone(r.row.parts)
	for i, part := range parts {
		if part == "{db}" {
			parts[i] = r.db
		}
	}
	return r.method + " /" + strings.Join(parts, "/")
}
