package dbguard

import (
	"context"

	"github.com/dbguard/dbguard-go/internal/callsite"
)

// Operation is one judged operation under way. It belongs to the goroutine
// that runs it: Begin, then Settle once the count is known, then End.
type Operation struct {
	guard     *Guard
	op        Op
	scope     *scope
	ledger    *Ledger
	ctx       context.Context
	span      span
	site      callsite.Site
	bound     limitation
	limit     int64
	count     Count
	charged   int64
	findings  []Finding
	violation *Violation
	reason    string
}

// open starts the span and, if somebody listens, finds the caller.
func (o *Operation) open(ctx context.Context) {
	o.ctx, o.span = o.guard.tracer.start(ctx, &o.op)
	o.site = callsite.Find()
	o.span.place(o.site)
}

// Context is the operation's context: it carries its span.
func (o *Operation) Context() context.Context { return o.ctx }

// Findings are what the rules have said so far. A door that only asks a
// question, as whether a pool has a limit, tells nothing when there are none.
func (o *Operation) Findings() []Finding { return o.findings }

// Limit is the number of existing rows beyond which the operation will be
// refused, so that an engine can stop early: -1 if any number passes.
func (o *Operation) Limit() int64 { return o.limit }

// NeedsUndo reports whether a count can still refuse the operation, so that it
// must run where it can be undone.
func (o *Operation) NeedsUndo() bool {
	return !o.guard.Observing() && (o.limit >= 0 || o.bound.exact)
}

// Settle is the verdict on the true count, before anything is final: nil if it
// may stand, else the *Violation for which the door must undo it. Budgets are
// charged here, once.
func (o *Operation) Settle(c Count) error {
	o.count = c
	q := newInquiry(&o.op, &o.guard.policy, o.scope)
	q.ran, q.count = true, c
	for {
		o.findings, _ = q.judge()
		if firstAt(o.findings, Deny) != nil && !o.guard.Observing() {
			o.violation = o.newViolation()
			return o.violation
		}
		if c.Rows <= 0 || o.charge(q) {
			return nil
		}
	}
}

// charge takes the rows from every budget. It fails only if another goroutine
// was faster and the rule says no; then the inquiry is brought up to date.
func (o *Operation) charge(q *inquiry) bool {
	short := chargeAll(o.scope.budgets, o.count.Rows)
	if short == nil {
		o.charged = o.count.Rows
		return true
	}
	if o.guard.Observing() || !o.guard.denies(OverBudget) {
		return true
	}
	q.left = max(short.left(), 0)
	return q.count.Rows <= q.left // given back in between: judge again
}

// Uncountable tells the operation that the engine found a reason, before
// anything was sent, why what it changes can be neither counted nor undone. It
// returns the *Violation, or nil if the caller took the responsibility.
func (o *Operation) Uncountable(note string) error {
	o.op.Acts = append([]Act(nil), o.op.Acts...)
	for i := range o.op.Acts {
		if o.op.Acts[i].Verb.destroysRows() {
			o.op.Acts[i].Verb, o.op.Acts[i].Note = Uncounted, note
		}
	}
	q := newInquiry(&o.op, &o.guard.policy, o.scope)
	findings, pending := q.judge()
	o.reason = q.reasons()
	o.limit = -1
	if firstAt(findings, Deny) == nil || o.guard.Observing() {
		return nil
	}
	o.findings = append(findings, pending...)
	o.violation = o.newViolation()
	return o.violation
}

// End closes the operation, tells traces and observers, and returns the error
// that the caller must see: the *Violation of Settle with its effect, a
// *Violation of rule Unconfirmed where the effect is unknown, else err itself.
// What was charged is given back unless it stands.
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
	e := o.event(effect, err)
	o.guard.tell(o.ctx, o.span, e)
	return err
}

// Abandon closes an operation that did not happen and will come again: the
// driver asked for another way (driver.ErrSkip). Nobody is told.
func (o *Operation) Abandon() { o.span.discard() }

func (o *Operation) unconfirmed(cause error) error {
	r := ruleByID(Unconfirmed)
	q := &inquiry{op: &o.op}
	f := Finding{r.ID, Deny, r.say(q, nil), r.fix(q, nil)}
	o.findings = append(o.findings, f)
	return &Violation{
		Rule: f.Rule, Op: o.op, Limit: o.bound.limit, Rows: o.count.Rows, Effect: EffectUnknown,
		Site: o.site.String(), Fix: f.Fix, Err: cause, Findings: []Finding{f},
	}
}

func (o *Operation) newViolation() *Violation {
	var denied []Finding
	for _, f := range o.findings {
		if f.Level == Deny {
			denied = append(denied, f)
		}
	}
	return &Violation{
		Rule: denied[0].Rule, Op: o.op, Limit: o.bound.limit, Rows: o.count.Rows,
		Site: o.site.String(), Fix: denied[0].Fix, Findings: denied,
	}
}

func (o *Operation) event(effect Effect, err error) Event {
	e := Event{
		Op: o.op, Effect: effect, Rows: o.count.Rows, Tables: o.count.Tables, Limit: o.bound.limit,
		Findings: o.findings, Site: o.site.String(), Reason: o.reason, Err: err,
		Outcome: outcome(effect, o.violation != nil, err),
	}
	if len(o.findings) > 0 {
		e.Rule = o.findings[0].Rule
	}
	if o.violation != nil {
		e.Rule = o.violation.Rule
	}
	return e
}

func outcome(effect Effect, violated bool, err error) Outcome {
	switch {
	case effect == EffectUnknown:
		return OutcomeUnknown
	case violated && effect == EffectNone:
		return OutcomeRefused
	case violated:
		return OutcomeUndone
	case err != nil:
		return OutcomeFailed
	}
	return OutcomeDone
}
