package couch

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Reads are forwarded untouched, and cost no allocation.
func TestReadsCostNothing(t *testing.T) {
	res := &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}
	var got *http.Request
	base := roundTripper(func(req *http.Request) (*http.Response, error) {
		got = req
		return res, nil
	})
	req, err := http.NewRequestWithContext(dbguard.AtMost(t.Context(), 1), http.MethodGet, "http://couch.test/tenants/x?rev=1-x", nil)
	require.NoError(t, err)
	req.Header.Set("Accept", "application/json")
	d := door(t, base, 1)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = d.RoundTrip(req) }))
	require.Same(t, req, got)
}

// A client closes idle connections through the door.
func TestCloseIdleConnections(t *testing.T) {
	base := &idle{}
	(&http.Client{Transport: door(t, base, 1)}).CloseIdleConnections()
	require.True(t, base.closed)
	(&http.Client{Transport: door(t, roundTripper(nil), 1)}).CloseIdleConnections()
}

type idle struct {
	http.RoundTripper
	closed bool
}

func (i *idle) CloseIdleConnections() { i.closed = true }
