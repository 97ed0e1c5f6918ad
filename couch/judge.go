package couch

import (
	"net/url"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// reading is a request as far as it is understood: what it does, to how many
// existing documents. The judge of its endpoint's row fills acts and rows.
type reading struct {
	request
	content
	row  *endpoint
	db   string // the database, "" if it names none
	doc  string // the document's id, "" if it names none
	node *node  // to ask the server

	acts []dbguard.Act
	rows int64 // existing documents that are deleted or changed
	// slash is set where the path ends in a slash: then a document's id was
	// meant to follow, and is empty.
	slash bool
	// counts says that the documents of db are to be counted: it is dropped.
	counts bool
	// creates says that a database comes into being.
	creates bool
	peruser *perUser // of the server, once it was asked
}

func (r *reading) act(verb dbguard.Verb, object, note string) {
	for _, have := range r.acts {
		if have.Verb == verb && have.Object == object && have.Note == note {
			return
		}
	}
	r.acts = append(r.acts, dbguard.Act{Verb: verb, Object: object, Note: note})
}

// touch is an act on existing documents of the database.
func (r *reading) touch(verb dbguard.Verb, rows int64) {
	if rows > 0 {
		r.act(verb, r.db, "")
		r.rows += rows
	}
}

const emptyID = "the document id is empty"

func creates(r *reading) {
	note := ""
	if r.slash {
		note = emptyID
	}
	r.create(r.db, note)
}

func (r *reading) create(name, note string) {
	r.creates = true
	r.act(dbguard.Create, name, note)
}

func drops(r *reading) {
	note := ""
	if r.slash {
		note = emptyID
	}
	r.counts = true
	r.act(dbguard.RemoveDatabase, r.db, note)
}

// writes is for every request whose documents are in its body.
func writes(r *reading) {
	r.asIs = r.asIs || r.grafts()
	r.touch(dbguard.Delete, r.deletes)
	r.touch(dbguard.Update, r.changes)
	if r.asIs {
		r.touch(dbguard.Update, r.plain)
	}
	for _, e := range r.entries {
		e.rev = e.rev || r.asIs || r.revised()
		id := e.id
		if r.doc != "" {
			e.id = r.doc // CouchDB goes by the path
		}
		r.write(e)
		if id != "" && id != e.id { // PouchDB by the body: it is still one document
			e.id = id
			rows := r.rows
			r.write(e)
			r.rows = rows
		}
	}
}

func deletes(r *reading) { r.write(entry{id: r.doc, deleted: true, rev: true}) }

// copies writes over the document that its Destination names, with its revision.
func copies(r *reading) {
	id, query, _ := strings.Cut(r.value("Destination"), "?")
	decoded, err := url.PathUnescape(id)
	if err != nil || len(r.values("Destination")) > 1 {
		r.act(dbguard.Unread, r.db, "its destination is not properly escaped")
		return
	}
	r.write(entry{id: strings.TrimPrefix(decoded, "/"), rev: query != ""})
}

// uploads is a form with attachments, or with a document: it changes or deletes one.
func uploads(r *reading) {
	if strings.HasPrefix(r.doc, "_design/") {
		r.act(dbguard.Reshape, r.db+"/"+r.doc, "")
	}
	r.touch(dbguard.Upsert, 1)
}

func attaches(r *reading) {
	r.write(entry{id: r.doc, rev: r.revised()})
}

func detaches(r *reading) {
	if strings.HasPrefix(r.doc, "_design/") {
		r.write(entry{id: r.doc, rev: true})
		return
	}
	r.touch(dbguard.Delete, 1)
}

func reshapes(note string) func(*reading) {
	return func(r *reading) { r.act(dbguard.Reshape, r.db, note) }
}

func unprotects(note string) func(*reading) {
	return func(r *reading) { r.act(dbguard.Unprotect, r.db, note) }
}

func runs(note string) func(*reading) {
	return func(r *reading) { r.act(dbguard.Run, r.db, note) }
}

func dropsIndexes(r *reading) {
	object := r.db + "/_index"
	if r.method == "DELETE" {
		object = r.db + "/_design/" + strings.TrimPrefix(r.ddoc(), "_design/")
	}
	r.act(dbguard.Remove, object, "an index")
}

// ddoc is the part after _index.
func (r *reading) ddoc() string {
	parts := normal(r.path)
	if len(parts) > 3 && parts[2] == "_design" {
		return parts[3]
	}
	return parts[2]
}

// setsUp: finish_cluster and enable_single_node create the system databases,
// also on a node that has not yet heard of the cluster's.
func setsUp(r *reading) {
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

func replicates(r *reading) {
	for _, e := range r.entries {
		r.replicate(e)
	}
}

// replicate: what a replication changes in its target, deletions included, is
// in the source. Nobody can count it.
func (r *reading) replicate(e entry) {
	if e.cancel && (e.target == "" || r.node.cancels()) {
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

// harmlessSections of the configuration say nothing of what is stored, for how
// long, and who may do what.
var harmlessSections = map[string]bool{"log": true, "stats": true, "uuids": true, "prometheus": true}

func configures(r *reading) {
	parts := normal(r.path)
	if harmlessSections[parts[1]] {
		return
	}
	r.act(dbguard.Unprotect, "", parts[1]+"/"+parts[2])
}

func reconfigures(r *reading) {
	r.act(dbguard.Unprotect, "", strings.Join(normal(r.path), "/"))
}
