package couch

import "strings"

// endpoint is a row of the table of CouchDB's endpoints: a method and a path, what
// its body contains, and how its effect is judged.
type endpoint struct {
	methods string // separated by blanks; "*" is any that is not safe
	path    string // {db} is a database, {doc} a document, {x} any part, … any rest
	name    string // db.operation.name
	body    shape
	judge   func(*analysis) // nil: it reads, or writes only derived data
	parts   []string
}

// endpoints in the order in which they are tried. Any other is refused unless its
// method is safe. The paths are those of CouchDB 1.x to 3.5.
var endpoints = parse([]endpoint{
	// The server.
	{methods: "POST DELETE", path: "/_session", name: "_session"},
	{methods: "POST", path: "/_uuids", name: "_uuids"},
	{methods: "POST", path: "/_dbs_info", name: "_dbs_info"},
	{methods: "POST", path: "/_search_analyze", name: "_search_analyze"},
	{methods: "POST", path: "/_nouveau_analyze", name: "_nouveau_analyze"},
	{methods: "POST", path: "/_replicate", name: "_replicate", body: replication, judge: replicates},
	{methods: "POST", path: "/_cluster_setup", name: "_cluster_setup", body: setup, judge: setsUp},
	{methods: "PUT DELETE", path: "/_config/{section}/{key}", name: "_config", judge: configures},
	{methods: "*", path: "/_config/…", name: "_config", judge: reconfigures},
	{methods: "*", path: "/_reshard/…", name: "_reshard", judge: runs("moves shards")},
	{methods: "POST", path: "/_restart", name: "_restart", judge: runs("restarts the node")},

	// A database.
	{methods: "PUT", path: "/{db}", name: "PUT database", judge: creates},
	{methods: "DELETE", path: "/{db}", name: "DELETE database", judge: drops},
	{methods: "POST", path: "/{db}", name: "POST", body: document, judge: writes},
	{methods: "POST", path: "/{db}/_bulk_docs", name: "_bulk_docs", body: documents, judge: writes},
	{methods: "POST", path: "/{db}/_purge", name: "_purge", body: purges, judge: writes},
	{methods: "POST", path: "/{db}/_all_docs/…", name: "_all_docs"},
	{methods: "POST", path: "/{db}/_design_docs/…", name: "_design_docs"},
	{methods: "POST", path: "/{db}/_local_docs/…", name: "_local_docs"},
	{methods: "POST", path: "/{db}/_bulk_get", name: "_bulk_get"},
	{methods: "POST", path: "/{db}/_changes", name: "_changes"},
	{methods: "POST", path: "/{db}/_find", name: "_find"},
	{methods: "POST", path: "/{db}/_explain", name: "_explain"},
	{methods: "POST", path: "/{db}/_missing_revs", name: "_missing_revs"},
	{methods: "POST", path: "/{db}/_revs_diff", name: "_revs_diff"},
	{methods: "POST", path: "/{db}/_temp_view", name: "_temp_view"},
	{methods: "POST", path: "/{db}/_ensure_full_commit", name: "_ensure_full_commit"},
	{methods: "POST", path: "/{db}/_sync_shards", name: "_sync_shards"},
	{methods: "POST", path: "/{db}/_partition/{partition}/_all_docs", name: "_all_docs"},
	{methods: "POST", path: "/{db}/_partition/{partition}/_find", name: "_find"},
	{methods: "POST", path: "/{db}/_partition/{partition}/_explain", name: "_explain"},
	{methods: "POST", path: "/{db}/_partition/{partition}/_index", name: "_index"},
	{methods: "POST", path: "/{db}/_partition/{partition}/_design/{ddoc}/_view/…", name: "_view"},
	{methods: "POST", path: "/{db}/_index", name: "_index"},
	{methods: "POST", path: "/{db}/_index/_bulk_delete", name: "_index/_bulk_delete", judge: dropsIndexes},
	{methods: "DELETE", path: "/{db}/_index/{ddoc}/…", name: "DELETE _index", judge: dropsIndexes},
	{methods: "POST", path: "/{db}/_compact/{ddoc}", name: "_compact"},
	{methods: "POST", path: "/{db}/_compact", name: "_compact", judge: reshapes("old revisions are discarded")},
	{methods: "POST", path: "/{db}/_view_cleanup", name: "_view_cleanup"},
	{methods: "POST", path: "/{db}/_search_cleanup", name: "_search_cleanup"},
	{methods: "POST", path: "/{db}/_nouveau_cleanup", name: "_nouveau_cleanup"},
	{methods: "PUT", path: "/{db}/_revs_limit", name: "PUT _revs_limit", judge: reshapes("older revisions are forgotten")},
	{methods: "PUT", path: "/{db}/_purged_infos_limit", name: "PUT _purged_infos_limit", judge: reshapes("older purges are forgotten")},
	{methods: "PUT", path: "/{db}/_auto_purge", name: "PUT _auto_purge", judge: reshapes("deleted documents are forgotten")},
	{methods: "PUT DELETE", path: "/{db}/_security", name: "_security", judge: unprotects("who may do what changes")},

	// Functions of design documents. CouchDB runs update functions for GET, too.
	{methods: "POST", path: "/{db}/_design/{ddoc}/_view/…", name: "_view"},
	{methods: "POST", path: "/{db}/_design/{ddoc}/_show/…", name: "_show"},
	{methods: "POST", path: "/{db}/_design/{ddoc}/_list/…", name: "_list"},
	{methods: "POST", path: "/{db}/_design/{ddoc}/_search/{index}", name: "_search"},
	{methods: "POST", path: "/{db}/_design/{ddoc}/_nouveau/{index}", name: "_nouveau"},
	{methods: "* GET HEAD OPTIONS", path: "/{db}/_design/{ddoc}/_update/…", name: "_update", judge: runs("an update function decides what is written")},
	{methods: "* GET HEAD OPTIONS", path: "/{db}/_design/{ddoc}/_rewrite/…", name: "_rewrite", judge: runs("a rewrite decides what is requested")},

	// A document.
	{methods: "PUT", path: "/{db}/{doc}", name: "PUT", body: document, judge: writes},
	{methods: "DELETE", path: "/{db}/{doc}", name: "DELETE", judge: deletes},
	{methods: "POST", path: "/{db}/{doc}", name: "POST form", judge: uploads},
	{methods: "COPY", path: "/{db}/{doc}", name: "COPY", judge: copies},
	{methods: "PUT", path: "/{db}/{doc}/{attachment}/…", name: "PUT attachment", judge: attaches},
	{methods: "DELETE", path: "/{db}/{doc}/{attachment}/…", name: "DELETE attachment", judge: detaches},
})

// restOfPath matches the rest of a path, of any length, possibly none.
const restOfPath = "…"

func parse(rows []endpoint) []endpoint {
	for i := range rows {
		rows[i].parts, _ = split(rows[i].path)
	}
	return rows
}

// find is the endpoint of a request, nil if there is none.
func find(method string, path []string) *endpoint {
	for i := range endpoints {
		if e := &endpoints[i]; e.answers(method) && e.matches(path) {
			return e
		}
	}
	return nil
}

func (e *endpoint) answers(method string) bool {
	for m := range strings.SplitSeq(e.methods, " ") {
		if m == method || (m == "*" && !safe(method)) {
			return true
		}
	}
	return false
}

func (e *endpoint) matches(path []string) bool {
	for i, part := range e.parts {
		if part == restOfPath {
			return true
		}
		if i >= len(path) || !matchesPart(part, path[i]) {
			return false
		}
	}
	return len(path) == len(e.parts)
}

func matchesPart(pattern, part string) bool {
	switch {
	case pattern[0] != '{':
		return pattern == part
	case pattern == "{db}":
		return part[0] != '_' || systemDatabase(part)
	case pattern == "{doc}":
		return part[0] != '_' || strings.HasPrefix(part, "_design/") || strings.HasPrefix(part, "_local/")
	}
	return true
}

// systemDatabase reports whether a name that begins with an underscore is a
// database's.
func systemDatabase(name string) bool {
	switch name {
	case "_users", "_replicator", "_global_changes", "_metadata", "_dbs", "_nodes":
		return true
	}
	return false
}

// nodeEndpoints are what stands after /_node/{name}; anything else there is the
// path of a database as that one node has it.
func nodeEndpoint(part string) bool {
	switch part {
	case "_config", "_restart", "_stats", "_system", "_versions", "_prometheus", "_smoosh":
		return true
	}
	return false
}

// normalPath converts a path to the form used in the table: without the node, and
// with the id of a design or local document as one part.
func normalPath(path []string) []string {
	if len(path) >= 3 && path[0] == "_node" {
		path = path[2:]
		if part := path[0]; part[0] == '_' && !nodeEndpoint(part) && !systemDatabase(part) {
			return []string{"_node", part} // no row
		}
	}
	if len(path) >= 3 && (path[1] == "_design" || path[1] == "_local") && !designFunction(path) {
		joined := append([]string{path[0], path[1] + "/" + path[2]}, path[3:]...)
		return joined
	}
	if len(path) >= 3 && strings.HasPrefix(path[1], "_design/") && designFunctionName(path[2]) {
		ddoc := strings.TrimPrefix(path[1], "_design/")
		return append([]string{path[0], "_design", ddoc}, path[2:]...)
	}
	return path
}

func designFunction(path []string) bool {
	return path[1] == "_design" && len(path) >= 4 && designFunctionName(path[3])
}

// designFunctionName reports whether a part after a design document is one of
// its functions: all others are attachments.
func designFunctionName(part string) bool {
	switch part {
	case "_view", "_show", "_list", "_update", "_rewrite", "_search", "_search_info", "_search_disk_size",
		"_nouveau", "_nouveau_info", "_info", "_views", "_view_cleanup":
		return true
	}
	return false
}
