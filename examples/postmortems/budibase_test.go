package main

import (
	"net/http"
	"testing"

	"github.com/go-kivik/kivik/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/couch"
	"github.com/dbguard/dbguard-go/dbguard"
)

func TestBudibase(t *testing.T) {
	res, err := playCouch(t.Context(), func() (nodes, error) { return modelCluster(), nil }, dbguard.Policy{})
	require.NoError(t, err)
	require.Equal(t, tenantCount*perTenant, res.Bare.RowsBefore)
	lost := res.Bare.lost()
	require.Positive(t, lost, "bare, databases are emptied")
	require.Less(t, lost, tenantCount*perTenant, "which ones is a coin toss, not all of them")
	require.Zero(t, lost%perTenant, "a database is emptied whole")
	require.Zero(t, res.Guarded.lost())
	require.Equal(t, string(dbguard.ImplicitCreate), res.Guarded.Rule)
	require.Equal(t, "none", res.Guarded.Effect)
	require.Equal(t, "PUT /dbguard-tenant-00", res.statement)
	require.Len(t, res.spans, tenantCount, "each refusal is in the trace")
}

// Users see a failed login either way: bare because the login document is missing,
// guarded because the database is. An application that tells the two apart neither
// creates the database nor remembers that it is empty.
func TestBudibaseLogin(t *testing.T) {
	n := modelCluster()
	operator, err := kivik.New("couch", n.first, n.options...)
	require.NoError(t, err)
	require.NoError(t, fillTenants(t.Context(), operator))
	n.join()

	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	guarded, err := n.client(g)
	require.NoError(t, err)
	require.ErrorIs(t, serveTenant(t.Context(), guarded, tenantName(0)), dbguard.ImplicitCreate)
	err = guarded.DB(tenantName(0)).Get(t.Context(), loginID).Err()
	require.ErrorIs(t, err, couch.ErrDatabaseMissing)

	bare, err := n.client(nil)
	require.NoError(t, err)
	err = serveTenant(t.Context(), bare, tenantName(0))
	assert.Equal(t, http.StatusNotFound, kivik.HTTPStatus(err))
	assert.NotErrorIs(t, err, couch.ErrDatabaseMissing)
}

// A grant does not help: the node is not ready.
func TestBudibaseWithAGrant(t *testing.T) {
	n := modelCluster()
	operator, err := kivik.New("couch", n.first, n.options...)
	require.NoError(t, err)
	require.NoError(t, fillTenants(t.Context(), operator))
	n.join()
	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	client, err := n.client(g)
	require.NoError(t, err)
	ctx := dbguard.Allow(t.Context(), "tenants are created at their first login", dbguard.CreateDatabase(tenantName(0)))
	require.ErrorIs(t, serveTenant(ctx, client, tenantName(0)), dbguard.NotReady)

	require.NoError(t, n.synchronise(t.Context()))
	require.NoError(t, serveTenant(ctx, client, tenantName(0)))
	documents, err := countTenants(t.Context(), operator)
	require.NoError(t, err)
	require.Equal(t, tenantCount*perTenant, documents)
}
