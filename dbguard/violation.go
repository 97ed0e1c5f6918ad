package dbguard

import (
	"errors"
	"strconv"
	"strings"
)

// ErrRefused is what every refusal is, whatever its rule:
// errors.Is(err, dbguard.ErrRefused).
var ErrRefused = errors.New("refused by dbguard")

// Effect says what is known of the database after an operation.
type Effect uint8

const (
	EffectNone    Effect = iota // the operation was not sent, or the server refused it: nothing was changed
	EffectUndone                // it ran and was rolled back: nothing was changed
	EffectApplied               // it ran; what it changed stands, or will when the caller commits
	EffectUnknown               // the connection was lost when it mattered: look before running it again
)

// String is "none", "undone", "applied" or "unknown".
func (e Effect) String() string {
	switch e {
	case EffectNone:
		return "none"
	case EffectUndone:
		return "undone"
	case EffectApplied:
		return "applied"
	}
	return "unknown"
}

func (e Effect) sentence() string {
	switch e {
	case EffectNone, EffectUndone:
		return "nothing was changed"
	case EffectApplied:
		return "it was changed all the same"
	}
	return "whether it was changed is unknown"
}

// Violation is the error of an operation that was refused, undone, or whose
// fate is unknown. Find it with errors.As; errors.Is knows the RuleID of each
// of its findings and ErrRefused.
type Violation struct {
	Rule   RuleID // the first rule that refused; Unconfirmed is a lost reply, not a refusal
	Op     Op
	Limit  int64  // the bound that held, -1 without one
	Rows   int64  // existing rows affected before the undo, -1 if unknown
	Effect Effect // what is left of it in the database
	Site   string // the caller's file:line, as far as it could be found
	Fix    string // the next step
	Err    error  // the cause, where there is one: the error of a COMMIT or ROLLBACK

	Findings []Finding // every rule that refused, in the order of their IDs
}

// Error is one line: place, rule, what, how much is left of it, what to do.
func (v *Violation) Error() string {
	var b strings.Builder
	if v.Site != "" {
		b.WriteString(v.Site + ": ")
	}
	b.WriteString(v.Rule.Error() + ": ")
	if len(v.Findings) > 0 {
		b.WriteString(v.Findings[0].Message)
	} else {
		b.WriteString(v.Op.String())
	}
	b.WriteString("; " + v.Effect.sentence())
	if v.Err != nil {
		b.WriteString(" (" + v.Err.Error() + ")")
	}
	if v.Fix != "" {
		b.WriteString(". " + v.Fix)
	}
	return b.String()
}

// Detail is Error in labelled lines: every finding, the masked statement with
// a caret under the object, the counts and the reason of the rule.
func (v *Violation) Detail() string {
	var b strings.Builder
	line := func(label, text string) {
		if text != "" {
			b.WriteString(label + strings.Repeat(" ", 11-len(label)) + text + "\n")
		}
	}
	for _, f := range v.Findings {
		line("refused:", f.Rule.Error()+": "+f.Message)
		line("fix:", f.Fix)
	}
	line("site:", v.Site)
	line("statement:", v.Op.Text)
	line("", v.caret())
	if v.Limit >= 0 {
		line("bound:", rows(v.Limit))
	}
	if v.Rows >= 0 {
		line("affected:", rows(v.Rows))
	}
	line("effect:", v.Effect.String()+": "+v.Effect.sentence())
	if v.Err != nil {
		line("cause:", v.Err.Error())
	}
	if r := ruleByID(v.Rule); r != nil {
		line("why:", r.Why)
	}
	return b.String()
}

// caret marks the first object in the masked text.
func (v *Violation) caret() string {
	for _, object := range v.Op.objects() {
		if i := strings.Index(v.Op.Text, object); i >= 0 {
			return strings.Repeat(" ", len([]rune(v.Op.Text[:i]))) + "^"
		}
	}
	return ""
}

// Is reports whether target is ErrRefused or the ID of one of the rules that refused.
func (v *Violation) Is(target error) bool {
	if target == ErrRefused {
		return v.Rule != Unconfirmed
	}
	id, ok := target.(RuleID)
	if !ok {
		return false
	}
	for _, f := range v.Findings {
		if f.Rule == id {
			return true
		}
	}
	return v.Rule == id
}

// Unwrap is the cause.
func (v *Violation) Unwrap() error { return v.Err }

// limitText is a bound for messages and attributes.
func limitText(n int64) string {
	if n < 0 {
		return "none"
	}
	return strconv.FormatInt(n, 10)
}
