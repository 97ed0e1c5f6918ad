package couch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
)

// body is a request's body while it is inspected: what was read of it is in the
// spool, the rest is still with the caller.
type body struct {
	orig    io.ReadCloser
	getBody func() (io.ReadCloser, error)
	spool   *spool
	ended   bool  // all of orig was read
	err     error // of orig, other than io.EOF
	close   func() error
}

func newBody(req *http.Request, limit int) *body {
	return &body{
		orig: req.Body, getBody: req.GetBody,
		spool: newSpool(limit, req.ContentLength),
		close: sync.OnceValue(req.Body.Close),
	}
}

// Read reads from the caller and keeps what it read.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.orig.Read(p)
	if n > 0 {
		if _, spoolErr := b.spool.Write(p[:n]); spoolErr != nil {
			b.err = fmt.Errorf("couch: keeping a request until it is judged: %w", spoolErr)
			return 0, b.err
		}
	}
	switch {
	case err == io.EOF: //nolint:errorlint // readers return it as it is
		b.ended = true
	case err != nil:
		b.err = err
	}
	return n, err
}

// readers are pooled, as are decompressors: one of those takes 40 KB, a scanner's
// window 64.
var readers = sync.Pool{New: func() any { return &reader{scanner: newScanner()} }}

var decompressors sync.Pool

// inspect reads the body until its effect is known. trouble is why it cannot be read;
// err is the caller's own, or that of its context.
func (b *body) inspect(ctx context.Context, req *request, s shape, every bool) (c content, trouble string, err error) {
	if ctx.Done() == nil {
		c, err = b.scan(req, s, every)
	} else {
		c, err = b.scanUntil(ctx, req, s, every)
	}
	switch {
	case err == nil:
		return c, "", nil
	case ctx.Err() != nil:
		return c, "", ctx.Err()
	case b.err != nil:
		return c, "", b.err
	}
	return content{}, errorText(err), nil
}

// errorText is the text of an error without the name of the package that it is from.
func errorText(err error) string {
	return strings.TrimPrefix(err.Error(), "multipart: ")
}

// scanUntil scans on another goroutine, since a body may block longer than the
// context allows. Then it is closed, which ends the goroutine.
func (b *body) scanUntil(ctx context.Context, req *request, s shape, every bool) (content, error) {
	type result struct {
		content
		err error
	}
	done := make(chan result, 1)
	b.spool.hold()
	go func() {
		c, err := b.scan(req, s, every)
		_ = b.spool.release()
		done <- result{c, err}
	}()
	select {
	case r := <-done:
		return r.content, r.err
	case <-ctx.Done():
		_ = b.close()
		return content{}, ctx.Err()
	}
}

func (b *body) scan(req *request, s shape, every bool) (content, error) {
	var src io.Reader = b
	encodings := req.values("Content-Encoding")
	switch {
	case len(encodings) == 0, len(encodings) == 1 && strings.EqualFold(encodings[0], "identity"):
	case len(encodings) == 1 && strings.EqualFold(encodings[0], "gzip"):
		z, err := getDecompressor(src)
		if err != nil {
			return content{}, err
		}
		defer putDecompressor(z)
		src = z
	default:
		return content{}, fmt.Errorf("its encoding is %s", strings.Join(encodings, ", "))
	}
	if err := checkCharset(req.values("Content-Type")); err != nil {
		return content{}, err
	}
	parts, err := partsOf(src, req.values("Content-Type"))
	if err == nil && parts != nil {
		src, err = firstPart(parts)
	}
	if err != nil {
		return content{}, err
	}
	r := readers.Get().(*reader)
	r.reset(src)
	r.detail = detail{every: every}
	if err = r.readAll(s); err == nil && parts != nil {
		err = r.readOthers(parts)
	}
	c := r.content
	r.content = content{}
	r.reset(nil)
	readers.Put(r)
	return c, err
}

// checkCharset checks the charset: PouchDB applies it, and in UTF-7 quotes can be
// written as letters are.
func checkCharset(types []string) error {
	for _, t := range types {
		lower := strings.ToLower(t)
		if !strings.Contains(lower, "charset") {
			continue
		}
		_, params, err := mime.ParseMediaType(lower)
		if charset := params["charset"]; err != nil || charset != "utf-8" && charset != "utf8" {
			return fmt.Errorf("its type is %s", t)
		}
	}
	return nil
}

// putDecompressor keeps a decompressor for the next body, and nothing of this one.
func putDecompressor(z *gzip.Reader) {
	_ = z.Reset(strings.NewReader(""))
	decompressors.Put(z)
}

func getDecompressor(src io.Reader) (*gzip.Reader, error) {
	if z, ok := decompressors.Get().(*gzip.Reader); ok {
		return z, z.Reset(src)
	}
	return gzip.NewReader(src)
}

// request is req with a body that is what was judged, followed by the rest.
func (b *body) request(req *http.Request) *http.Request {
	out := new(http.Request)
	*out = *req
	out.Body = b.whole(b.orig, b.close)
	if b.getBody != nil {
		out.GetBody = b.getBodyAgain
	}
	return out
}

func (b *body) whole(rest io.Reader, closeRest func() error) io.ReadCloser {
	head := b.spool.reader()
	if b.ended {
		return &spoolReader{Reader: head, close: sync.OnceValue(func() error {
			return errors.Join(head.Close(), closeRest())
		})}
	}
	return &spoolReader{Reader: io.MultiReader(head, rest), close: sync.OnceValue(func() error {
		return errors.Join(head.Close(), closeRest())
	})}
}

// errOtherBody says that GetBody does not return the body that was judged.
var errOtherBody = errors.New("couch: GetBody returned another body than the one that was judged")

// getBodyAgain is GetBody, which the transport calls to retry a request whose
// connection was closed before it was used. It must return the body that was judged.
func (b *body) getBodyAgain() (io.ReadCloser, error) {
	if b.ended {
		return b.spool.reader(), nil
	}
	rest, err := b.getBody()
	if err != nil {
		return nil, err
	}
	head := b.spool.reader()
	defer head.Close()
	if !hasPrefix(head, rest) {
		return nil, errors.Join(errOtherBody, rest.Close())
	}
	return b.whole(rest, rest.Close), nil
}

// hasPrefix reads as much of r as head has, and compares.
func hasPrefix(head, r io.Reader) bool {
	want, have := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		n, err := io.ReadFull(head, want)
		if n > 0 {
			if _, err := io.ReadFull(r, have[:n]); err != nil || !bytes.Equal(want[:n], have[:n]) {
				return false
			}
		}
		if err != nil {
			return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		}
	}
}
