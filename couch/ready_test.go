package couch_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-kivik/kivik/v4"
	_ "github.com/go-kivik/kivik/v4/couchdb"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/couch"
	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/dbguard/dbguardtest"
	"github.com/dbguard/dbguard-go/internal/couchmodel"
)

func TestReady(t *testing.T) {
	g, _ := newGuard(t, dbguard.Policy{})
	cluster := couchmodel.New(3)
	first := serve(t, cluster.Node(0))
	tenants(t, first, 2)
	client := newClient(t, first, g)
	ctx := t.Context()
	require.NoError(t, couch.Ready(ctx, client, couch.Expect{Databases: []string{"tenants"}, Nodes: 3}))

	born, err := couch.Incarnations(ctx, client, "tenants")
	require.NoError(t, err)
	require.NoError(t, couch.Ready(ctx, client, couch.Expect{Incarnations: born}))
	require.NoError(t, client.DestroyDB(allow(ctx, dbguard.DropDatabase("tenants")), "tenants"))
	tenants(t, first, 2)
	require.ErrorContains(t, couch.Ready(ctx, client, couch.Expect{Incarnations: born}), "database tenants was created anew")

	err = couch.Ready(ctx, client, couch.Expect{Databases: []string{"gone", "lost"}, Nodes: 5})
	for _, missing := range []string{"the cluster has 3 nodes, not 5", "database gone: /gone answered 404", "database lost: /lost answered 404"} {
		require.ErrorContains(t, err, missing)
	}
	_, err = couch.Incarnations(ctx, client, "gone")
	require.ErrorContains(t, err, "database gone")

	cluster.Node(0).Status = "maintenance_mode"
	require.ErrorContains(t, couch.Ready(ctx, client, couch.Expect{}), `the node is up, but says "maintenance_mode"`)
	cluster.Node(0).Status = "seeding"
	require.ErrorContains(t, couch.Ready(ctx, client, couch.Expect{}), `the node is up, but says "seeding"`)
}

// A node that has joined and not synchronised is up and a member. It has
// fewer shard maps than the others, and they have more than it.
func TestReadyUnsynchronised(t *testing.T) {
	g, _ := newGuard(t, dbguard.Policy{})
	cluster := couchmodel.New(3)
	tenants(t, serve(t, cluster.Node(0)), 2)
	fourth := newClient(t, serve(t, cluster.Join()), g)
	err := couch.Ready(t.Context(), fourth, couch.Expect{})
	require.ErrorContains(t, err, "the node knows of 0 databases, couchdb@node1 of 1")
	require.ErrorContains(t, err, "couchdb@node3 of 1")

	err = fourth.CreateDB(allow(t.Context(), dbguard.CreateDatabase("tenants")), "tenants")
	dbguardtest.AssertRefused(t, err, dbguard.NotReady)
	require.Equal(t, http.StatusServiceUnavailable, kivik.HTTPStatus(err))
	require.Empty(t, cluster.Node(3).Documents())

	cluster.Synchronise()
	require.NoError(t, couch.Ready(t.Context(), fourth, couch.Expect{Databases: []string{"tenants"}, Nodes: 4}))
}

func TestReadyFails(t *testing.T) {
	g, _ := newGuard(t, dbguard.Policy{})
	for _, c := range []struct{ name, path, answer, want string }{
		{"up, nothing", "/_up", "", "/_up answered 403"},
		{"up, strange", "/_up", "[", "/_up answered 200"},
		{"no members", "/_membership", `{}`, "/_membership names no node"},
		{"members forbidden", "/_membership", "", "/_membership answered 403"},
		{"members unreadable", "/_membership", "[", "/_membership did not answer in JSON"},
		{"a node away", "/_membership", `{"all_nodes":["a"],"cluster_nodes":["a","b"]}`, "the node is connected to a, and the cluster is a, b"},
		{"shard maps forbidden", "/_membership", `{"all_nodes":["a","b"],"cluster_nodes":["b","a"]}`, "/_node/_local/_dbs answered 403"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answers := map[string]string{
				"/": `{"version":"3.5.0"}`, "/_up": `{"status":"ok"}`, "/_membership": `{"all_nodes":["a"],"cluster_nodes":["a"]}`, c.path: c.answer,
			}
			base := serve(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				answer := answers[req.URL.Path]
				if answer == "" {
					w.WriteHeader(http.StatusForbidden)
				}
				_, _ = w.Write([]byte(answer))
			}))
			require.ErrorContains(t, couch.Ready(t.Context(), newClient(t, base, g), couch.Expect{}), c.want)
		})
	}
	t.Run("no server", func(t *testing.T) {
		err := couch.Ready(t.Context(), newClient(t, "http://127.0.0.1:1", g), couch.Expect{})
		require.ErrorContains(t, err, "/_up cannot be asked")
		require.ErrorContains(t, err, "/_membership cannot be asked")
	})
	t.Run("no door", func(t *testing.T) {
		bare, err := kivik.New("couch", serve(t, couchmodel.New(1).Node(0)))
		require.NoError(t, err)
		require.ErrorContains(t, couch.Ready(t.Context(), bare, couch.Expect{}), "make it with couch.New")
		_, err = couch.Incarnations(t.Context(), bare, "tenants")
		require.ErrorContains(t, err, "make it with couch.New")
	})
}

// An adapter with a gate refuses what may change anything while it is closed, and
// goes on as soon as it is open.
func TestGate(t *testing.T) {
	cluster := couchmodel.New(3)
	tenants(t, serve(t, cluster.Node(0)), 2)
	url := serve(t, cluster.Join())
	for _, reads := range []bool{false, true} {
		g, rec := newGuard(t, dbguard.Policy{})
		asking := newClient(t, url, g)
		gate := dbguard.NewGate(func(ctx context.Context) error {
			return couch.Ready(ctx, asking, couch.Expect{Nodes: 4})
		}, dbguard.GateOptions{Every: 50 * time.Millisecond, Timeout: 5 * time.Second, Reads: reads})
		defer gate.Stop()
		require.Eventually(t, func() bool { return len(gate.Reasons()) == 3 }, 5*time.Second, time.Millisecond)

		client := newClient(t, url, g, couch.WithGate(gate))
		ctx := dbguard.AtMost(allow(t.Context(), dbguard.CreateDatabase("tenants"), dbguard.Opaque()), 1)
		db := client.DB("tenants")
		_, err := db.Put(ctx, "new", map[string]any{})
		dbguardtest.AssertRefused(t, err, dbguard.NotReady)
		require.ErrorContains(t, err, "couchdb@node1 of 1")
		require.Equal(t, http.StatusServiceUnavailable, kivik.HTTPStatus(err))
		dbguardtest.AssertRefused(t, client.CreateDB(ctx, "tenants"), dbguard.NotReady)
		_, err = client.AllDBs(ctx)
		if reads {
			dbguardtest.AssertRefused(t, err, dbguard.NotReady)
		} else {
			require.NoError(t, err)
		}
		find := db.Find(ctx, map[string]any{"selector": map[string]any{}})
		require.Equal(t, reads, strings.Contains(find.Err().Error(), "NotReady"), "a POST that only reads")
		dbguardtest.AssertNothingDestroyed(t, rec)
		require.Empty(t, cluster.Node(3).Documents())
		if !reads {
			continue
		}
		cluster.Synchronise()
		require.NoError(t, gate.Wait(t.Context()))
		_, err = db.Put(ctx, "new", map[string]any{})
		require.NoError(t, err)
	}
}
