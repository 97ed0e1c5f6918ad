package couchmatrix

import (
	"net/http"

	"github.com/dbguard/dbguard-go/dbguard"
)

func bulks() []Case {
	one, two := atMost(1), atMost(2)
	rev := `"_rev":"` + Rev + `"`
	return []Case{
		{Name: "bulk, new", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{"_id":"a"},{"n":1},{}]}`},
		{Name: "bulk, empty", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[]}`},
		{Name: "bulk, changed", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{"_id":"x",` + rev + `},{"_id":"new"}]}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "bulk, deleted", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{"_id":"x",` + rev + `,"_deleted":true}]}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "bulk, deleted and changed", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{"_id":"x",` + rev + `,"_deleted":true},{"_id":"y","_rev":"1-x"}]}`, Rule: unbounded, Rows: 2, Pass: two},
		{Name: "bulk, changed by a history", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{"_id":"x","_revisions":{"start":1,"ids":["cafe"]}}]}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "bulk, unknown ids deleted", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{"_id":"q","_deleted":true}]}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "bulk, as it is", Method: post, Path: "/tenants/_bulk_docs", Body: `{"new_edits":false,"docs":[{"_id":"x","_rev":"7-a","_deleted":true}]}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "bulk, all or nothing", Method: post, Path: "/tenants/_bulk_docs", Body: `{"all_or_nothing":true,"docs":[{"_id":"x"},{"_id":"y"}]}`, Rule: unbounded, Rows: 2, Pass: two},
		{Name: "bulk, as it is, said last", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{"_id":"x"},{"_id":"y"}],"new_edits":false}`, Rule: unbounded, Rows: 2, Pass: two},
		{Name: "bulk, new_edits true", Method: post, Path: "/tenants/_bulk_docs", Body: `{"new_edits":true,"docs":[{"_id":"a"}]}`},
		{Name: "bulk, docs escaped", Method: post, Path: "/tenants/_bulk_docs", Body: `{"d\u006fcs":[{"_id":"x",` + rev + `,"_deleted":true}]}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "bulk, docs twice", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{"_id":"a"}],"docs":[{"_id":"x",` + rev + `,"_deleted":true}]}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "bulk, path escaped", Method: post, Path: "/tenants/%5Fbulk%5Fdocs", Body: `{"docs":[{"_id":"x",` + rev + `,"_deleted":true}]}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "bulk, path escaped twice", Method: post, Path: "/tenants/%255Fbulk_docs", Body: `{"docs":[{"_id":"x"}]}`, Rule: unreadable, Pass: combine(opaqueGrant, one)},
		{Name: "bulk, an array", Method: post, Path: "/tenants/_bulk_docs", Body: `[{"_id":"x",` + rev + `,"_deleted":true}]`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "bulk, a design document deleted", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{"_id":"_design/d","_rev":"` + DesignRev + `","_deleted":true}]}`, Rule: drop, Rows: 1, Pass: allowed(dbguard.DropTable("tenants/_design/d"))},
		{Name: "bulk, a design document changed", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{"_rev":"` + DesignRev + `","_id":"_design/d"}]}`, Rule: alter, Rows: 1, Pass: allowed(dbguard.AlterTable("tenants/_design/d"))},
		{Name: "bulk, a design document new", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{"_id":"_design/new"}]}`},
		{Name: "bulk, a local document", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{"_id":"_local/l"}]}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "bulk, not JSON", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{'_id':"x"}]}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "bulk, JSON and more", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[]}{"docs":[{"_deleted":true}]}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "bulk, cut off", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{"_id":"x"`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "bulk, NaN", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{"_id":"x","n":NaN}]}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "bulk, a comment", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{"_id":"x"/*,*/}]}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "bulk, encoded otherwise", Method: post, Path: "/tenants/_bulk_docs", Header: http.Header{"Content-Encoding": {"deflate"}}, Form: Chunked, Body: `{"docs":[]}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "bulk, encoded twice", Method: post, Path: "/tenants/_bulk_docs", Header: http.Header{"Content-Encoding": {"identity", "gzip"}}, Form: Chunked, Body: `{"docs":[]}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "bulk, not gzip", Method: post, Path: "/tenants/_bulk_docs", Header: http.Header{"Content-Encoding": {"gzip"}}, Form: Chunked, Body: `{"docs":[]}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "purge", Method: post, Path: "/tenants/_purge", Body: `{"x":["` + Rev + `"],"y":["1-a","1-b"]}`, Rule: unbounded, Rows: 2, Pass: two},
		{Name: "purge, a design document", Method: post, Path: "/tenants/_purge", Body: `{"_design/d":["` + DesignRev + `"]}`, Rule: drop, Rows: 1, Pass: allowed(dbguard.DropTable("tenants/_design/d"))},
		{Name: "purge, nothing", Method: post, Path: "/tenants/_purge", Body: `{}`},
	}
}

func special() []Case {
	one := atMost(1)
	ddoc := "tenants/_design/d"
	return []Case{
		{Name: "design, new", Method: put, Path: "/tenants/_design/new", Body: `{"views":{}}`},
		{Name: "design, changed", Method: put, Path: "/tenants/_design/d", Body: `{"_rev":"` + DesignRev + `"}`, Rule: alter, Rows: 1, Pass: allowed(dbguard.AlterTable(ddoc))},
		{Name: "design, changed, escaped", Method: put, Path: "/tenants/_design%2Fd", Body: `{"_rev":"` + DesignRev + `"}`, Rule: alter, Rows: 1, Pass: allowed(dbguard.AlterTable(ddoc))},
		{Name: "design, changed, posted", Method: post, Path: "/tenants", Body: `{"_id":"_design\/d","_rev":"` + DesignRev + `"}`, Rule: alter, Rows: 1, Pass: allowed(dbguard.AlterTable(ddoc))},
		{Name: "design, by the body's id", Method: put, Path: "/tenants/new", Body: `{"_id":"_design/d","_rev":"` + DesignRev + `"}`, Rule: alter, Rows: 1, Pass: combine(one, allowed(dbguard.AlterTable(ddoc)))},
		{Name: "design, deleted", Method: del, Path: "/tenants/_design/d?rev=" + DesignRev, Rule: drop, Rows: 1, Pass: allowed(dbguard.DropTable(ddoc))},
		{Name: "design, deleted by PUT", Method: put, Path: "/tenants/_design/d", Body: `{"_rev":"` + DesignRev + `","_deleted":true}`, Rule: drop, Rows: 1, Pass: allowed(dbguard.DropTable(ddoc))},
		{Name: "design, attachment deleted", Method: del, Path: "/tenants/_design/d/a.txt?rev=" + DesignRev, Rule: alter, Rows: 1, Pass: allowed(dbguard.AlterTable(ddoc))},
		{Name: "design without a name", Method: put, Path: "/tenants/_design/", Body: `{}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "design, a form", Method: post, Path: "/tenants/_design/d", Header: http.Header{"Content-Type": {"multipart/form-data; boundary=b"}}, Body: "--b--", Rule: alter, Rows: 1, Pass: combine(one, allowed(dbguard.AlterTable(ddoc)))},
		{Name: "local", Method: put, Path: "/tenants/_local/l", Body: `{"seq":1}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "local, escaped", Method: put, Path: "/tenants/%5Flocal%2Fl", Body: `{"seq":1}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "local, deleted", Method: del, Path: "/tenants/_local/l", Rule: unbounded, Rows: 1, Pass: one},
		{Name: "security", Method: put, Path: "/tenants/_security", Body: `{"admins":{"names":[],"roles":[]}}`, Rule: off, Pass: opaqueGrant},
		{Name: "security, deleted", Method: del, Path: "/tenants/_security", Rule: off, Pass: opaqueGrant},
		{Name: "compact", Method: post, Path: "/tenants/_compact", Body: `{}`, Rule: alter, Pass: allowed(dbguard.AlterTable(DB))},
		{Name: "compact views", Method: post, Path: "/tenants/_compact/d", Body: `{}`},
		{Name: "revs_limit", Method: put, Path: "/tenants/_revs_limit", Body: `1`, Rule: alter, Pass: allowed(dbguard.AlterTable(DB))},
		{Name: "purged_infos_limit", Method: put, Path: "/tenants/_purged_infos_limit", Body: `1`, Rule: alter, Pass: allowed(dbguard.AlterTable(DB))},
		{Name: "auto purge", Method: put, Path: "/tenants/_auto_purge", Body: `{"deleted_document_ttl":1}`, Rule: alter, Pass: allowed(dbguard.AlterTable(DB))},
		{Name: "index", Method: post, Path: "/tenants/_index", Body: `{"index":{"fields":["n"]},"name":"n"}`},
		{Name: "index, deleted", Method: del, Path: "/tenants/_index/d/json/n", Rule: drop, Pass: allowed(dbguard.DropTable(ddoc))},
		{Name: "index, deleted by its full name", Method: del, Path: "/tenants/_index/_design/d/json/n", Rule: drop, Pass: allowed(dbguard.DropTable(ddoc))},
		{Name: "indexes, deleted", Method: post, Path: "/tenants/_index/_bulk_delete", Body: `{"docids":["_design/d"]}`, Rule: drop, Pass: allowed(dbguard.DropTable("tenants/_index"))},
		{Name: "update function", Method: put, Path: "/tenants/_design/d/_update/u/x", Body: `{}`, Rule: opaque, Pass: opaqueGrant},
		{Name: "update function, posted", Method: post, Path: "/tenants/_design/d/_update/u", Body: `{}`, Rule: opaque, Pass: opaqueGrant},
		{Name: "update function, by GET", Method: get, Path: "/tenants/_design/d/_update/u/x", Rule: opaque, Pass: opaqueGrant},
		{Name: "update function, by HEAD, escaped", Method: head, Path: "/tenants/_design%2Fd/%5Fupdate/u", Rule: opaque, Pass: opaqueGrant},
		{Name: "an attachment named as one, read", Method: get, Path: "/tenants/x/_update"},
		{Name: "rewrite", Method: put, Path: "/tenants/_design/d/_rewrite/any", Body: `{}`, Rule: opaque, Pass: opaqueGrant},
		{Name: "rewrite, read", Method: get, Path: "/tenants/_design/d/_rewrite/any", Rule: opaque, Pass: opaqueGrant},
		{Name: "rewrite, escaped", Method: get, Path: "/tenants/_design%2Fd/%5Frewrite/any", Rule: opaque, Pass: opaqueGrant},
		{Name: "view cleanup", Method: post, Path: "/tenants/_view_cleanup", Body: `{}`},
		{Name: "full commit", Method: post, Path: "/tenants/_ensure_full_commit", Body: `{}`},
	}
}

func reads() []Case {
	return []Case{
		{Name: "root", Method: get, Path: "/"},
		{Name: "up", Method: get, Path: "/_up"},
		{Name: "databases", Method: get, Path: "/_all_dbs"},
		{Name: "exists", Method: head, Path: "/tenants"},
		{Name: "exists not", Method: head, Path: "/nowhere"},
		{Name: "info", Method: get, Path: "/tenants/"},
		{Name: "document", Method: get, Path: "/tenants/x"},
		{Name: "document, missing", Method: get, Path: "/tenants/none"},
		{Name: "document in a missing database", Method: get, Path: "/nowhere/x"},
		{Name: "revisions", Method: get, Path: "/tenants/x?revs_info=true&open_revs=all"},
		{Name: "all", Method: get, Path: "/tenants/_all_docs?include_docs=true"},
		{Name: "all, by keys", Method: post, Path: "/tenants/_all_docs", Body: `{"keys":["x","y"]}`},
		{Name: "all, queries", Method: post, Path: "/tenants/_all_docs/queries", Body: `{"queries":[]}`},
		{Name: "view", Method: get, Path: "/tenants/_design/d/_view/v"},
		{Name: "view, by keys", Method: post, Path: "/tenants/_design/d/_view/v", Body: `{"keys":["x"]}`},
		{Name: "find", Method: post, Path: "/tenants/_find", Body: `{"selector":{"_deleted":true,"_id":"x"}}`},
		{Name: "explain", Method: post, Path: "/tenants/_explain", Body: `{"selector":{}}`},
		{Name: "changes", Method: get, Path: "/tenants/_changes"},
		{Name: "changes, posted", Method: post, Path: "/tenants/_changes?filter=_doc_ids", Body: `{"doc_ids":["x"]}`},
		{Name: "bulk get", Method: post, Path: "/tenants/_bulk_get", Body: `{"docs":[{"id":"x","_deleted":true}]}`},
		{Name: "revs diff", Method: post, Path: "/tenants/_revs_diff", Body: `{"x":["7-a"]}`},
		{Name: "missing revs", Method: post, Path: "/tenants/_missing_revs", Body: `{"x":["7-a"]}`},
		{Name: "partition", Method: post, Path: "/tenants/_partition/p/_find", Body: `{"selector":{}}`},
		{Name: "partition's index", Method: post, Path: "/tenants/_partition/p/_index", Body: `{"index":{"fields":["n"]}}`},
		{Name: "partition's view", Method: post, Path: "/tenants/_partition/p/_design/d/_view/v", Body: `{"keys":[]}`},
		{Name: "show", Method: post, Path: "/tenants/_design/d/_show/s/x", Body: `{}`},
		{Name: "list", Method: post, Path: "/tenants/_design/d/_list/l/v", Body: `{"keys":[]}`},
		{Name: "search", Method: post, Path: "/tenants/_design/d/_search/s", Body: `{"q":"a"}`},
		{Name: "security, read", Method: get, Path: "/tenants/_security"},
		{Name: "attachment, read", Method: get, Path: "/tenants/x/note.txt"},
		{Name: "unheard of, read", Method: get, Path: "/tenants/_unheard_of"},
		{Name: "options", Method: http.MethodOptions, Path: "/tenants"},
	}
}

func unusual() []Case {
	override := http.Header{"X-Http-Method-Override": {"DELETE"}}
	return []Case{
		{Name: "method replaced", Method: post, Path: "/tenants", Header: override, Rule: unreadable, Pass: opaqueGrant},
		{Name: "method of a read replaced", Method: get, Path: "/tenants", Header: override, Rule: unreadable, Pass: opaqueGrant},
		{Name: "method replaced, header as it is", Method: get, Path: "/tenants", Header: http.Header{"x-http-method-override": {"DELETE"}}, Rule: unreadable, Pass: opaqueGrant},
		{Name: "patch", Method: http.MethodPatch, Path: "/tenants/x", Body: `{}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "unheard of in a database", Method: post, Path: "/tenants/_unheard_of", Body: `{}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "unheard of, deleted", Method: del, Path: "/tenants/_unheard_of", Rule: unreadable, Pass: opaqueGrant},
		{Name: "unheard of, put", Method: put, Path: "/tenants/_unheard_of", Body: `{}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "dots to another database", Method: del, Path: "/tenants/x/../../audit", Rule: unreadable, Pass: opaqueGrant},
		{Name: "dots, escaped", Method: del, Path: "/tenants/%2e%2e/audit", Rule: unreadable, Pass: opaqueGrant},
		{Name: "dots, escaped twice", Method: del, Path: "/tenants/%252e%252e/audit", Rule: unreadable, Pass: opaqueGrant},
		{Name: "slash, escaped twice", Method: del, Path: "/tenants/%252F", Rule: unreadable, Pass: combine(opaqueGrant, atMost(1))},
		{Name: "design, escaped twice", Method: put, Path: "/tenants/_design/d/%255Fupdate/u", Body: `x`, Header: http.Header{"Content-Type": {"text/plain"}}, Rule: unreadable, Pass: opaqueGrant},
		{Name: "a percent sign in an id", Method: del, Path: "/tenants/100%25?rev=" + Rev, Rule: unbounded, Rows: 1, Pass: atMost(1)},
		{Name: "a URL as an id", Method: del, Path: "/tenants/https%3A%2F%2Fexample.org%2F%3Fq%3Da%2520b?rev=" + Rev, Rule: unbounded, Rows: 1, Pass: atMost(1)},
		{Name: "a dot in an id", Method: del, Path: "/tenants/report.2024?rev=" + Rev, Rule: unbounded, Rows: 1, Pass: atMost(1)},
		{Name: "a slash in an id", Method: del, Path: "/tenants/a%2Fb?rev=" + Rev, Rule: unbounded, Rows: 1, Pass: atMost(1)},
		{Name: "document, an array", Method: put, Path: "/tenants/new", Body: `[]`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "document, not JSON", Method: put, Path: "/tenants/new", Body: `{"a":1,}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "document, an open string", Method: put, Path: "/tenants/new", Body: `{"a":"`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "document, empty", Method: put, Path: "/tenants/new"},
		{Name: "document, two", Method: put, Path: "/tenants/new", Body: `{} {"_deleted":true}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "multipart without a boundary", Method: put, Path: "/tenants/new", Header: http.Header{"Content-Type": {"multipart/related"}}, Form: Chunked, Body: `{}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "multipart written otherwise", Method: put, Path: "/tenants/new", Header: http.Header{"Content-Type": {"Multipart/Related; boundary=b"}}, Form: Chunked, Body: "--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b--", Rule: unreadable, Pass: opaqueGrant},
		{Name: "multipart of another kind", Method: put, Path: "/tenants/new", Header: http.Header{"Content-Type": {"multipart/mixed; boundary=b"}}, Form: Chunked, Body: `{}`, Rule: unreadable, Pass: opaqueGrant},
	}
}
