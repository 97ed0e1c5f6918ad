package couch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// echo is a server that answers with what it was sent.
func echo(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("X-Transfer-Encodings", strconv.Itoa(len(req.TransferEncoding)))
		for name := range req.Trailer {
			w.Header().Set("X-Trailer-"+name, req.Trailer.Get(name))
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(s.Close)
	return s
}

// newTestTransport is a transport whose memory limit is small enough for tests.
func newTestTransport(t *testing.T, base http.RoundTripper, memory int) *transport {
	t.Helper()
	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(t, err)
	d := newTransport(base, g, config{})
	d.memory = memory
	return d
}

func packed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, text)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

// noFiles requires that no temporary file is left behind.
func noFiles(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Cleanup(func() {
		require.Eventually(t, func() bool {
			left, _ := filepath.Glob(filepath.Join(dir, "dbguard-couch-*"))
			return len(left) == 0
		}, 5*time.Second, time.Millisecond)
	})
}

func TestBodyArrivesWhole(t *testing.T) {
	s := echo(t)
	noFiles(t)
	text := `{"a":"` + strings.Repeat("0123456789", 30_000) + `","_deleted":false}`
	for _, memory := range []int{1, 1000, len(text) - 1, len(text), 1 << 20} {
		for name, body := range map[string]io.Reader{
			"known length":   strings.NewReader(text),
			"unknown length": io.MultiReader(strings.NewReader(text)),
			"byte by byte":   iotest.OneByteReader(strings.NewReader(text)),
			"data with EOF":  iotest.DataErrReader(strings.NewReader(text)),
		} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+"/db/doc", body)
			require.NoError(t, err)
			length := req.ContentLength
			res, err := newTestTransport(t, nil, memory).RoundTrip(req)
			require.NoError(t, err)
			got, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, text, string(got), "%s, %d in memory", name, memory)
			require.Equal(t, length > 0, res.Header.Get("X-Transfer-Encodings") == "0", "%s: its length is not as it was", name)
		}
	}
}

func TestBodyCompressed(t *testing.T) {
	s := echo(t)
	noFiles(t)
	for _, memory := range []int{1, 1 << 20} {
		packet := packed(t, `{"_rev":"1-x","n":"`+strings.Repeat("x", 200_000)+`"}`)
		ctx := dbguard.AtMost(t.Context(), 1)
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, s.URL+"/db/doc", bytes.NewReader(packet))
		require.NoError(t, err)
		req.Header.Set("Content-Encoding", "gzip")
		res, err := newTestTransport(t, nil, memory).RoundTrip(req)
		require.NoError(t, err)
		got, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, packet, got)
	}
}

func TestTrailersArrive(t *testing.T) {
	s := echo(t)
	text := io.MultiReader(strings.NewReader(`{}`))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+"/db/doc", text)
	require.NoError(t, err)
	req.Trailer = http.Header{"Check": nil}
	req.Body = readCloser{io.MultiReader(text, funcReader(func() { req.Trailer.Set("Check", "sum") })), func() error { return nil }}
	res, err := newTestTransport(t, nil, 1<<20).RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "sum", res.Header.Get("X-Trailer-Check"))
}

// A declared length that is not the body's is the transport's error, as bare.
func TestWrongLength(t *testing.T) {
	s := echo(t)
	for _, length := range []int64{100} { // too long a body is sometimes answered before the transport sees it
		send := func(base http.RoundTripper) string {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+"/db/doc", io.MultiReader(strings.NewReader(`{"a":1}`)))
			require.NoError(t, err)
			req.ContentLength = length
			_, err = base.RoundTrip(req) //nolint:bodyclose // there is none
			require.Error(t, err)
			return err.Error()
		}
		require.Equal(t, send(&http.Transport{}), send(newTestTransport(t, &http.Transport{}, 1<<20)))
	}
}

func TestExpectContinue(t *testing.T) {
	asked := make(chan bool, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		asked <- req.Header.Get("Expect") == "100-continue"
		w.WriteHeader(http.StatusForbidden) // without reading the body
	}))
	defer s.Close()
	base := &http.Transport{ExpectContinueTimeout: 5 * time.Second}
	defer base.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+"/db/doc", strings.NewReader(`{}`))
	require.NoError(t, err)
	req.Header.Set("Expect", "100-continue")
	res, err := newTestTransport(t, base, 1<<20).RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusForbidden, res.StatusCode)
	require.True(t, <-asked)
}

// A body that blocks does not keep a request from ending with its context, and
// nothing of it is sent.
func TestBodyBlocks(t *testing.T) {
	sent := false
	base := roundTripper(func(*http.Request) (*http.Response, error) {
		sent = true
		return nil, errors.New("sent")
	})
	for name, unblocks := range map[string]bool{"closing helps": true, "closing does not help": false} {
		t.Run(name, func(t *testing.T) {
			r, w := io.Pipe()
			defer w.Close()
			body := io.ReadCloser(r)
			if !unblocks {
				body = readCloser{r, func() error { return nil }}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://couch.test/db/doc", body)
			require.NoError(t, err)
			go func() { _, _ = io.WriteString(w, `{"a":`) }()
			_, err = newTestTransport(t, base, 1).RoundTrip(req) //nolint:bodyclose // there is none
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.False(t, sent)
		})
	}
}

// The caller's error from its own body comes back as it is.
func TestBodyFails(t *testing.T) {
	mine := errors.New("mine")
	base := roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("sent") })
	for _, encoding := range []string{"", "gzip"} {
		closed := false
		text := `{"a":1`
		if encoding != "" {
			text = string(packed(t, text)[:12])
		}
		body := readCloser{io.MultiReader(strings.NewReader(text), iotest.ErrReader(mine)), func() error { closed = true; return nil }}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://couch.test/db/doc", body)
		require.NoError(t, err)
		if encoding != "" {
			req.Header.Set("Content-Encoding", encoding)
		}
		_, err = newTestTransport(t, base, 1<<20).RoundTrip(req) //nolint:bodyclose // there is none
		require.Equal(t, mine, err)
		require.True(t, closed)
	}
}

// A refused request's body is closed, as a RoundTripper must.
func TestRefusedBodyIsClosed(t *testing.T) {
	noFiles(t)
	base := roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("sent") })
	for path, text := range map[string]string{"/db/doc": `{"_rev":"1-x","a":"0123456789"}`, "/db": "x", "/db/doc/att?rev=1": "x"} {
		closed := false
		body := readCloser{strings.NewReader(text), func() error { closed = true; return nil }}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://couch.test"+path, body)
		require.NoError(t, err)
		_, err = newTestTransport(t, base, 4).RoundTrip(req) //nolint:bodyclose // there is none
		require.ErrorIs(t, err, dbguard.ErrRefused)
		require.True(t, closed, path)
	}
}

// GetBody is asked when a connection turns out to be dead before it was used:
// it must return what was judged.
func TestGetBody(t *testing.T) {
	noFiles(t)
	const text = `{"n":"0123456789"}`
	for _, memory := range []int{4, 1 << 20} {
		calls := 0
		base := roundTripper(func(req *http.Request) (*http.Response, error) {
			first, err := io.ReadAll(req.Body)
			require.NoError(t, err)
			require.NoError(t, req.Body.Close())
			again, err := req.GetBody()
			require.NoError(t, err)
			second, err := io.ReadAll(again)
			require.NoError(t, err)
			require.NoError(t, again.Close())
			require.Equal(t, text, string(first))
			require.Equal(t, text, string(second))
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
		})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://couch.test/db/doc", strings.NewReader(text))
		require.NoError(t, err)
		req.GetBody = func() (io.ReadCloser, error) {
			calls++
			return io.NopCloser(strings.NewReader(`{"_deleted":true}`)), nil
		}
		res, err := newTestTransport(t, base, memory).RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Zero(t, calls, "the caller's GetBody was asked, which may return another body")
	}
}

// What follows the last part of a multipart body is sent as it comes; sent
// again, its beginning must be what was judged.
func TestGetBodyOfStream(t *testing.T) {
	const head = "--b\r\nContent-Type: application/json\r\n\r\n{\"n\":1}\r\n--b\r\n\r\nattachment\r\n--b--\r\n"
	rest := strings.Repeat("what nobody reads ", 100_000)
	for name, again := range map[string]string{"the same": head + rest, "another": strings.Replace(head, `{"n":1}`, `{"_deleted":true}`, 1) + rest, "shorter": head[:20]} {
		t.Run(name, func(t *testing.T) {
			base := roundTripper(func(req *http.Request) (*http.Response, error) {
				first, err := io.ReadAll(req.Body)
				require.NoError(t, err)
				require.NoError(t, req.Body.Close())
				require.Equal(t, head+rest, string(first))
				body, err := req.GetBody()
				if again != head+rest {
					require.ErrorIs(t, err, errOtherBody)
					return nil, err
				}
				require.NoError(t, err)
				second, err := io.ReadAll(body)
				require.NoError(t, err)
				require.NoError(t, body.Close())
				require.Equal(t, again, string(second))
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
			})
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://couch.test/db/doc", strings.NewReader(head+rest))
			require.NoError(t, err)
			req.Header.Set("Content-Type", "multipart/related; boundary=b")
			req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(again)), nil }
			res, err := newTestTransport(t, base, 1<<20).RoundTrip(req)
			if err == nil {
				require.NoError(t, res.Body.Close())
			}
		})
	}
}

// An attachment of any size is sent as it comes, neither read ahead nor kept.
func TestAttachmentsStream(t *testing.T) {
	s := echo(t)
	r, w := io.Pipe()
	req, err := http.NewRequestWithContext(dbguard.AtMost(t.Context(), 1), http.MethodPut, s.URL+"/db/doc/a?rev=1-x", r)
	require.NoError(t, err)
	got := make(chan int64, 1)
	base := roundTripper(func(req *http.Request) (*http.Response, error) {
		require.Same(t, r, req.Body)
		n, err := io.Copy(io.Discard, req.Body)
		got <- n
		return &http.Response{StatusCode: http.StatusCreated, Body: http.NoBody, Request: req}, err
	})
	go func() {
		chunk := make([]byte, 1<<20)
		for range 100 {
			_, _ = w.Write(chunk)
		}
		_ = w.Close()
	}()
	res, err := newTestTransport(t, base, 1).RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.EqualValues(t, 100<<20, <-got)
}

// Where a temporary file cannot be made, nothing is sent.
func TestNoRoomForBody(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	base := roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("sent") })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://couch.test/db/doc", strings.NewReader(`{"a":"0123456789"}`))
	require.NoError(t, err)
	_, err = newTestTransport(t, base, 4).RoundTrip(req) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "keeping a request until it is judged")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

type readCloser struct {
	io.Reader
	close func() error
}

func (r readCloser) Close() error { return r.close() }

// funcReader calls f when it is read, and is empty.
type funcReader func()

func (f funcReader) Read([]byte) (int, error) { f(); return 0, io.EOF }
