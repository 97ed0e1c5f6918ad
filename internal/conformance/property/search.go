package property

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// maxFailures is how many unexplained failures end a search.
const maxFailures = 5

// search tries the cases of seeds from first on, for as long as more says so.
func (p *pair) search(ctx context.Context, first uint64, more func(cases int) bool) *report {
	r := newReport()
	begin := time.Now()
	for seed := first; more(r.cases) && len(r.unexplained) < maxFailures && ctx.Err() == nil; seed++ {
		c := newCase(seed, p.bare.Engine)
		v := p.check(ctx, c)
		r.add(c, &v)
		switch g := explain(p.bare.Target, c, &v); {
		case v.Failing == "":
		case v.Failing == invalid:
			if r.invalid == 1 {
				r.firstInvalid = fmt.Sprintf("seed %d: %s\n%s", seed, v.Why, c)
			}
		case g != nil:
			r.gaps[g.name]++
		default:
			r.unexplained = append(r.unexplained, p.describe(ctx, c, &v))
		}
	}
	r.took = time.Since(begin)
	return r
}

// check is try, but accepts a refusal where rows are touched more often than they change.
func (p *pair) check(ctx context.Context, c *testcase) verdict {
	v := p.try(ctx, c)
	if v.Failing != overStrict {
		return v
	}
	ctx, cancel := context.WithTimeout(ctx, caseTimeout)
	defer cancel()
	n, err := p.touched(ctx, c)
	switch {
	case err != nil:
		v.Why += fmt.Sprintf(" (not known how many rows are touched: %v)", err)
	case n > c.Bound.N:
		v.Failing, v.Touched = "", n
	}
	return v
}

// describe shrinks a failing case and prints it. If it only fails on a connection that has
// run another case, it looks for one that suffices.
func (p *pair) describe(ctx context.Context, c *testcase, v *verdict) string {
	head := fmt.Sprintf("seed %d on %s: %s: %s", c.Seed, p.bare.Target, v.Failing, v.Why)
	seen := slices.Clone(p.seeds[:len(p.seeds)-1])
	if small, why := p.shrink(ctx, nil, c, v.Failing); why.Failing != "" {
		return fmt.Sprintf("%s\nshrunk: %s\n%s", head, why.Why, small)
	}
	for _, seed := range slices.Backward(seen) {
		earlier := newCase(seed, c.Engine)
		if small, why := p.shrink(ctx, earlier, c, v.Failing); why.Failing != "" {
			return fmt.Sprintf("%s\nshrunk: %s\nafter seed %d on the same connection:\n%s\n%s", head, why.Why, seed, earlier, small)
		}
	}
	return fmt.Sprintf("%s\nonly after seeds %v on the same connection:\n%s", head, seen, c)
}
