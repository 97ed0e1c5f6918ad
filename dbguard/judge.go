package dbguard

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Finding is what one rule has to say about one operation.
type Finding struct {
	Rule    RuleID
	Level   Level
	Object  string // the table or database that it is about, "" for the operation as a whole
	Message string // "DELETE on navigation has no bound"
	Fix     string // the next step
}

// inquiry is everything that a verdict depends on, and nothing else.
type inquiry struct {
	op          *Op
	policy      *Policy
	scope       *scope
	bound       bound
	budgetLeft  int64 // the least that an enclosing budget has left; -1 without one
	ran         bool  // the operation has run, and count is what it did
	uncountable bool  // the engine can neither count nor undo it
	count       Count
	used        []string // the reasons of the grants that it needed
}

// answer is what a rule says about an act.
type answer uint8

const (
	passes    answer = iota
	hits             // a finding, regardless of the rows
	hitsIfAny        // a finding, unless certainly no existing row is affected
)

func newInquiry(op *Op, p *Policy, s *scope) *inquiry {
	q := &inquiry{op: op, policy: p, scope: s, count: Count{Rows: -1}}
	q.bound = q.findBound()
	q.budgetLeft = q.findBudgetLeft()
	return q
}

// findBound is the bound in the context, else the smallest of Policy.Limits for the
// tables that lose or change rows.
func (q *inquiry) findBound() bound {
	if q.scope.bound.set() {
		return q.scope.bound
	}
	b := noBound
	for _, act := range q.op.Acts {
		if !act.Verb.destroysRows() || act.Verb == Insert && !q.op.asks() {
			continue // a table that rows are only added to loses none
		}
		if key, n, ok := q.policy.limit(act.Object); ok && (!b.set() || n < b.limit) {
			b = bound{limit: n, raise: fmt.Sprintf("dbguard.AtMost(ctx, n), or Policy.Limits[%q]", key)}
		}
	}
	return b
}

func (q *inquiry) findBudgetLeft() int64 {
	left := int64(-1)
	for _, b := range q.scope.budgets {
		if n := b.remaining(); left < 0 || n < left {
			left = n
		}
	}
	return left
}

// bounded reports whether anything limits the rows.
func (q *inquiry) bounded() bool { return q.bound.set() || q.budgetLeft >= 0 }

// judge applies every rule to every act and returns all findings; pending are those
// that hold only if the operation affects a row. It depends on the inquiry only and
// has no side effects on anything else.
func (q *inquiry) judge() (findings, pending []Finding) {
	for _, r := range rules {
		level := q.policy.level(r)
		if r.check == nil || level == Off {
			continue
		}
		for i := range q.op.Acts {
			act := &q.op.Acts[i]
			answer := r.check(q, act)
			if answer == passes {
				continue
			}
			f := Finding{Rule: r.ID, Level: level, Message: r.message(q, act), Fix: r.fix(q, act)}
			if !r.perOp {
				f.Object = act.Object
			}
			switch {
			case answer == hits, q.ran && q.count.Rows != 0:
				findings = append(findings, f)
			case !q.ran:
				pending = append(pending, f)
			}
			if r.perOp {
				break
			}
		}
	}
	return findings, pending
}

// merge puts findings in the order of their rules.
func merge(findings, pending []Finding) []Finding {
	all := slices.Concat(findings, pending)
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(a.Rule, b.Rule) })
	return all
}

// granted reports whether the context holds the grant, and records its reason.
func (q *inquiry) granted(need Grant) bool {
	reason, ok := q.scope.grant(need)
	if ok && !slices.Contains(q.used, reason) {
		q.used = append(q.used, reason)
	}
	return ok
}

// reasons are those of the grants that were needed.
func (q *inquiry) reasons() string { return strings.Join(q.used, "; ") }

// needs is the grant without which the act is refused.
func (a *Act) needs() Grant {
	switch a.Verb {
	case Create:
		return CreateDatabase(a.Object)
	case Remove:
		return DropTable(a.Object)
	case RemoveDatabase:
		return DropDatabase(a.Object)
	case Empty:
		return Truncate(a.Object)
	case Reshape:
		return AlterTable(a.Object)
	case Delete, Update:
		return AllRows(a.Object)
	}
	return Opaque()
}

func allowFix(what string, g Grant) string {
	return fmt.Sprintf("%s: dbguard.Allow(ctx, reason, dbguard.%s)", what, g)
}

// denies reports whether one of the findings refuses.
func denies(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Level == Deny })
}
