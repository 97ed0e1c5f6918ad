package dbguard

import (
	"context"
	"errors"
)

// Guard judges operations by a Policy. Make one with New and share it freely: it is
// safe for concurrent use and holds no connection.
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

var (
	errNilGuard   = errors.New("dbguard: the Guard is nil: make one with dbguard.New")
	errEmptyGuard = errors.New("dbguard: the Guard is empty: make one with dbguard.New")
)

// Check returns an error for a Guard that cannot be used: one that is nil or was not
// made by New. Adapters call it when they are given a Guard.
func (g *Guard) Check() error {
	switch {
	case g == nil:
		return errNilGuard
	case g.tracer == nil:
		return errEmptyGuard
	}
	return nil
}

// Observing reports whether the Guard only observes: an adapter then runs every
// operation as if there were no guard.
func (g *Guard) Observing() bool { return g != nil && g.policy.Mode == Observe }

// Begin judges an operation before it is sent. It is for adapters: code between an
// application and a database.
//
// It returns a *Violation, after reporting it to traces and observers, if a rule
// refuses the operation regardless of its rows; otherwise an Operation, which the
// adapter settles with the true count and ends. ledger is that of the caller's
// transaction, nil outside of one. An Op without Acts counts as unreadable.
//
// An invalid AtMost, Exactly, Budget or Allow in the context is an error here. If the
// Guard only observes, it is ignored.
func (g *Guard) Begin(ctx context.Context, op Op, ledger *Ledger) (*Operation, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	if len(op.Acts) == 0 {
		op.Acts = []Act{{Verb: Unread}}
	}
	o := &Operation{guard: g, op: op, scope: scopeOf(ctx), ledger: ledger, bound: noBound, limit: -1, count: Count{Rows: -1}}
	o.open(ctx)
	if err := o.scope.err; err != nil && !g.Observing() {
		o.refused = true
		return nil, o.End(EffectNone, err)
	}
	q := newInquiry(&o.op, &g.policy, o.scope)
	findings, pending := q.judge()
	o.bound, o.reason = q.bound, q.reasons()
	if denies(findings) && !g.Observing() {
		o.refuse(merge(findings, pending))
		return nil, o.End(EffectNone, nil)
	}
	o.findings = findings
	o.limit = g.earlyStop(q, pending)
	return o, nil
}

// earlyStop is the number of rows at which the operation may stop, because one more
// would be refused; -1 if any number passes.
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
	if g.enforces(OverLimit) {
		lower(q.bound.limit)
	}
	if g.enforces(OverBudget) {
		lower(q.budgetLeft)
	}
	if denies(pending) {
		lower(0)
	}
	return limit
}

// enforces reports whether a finding of the rule refuses.
func (g *Guard) enforces(id RuleID) bool {
	return !g.Observing() && g.policy.level(ruleByID(id)) == Deny
}
