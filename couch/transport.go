package couch

import (
	"context"
	"net/http"
	"strings"

	"github.com/go-kivik/kivik/v4"

	"github.com/dbguard/dbguard-go/dbguard"
)

var _ http.RoundTripper = (*transport)(nil)

// transport is the guarded http.RoundTripper: every request passes it, and is sent as
// it came.
type transport struct {
	base  http.RoundTripper
	guard *dbguard.Guard
	config
	memory int // limit of what is kept of one body
}

// Transport guards what is sent through base; nil is http.DefaultTransport. It is for
// an http.Client of your own: New makes one. The options are WithGate and WithPrefix.
//
// What is refused is not sent, and returns an error in which errors.As finds the
// *dbguard.Violation. What is allowed is sent as it came, and the response is the
// server's, byte by byte.
func Transport(base http.RoundTripper, g *dbguard.Guard, opts ...kivik.Option) http.RoundTripper {
	return newTransport(base, g, configured(opts))
}

func newTransport(base http.RoundTripper, g *dbguard.Guard, c config) *transport {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{base: base, guard: g, config: c, memory: memoryLimit}
}

// RoundTrip judges the request and sends it, or returns why not.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.guard.Check(); err != nil {
		return nil, t.refuse(req, err)
	}
	if probe := probeOf(req.Context()); probe != nil {
		probe.run(t.node(req))
	}
	if plainlySafe(req) {
		if reasons := t.gate.Refuses(true); reasons != nil {
			return t.refuseRead(req, reasons)
		}
		return t.base.RoundTrip(req)
	}
	return t.judge(req)
}

// CloseIdleConnections is called by http.Client.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// refuse closes the body, as a RoundTripper must, and returns the error.
func (t *transport) refuse(req *http.Request, err error) error {
	if req.Body != nil {
		_ = req.Body.Close()
	}
	return asRefusal(err)
}

func (t *transport) node(req *http.Request) *node {
	return &node{base: t.base, prefix: t.prefix, req: req}
}

// refuseRead refuses a request that only reads, because the gate is closed for reads,
// too.
func (t *transport) refuseRead(req *http.Request, reasons []string) (*http.Response, error) {
	r := &analysis{request: readRequest(req, t.prefix), endpoint: &endpoint{name: "GET"}}
	r.route()
	r.act(dbguard.Unready, "", strings.Join(reasons, "; "))
	op, err := t.guard.Begin(req.Context(), r.op(), nil)
	if err != nil {
		return nil, t.refuse(req, err)
	}
	return t.send(req, r, op)
}

// judge reads as much of the request as its effect depends on, and sends it if it may
// be.
func (t *transport) judge(req *http.Request) (*http.Response, error) {
	r := t.readHead(req)
	out := req
	if r.endpoint != nil && r.endpoint.body != opaque && req.Body != nil && req.Body != http.NoBody {
		b := newBody(req, t.memory)
		defer b.spool.release() //nolint:errcheck // a temporary file that stays behind is no reason to fail
		err := r.inspect(req.Context(), b)
		if err != nil {
			_ = b.close()
			return nil, err
		}
		out = b.request(req)
	}
	r.addActs()
	if reasons := t.gate.Refuses(!r.mayChange()); reasons != nil {
		r.act(dbguard.Unready, "", strings.Join(reasons, "; "))
	}
	if len(r.acts) == 0 {
		return t.base.RoundTrip(out)
	}
	op, err := t.begin(req.Context(), r)
	if err != nil {
		return nil, t.refuse(out, err)
	}
	return t.send(out, r, op)
}

// begin has the guard judge, queries what only the server can tell, and has it judge
// again if that matters.
func (t *transport) begin(ctx context.Context, r *analysis) (*dbguard.Operation, error) {
	op, err := t.guard.Begin(ctx, r.op(), nil)
	if err != nil {
		return nil, err
	}
	if again := r.askServer(ctx, t.gate); again {
		op.Abandon()
		if op, err = t.guard.Begin(ctx, r.op(), nil); err != nil {
			return nil, err
		}
	}
	if err := op.Settle(r.count()); err != nil {
		return nil, op.End(dbguard.EffectNone, nil)
	}
	return op, nil
}

// send sends what was judged. The caller gets the server's response or the
// transport's error as they are; what is known of the effect is in the event.
func (t *transport) send(req *http.Request, r *analysis, op *dbguard.Operation) (*http.Response, error) {
	res, err := t.base.RoundTrip(req)
	effect, cause := effectOf(r, res, err)
	_ = op.End(effect, cause)
	return res, err
}
