// Package network puts a proxy between a client and a database server on loopback: it adds
// latency, counts round trips, and cuts the connection at a chosen moment.
package network

import (
	"errors"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A Proxy forwards TCP connections to one server.
type Proxy struct {
	backend  string
	listener net.Listener
	oneWay   time.Duration
	trips    atomic.Int64
	sent     atomic.Int64
	done     sync.WaitGroup

	mu    sync.Mutex
	open  map[net.Conn]struct{} // both ends of every link; nil: closed
	cut   *cut
	fired atomic.Bool
}

// A cut is the planned end of one connection.
type cut struct {
	needle string // in lower case
	after  bool   // the server gets the message, and its reply is dropped
}

// address is where a URL or a DSN of go-sql-driver/mysql leads.
var address = regexp.MustCompile(`@(?:tcp\()?([^/)?]+)`)

// Through starts a proxy to the server of a DSN, and returns the DSN that leads through it.
// roundTrip is the latency of a question and its answer together.
func Through(tb testing.TB, dsn string, roundTrip time.Duration) (*Proxy, string) {
	tb.Helper()
	found := address.FindStringSubmatch(dsn)
	require.NotNil(tb, found, "no address in %q", dsn)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	p := &Proxy{backend: found[1], listener: l, oneWay: roundTrip / 2, open: map[net.Conn]struct{}{}}
	p.done.Go(p.accept)
	tb.Cleanup(p.close)
	return p, strings.Replace(dsn, found[1], l.Addr().String(), 1)
}

// Trips is the number of round trips so far: times that a server's message
// followed a client's.
func (p *Proxy) Trips() int64 { return p.trips.Load() }

// Sent is the number of bytes that clients have sent.
func (p *Proxy) Sent() int64 { return p.sent.Load() }

// CutBefore ends the connection that is about to send a message that contains text, before
// the server sees it: once, and ignoring case. A message is what a driver writes at once.
func (p *Proxy) CutBefore(text string) { p.plan(&cut{strings.ToLower(text), false}) }

// CutAfter lets the message through, waits for the server's answer, and ends
// the connection instead of delivering it.
func (p *Proxy) CutAfter(text string) { p.plan(&cut{strings.ToLower(text), true}) }

func (p *Proxy) plan(c *cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = c
	p.fired.Store(false)
}

// Cut reports whether the planned cut has been made.
func (p *Proxy) Cut() bool { return p.fired.Load() }

// takeCut returns the planned cut if this is its message, and forgets it.
func (p *Proxy) takeCut(message []byte) *cut {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.cut
	if c == nil || !strings.Contains(strings.ToLower(string(message)), c.needle) {
		return nil
	}
	p.cut = nil
	return c
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.backend)
		if err != nil {
			_ = client.Close()
			continue
		}
		l := &link{p: p, client: client, server: server}
		if !p.track(client, server) {
			l.end()
			return
		}
		p.done.Go(func() { l.pump(client, server, l.fromClient) })
		p.done.Go(func() { l.pump(server, client, l.fromServer) })
	}
}

// track remembers the ends of a link, to close them with the proxy.
func (p *Proxy) track(ends ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		return false
	}
	for _, end := range ends {
		p.open[end] = struct{}{}
	}
	return true
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	for end := range p.open {
		_ = end.Close()
	}
	p.open = nil
	p.mu.Unlock()
	p.done.Wait()
}

// A link is one client's connection.
type link struct {
	p              *Proxy
	client, server net.Conn
	asked          atomic.Bool // the last message was the client's
	mute           atomic.Bool // the server's next message ends the link
}

var errCut = errors.New("cut")

// fromClient sees a message on its way to the server.
func (l *link) fromClient(message []byte) error {
	l.asked.Store(true)
	l.p.sent.Add(int64(len(message)))
	c := l.p.takeCut(message)
	switch {
	case c == nil:
		return nil
	case c.after:
		l.mute.Store(true)
		return nil
	}
	l.p.fired.Store(true)
	return errCut
}

// fromServer sees a message on its way to the client.
func (l *link) fromServer([]byte) error {
	if l.mute.Load() {
		l.p.fired.Store(true)
		return errCut
	}
	if l.asked.Swap(false) {
		l.p.trips.Add(1)
	}
	return nil
}

// A packet is a message and when it arrives.
type packet struct {
	bytes []byte
	at    time.Time
}

// pump forwards messages. Each has the same latency, however many are under way: what is
// sent together arrives together.
func (l *link) pump(from, to net.Conn, see func([]byte) error) {
	way := make(chan packet, 1024)
	l.p.done.Go(func() {
		for m := range way {
			sleep(time.Until(m.at))
			if _, err := to.Write(m.bytes); err != nil {
				l.end()
			}
		}
		l.end() // all that was sent has arrived
	})
	defer close(way)
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if see(buffer[:n]) != nil {
				l.end()
				return
			}
			way <- packet{append([]byte(nil), buffer[:n]...), time.Now().Add(l.p.oneWay)}
		}
		if err != nil {
			return
		}
	}
}

// sleep is precise: Go's own waits for whole milliseconds where nothing else happens.
func sleep(d time.Duration) {
	if d > 0 {
		t := syscall.NsecToTimespec(d.Nanoseconds())
		_ = syscall.Nanosleep(&t, nil) // a little early, after a signal, does no harm
	}
}

// end closes both connections.
func (l *link) end() {
	l.p.mu.Lock()
	delete(l.p.open, l.client)
	delete(l.p.open, l.server)
	l.p.mu.Unlock()
	_ = l.client.Close()
	_ = l.server.Close()
}
