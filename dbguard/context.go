package dbguard

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// scope is what a context carries: the nearest bound, every budget and grant. It is
// immutable; each function below derives a new one from its parent. An invalid call
// adds nothing but its error.
type scope struct {
	bound   bound
	budgets []*budget // innermost last
	allowed []allowance
	err     error // of an invalid call, returned for the first judged statement
}

// bound is the number of existing rows that one statement may delete or change.
type bound struct {
	limit int64 // -1: none
	exact bool
	raise string // the Go code that raises it
}

var noBound = bound{limit: -1}

// set reports whether there is a bound at all.
func (b bound) set() bool { return b.limit >= 0 }

type allowance struct {
	grant  Grant
	reason string
}

type scopeKey struct{}

var noScope = &scope{bound: noBound}

func scopeOf(ctx context.Context) *scope {
	if s, ok := ctx.Value(scopeKey{}).(*scope); ok {
		return s
	}
	return noScope
}

func (s *scope) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

func (s *scope) addError(format string, args ...any) {
	s.err = errors.Join(s.err, fmt.Errorf("dbguard: "+format, args...))
}

// AtMost bounds every statement under ctx: each may delete or change at most n
// existing rows, in whatever tables. The nearest AtMost or Exactly applies. A
// negative n is an error at the first statement under ctx.
func AtMost(ctx context.Context, n int64) context.Context {
	return withBound(ctx, "AtMost", n, false)
}

// Exactly is AtMost that also refuses fewer: each statement under ctx deletes or
// changes n rows of the tables that it names and none in other tables, or it is
// undone. Where a cascade or trigger removes rows, use AtMost. A statement that names
// none, such as an INSERT or a SELECT that calls a function, may change fewer.
func Exactly(ctx context.Context, n int64) context.Context {
	return withBound(ctx, "Exactly", n, true)
}

func withBound(ctx context.Context, call string, n int64, exact bool) context.Context {
	s := *scopeOf(ctx)
	if n < 0 {
		s.addError("%s(ctx, %d): a bound is 0 or more", call, n)
	} else {
		s.bound = bound{limit: n, exact: exact, raise: "dbguard.AtMost(ctx, n)"}
	}
	return s.in(ctx)
}

// Budget bounds all statements under ctx together, across transactions and
// goroutines: they delete or change at most n existing rows in total. Every enclosing
// Budget is charged; what a rollback undoes is refunded. A Budget is a bound: a
// statement under one needs no AtMost. A negative n is an error at the first
// statement under ctx.
func Budget(ctx context.Context, n int64) context.Context {
	s := *scopeOf(ctx)
	if n < 0 {
		s.addError("Budget(ctx, %d): a budget is 0 or more", n)
	} else {
		s.budgets = append(s.budgets[:len(s.budgets):len(s.budgets)], newBudget(n))
	}
	return s.in(ctx)
}

// Allow permits, under ctx, what the grants name. The reason appears in the trace.
// Grants add up with those of enclosing contexts. An empty reason or a grant without
// a name is an error at the first statement under ctx.
func Allow(ctx context.Context, reason string, grants ...Grant) context.Context {
	s := *scopeOf(ctx)
	if strings.TrimSpace(reason) == "" {
		s.addError("Allow without a reason: say why, it ends up in the trace")
		return s.in(ctx)
	}
	s.allowed = s.allowed[:len(s.allowed):len(s.allowed)]
	for _, g := range grants {
		if err := g.validate(); err != nil {
			s.err = errors.Join(s.err, err)
			continue
		}
		s.allowed = append(s.allowed, allowance{g, reason})
	}
	return s.in(ctx)
}

// allows reports that a grant covers what is needed.
func (s *scope) allows(need Grant) bool {
	_, ok := s.grant(need)
	return ok
}

// grant finds the innermost grant that covers what is needed.
func (s *scope) grant(need Grant) (reason string, ok bool) {
	for i := len(s.allowed) - 1; i >= 0; i-- {
		if s.allowed[i].grant.covers(need) {
			return s.allowed[i].reason, true
		}
	}
	return "", false
}
