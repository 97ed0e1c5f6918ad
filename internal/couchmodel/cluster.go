// Package couchmodel is a CouchDB cluster in one process, with as much of CouchDB as it takes
// for a node that has joined and not yet synchronised to empty the databases of all others.
//
// What is modelled was seen on CouchDB 3.5: a database is a document of _dbs,
// its shard map, which names the files where its documents are. Each node has
// its own _dbs, replicated to the others. A node that has no shard map for a
// name answers that the database does not exist, and a PUT there writes a
// second one, with files of its own. When the two meet, the higher revision
// wins on every node, and the files of the other are forgotten.
package couchmodel

import (
	"crypto/md5" //nolint:gosec // as CouchDB's revisions
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Cluster is a number of nodes with their shared storage.
type Cluster struct {
	mu    sync.Mutex
	nodes []*Node
	files map[string]*file // by the name in a shard map
	clock int              // of creations
}

// Node is one member of a cluster.
type Node struct {
	Name    string
	Status  string // of /_up; "ok"
	cluster *Cluster
	maps    map[string]shardMap
}

// shardMap is a document of _dbs.
type shardMap struct {
	rev     string
	file    string
	created string // instance_start_time
}

// file is where the documents of a database are.
type file struct{ docs map[string]*doc }

type doc struct {
	rev     string
	deleted bool
	body    map[string]any
}

// New is a cluster of so many nodes, in touch and synchronised.
func New(nodes int) *Cluster {
	c := &Cluster{files: map[string]*file{}}
	for i := range nodes {
		c.add(fmt.Sprintf("couchdb@node%d", i+1))
	}
	return c
}

func (c *Cluster) add(name string) *Node {
	n := &Node{Name: name, Status: "ok", cluster: c, maps: map[string]shardMap{}}
	c.nodes = append(c.nodes, n)
	return n
}

// Node is the i-th node, from 0.
func (c *Cluster) Node(i int) *Node { return c.nodes[i] }

// Join adds a node that is up, a member, and has received nothing yet.
func (c *Cluster) Join() *Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.add(fmt.Sprintf("couchdb@node%d", len(c.nodes)+1))
}

// Synchronise replicates the shard maps of all nodes to all nodes: of two for
// one database the one with the higher revision wins.
func (c *Cluster) Synchronise() {
	c.mu.Lock()
	defer c.mu.Unlock()
	won := map[string]shardMap{}
	for _, n := range c.nodes {
		for name, m := range n.maps {
			if have, ok := won[name]; !ok || m.rev > have.rev {
				won[name] = m
			}
		}
	}
	for _, n := range c.nodes {
		n.maps = maps.Clone(won)
	}
}

// Documents are the ids of each database's documents, as the node sees them.
func (n *Node) Documents() map[string][]string {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	all := map[string][]string{}
	for name, m := range n.maps {
		all[name] = n.cluster.files[m.file].ids()
	}
	return all
}

func (f *file) ids() []string {
	ids := []string{}
	for id, d := range f.docs {
		if !d.deleted {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// create writes a shard map on this node, and on those that it replicates to
// at once: in a healthy cluster, all that have one less.
func (n *Node) create(name string) bool {
	if _, ok := n.maps[name]; ok {
		return false
	}
	c := n.cluster
	c.clock++
	m := shardMap{
		rev:     "1-" + digest(name, c.clock),
		file:    fmt.Sprintf("%s.%d", name, 1700000000+c.clock),
		created: fmt.Sprint(1700000000 + c.clock),
	}
	c.files[m.file] = &file{docs: map[string]*doc{}}
	n.maps[name] = m
	for _, other := range c.nodes {
		if _, ok := other.maps[name]; !ok && len(other.maps)+1 == len(n.maps) {
			other.maps[name] = m
		}
	}
	return true
}

// drop removes the shard map everywhere.
func (n *Node) drop(name string) bool {
	m, ok := n.maps[name]
	if !ok {
		return false
	}
	delete(n.cluster.files, m.file)
	for _, other := range n.cluster.nodes {
		delete(other.maps, name)
	}
	return true
}

func digest(parts ...any) string {
	sum := md5.Sum([]byte(fmt.Sprint(parts...))) //nolint:gosec // no secret
	return hex.EncodeToString(sum[:])
}

// put stores a revision of a document, if it follows on the one that is there.
func (f *file) put(id, rev string, deleted bool, body map[string]any) (newRev string, ok bool) {
	have := f.docs[id]
	generation := 0
	switch {
	case have == nil || have.deleted && rev == "":
		if rev != "" {
			return "", false
		}
	case have.rev != rev:
		return "", false
	}
	if have != nil {
		_, _ = fmt.Sscanf(have.rev, "%d-", &generation)
	}
	newRev = fmt.Sprintf("%d-%s", generation+1, digest(id, rev, deleted, body))
	f.docs[id] = &doc{rev: newRev, deleted: deleted, body: body}
	return newRev, true
}
