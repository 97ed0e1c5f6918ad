package couch

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
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
	d := newTestTransport(t, base, 1)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = d.RoundTrip(req) }))
	require.Same(t, req, got)
}

// A client closes idle connections through the transport.
func TestCloseIdleConnections(t *testing.T) {
	base := &idle{}
	(&http.Client{Transport: newTestTransport(t, base, 1)}).CloseIdleConnections()
	require.True(t, base.closed)
	(&http.Client{Transport: newTestTransport(t, roundTripper(nil), 1)}).CloseIdleConnections()
}

type idle struct {
	http.RoundTripper
	closed bool
}

func (i *idle) CloseIdleConnections() { i.closed = true }

// A document of 64 MB, with its attachment in it, is judged and sent with what
// fits into memory; the rest is in a file.
func TestMemoryIsBounded(t *testing.T) {
	noFiles(t)
	const size = 64 << 20
	for _, compressed := range []bool{false, true} {
		got := int64(0)
		base := roundTripper(func(req *http.Request) (*http.Response, error) {
			n, err := io.Copy(io.Discard, req.Body)
			got = n
			return &http.Response{StatusCode: http.StatusCreated, Body: http.NoBody, Request: req}, errors.Join(err, req.Body.Close())
		})
		body := io.MultiReader(strings.NewReader(`{"_rev":"1-x","data":"`), io.LimitReader(letters{}, size), strings.NewReader(`"}`))
		if compressed {
			r, w := io.Pipe()
			plain := body
			go func() {
				z, _ := gzip.NewWriterLevel(w, gzip.NoCompression)
				_, err := io.Copy(z, plain)
				w.CloseWithError(errors.Join(err, z.Close()))
			}()
			body = r
		}
		req, err := http.NewRequestWithContext(dbguard.AtMost(t.Context(), 1), http.MethodPut, "http://couch.test/tenants/x", body)
		require.NoError(t, err)
		if compressed {
			req.Header.Set("Content-Encoding", "gzip")
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		res, err := newTestTransport(t, base, memoryLimit).RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		runtime.ReadMemStats(&after)
		require.Greater(t, got, int64(size))
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8*memoryLimit), "allocated in all")
	}
}

// letters is text without an escape.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'A' + byte(i*i%26)
	}
	return len(p), nil
}
