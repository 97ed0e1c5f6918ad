package property

import (
	"context"
	"fmt"
	"time"
)

// enough failures that nothing explains end a hunt.
const enough = 5

// hunt tries the cases of seeds from first on, for as long as more says so.
func (a *arena) hunt(ctx context.Context, first uint64, more func(cases int) bool) *report {
	r := newReport()
	begin := time.Now()
	for seed := first; more(r.cases) && len(r.unexplained) < enough && ctx.Err() == nil; seed++ {
		c := newCase(seed, a.bare.Engine)
		v := a.check(ctx, c)
		r.add(c, &v)
		switch g := explain(a.bare.Target, c, &v); {
		case v.Failing == "":
		case v.Failing == invalid:
			if r.invalid == 1 {
				r.firstInvalid = fmt.Sprintf("seed %d: %s\n%s", seed, v.Why, c)
			}
		case g != nil:
			r.gaps[g.name]++
		default:
			r.unexplained = append(r.unexplained, a.describe(ctx, c, &v))
		}
	}
	r.took = time.Since(begin)
	return r
}

// check is try, with a refusal explained where rows are touched more often than
// they are changed.
func (a *arena) check(ctx context.Context, c *testcase) verdict {
	v := a.try(ctx, c)
	if v.Failing != overStrict {
		return v
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	n, err := a.touched(ctx, c)
	switch {
	case err != nil:
		v.Why += fmt.Sprintf(" (not known how many rows are touched: %v)", err)
	case n > c.Bound.N:
		v.Failing, v.Touched = "", n
	}
	return v
}

// describe shrinks a failing case and prints it.
func (a *arena) describe(ctx context.Context, c *testcase, v *verdict) string {
	seen := append([]uint64(nil), a.since...)
	small, why := a.shrink(ctx, c, v.Failing)
	if why.Failing == "" {
		return fmt.Sprintf("seed %d on %s, only after seeds %v on the same connection: %s: %s\n%s",
			c.Seed, a.bare.Target, seen, v.Failing, v.Why, c)
	}
	return fmt.Sprintf("seed %d on %s: %s: %s\nshrunk: %s\n%s", c.Seed, a.bare.Target, v.Failing, v.Why, why.Why, small)
}
