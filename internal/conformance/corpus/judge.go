package corpus

import (
	"errors"
	"fmt"

	"github.com/dbguard/dbguard-go/dbguard"
)

// A Kind is a way in which a guarded run can fall short.
type Kind string

// The kinds.
const (
	Escape       Kind = "escape"        // more than one existing row, or structure, or a database, without a grant
	FalseRefusal Kind = "false-refusal" // refused though a bound of one row allows it
	HalfDone     Kind = "half-done"     // refused, and something has changed all the same, or nobody knows
	Connection   Kind = "connection"    // refused, and the connection does not work any more
	Transaction  Kind = "transaction"   // refused, and the caller's transaction was lost with it
	Differs      Kind = "differs"       // not refused, and not what the bare driver does
	Leak         Kind = "leak"          // goroutines are left over
)

// A Finding is one shortcoming of one run.
type Finding struct {
	Kind Kind
	Text string
}

// Judge compares a guarded run with what was promised. bare runs the same without a guard;
// it is called only where it matters.
func Judge(e Entry, m Mode, guarded Outcome, bare func() Outcome) (found []Finding) {
	add := func(k Kind, format string, args ...any) {
		found = append(found, Finding{k, fmt.Sprintf(format, args...)})
	}
	if escape := guarded.Diff.Escape(1); escape != "" {
		add(Escape, "%s", escape)
	}
	if guarded.Leak != nil {
		add(Leak, "%v", guarded.Leak)
	}
	var v *dbguard.Violation
	if !errors.As(guarded.Err, &v) {
		if difference := compare(e, guarded, bare()); difference != "" {
			add(Differs, "%s", difference)
		}
		return found
	}
	if e.BoundedOK && bare().Err == nil { // what fails bare may fail guarded
		add(FalseRefusal, "%v", v)
	}
	if !guarded.Diff.Empty() || v.Effect == dbguard.EffectApplied || v.Effect == dbguard.EffectUnknown {
		add(HalfDone, "effect %v, %v", v.Effect, guarded.Diff)
	}
	kind := Connection
	if m.inTx {
		kind = Transaction
	}
	if guarded.Alive != nil || guarded.Replaced || m.inTx && !guarded.Marker {
		add(kind, "next read: %v, another connection: %v, written before: %v", guarded.Alive, guarded.Replaced, guarded.Marker)
	}
	return found
}

// compare says which difference a caller would notice.
func compare(e Entry, guarded, bare Outcome) string {
	type view struct{ what, guarded, bare string }
	views := []view{
		{"error", fmt.Sprint(guarded.Err), fmt.Sprint(bare.Err)},
		{"result", guarded.Answer.result, bare.Answer.result},
		{"columns", guarded.Answer.shape, bare.Answer.shape},
		{"change", guarded.Diff.String(), bare.Diff.String()},
		{"next read", fmt.Sprint(guarded.Alive), fmt.Sprint(bare.Alive)},
		{"committed", fmt.Sprint(guarded.Marker), fmt.Sprint(bare.Marker)},
	}
	if e.repeatable() {
		views = append(views, view{"rows", guarded.Answer.rows, bare.Answer.rows})
	}
	for _, v := range views {
		if v.guarded != v.bare {
			return fmt.Sprintf("%s: guarded %q, bare %q", v.what, v.guarded, v.bare)
		}
	}
	return ""
}
