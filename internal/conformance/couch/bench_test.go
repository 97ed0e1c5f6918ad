package couch_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/go-kivik/kivik/v4"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/couch"
	"github.com/dbguard/dbguard-go/dbguard"
	harness "github.com/dbguard/dbguard-go/internal/conformance/couch"
	"github.com/dbguard/dbguard-go/internal/couchmatrix"
)

// pair measures an operation direct and guarded in turn, so that other load on the machine
// affects both, and reports the medians and their ratio.
func pair(b *testing.B, op func(guarded bool) error) {
	b.Helper()
	var times [2][]float64
	for i := 0; b.Loop(); i++ {
		for turn := range 2 {
			guarded := (i+turn)%2 == 1
			start := time.Now()
			if err := op(guarded); err != nil {
				b.Fatal(err)
			}
			kind := 0
			if guarded {
				kind = 1
			}
			times[kind] = append(times[kind], float64(time.Since(start)))
		}
	}
	direct, guarded := median(times[0]), median(times[1])
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(direct/1e3, "direct-µs")
	b.ReportMetric(guarded/1e3, "guarded-µs")
	b.ReportMetric(guarded/direct, "ratio")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// clients are a bare and a guarded client of the same server.
func clients(b *testing.B, url string) [2]*kivik.Client {
	b.Helper()
	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(b, err)
	direct, err := kivik.New("couch", url)
	require.NoError(b, err)
	guarded, err := couch.New(url, g)
	require.NoError(b, err)
	return [2]*kivik.Client{direct, guarded}
}

func choose[T any](of [2]T, guarded bool) T {
	if guarded {
		return of[1]
	}
	return of[0]
}

// discarding is a server that accepts everything and does nothing: against it, what the
// guard costs is as large a part as it can be.
func discarding(b *testing.B) string {
	b.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("ETag", `"1-x"`)
		switch {
		case req.Method == http.MethodPost:
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `[]`)
		case req.Method == http.MethodPut:
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"ok":true,"id":"x","rev":"2-x"}`)
		default:
			_, _ = io.WriteString(w, `{"_id":"x","_rev":"1-x","n":1}`)
		}
	}))
	b.Cleanup(s.Close)
	return s.URL
}

func onServers(b *testing.B, bench func(*testing.B, string)) {
	b.Run("nothing", func(b *testing.B) { bench(b, discarding(b)) })
	b.Run("pouchdb", func(b *testing.B) {
		s := harness.Servers(b)[0]
		_, err := harness.NewFixture(b.Context(), s)
		require.NoError(b, err)
		bench(b, s.URL)
	})
}

func BenchmarkGet(b *testing.B) {
	onServers(b, func(b *testing.B, url string) {
		c := clients(b, url)
		pair(b, func(guarded bool) error {
			var doc map[string]any
			return choose(c, guarded).DB(couchmatrix.DB).Get(b.Context(), "x").ScanDoc(&doc)
		})
	})
}

// BenchmarkPut changes the same document repeatedly.
func BenchmarkPut(b *testing.B) {
	onServers(b, func(b *testing.B, url string) {
		c, ids := clients(b, url), [2]string{"direct", "guarded"}
		var revs [2]string
		ctx := dbguard.AtMost(b.Context(), 1)
		put := func(guarded bool) (err error) {
			doc := map[string]any{"type": "invoice", "customer": "customer-00042", "total": 12.5, "paid": false}
			rev := &revs[0]
			if guarded {
				rev = &revs[1]
			}
			if *rev != "" {
				doc["_rev"] = *rev
			}
			*rev, err = choose(c, guarded).DB(couchmatrix.DB).Put(ctx, choose(ids, guarded), doc)
			return err
		}
		require.NoError(b, put(false))
		require.NoError(b, put(true))
		pair(b, put)
	})
}

func bulk(n int, salt string) []any {
	docs := make([]any, n)
	for i := range docs {
		docs[i] = map[string]any{
			"_id": fmt.Sprintf("org.example.invoice:%s:%06d", salt, i), "type": "invoice", "customer": fmt.Sprintf("customer-%05d", i%977),
			"total": float64(i%500) + .5, "lines": []any{map[string]any{"sku": "A-17", "count": 2, "text": "A thing of some kind, in blue"}},
		}
	}
	return docs
}

func BenchmarkBulk10000(b *testing.B) {
	onServers(b, func(b *testing.B, url string) {
		c, n := clients(b, url), 0
		pair(b, func(guarded bool) error {
			n++
			_, err := choose(c, guarded).DB(couchmatrix.DB).BulkDocs(b.Context(), bulk(10_000, fmt.Sprint(n)))
			return err
		})
	})
}

// BenchmarkAttachment100MB sends 100 MB, and reports the memory that is in use
// beyond what was before.
func BenchmarkAttachment100MB(b *testing.B) {
	const size = 100 << 20
	url := discarding(b)
	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(b, err)
	doors := [2]http.RoundTripper{http.DefaultTransport, couch.Transport(nil, g)}
	ctx := dbguard.AtMost(b.Context(), 1)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	pair(b, func(guarded bool) error { return putAttachment(ctx, choose(doors, guarded), url, size) })
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(int64(after.HeapSys-before.HeapSys))/(1<<20), "heap-MB")
}

func putAttachment(ctx context.Context, door http.RoundTripper, url string, size int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url+"/db/doc/a.bin?rev=1-x", io.LimitReader(zeros{}, size))
	if err != nil {
		return err
	}
	req.ContentLength = size
	res, err := door.RoundTrip(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// BenchmarkBulkBody10000 is the bulk without kivik: its body is ready, so that
// inspecting it is as large a part as it can be.
func BenchmarkBulkBody10000(b *testing.B) {
	var text bytes.Buffer
	text.WriteString(`{"docs":[`)
	for i := range 10_000 {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"_id":"org.example.invoice:%08d","type":"invoice","customer":"customer-%05d","total":%d.50,"paid":false}`, i, i%977, i%500)
	}
	text.WriteString(`]}`)
	url := discarding(b)
	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(b, err)
	doors := [2]http.RoundTripper{http.DefaultTransport, couch.Transport(nil, g)}
	b.SetBytes(int64(text.Len()))
	pair(b, func(guarded bool) error {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url+"/db/_bulk_docs", bytes.NewReader(text.Bytes()))
		if err != nil {
			return err
		}
		res, err := choose(doors, guarded).RoundTrip(req)
		if err != nil {
			return err
		}
		return res.Body.Close()
	})
}
