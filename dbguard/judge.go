package dbguard

import (
	"fmt"
	"strings"
)

// Finding is what one rule has to say about one operation.
type Finding struct {
	Rule    RuleID
	Level   Level
	Message string // "DELETE on navigation has no bound"
	Fix     string // the next step
}

// inquiry is everything that a verdict depends on, and nothing else.
type inquiry struct {
	op     *Op
	policy *Policy
	scope  *scope
	bound  limitation
	left   int64 // the smallest enclosing budget's rest; -1 without one
	ran    bool  // the operation has run and count is what it did
	count  Count
}

// answer is what a rule says of an act.
type answer uint8

const (
	passes    answer = iota
	hits             // a finding, whatever the rows
	hitsIfAny        // a finding as soon as a single existing row is affected
)

// limitation is the number of rows that one statement may change.
type limitation struct {
	limit int64 // -1: none
	exact bool
	from  string // where it was set, for messages
}

func newInquiry(op *Op, p *Policy, s *scope) *inquiry {
	q := &inquiry{op: op, policy: p, scope: s, left: -1, count: Count{Rows: -1}}
	for _, b := range s.budgets {
		if left := b.left(); q.left < 0 || left < q.left {
			q.left = max(left, 0)
		}
	}
	q.bound = q.findBound()
	return q
}

// findBound is the bound in the context, else the smallest standing limit of
// the tables that lose or change rows.
func (q *inquiry) findBound() limitation {
	if q.scope.bounded {
		return limitation{q.scope.limit, q.scope.exact, "the context"}
	}
	b := limitation{limit: -1}
	for _, act := range q.op.Acts {
		if !act.Verb.destroysRows() {
			continue
		}
		if n, ok := q.policy.limit(act.Object); ok && (b.limit < 0 || n < b.limit) {
			b = limitation{limit: n, from: "Policy.Limits"}
		}
	}
	return b
}

// judge asks every rule about every act and reports all findings; pending are
// those that hold only if the operation affects a row at all. It changes
// nothing and looks at nothing but the inquiry.
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
			f := Finding{r.ID, level, r.say(q, act), r.fix(q, act)}
			switch {
			case answer == hits, q.count.Rows > 0:
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

// granted reports whether the context holds the grant that an act needs.
func (q *inquiry) granted(need Grant) bool {
	_, ok := q.scope.grant(need)
	return ok
}

// reasons are those of the grants that the operation made use of.
func (q *inquiry) reasons() string {
	var list []string
	for i := range q.op.Acts {
		need, ok := q.op.Acts[i].needs()
		if !ok {
			continue
		}
		reason, ok := q.scope.grant(need)
		if !ok || (len(list) > 0 && list[len(list)-1] == reason) {
			continue
		}
		list = append(list, reason)
	}
	return strings.Join(list, "; ")
}

// needs is the grant without which the act is refused.
func (a *Act) needs() (Grant, bool) {
	switch a.Verb {
	case Create:
		return CreateDatabase(a.Object), true
	case Remove:
		return DropTable(a.Object), true
	case RemoveDatabase:
		return DropDatabase(a.Object), true
	case Empty:
		return Truncate(a.Object), true
	case Reshape:
		return AlterTable(a.Object), true
	case Delete, Update:
		if a.Filter == Filtered {
			return Grant{}, false
		}
		return AllRows(a.Object), true
	case Unread, Run, Call, EndTransaction, Uncounted, Unprotect:
		return Opaque(), true
	}
	return Grant{}, false
}

func allowFix(what string, g Grant) string {
	return fmt.Sprintf("%s: dbguard.Allow(ctx, reason, dbguard.%s)", what, g)
}

// firstAt is the first finding of a level.
func firstAt(findings []Finding, level Level) *Finding {
	for i := range findings {
		if findings[i].Level == level {
			return &findings[i]
		}
	}
	return nil
}
