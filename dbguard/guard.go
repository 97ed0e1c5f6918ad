package dbguard

import (
	"context"
	"errors"
)

// Guard judges operations by a Policy. Make one with New, share it freely:
// it is safe for concurrent use and holds no connection.
type Guard struct {
	policy Policy
	tracer *tracer
}

// New makes a Guard. It returns an error that names every mistake in the policy.
func New(p Policy) (*Guard, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	p = p.clone()
	tracer, err := newTracer(&p)
	if err != nil {
		return nil, err
	}
	return &Guard{policy: p, tracer: tracer}, nil
}

// errNilGuard tells the caller of a door which call was wrong.
var errNilGuard = errors.New("dbguard: the Guard is nil: make one with dbguard.New")

// Check reports the error of a Guard that cannot be used: a nil one. Doors call
// it where a Guard is handed to them.
func (g *Guard) Check() error {
	if g == nil {
		return errNilGuard
	}
	return nil
}

// Observing reports whether the Guard only watches: a door then runs every
// operation as if it were not there.
func (g *Guard) Observing() bool { return g.policy.Mode == Observe }

// Begin judges an operation before it is sent. It is for doors: code that
// stands between an application and a database.
//
// It returns a *Violation, after telling traces and observers of it, if a rule
// refuses the operation whatever it affects; else an Operation that the door
// settles with the true count and ends. ledger is that of the caller's
// transaction, nil outside of one.
func (g *Guard) Begin(ctx context.Context, op Op, ledger *Ledger) (*Operation, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	scope := scopeOf(ctx)
	if scope.err != nil {
		return nil, scope.err
	}
	o := &Operation{guard: g, op: op, scope: scope, ledger: ledger, count: Count{Rows: -1}}
	q := newInquiry(&o.op, &g.policy, scope)
	findings, pending := q.judge()
	o.bound, o.limit = q.bound, -1
	o.reason = q.reasons()
	o.open(ctx)
	denied := firstAt(findings, Deny) != nil && !g.Observing()
	if denied {
		o.findings = append(findings, pending...)
		o.violation = o.newViolation()
		return nil, o.End(EffectNone, nil)
	}
	o.findings = findings
	o.limit = g.earlyStop(q, pending)
	return o, nil
}

// earlyStop is the number of rows at which the operation may stop, because one
// more will be refused; -1 if any number passes.
func (g *Guard) earlyStop(q *inquiry, pending []Finding) int64 {
	if g.Observing() {
		return -1
	}
	limit := int64(-1)
	lower := func(n int64) {
		if n >= 0 && (limit < 0 || n < limit) {
			limit = n
		}
	}
	if g.denies(OverLimit) {
		lower(q.bound.limit)
	}
	if g.denies(OverBudget) {
		lower(q.left)
	}
	if firstAt(pending, Deny) != nil {
		lower(0)
	}
	return limit
}

func (g *Guard) denies(id RuleID) bool { return g.policy.level(ruleByID(id)) == Deny }
