package property

import (
	"context"
	"slices"
)

// shrink removes statements from a failing case for as long as it fails in the same way, and
// simplifies its delivery. The earlier case, if there is one, runs before it on the same
// connection.
func (p *pair) shrink(ctx context.Context, earlier, c *testcase, f failure) (*testcase, verdict) {
	fails := func(t *testcase) (verdict, bool) {
		if p.fresh() != nil {
			return verdict{}, false
		}
		if earlier != nil {
			p.try(ctx, earlier)
		}
		v := p.check(ctx, t)
		return v, v.Failing == f
	}
	best, why := c, verdict{}
	if v, ok := fails(c); ok {
		why = v
	} else {
		return c, why // it needs what ran before it on its connection
	}
	try := func(change func(t *testcase)) bool {
		t := *best
		t.Setup = slices.Clone(best.Setup)
		change(&t)
		v, ok := fails(&t)
		if ok {
			best, why = &t, v
		}
		return ok
	}
	try(func(t *testcase) { t.Wrap, t.Savepoint = autocommit, false })
	try(func(t *testcase) { t.Savepoint = false })
	try(func(t *testcase) { t.Method = execPlain })
	for taken := true; taken; {
		taken = false
		for size := max(len(best.Setup)/2, 1); size > 0; size /= 2 {
			// From the end: later statements depend on earlier ones.
			for end := len(best.Setup); end > 0; end -= size {
				at := max(end-size, 0)
				if end <= len(best.Setup) && try(func(t *testcase) { t.Setup = slices.Delete(t.Setup, at, end) }) {
					taken = true
				}
			}
		}
	}
	return best, why
}
