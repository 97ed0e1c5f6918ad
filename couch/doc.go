// Package couch is the door to CouchDB: an http.RoundTripper that reads every
// request and lets through what it may, and a constructor of a *kivik.Client
// behind it.
//
//	g, err := dbguard.New(dbguard.Policy{})
//	client, err := couch.New("http://app:secret@couch.example/", g)
//	rev, err := client.DB("tenants").Delete(dbguard.AtMost(ctx, 1), id, rev)
//
// # What is judged
//
// A document with _deleted, a DELETE and a _purge delete; a document with _rev
// changes one; a document with neither is new, and no rule asks. What counts is
// the request: answers of a bulk do not tell what was deleted. A database is
// the table of [dbguard.Policy].Limits, a design document what a table is
// elsewhere, and named "db/_design/name".
//
// To create a database takes dbguard.CreateDatabase with its name and a node
// that is ready, which is asked; to drop one takes dbguard.DropDatabase, and
// a bound in the context is compared with its doc_count, right before. DELETE
// and PUT of a document with an empty id are DELETE and PUT of the database.
//
// Requests that are not known are refused unless their method only reads.
//
// # What is not seen
//
// What a server does by itself: replications that run already, filters, update
// functions. Virtual hosts, by which a server rewrites a path. Other clients.
package couch
