package couch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-kivik/kivik/v4"
	"github.com/go-kivik/kivik/v4/couchdb"

	"github.com/dbguard/dbguard-go/couch"
	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/couchmodel"
)

// A model of a cluster stands for the servers of these examples.
func example(nodes int) (*couchmodel.Cluster, kivik.Option) {
	cluster := couchmodel.New(nodes)
	return cluster, couchdb.OptionHTTPClient(&http.Client{Transport: cluster})
}

func ExampleNew() {
	_, servers := example(1)
	guard, _ := dbguard.New(dbguard.Policy{})
	client, err := couch.New("http://node1/", guard, servers)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	err = client.CreateDB(ctx, "tenants")
	fmt.Println(errors.Is(err, dbguard.ImplicitCreate), kivik.HTTPStatus(err))

	ctx = dbguard.Allow(ctx, "first start of this installation", dbguard.CreateDatabase("tenants"))
	fmt.Println(client.CreateDB(ctx, "tenants"))

	db := client.DB("tenants")
	rev, err := db.Put(ctx, "ada", map[string]any{"since": 1815})
	fmt.Println(err)
	_, err = db.Delete(ctx, "ada", rev)
	fmt.Println(errors.Is(err, dbguard.Unbounded))
	_, err = db.Delete(dbguard.AtMost(ctx, 1), "ada", rev)
	fmt.Println(err)
	// Output:
	// true 403
	// <nil>
	// <nil>
	// true
	// <nil>
}

func ExampleTransport() {
	cluster, _ := example(1)
	guard, _ := dbguard.New(dbguard.Policy{})
	client := &http.Client{Transport: couch.Transport(cluster, guard)}
	id := "" // by accident
	req, _ := http.NewRequestWithContext(dbguard.AtMost(context.Background(), 1), http.MethodDelete, "http://node1/tenants/"+id, nil)
	_, err := client.Do(req)
	var refused *dbguard.Violation
	if errors.As(err, &refused) {
		fmt.Println(refused.Rule, refused.Effect)
		fmt.Println(refused.Findings[0].Message)
	}
	// Output:
	// DG102 Drop none
	// DELETE database on tenants would lose it for good (the document id is empty)
}

func ExampleReady() {
	cluster, servers := example(3)
	guard, _ := dbguard.New(dbguard.Policy{})
	ctx := dbguard.Allow(context.Background(), "an example", dbguard.CreateDatabase("tenants"))
	first, _ := couch.New("http://node1/", guard, servers)
	fmt.Println(first.CreateDB(ctx, "tenants"))

	cluster.Join()
	fourth, _ := couch.New("http://node4/", guard, servers)
	fmt.Println(couch.Ready(ctx, fourth, couch.Expect{Databases: []string{"tenants"}}))

	cluster.Synchronise()
	fmt.Println(couch.Ready(ctx, fourth, couch.Expect{Databases: []string{"tenants"}}))
	// Output:
	// <nil>
	// the node knows of 0 databases, couchdb@node1 of 1
	// the node knows of 0 databases, couchdb@node2 of 1
	// the node knows of 0 databases, couchdb@node3 of 1
	// database tenants: /tenants answered 404
	// <nil>
}
