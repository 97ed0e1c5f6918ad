package couchmatrix

import (
	"net/http"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

const (
	get, head, put, post, del = http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete

	creates    = dbguard.ImplicitCreate
	drop       = dbguard.Drop
	alter      = dbguard.Alter
	off        = dbguard.GuardOff
	unbounded  = dbguard.Unbounded
	unreadable = dbguard.Unreadable
	opaque     = dbguard.RuleOpaque
)

var opaqueGrant = allowed(dbguard.Opaque())

func databases() []Case {
	create, remove := allowed(dbguard.CreateDatabase("fresh")), allowed(dbguard.DropDatabase(DB))
	return []Case{
		{Name: "create", Method: put, Path: "/fresh", Rule: creates, Pass: create},
		{Name: "create, no document id", Method: put, Path: "/fresh/", Rule: creates, Pass: create},
		{Name: "create, with a body", Method: put, Path: "/fresh", Body: `{}`, Rule: creates, Pass: create},
		{Name: "create, partitioned", Method: put, Path: "/fresh?partitioned=true&q=8", Rule: creates, Pass: create},
		{Name: "create what is there", Method: put, Path: "/tenants", Rule: creates, Pass: allowed(dbguard.CreateDatabase(DB))},
		{Name: "create, slashes", Method: put, Path: "//fresh//", Rule: creates, Pass: create},
		{Name: "create, escaped", Method: put, Path: "/%66resh", Rule: creates, Pass: create},
		{Name: "create, slash in the name", Method: put, Path: "/fresh%2Fdocs", Rule: creates, Pass: allowed(dbguard.CreateDatabase("fresh/docs"))},
		{Name: "create, case of the method", Method: "pUt", Path: "/fresh", Rule: creates, Pass: create},
		{Name: "create on one node", Method: put, Path: "/_node/_local/fresh", Rule: creates, Pass: create},
		{Name: "create on a named node", Method: put, Path: "/_node/couchdb@node2/fresh", Rule: creates, Pass: create},
		{Name: "create _users", Method: put, Path: "/_users", Rule: creates, Pass: allowed(dbguard.CreateDatabase("_users"))},
		{Name: "shard map", Method: put, Path: "/_node/_local/_dbs/fresh", Body: `{"_id":"fresh","by_node":{}}`, Rule: creates, Pass: create},
		{Name: "shard map, 2.x", Method: put, Path: "/_dbs/fresh", Body: `{"_id":"fresh"}`, Rule: creates, Pass: create},
		{Name: "shard map, changed", Method: put, Path: "/_node/_local/_dbs/fresh", Body: `{"_rev":"` + Rev + `"}`, Rule: creates, Pass: create},
		{Name: "shard maps", Method: post, Path: "/_node/_local/_dbs/_bulk_docs", Body: `{"docs":[{"_id":"fresh"}]}`, Rule: creates, Pass: create},
		{Name: "shard map, deleted", Method: del, Path: "/_node/_local/_dbs/tenants?rev=" + Rev, Rule: drop, Pass: remove},
		{Name: "shard map, purged", Method: post, Path: "/_node/_local/_dbs/_purge", Body: `{"tenants":["` + Rev + `"]}`, Rule: drop, Pass: remove},

		{Name: "drop", Method: del, Path: "/tenants", Rule: drop, Rows: 4, Pass: remove},
		{Name: "drop, no document id", Method: del, Path: "/tenants/", Rule: drop, Rows: 4, Pass: remove},
		{Name: "drop, a revision and no document id", Method: del, Path: "/tenants/?rev=" + Rev, Rule: drop, Rows: 4, Pass: remove},
		{Name: "drop, an escaped slash", Method: del, Path: "/tenants/%2F", Rule: unreadable, Pass: opaqueGrant},
		{Name: "drop, slashes", Method: del, Path: "//tenants//", Rule: drop, Rows: 4, Pass: remove},
		{Name: "drop, a dot", Method: del, Path: "/tenants/.", Rule: unreadable, Pass: combine(opaqueGrant, remove)},
		{Name: "drop, dots", Method: del, Path: "/tenants/x/..", Rule: unreadable, Pass: combine(opaqueGrant, remove)},
		{Name: "drop, slash in the name", Method: del, Path: "/tenants%2Fusers", Rule: drop, Rows: 1, Pass: allowed(dbguard.DropDatabase(Slashed))},
		{Name: "drop, bounded", Method: del, Path: "/tenants", Rule: drop, Rows: 4, Pass: combine(remove, atMost(4))},
		{Name: "drop on one node", Method: del, Path: "/_node/_local/tenants", Rule: drop, Rows: 4, Pass: remove},
		{Name: "drop, missing", Method: del, Path: "/nowhere", Rule: drop, Pass: allowed(dbguard.DropDatabase("nowhere"))},
		{Name: "drop a shard", Method: del, Path: "/_node/_local/shards%2F00000000-ffffffff%2Ftenants.17", Rule: drop, Pass: allowed(dbguard.DropDatabase("shards/00000000-ffffffff/tenants.17"))},
	}
}

func system() []Case {
	users := `{"name":"ada","password":"x","roles":[],"type":"user"}`
	return []Case{
		{Name: "replicate", Method: post, Path: "/_replicate", Body: `{"source":"tenants","target":"audit"}`, Rule: opaque, Pass: opaqueGrant},
		{Name: "replicate, create_target", Method: post, Path: "/_replicate", Body: `{"source":"tenants","target":"fresh","create_target":true}`, Rule: creates, Pass: allowed(dbguard.Opaque(), dbguard.CreateDatabase("fresh"))},
		{Name: "replicate, create_target by URL", Method: post, Path: "/_replicate", Body: `{"create_target":true,"source":"tenants","target":{"url":"http://elsewhere:5984/fresh"}}`, Rule: creates, Pass: allowed(dbguard.Opaque(), dbguard.CreateDatabase("fresh"))},
		{Name: "replicate, create_target escaped", Method: post, Path: "/_replicate", Body: `{"source":"tenants","target":"fresh","create\u005ftarget":true}`, Rule: creates, Pass: allowed(dbguard.Opaque(), dbguard.CreateDatabase("fresh"))},
		{Name: "replicate, cancel", Method: post, Path: "/_replicate", Body: `{"source":"tenants","target":"audit","cancel":true}`},
		{Name: "replication document", Method: put, Path: "/_replicator/r", Body: `{"source":"tenants","target":"fresh","create_target":true}`, Rule: creates, Pass: allowed(dbguard.Opaque(), dbguard.CreateDatabase("fresh"))},
		{Name: "replication document, posted", Method: post, Path: "/_replicator", Body: `{"source":"tenants","target":"audit"}`, Rule: opaque, Pass: opaqueGrant},
		{Name: "replication document, with a cancel", Method: put, Path: "/_replicator/r", Body: `{"source":"tenants","target":"audit","cancel":true}`, Rule: opaque, Pass: opaqueGrant},
		{Name: "replication document, a tenant's", Method: put, Path: "/tenants%2F_replicator/r", Body: `{"source":"tenants","target":"fresh","create_target":true}`, Rule: creates, Pass: allowed(dbguard.Opaque(), dbguard.CreateDatabase("fresh"))},
		{Name: "replication documents", Method: post, Path: "/_replicator/_bulk_docs", Body: `{"docs":[{"_id":"a","target":"fresh","create_target":true}]}`, Rule: creates, Pass: allowed(dbguard.Opaque(), dbguard.CreateDatabase("fresh"))},
		{Name: "replication document, deleted", Method: del, Path: "/_replicator/r?rev=" + Rev, Rule: unbounded, Rows: 1, Pass: atMost(1)},
		{Name: "cluster finished", Method: post, Path: "/_cluster_setup", Body: `{"action":"finish_cluster"}`, Rule: creates, Pass: allowed(dbguard.CreateDatabase("_users"), dbguard.CreateDatabase("_replicator"), dbguard.CreateDatabase("_global_changes"))},
		{Name: "single node", Method: post, Path: "/_cluster_setup", Body: `{"action":"enable_single_node","ensure_dbs_exist":["fresh"]}`, Rule: creates, Pass: allowed(dbguard.CreateDatabase("fresh"))},
		{Name: "node added", Method: post, Path: "/_cluster_setup", Body: `{"action":"add_node","host":"b"}`, Rule: opaque, Pass: opaqueGrant},
		{Name: "node document", Method: put, Path: "/_node/_local/_nodes/couchdb@b", Body: `{}`, Rule: opaque, Pass: opaqueGrant},
		{Name: "node document, deleted", Method: del, Path: "/_nodes/couchdb@b?rev=" + Rev, Rule: opaque, Pass: opaqueGrant},
		{Name: "config", Method: put, Path: "/_node/_local/_config/couch_peruser/delete_dbs", Body: `"true"`, Rule: off, Pass: opaqueGrant},
		{Name: "config, 1.x", Method: put, Path: "/_config/couchdb/database_dir", Body: `"/new"`, Rule: off, Pass: opaqueGrant},
		{Name: "config, deleted", Method: del, Path: "/_node/_local/_config/admins/root", Rule: off, Pass: opaqueGrant},
		{Name: "config, reloaded", Method: post, Path: "/_node/_local/_config/_reload", Rule: off, Pass: opaqueGrant},
		{Name: "config of the log", Method: put, Path: "/_node/_local/_config/log/level", Body: `"debug"`, Pass: nil},
		{Name: "restart", Method: post, Path: "/_node/_local/_restart", Rule: opaque, Pass: opaqueGrant},
		{Name: "reshard", Method: post, Path: "/_reshard/jobs", Body: `{"type":"split","db":"tenants"}`, Rule: opaque, Pass: opaqueGrant},
		{Name: "user", Method: put, Path: "/_users/org.couchdb.user:ada", Body: users, Rule: creates, Pass: allowed(dbguard.CreateDatabase("userdb-616461")), PerUser: true},
		{Name: "user, posted", PerUser: true, Method: post, Path: "/_users", Body: `{"_id":"org.couchdb.user:ada","name":"ada"}`, Rule: creates, Pass: allowed(dbguard.CreateDatabase("userdb-616461"))},
		{Name: "user, deleted", Method: del, Path: "/_users/org.couchdb.user:ada?rev=" + Rev, Rule: drop, Rows: 1, Pass: combine(atMost(1), allowed(dbguard.DropDatabase("userdb-616461"))), PerUser: true},
		{Name: "users", Method: post, Path: "/_users/_bulk_docs", Body: `{"docs":[{"_id":"org.couchdb.user:ada","_deleted":true}]}`, Rule: drop, Rows: 1, Pass: combine(atMost(1), allowed(dbguard.DropDatabase("userdb-616461"))), PerUser: true},
		{Name: "login", Method: post, Path: "/_session", Body: `{"name":"ada","password":"x"}`},
		{Name: "logout", Method: del, Path: "/_session"},
		{Name: "databases' info", Method: post, Path: "/_dbs_info", Body: `{"keys":["tenants"]}`},
		{Name: "unknown of the server", Method: post, Path: "/_unheard_of", Body: `{}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "the root", Method: put, Path: "/?db=tenants", Rule: unreadable, Pass: opaqueGrant},
		{Name: "the root, deleted", Method: del, Path: "/", Rule: unreadable, Pass: opaqueGrant},
		{Name: "a node", Method: del, Path: "/_node/couchdb@b", Rule: unreadable, Pass: opaqueGrant},
	}
}

func documents() []Case {
	one := atMost(1)
	x := `"_rev":"` + Rev + `"`
	return []Case{
		{Name: "new", Method: put, Path: "/tenants/new", Body: `{"n":1}`},
		{Name: "new, posted", Method: post, Path: "/tenants", Body: `{"_id":"new","n":1}`},
		{Name: "new, posted after a slash", Method: post, Path: "/tenants/", Body: `{"_id":"new","n":1}`},
		{Name: "in conflict", Method: put, Path: "/tenants/x", Body: `{"n":1}`},
		{Name: "new, _deleted false", Method: put, Path: "/tenants/new", Body: `{"_deleted":false}`},
		{Name: "new, _deleted deeper", Method: put, Path: "/tenants/new", Body: `{"a":{"_deleted":true,"_rev":"1-x"},"b":[{"_deleted":true}]}`},
		{Name: "new, _deleted in a text", Method: put, Path: "/tenants/new", Body: `{"a":"\",\"_deleted\":true"}`},
		{Name: "changed", Method: put, Path: "/tenants/x", Body: `{` + x + `,"n":2}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "changed, key escaped", Method: put, Path: "/tenants/x", Body: `{"\u005frev":"` + Rev + `"}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "changed, by its history", Method: put, Path: "/tenants/x", Body: `{"_revisions":{"start":1,"ids":["0000000000000000000000000000cafe"]}}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "changed, posted", Method: post, Path: "/tenants", Body: `{"_id":"x",` + x + `}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "changed, revision in the query", Method: put, Path: "/tenants/x?rev=" + Rev, Body: `{"n":2}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "changed, revision after a semicolon", Method: put, Path: "/tenants/x?a=1;rev=" + Rev, Body: `{"n":2}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "changed, key of the query escaped", Method: put, Path: "/tenants/x?%72ev=" + Rev, Body: `{"n":2}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "changed, If-Match", Method: put, Path: "/tenants/x", Header: http.Header{"If-Match": {Rev}}, Body: `{"n":2}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "changed, if-match as it is", Method: put, Path: "/tenants/x", Header: http.Header{"if-match": {Rev}}, Body: `{"n":2}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "stored as it is", Method: put, Path: "/tenants/x?new_edits=false", Body: `{"_rev":"7-abc"}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "changed, escaped id", Method: put, Path: "/tenants/%78", Body: `{` + x + `}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "deleted", Method: del, Path: "/tenants/x?rev=" + Rev, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "deleted, If-Match", Method: del, Path: "/tenants/x", Header: http.Header{"If-Match": {Rev}}, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "deleted, missing", Method: del, Path: "/tenants/none?rev=" + Rev, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "deleted, slashes", Method: del, Path: "/tenants//x?rev=" + Rev, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "deleted by PUT", Method: put, Path: "/tenants/x", Body: `{` + x + `,"_deleted":true}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "deleted by PUT, key escaped", Method: put, Path: "/tenants/x", Body: `{` + x + `,"\u005F\u0064eleted":true}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "deleted by PUT, at the end", Method: put, Path: "/tenants/x", Body: `{` + x + `,"pad":"` + strings.Repeat("é", 40000) + `","_deleted":true}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "deleted by POST", Method: post, Path: "/tenants", Body: `{"_id":"x",` + x + `,"_deleted":true}`, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "deleted in another charset", Method: put, Path: "/tenants/x", Header: http.Header{"Content-Type": {"application/json; charset=utf-7"}}, Body: `{"a":"+ACI-,+ACI-_rev+ACI-:+ACI-` + Rev + `+ACI-,+ACI-_deleted+ACI-:true,+ACI-b+ACI-:+ACI-"}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "deleted by its prototype", Method: post, Path: "/tenants/_bulk_docs", Body: `{"docs":[{"_id":"x","__proto__":{"_rev":"` + Rev + `","_deleted":true}}]}`, Rule: unreadable, Pass: opaqueGrant},
		{Name: "deleted, on one node", Method: del, Path: "/_node/_local/tenants/x?rev=" + Rev, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "deleted twice in a body", Method: put, Path: "/tenants/x", Body: `{` + x + `,"_deleted":true,"_deleted":false}`, Rule: unreadable, Pass: combine(opaqueGrant, one)},
		{Name: "bounded by none", Method: del, Path: "/tenants/x?rev=" + Rev, Rule: unbounded, Rows: 1, Pass: combine(atMost(0), one)},
		{Name: "copied", Method: "COPY", Path: "/tenants/x", Header: http.Header{"Destination": {"copy"}}},
		{Name: "copied over", Method: "COPY", Path: "/tenants/y", Header: http.Header{"Destination": {"x?rev=" + Rev}}, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "copied over a design document", Method: "COPY", Path: "/tenants/y", Header: http.Header{"Destination": {"_design/d?rev=" + DesignRev}}, Rule: alter, Rows: 1, Pass: allowed(dbguard.AlterTable("tenants/_design/d"))},
		{Name: "copied over, escaped", Method: "COPY", Path: "/tenants/y", Header: http.Header{"Destination": {"_design%2Fd?rev=" + DesignRev}}, Rule: alter, Rows: 1, Pass: allowed(dbguard.AlterTable("tenants/_design/d"))},
		{Name: "form", Method: post, Path: "/tenants/x", Header: http.Header{"Content-Type": {"multipart/form-data; boundary=b"}}, Body: "--b--", Rule: unbounded, Rows: 1, Pass: one},
		{Name: "attachment, new document", Method: put, Path: "/tenants/new/a.txt", Body: "text", Header: http.Header{"Content-Type": {"text/plain"}}},
		{Name: "attachment", Method: put, Path: "/tenants/x/a.txt?rev=" + Rev, Body: "text", Header: http.Header{"Content-Type": {"text/plain"}}, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "attachment, deleted", Method: del, Path: "/tenants/x/note.txt?rev=" + Rev, Rule: unbounded, Rows: 1, Pass: one},
		{Name: "attachment with slashes, deleted", Method: del, Path: "/tenants/x/a/b.txt?rev=" + Rev, Rule: unbounded, Rows: 1, Pass: one},
	}
}
