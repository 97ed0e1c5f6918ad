package couch_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/couch"
	"github.com/dbguard/dbguard-go/dbguard"
	harness "github.com/dbguard/dbguard-go/internal/conformance/couch"
	"github.com/dbguard/dbguard-go/internal/couchmatrix"
)

// A healthy server is ready, reports the incarnation of its databases, and reports a
// missing database as missing.
func TestReady(t *testing.T) {
	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	for _, s := range harness.Servers(t) {
		newFixture(t, s)
		client, err := couch.New(s.URL, g)
		require.NoError(t, err)
		born, err := couch.Incarnations(t.Context(), client, couchmatrix.DB, couchmatrix.Slashed)
		require.NoError(t, err)
		require.Len(t, born, 2)
		require.NoError(t, couch.Ready(t.Context(), client, couch.Expect{Databases: []string{couchmatrix.Other}, Incarnations: born}))
		err = couch.Ready(t.Context(), client, couch.Expect{Databases: []string{"nowhere"}})
		require.ErrorContains(t, err, "database nowhere: /nowhere answered 404")
		require.NoError(t, client.Close())
	}
}

// Every node of a real cluster, if one is configured, is ready.
func TestClusterIsReady(t *testing.T) {
	urls := os.Getenv(harness.URLEnv)
	if urls == "" {
		t.Skip(harness.URLEnv + " is not set")
	}
	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	nodes := strings.Split(urls, ",")
	for _, url := range nodes {
		client, err := couch.New(url, g)
		require.NoError(t, err)
		require.NoError(t, couch.Ready(t.Context(), client, couch.Expect{Nodes: len(nodes)}), url)
		require.NoError(t, client.Close())
	}
}
