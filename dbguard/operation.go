package dbguard

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dbguard/dbguard-go/internal/callsite"
)

// Operation is one judged operation in progress. It belongs to the goroutine that
// runs it: Begin, then Settle once the count is known, then End.
type Operation struct {
	guard       *Guard
	op          Op
	scope       *scope
	ledger      *Ledger
	ctx         context.Context
	span        span // for an Op that asks, started only when there is something to report
	started     time.Time
	site        callsite.Site
	siteFound   bool // site has been looked up
	bound       bound
	limit       int64
	count       Count
	charged     int64
	findings    []Finding
	uncountable bool // the engine can neither count nor undo it
	refused     bool
	violation   *Violation // of a refusal by a rule
	reason      string
}

// open starts the span, unless there may be nothing to report.
func (o *Operation) open(ctx context.Context) {
	if o.op.asks() {
		o.ctx, o.started = ctx, time.Now()
		return
	}
	o.trace(ctx)
}

// trace starts the span and, if anybody listens, finds the call site.
func (o *Operation) trace(ctx context.Context) {
	t := o.guard.tracer
	o.ctx, o.span = t.start(ctx, &o.op, o.started)
	if o.span.IsRecording() || t.logger != nil || len(t.observers) > 0 {
		o.span.setSite(o.callSite())
	}
}

// callSite looks up the call site once: walking the stack costs more than judging.
func (o *Operation) callSite() callsite.Site {
	if !o.siteFound {
		o.site, o.siteFound = callsite.Find(), true
	}
	return o.site
}

// Context is the operation's context: it carries its span.
func (o *Operation) Context() context.Context { return o.ctx }

// Findings are what the rules have found so far. An adapter that only checks
// something, such as whether a pool has a limit, reports nothing if there are none.
func (o *Operation) Findings() []Finding { return o.findings }

// Limit is the number of existing rows beyond which the operation will be refused, so
// that an engine can stop early; -1 if any number passes.
func (o *Operation) Limit() int64 { return o.limit }

// NeedsUndo reports whether a count can still refuse the operation, so that it must
// run where it can be undone.
func (o *Operation) NeedsUndo() bool {
	return o.limit >= 0 || o.AtLeast() > 0
}

// AtLeast is the number of rows of the named table below which the operation
// will be refused: 0 if any number passes.
func (o *Operation) AtLeast() int64 {
	if o.bound.exact && !o.op.asks() && o.guard.enforces(UnderLimit) {
		return o.bound.limit
	}
	return 0
}

// Shares reports whether the operation shares a Budget, which has to be charged
// before anything is final.
func (o *Operation) Shares() bool { return len(o.scope.budgets) > 0 }

// Plain reports whether the number of rows alone decides: at most Limit of them, in
// whatever tables; what cannot be counted or changes the schema is refused; there is
// no Budget to charge, and nobody listens for where the rows are.
func (o *Operation) Plain() bool {
	g := o.guard
	return o.limit >= 0 && o.AtLeast() == 0 && !o.Shares() && len(g.tracer.observers) == 0 &&
		!o.scope.allows(Opaque()) && g.enforces(Uncountable) && g.enforces(RuleOpaque) && g.enforces(OverLimit)
}

// Settle is the verdict on the true count, before anything is final: nil if it may
// stand, else the *Violation for which the adapter must undo it. Budgets are charged
// here, once.
func (o *Operation) Settle(c Count) error {
	o.count = c
	for {
		if v := o.judgeCount(); v != nil {
			return v
		}
		if c.Rows <= 0 || o.charge() {
			return nil
		}
	}
}

// Foresee is the verdict on a count that was taken before anything was sent, of rows
// that the operation would change at least: nil, or the *Violation for which the
// adapter must not send it. Nothing is charged.
func (o *Operation) Foresee(c Count) error {
	o.count = c
	if v := o.judgeCount(); v != nil {
		return v
	}
	o.count = Count{Rows: -1}
	return nil
}

// judgeCount judges again, now that the count is known or certain to remain unknown.
func (o *Operation) judgeCount() *Violation {
	q := newInquiry(&o.op, &o.guard.policy, o.scope)
	q.ran, q.uncountable, q.count = true, o.uncountable, o.count
	o.findings, _ = q.judge()
	o.reason = q.reasons()
	if denies(o.findings) && !o.guard.Observing() {
		return o.refuse(o.findings)
	}
	return nil
}

// charge takes the rows from every budget. It fails if another goroutine was faster
// since the judgement, which must then be made again. If exceeding a budget is only
// warned of, the rows are charged all the same: they are gone. If the Guard observes,
// what would have been refused is not charged.
func (o *Operation) charge() bool {
	force := !o.guard.Observing() && !o.guard.enforces(OverBudget)
	switch {
	case chargeAll(o.scope.budgets, o.count.Rows, force):
		o.charged = o.count.Rows
		return true
	case o.guard.Observing():
		return true
	}
	return false
}

// Uncountable tells the operation that the engine found a reason, before anything was
// sent, why what it changes can be neither counted nor undone. It returns the
// *Violation, or nil if the caller has accepted that or nothing bounds the operation.
func (o *Operation) Uncountable(note string) error {
	o.op.Acts = slices.Clone(o.op.Acts)
	for i := range o.op.Acts {
		if o.op.Acts[i].Verb.destroysRows() {
			o.op.Acts[i].Note = note
		}
	}
	o.uncountable, o.limit = true, -1
	if v := o.judgeCount(); v != nil {
		return v
	}
	return nil
}

// End closes the operation, reports it to traces and observers, and returns the error
// for the caller: the *Violation of Settle with its effect, a *Violation of rule
// Unconfirmed if the effect is unknown, else err itself. What was charged is refunded
// unless the operation stands.
func (o *Operation) End(effect Effect, err error) error {
	switch {
	case o.violation != nil:
		o.violation.Effect = effect
		if err != nil {
			o.violation.Err = err
		}
		err = o.violation
	case effect == EffectUnknown:
		err = o.unconfirmed(err)
	}
	if effect == EffectApplied || effect == EffectUnknown {
		o.ledger.add(o)
	} else if o.charged > 0 {
		refundAll(o.scope.budgets, o.charged)
		o.charged = 0
	}
	if o.changedNothing(effect, err) {
		return err
	}
	if o.span.Span == nil {
		o.trace(o.ctx)
	}
	if effect == EffectApplied && o.ledger == nil {
		o.guard.tracer.addRows(o.ctx, o.op.System, o.count.Rows)
	}
	o.guard.report(o.ctx, o.span, o.event(effect, err))
	return err
}

// changedNothing reports a read or an INSERT that turned out to change no existing
// row: it is not reported.
func (o *Operation) changedNothing(effect Effect, err error) bool {
	return o.op.asks() && o.violation == nil && (err != nil && effect != EffectUnknown && effect != EffectApplied || o.count.Rows == 0)
}

// Abandon closes an operation that did not happen and will be retried in another way
// (driver.ErrSkip). Nobody is told: a span that is not ended is not exported.
func (o *Operation) Abandon() {}

// refuse makes the violation of findings that deny.
func (o *Operation) refuse(findings []Finding) *Violation {
	denied := slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return f.Level != Deny })
	o.findings, o.refused = findings, true
	o.violation = o.newViolation(denied)
	return o.violation
}

// unconfirmed is the error for a lost reply. No Level affects it: it is a fact, not a
// verdict.
func (o *Operation) unconfirmed(cause error) *Violation {
	r := ruleByID(Unconfirmed)
	q := &inquiry{op: &o.op}
	f := Finding{Rule: r.ID, Level: Deny, Message: r.message(q, nil), Fix: r.fix(q, nil)}
	o.findings = append(o.findings, f)
	v := o.newViolation([]Finding{f})
	v.Effect, v.Err = EffectUnknown, cause
	return v
}

func (o *Operation) newViolation(denied []Finding) *Violation {
	return &Violation{
		Rule: denied[0].Rule, Op: o.op, Limit: o.bound.limit, Rows: o.count.Rows,
		Site: o.callSite().String(), Fix: denied[0].Fix, Findings: denied,
	}
}

func (o *Operation) event(effect Effect, err error) Event {
	e := Event{
		Op: o.op, Effect: effect, Rows: o.count.Rows, Tables: o.count.Tables, Limit: o.bound.limit,
		Findings: o.findings, Site: o.site.String(), Reason: o.reason, Err: err,
		Outcome: outcome(effect, o.refused, err), Transaction: o.ledger.transactionID(),
	}
	var v *Violation
	switch {
	case errors.As(err, &v):
		e.Rule = v.Rule
	case len(o.findings) > 0:
		e.Rule = o.findings[0].Rule
	}
	return e
}

func outcome(effect Effect, refused bool, err error) Outcome {
	switch {
	case effect == EffectUnknown:
		return OutcomeUnknown
	case refused && effect == EffectNone:
		return OutcomeRefused
	case refused && effect == EffectUndone:
		return OutcomeUndone
	case !refused && err != nil:
		return OutcomeFailed
	}
	return OutcomeDone
}
