package property

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dbguard/dbguard-go/dbguard"
)

// A report sums up the cases of one target.
type report struct {
	cases, invalid, passed, failedBare, again int
	refused                                   map[dbguard.RuleID]int
	within                                    map[string]int // refusals of what is within the bound when run bare, by reason
	gaps                                      map[string]int
	unexplained                               []string
	firstInvalid                              string
	took                                      time.Duration
}

func newReport() *report {
	return &report{refused: map[dbguard.RuleID]int{}, within: map[string]int{}, gaps: map[string]int{}}
}

func (r *report) add(c *testcase, v *verdict) {
	r.cases++
	switch {
	case v.Failing == invalid:
		r.invalid++
	case v.Refused != "":
		r.refused[v.Refused]++
		if v.Within && v.Failing == "" {
			reason := v.Refused.Error() + " by its text"
			switch {
			case v.Touched > 0:
				reason = v.Refused.Error() + ": rows touched twice, or set to what they were"
			case c.Class == "temporary table":
				reason = v.Refused.Error() + ": rows of a temporary table"
			}
			r.within[reason]++
		}
	case v.Again:
		r.again++
	case v.BareErr:
		r.failedBare++
	default:
		r.passed++
	}
}

// String is the report, a line for each kind of thing that happened.
func (r *report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d cases in %s (%.0f/s): %d passed, %d failed bare as well, %d to be run again, %d invalid\n",
		r.cases, r.took.Round(time.Millisecond), float64(r.cases)/r.took.Seconds(), r.passed, r.failedBare, r.again, r.invalid)
	for _, id := range slices.Sorted(maps.Keys(r.refused)) {
		fmt.Fprintf(&b, "  refused, %s: %d\n", id.Error(), r.refused[id])
	}
	for _, list := range []struct {
		what string
		of   map[string]int
	}{{"within the bound and refused", r.within}, {"known gap", r.gaps}} {
		for _, name := range slices.Sorted(maps.Keys(list.of)) {
			fmt.Fprintf(&b, "  %s, %s: %d\n", list.what, name, list.of[name])
		}
	}
	fmt.Fprintf(&b, "  unexplained: %d", len(r.unexplained))
	return b.String()
}
