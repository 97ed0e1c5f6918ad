package couch

import (
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// write is the effect of storing one document. In some databases a document stands
// for something else, and in all of them some ids do.
func (r *analysis) write(e entry) {
	switch databaseKind(r.db) {
	case shardMaps:
		r.writeShardMap(e)
		return
	case nodes:
		r.act(dbguard.Run, r.db, "nodes join and leave the cluster")
		return
	case replicator:
		if !e.deleted {
			e.cancel = false // only a request to _replicate can cancel
			r.replicate(e)
		}
	case users:
		r.writeUser(e)
	}
	switch {
	case strings.HasPrefix(e.id, "_design/"):
		r.writeDesign(e)
	case strings.HasPrefix(e.id, "_local/") && !e.deleted:
		r.touch(dbguard.Upsert, 1) // can be overwritten without a revision
	case e.deleted:
		r.touch(dbguard.Delete, 1)
	case e.rev:
		r.touch(dbguard.Update, 1)
	}
}

// writeDesign treats a design document as a schema, since it has indexes and
// validation. A new one only adds.
func (r *analysis) writeDesign(e entry) {
	object := r.db + "/" + e.id
	switch {
	case e.deleted:
		r.act(dbguard.Remove, object, "")
	case e.rev:
		r.act(dbguard.Reshape, object, "")
	default:
		return
	}
	r.rows++
}

// writeShardMap: a document of _dbs tells where the shards of the database of that
// name are. A second one, written on a node that does not know the first, empties the
// database.
func (r *analysis) writeShardMap(e entry) {
	if e.deleted {
		r.act(dbguard.RemoveDatabase, e.id, "its shard map")
		return
	}
	r.create(e.id, "its shard map")
}

// kind is what the documents of a database stand for.
type kind uint8

const (
	plainDatabase kind = iota
	users              // _users: with couch_peruser, a database each
	replicator         // _replicator: a replication each
	shardMaps          // _dbs: a database each
	nodes              // _nodes: a node of the cluster each
)

func databaseKind(name string) kind {
	base := name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		base = name[i+1:]
	}
	switch {
	case name == "_users":
		return users
	case base == "_replicator": // CouchDB 2.1: any database whose name ends so
		return replicator
	case name == "_dbs":
		return shardMaps
	case name == "_nodes":
		return nodes
	}
	return plainDatabase
}
