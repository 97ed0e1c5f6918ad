package couch

import (
	"net/url"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// analysis is a request as far as it has been analysed: what it does, to how many
// existing documents. The judge function of its endpoint fills acts and rows.
type analysis struct {
	request
	content
	endpoint *endpoint
	db       string // the database, "" if it names none
	doc      string // the document's id, "" if it names none
	node     *node  // to query the server

	acts []dbguard.Act
	rows int64 // existing documents that are deleted or changed
	// trailingSlash says that the path ends in a slash: a document's id was meant to
	// follow, and is empty.
	trailingSlash bool
	// countDocs says that the documents of db must be counted, since it is dropped.
	countDocs bool
	// createsDB says that a database is created.
	createsDB bool
	peruser   *perUser // of the server, once it was queried
}

func (r *analysis) act(verb dbguard.Verb, object, note string) {
	for _, have := range r.acts {
		if have.Verb == verb && have.Object == object && have.Note == note {
			return
		}
	}
	r.acts = append(r.acts, dbguard.Act{Verb: verb, Object: object, Note: note})
}

// touch adds an act on existing documents of the database.
func (r *analysis) touch(verb dbguard.Verb, rows int64) {
	if rows > 0 {
		r.act(verb, r.db, "")
		r.rows += rows
	}
}

const emptyID = "the document id is empty"

func creates(r *analysis) {
	note := ""
	if r.trailingSlash {
		note = emptyID
	}
	r.create(r.db, note)
}

func (r *analysis) create(name, note string) {
	r.createsDB = true
	r.act(dbguard.Create, name, note)
}

func drops(r *analysis) {
	note := ""
	if r.trailingSlash {
		note = emptyID
	}
	r.countDocs = true
	r.act(dbguard.RemoveDatabase, r.db, note)
}

// writes is for every request whose documents are in its body.
func writes(r *analysis) {
	r.asIs = r.asIs || r.storesAsIs()
	r.touch(dbguard.Delete, r.deletes)
	r.touch(dbguard.Update, r.changes)
	if r.asIs {
		r.touch(dbguard.Update, r.plain)
	}
	for _, e := range r.entries {
		e.rev = e.rev || r.asIs || r.namesRevision()
		id := e.id
		if r.doc != "" {
			e.id = r.doc // CouchDB uses the path
		}
		r.write(e)
		if id != "" && id != e.id { // PouchDB uses the body; it is still one document
			e.id = id
			rows := r.rows
			r.write(e)
			r.rows = rows
		}
	}
}

func deletes(r *analysis) { r.write(entry{id: r.doc, deleted: true, rev: true}) }

// copies overwrites the document that its Destination names, with its revision.
func copies(r *analysis) {
	id, query, _ := strings.Cut(r.value("Destination"), "?")
	decoded, err := url.PathUnescape(id)
	if err != nil || len(r.values("Destination")) > 1 {
		r.act(dbguard.Unread, r.db, "its destination is not properly escaped")
		return
	}
	r.write(entry{id: strings.TrimPrefix(decoded, "/"), rev: query != ""})
}

// uploads is a form with attachments, or with a document: it changes or deletes one.
func uploads(r *analysis) {
	if strings.HasPrefix(r.doc, "_design/") {
		r.act(dbguard.Reshape, r.db+"/"+r.doc, "")
	}
	r.touch(dbguard.Upsert, 1)
}

func attaches(r *analysis) {
	r.write(entry{id: r.doc, rev: r.namesRevision()})
}

func detaches(r *analysis) {
	if strings.HasPrefix(r.doc, "_design/") {
		r.write(entry{id: r.doc, rev: true})
		return
	}
	r.touch(dbguard.Delete, 1)
}

func reshapes(note string) func(*analysis) {
	return func(r *analysis) { r.act(dbguard.Reshape, r.db, note) }
}

func unprotects(note string) func(*analysis) {
	return func(r *analysis) { r.act(dbguard.Unprotect, r.db, note) }
}

func runs(note string) func(*analysis) {
	return func(r *analysis) { r.act(dbguard.Run, r.db, note) }
}

func dropsIndexes(r *analysis) {
	object := r.db + "/_index"
	if r.method == "DELETE" {
		object = r.db + "/_design/" + strings.TrimPrefix(r.ddoc(), "_design/")
	}
	r.act(dbguard.Remove, object, "an index")
}

// ddoc is the part after _index.
func (r *analysis) ddoc() string {
	parts := normalPath(r.path)
	if len(parts) > 3 && parts[2] == "_design" {
		return parts[3]
	}
	return parts[2]
}

// setsUp: finish_cluster and enable_single_node create the system databases, also on
// a node that does not know the cluster's yet.
func setsUp(r *analysis) {
	switch r.action {
	case "finish_cluster", "enable_single_node":
		names := []string{"_users", "_replicator", "_global_changes"}
		if len(r.entries) > 0 && len(r.entries[0].ensure) > 0 {
			names = r.entries[0].ensure
		}
		for _, name := range names {
			r.create(name, "action "+r.action)
		}
	default:
		r.act(dbguard.Run, "", "the cluster is set up anew")
	}
}

func replicates(r *analysis) {
	for _, e := range r.entries {
		r.replicate(e)
	}
}

// replicate: what a replication changes in its target, deletions included, depends on
// the source and cannot be counted.
func (r *analysis) replicate(e entry) {
	if e.cancel && (e.target == "" || r.node.isCouchDB()) {
		return
	}
	target := targetName(e.target)
	if e.createTarget {
		r.create(target, "create_target")
	}
	r.act(dbguard.Run, target, "what it writes is in its source")
}

// targetName is the name of the database that a replication writes to.
func targetName(target string) string {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return target
	}
	parts, _ := split(u.EscapedPath())
	if len(parts) == 0 {
		return target
	}
	return parts[len(parts)-1]
}

// harmlessSections are the configuration sections that do not affect what is stored,
// for how long, and who may do what.
var harmlessSections = map[string]bool{"log": true, "stats": true, "uuids": true, "prometheus": true}

func configures(r *analysis) {
	parts := normalPath(r.path)
	if harmlessSections[parts[1]] {
		return
	}
	r.act(dbguard.Unprotect, "", parts[1]+"/"+parts[2])
}

func reconfigures(r *analysis) {
	r.act(dbguard.Unprotect, "", strings.Join(normalPath(r.path), "/"))
}
