package couch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-kivik/kivik/v4"
)

// Expect is what a node must have to be ready, besides being up, a member in contact
// with all others, and knowing as many databases as they do.
type Expect struct {
	// Databases that must exist.
	Databases []string
	// Incarnations are the instance_start_time of databases, as Incarnations returned
	// it: a database that was dropped and created again has another.
	Incarnations map[string]string
	// Nodes is the number of nodes in the cluster; 0 trusts the server.
	Nodes int
}

// Ready returns nil if the node that the client talks to may be written to, else what
// is missing, each in one error of errors.Join. It queries /_up, /_membership, and
// every node for its number of databases: a node that has joined a cluster is up
// before it knows the databases, and answers that they do not exist. The account must
// be an administrator's, as for creating databases. The client must have been made by
// New, or from an http.Client with Transport.
func Ready(ctx context.Context, client *kivik.Client, expect Expect) error {
	err := errNotAsked
	probed := ask(ctx, client, func(n *node) { err = n.ready(ctx, expect) })
	if errors.Is(err, errNotAsked) && probed != nil {
		return probed
	}
	return err
}

// Incarnations are the instance_start_time of databases, for Expect. Before CouchDB
// 3.3 it is "0" for all.
func Incarnations(ctx context.Context, client *kivik.Client, names ...string) (map[string]string, error) {
	times, err := map[string]string{}, errNotAsked
	probed := ask(ctx, client, func(n *node) {
		err = nil
		for _, name := range names {
			d, missing := n.database(ctx, name)
			err = errors.Join(err, missing)
			times[name] = d.InstanceStartTime
		}
	})
	if errors.Is(err, errNotAsked) && probed != nil {
		return nil, probed
	}
	return times, err
}

var errNotAsked = errors.New("couch: the client's requests do not pass a couch.Transport: make it with couch.New")

// probe is a query that travels to the transport in the context of a harmless
// request: the transport has the connection, the credentials and the proxy.
type probe struct{ run func(*node) }

type probeKey struct{}

func probeOf(ctx context.Context) *probe {
	p, _ := ctx.Value(probeKey{}).(*probe)
	return p
}

// ask runs f in the client's transport, once.
func ask(ctx context.Context, client *kivik.Client, f func(*node)) error {
	asked := false
	_, err := client.Version(context.WithValue(ctx, probeKey{}, &probe{func(n *node) {
		if !asked && n.req.Method == http.MethodGet { // not the request of a login
			asked = true
			f(n)
		}
	}}))
	return err
}

// ready runs all checks, and returns everything that is missing.
func (n *node) ready(ctx context.Context, expect Expect) error {
	reasons := []error{n.up(ctx), n.synchronised(ctx, expect.Nodes)}
	for _, name := range expect.Databases {
		_, err := n.database(ctx, name)
		reasons = append(reasons, err)
	}
	for name, want := range expect.Incarnations {
		d, err := n.database(ctx, name)
		if err == nil && d.InstanceStartTime != want {
			err = fmt.Errorf("database %s was created anew: its instance_start_time is %s, not %s", name, d.InstanceStartTime, want)
		}
		reasons = append(reasons, err)
	}
	return errors.Join(reasons...)
}

// up queries /_up, which is not 200 in maintenance and while seeding. A server that
// takes _up for a database has neither (CouchDB 1.x, PouchDB Server).
func (n *node) up(ctx context.Context) error {
	status, body, err := n.ask(ctx, http.MethodGet, "/_up")
	if err != nil {
		return fmt.Errorf("/_up cannot be asked: %w", err)
	}
	var answer struct {
		Status string `json:"status"`
	}
	_ = json.Unmarshal(body, &answer)
	switch {
	case status == http.StatusOK && answer.Status == "ok", status == http.StatusNotFound && isDatabaseMissing(body):
		return nil
	case answer.Status != "":
		return fmt.Errorf("the node is up, but says %q", answer.Status)
	}
	return fmt.Errorf("/_up answered %d", status)
}

// synchronised compares what this node knows with what the others know.
func (n *node) synchronised(ctx context.Context, expected int) error {
	var members struct {
		All     []string `json:"all_nodes"`
		Cluster []string `json:"cluster_nodes"`
	}
	if err := n.fetch(ctx, "/_membership", &members); err != nil {
		return err
	}
	slices.Sort(members.All)
	slices.Sort(members.Cluster)
	if len(members.Cluster) == 0 {
		return errors.New("/_membership names no node of the cluster")
	}
	var reasons []error
	if expected > 0 && len(members.Cluster) != expected {
		reasons = append(reasons, fmt.Errorf("the cluster has %d nodes, not %d", len(members.Cluster), expected))
	}
	if !slices.Equal(members.All, members.Cluster) {
		reasons = append(reasons, fmt.Errorf("the node is connected to %s, and the cluster is %s",
			strings.Join(members.All, ", "), strings.Join(members.Cluster, ", ")))
	}
	if len(members.Cluster) > 1 {
		reasons = append(reasons, n.sameShardMaps(ctx, members.Cluster))
	}
	return errors.Join(reasons...)
}

// sameShardMaps compares the number of shard maps: a node that has not received all
// of them takes existing databases for missing.
func (n *node) sameShardMaps(ctx context.Context, names []string) error {
	mine, err := n.shardMaps(ctx, "_local")
	if err != nil {
		return err
	}
	var reasons []error
	for _, name := range names {
		theirs, err := n.shardMaps(ctx, name)
		switch {
		case err != nil:
			reasons = append(reasons, err)
		case theirs != mine:
			reasons = append(reasons, fmt.Errorf("the node knows of %d databases, %s of %d", mine, name, theirs))
		}
	}
	return errors.Join(reasons...)
}

func (n *node) shardMaps(ctx context.Context, name string) (int64, error) {
	var d database
	if err := n.fetch(ctx, "/_node/"+url.PathEscape(name)+"/_dbs", &d); err != nil {
		return 0, err
	}
	if d.DocCount == nil {
		return 0, fmt.Errorf("/_node/%s/_dbs says nothing of its documents", name)
	}
	return *d.DocCount, nil
}

func (n *node) database(ctx context.Context, name string) (d database, err error) {
	if err = n.fetch(ctx, "/"+url.PathEscape(name), &d); err != nil {
		return d, fmt.Errorf("database %s: %w", name, err)
	}
	return d, nil
}

// fetch reads a JSON response.
func (n *node) fetch(ctx context.Context, path string, into any) error {
	status, body, err := n.ask(ctx, http.MethodGet, path)
	switch {
	case err != nil:
		return fmt.Errorf("%s cannot be asked: %w", path, err)
	case status != http.StatusOK:
		return fmt.Errorf("%s answered %d", path, status)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s did not answer in JSON: %w", path, err)
	}
	return nil
}
