package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-kivik/kivik/v4"
	"github.com/go-kivik/kivik/v4/couchdb"

	"github.com/dbguard/dbguard-go/couch"
	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/couchmodel"
)

// Incident 1 is CouchDB, so its replay differs from the others: there is no SQL, and
// data is lost when two nodes merge what they know.

func budibase() *replay {
	return &replay{
		incident: 1, name: "joining-node", company: "Budibase", date: "9 January 2024",
		happened: "A fourth CouchDB node was given requests before it had synchronised; empty databases replicated over full ones.",
		here:     "It knows of no database yet: the application creates those that it does not find.",
		code:     `if exists, _ := client.DBExists(ctx, name); !exists { client.CreateDB(ctx, name) }`,
		unit:     "documents",
	}
}

// The tenants and what each has. The first document of each is its login.
const (
	tenantCount = 12
	perTenant   = 10
	loginID     = "login"
)

func tenantName(i int) string { return fmt.Sprintf("dbguard-tenant-%02d", i) }

// nodes are the servers: the application's requests go to the last one, which
// has joined the others.
type nodes struct {
	version     string
	first, last string
	options     []kivik.Option
	// join adds the last node to the cluster; synchronise waits until it has
	// caught up.
	join        func()
	synchronise func(context.Context) error
}

// modelCluster is a cluster in this process: three nodes, and a fourth that joins.
func modelCluster() nodes {
	c := couchmodel.New(3)
	return nodes{
		version: "a model of CouchDB with 3 nodes and one more",
		first:   "http://node1/", last: "http://node4/",
		options:     []kivik.Option{couchdb.OptionHTTPClient(&http.Client{Transport: c})},
		join:        func() { c.Join() },
		synchronise: func(context.Context) error { c.Synchronise(); return nil },
	}
}

// realServers are the servers at these URLs. The caller must provide one that has
// joined and not synchronised. Synchronising takes them a while.
func realServers(urls string) (nodes, error) {
	list := strings.Split(urls, ",")
	for _, s := range list {
		if u, err := url.Parse(s); err != nil || u.Host == "" {
			return nodes{}, fmt.Errorf("-couchdb: %w", errDSN)
		}
	}
	return nodes{
		version: fmt.Sprintf("CouchDB, nodes: %d", len(list)),
		first:   list[0], last: list[len(list)-1],
		join:        func() {},
		synchronise: func(ctx context.Context) error { return pause(ctx, time.Duration(len(list)-1)*5*time.Second) },
	}, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// playCouch plays the incident bare and guarded.
func playCouch(ctx context.Context, open func() (nodes, error), policy dbguard.Policy) (*result, error) {
	n, err := open()
	if err != nil {
		return nil, err
	}
	r := budibase()
	res := &result{Incident: r.incident, Replay: r.name, Company: r.company, System: "couchdb", Engine: n.version, replay: r}
	if res.Bare, _, err = n.runOnce(ctx, nil); err != nil {
		return nil, fmt.Errorf("%s, bare: %w", r.name, err)
	}
	var spans recorder
	policy.TracerProvider = spans.provider()
	g, err := dbguard.New(policy)
	if err != nil {
		return nil, err
	}
	if n, err = open(); err != nil {
		return nil, err
	}
	var v *dbguard.Violation
	if res.Guarded.runResult, v, err = n.runOnce(ctx, g); err != nil {
		return nil, fmt.Errorf("%s, guarded: %w", r.name, err)
	}
	if v != nil {
		res.statement = v.Op.Text
		res.Guarded.refusal = refusal{string(v.Rule), v.Error(), v.Effect.String()}
	}
	res.spans = spans.spans
	return res, nil
}

// runOnce fills the databases through the first node, lets the application use the
// last one, and counts on the first what is left after they have synchronised.
func (n nodes) runOnce(ctx context.Context, g *dbguard.Guard) (h runResult, v *dbguard.Violation, err error) {
	operator, err := kivik.New("couch", n.first, n.options...)
	if err != nil {
		return h, nil, err
	}
	defer func() { err = errors.Join(err, removeTenants(context.WithoutCancel(ctx), operator), operator.Close()) }()
	if err := errors.Join(removeTenants(ctx, operator), fillTenants(ctx, operator)); err != nil {
		return h, nil, err
	}
	if h.RowsBefore, err = countTenants(ctx, operator); err != nil {
		return h, nil, err
	}
	n.join()
	client, err := n.client(g)
	if err != nil {
		return h, nil, err
	}
	for i := range tenantCount {
		err = errors.Join(err, serveTenant(ctx, client, tenantName(i)))
	}
	if !errors.Is(err, dbguard.ErrRefused) {
		err = nil // the application shows its user a login that fails
	}
	errors.As(err, &v)
	if err := errors.Join(client.Close(), n.synchronise(ctx)); err != nil {
		return h, nil, err
	}
	h.RowsAfter, err = countTenants(ctx, operator)
	return h, v, err
}

func (n nodes) client(g *dbguard.Guard) (*kivik.Client, error) {
	if g == nil {
		return kivik.New("couch", n.last, n.options...)
	}
	return couch.New(n.last, g, n.options...)
}

// serveTenant is the application: it creates the tenant's database if it does not
// exist, and looks up the login.
func serveTenant(ctx context.Context, client *kivik.Client, name string) error {
	exists, err := client.DBExists(ctx, name)
	if err != nil {
		return err
	}
	if !exists {
		if err := client.CreateDB(ctx, name); err != nil {
			return err
		}
	}
	return client.DB(name).Get(ctx, loginID).Err()
}

func fillTenants(ctx context.Context, client *kivik.Client) error {
	for i := range tenantCount {
		if err := client.CreateDB(ctx, tenantName(i)); err != nil {
			return err
		}
		docs := []any{map[string]any{"_id": loginID}}
		for j := 1; j < perTenant; j++ {
			docs = append(docs, map[string]any{"_id": fmt.Sprintf("document-%d", j)})
		}
		if _, err := client.DB(tenantName(i)).BulkDocs(ctx, docs); err != nil {
			return err
		}
	}
	return nil
}

func removeTenants(ctx context.Context, client *kivik.Client) (err error) {
	for i := range tenantCount {
		if e := client.DestroyDB(ctx, tenantName(i)); kivik.HTTPStatus(e) != http.StatusNotFound {
			err = errors.Join(err, e)
		}
	}
	return err
}

// countTenants counts documents as a client sees them.
func countTenants(ctx context.Context, client *kivik.Client) (n int, err error) {
	for i := range tenantCount {
		stats, err := client.DB(tenantName(i)).Stats(ctx)
		switch {
		case kivik.HTTPStatus(err) == http.StatusNotFound:
		case err != nil:
			return n, err
		default:
			n += int(stats.DocCount)
		}
	}
	return n, nil
}
