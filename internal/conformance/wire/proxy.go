// Package wire is a TCP proxy between a driver and its server that stops at a chosen message,
// where tests break connections and kill processes.
package wire

import (
	"io"
	"net"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A Proxy forwards bytes until it is told to hold a message.
type Proxy struct {
	Addr string

	backend  string
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	hold  *Held // not arrived yet
	holds []*Held
	links map[*link]bool
}

// New starts a proxy to the server at backend. It ends with the test.
func New(tb testing.TB, backend string) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	p := &Proxy{Addr: l.Addr().String(), backend: backend, listener: l, links: map[*link]bool{}}
	p.running.Go(p.accept)
	tb.Cleanup(func() {
		_ = l.Close()
		p.Cut()
		p.running.Wait()
	})
	return p
}

// Hold stops the next message from a client that matches the pattern, in
// whatever case, before it reaches the server.
func (p *Proxy) Hold(pattern string) *Held {
	h := &Held{pattern: regexp.MustCompile("(?is)" + pattern), arrived: make(chan struct{}), verdict: make(chan verdict, 1)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold = h
	p.holds = append(p.holds, h)
	return h
}

// Cut closes all connections at both ends.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.holds {
		h.decide(drop)
	}
	p.hold = nil
	for l := range p.links {
		l.close()
	}
}

// Held is a message that waits.
type Held struct {
	pattern *regexp.Regexp
	arrived chan struct{}
	verdict chan verdict
}

type verdict int

const (
	pass        verdict = iota // unchanged
	dropReplies                // the server gets it, and its replies are dropped
	drop                       // the connection is closed instead
)

// Wait waits for the message.
func (h *Held) Wait(tb testing.TB) {
	tb.Helper()
	select {
	case <-h.arrived:
	case <-time.After(20 * time.Second):
		require.FailNow(tb, "no message has come", "%s", h.pattern)
	}
}

// Pass lets the message through.
func (h *Held) Pass() { h.decide(pass) }

// PassDroppingReplies lets the message through and drops the replies.
func (h *Held) PassDroppingReplies() { h.decide(dropReplies) }

// Drop closes the connection.
func (h *Held) Drop() { h.decide(drop) }

func (h *Held) decide(v verdict) {
	select {
	case h.verdict <- v:
	default: // decided already
	}
}

// A link is a client's connection and its connection to the server.
type link struct {
	client, server net.Conn
	mu             sync.Mutex
	dropReplies    bool
}

func (l *link) close() {
	_ = l.client.Close()
	_ = l.server.Close()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.backend)
		if err != nil { // it is down, which the client is to see
			_ = client.Close()
			continue
		}
		l := &link{client: client, server: server}
		p.mu.Lock()
		p.links[l] = true
		p.mu.Unlock()
		p.running.Go(func() { p.forward(l) })
		p.running.Go(func() { p.back(l) })
	}
}

// forward copies messages of the client.
func (p *Proxy) forward(l *link) {
	defer p.forget(l)
	buf := make([]byte, 1<<16)
	for {
		n, err := l.client.Read(buf)
		if n > 0 && !p.deliver(l, buf[:n]) {
			return
		}
		if err != nil {
			return
		}
	}
}

func (p *Proxy) deliver(l *link, message []byte) bool {
	if h := p.take(message); h != nil {
		close(h.arrived)
		switch <-h.verdict {
		case drop:
			return false
		case dropReplies:
			l.mu.Lock()
			l.dropReplies = true
			l.mu.Unlock()
		case pass:
		}
	}
	_, err := l.server.Write(message)
	return err == nil
}

// take returns what waits for this message, once.
func (p *Proxy) take(message []byte) *Held {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hold
	if h == nil || !h.pattern.Match(message) {
		return nil
	}
	p.hold = nil
	return h
}

// back copies replies of the server.
func (p *Proxy) back(l *link) {
	defer p.forget(l)
	_, err := io.Copy(clientSide{l}, l.server)
	_ = err // how a connection ends is the client's business
}

// clientSide is the client's side of a link whose replies may be dropped.
type clientSide struct{ l *link }

func (h clientSide) Write(answer []byte) (int, error) {
	h.l.mu.Lock()
	silent := h.l.dropReplies
	h.l.mu.Unlock()
	if silent {
		return len(answer), nil
	}
	return h.l.client.Write(answer)
}

func (p *Proxy) forget(l *link) {
	l.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}
