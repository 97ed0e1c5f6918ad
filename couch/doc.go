// Package couch is the adapter for CouchDB: an http.RoundTripper that judges every
// request before it is sent, and a constructor of a *kivik.Client that uses it.
//
//	g, err := dbguard.New(dbguard.Policy{})
//	client, err := couch.New("http://app:secret@couch.example/", g)
//	rev, err := client.DB("tenants").Delete(dbguard.AtMost(ctx, 1), id, rev)
//
// # What is judged
//
// A document with _deleted, a DELETE and a _purge delete; a document with _rev
// changes one; a document with neither is new, and no rule applies. What counts is
// the request: the reply to a bulk does not tell what was deleted. A database takes
// the place of a table in [dbguard.Policy].Limits, a design document that of a table
// in grants, where it is named "db/_design/name".
//
// Creating a database requires dbguard.CreateDatabase with its name and a node that
// is ready, which is checked. Dropping one requires dbguard.DropDatabase, and a bound
// in the context is compared with its doc_count immediately before. DELETE and PUT of
// a document with an empty id are DELETE and PUT of the database.
//
// Requests to unknown endpoints are refused unless their method only reads.
//
// # What is not seen
//
// What a server does by itself: running replications, filters, update functions.
// Virtual hosts, for which a server rewrites the path. Other clients.
package couch
