package dbguard

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
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
	EffectUnknown               // the connection was lost before the outcome was known: look before running it again
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
		return "it was done all the same"
	}
	return "whether anything was changed is unknown"
}

// Violation is the error of an operation that was refused, undone, or whose outcome
// is unknown. Find it with errors.As; errors.Is matches the RuleID of each of its
// findings, and ErrRefused.
type Violation struct {
	Rule   RuleID // the first rule that refused; Unconfirmed is a lost reply, not a refusal
	Op     Op
	Limit  int64  // the bound that applied, -1 without one
	Rows   int64  // existing rows affected before the undo, -1 if unknown
	Effect Effect // on the database
	Site   string // the caller's file:line, as far as it could be found
	Fix    string // the next step
	Err    error  // the cause, where there is one: the error of a COMMIT or ROLLBACK

	Findings []Finding // every rule that refused, in the order of their IDs
}

// Error is one line: call site, rule, operation, effect, next step.
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
		b.WriteString(". " + v.Fix + ".")
	}
	return b.String()
}

// ErrorType is the rule's ID: error.type in spans and metrics of OpenTelemetry.
func (v *Violation) ErrorType() string { return string(v.Rule) }

// Detail is Error in labelled lines: every finding, the masked statement with a caret
// under the object, the counts and the reason for the rule.
func (v *Violation) Detail() string {
	var b strings.Builder
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-11s%s\n", label, text)
		}
	}
	label := "refused:"
	if v.Rule == Unconfirmed {
		label = "unknown:"
	}
	for _, f := range v.Findings {
		line(label, f.Rule.Error()+": "+f.Message)
		line("fix:", f.Fix)
	}
	line("site:", v.Site)
	text := strings.Join(strings.Fields(v.Op.Text), " ") // one line, so that the caret finds its place
	line("statement:", text)
	line("", caret(text, v.objects()))
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

// objects are those of the findings or, if they are about the operation as a whole,
// all.
func (v *Violation) objects() []string {
	for _, f := range v.Findings {
		if f.Object != "" {
			return []string{f.Object}
		}
	}
	return v.Op.objects()
}

// caret marks the first object that occurs in the text as a word.
func caret(text string, objects []string) string {
	for _, object := range objects {
		for from := 0; ; {
			i := strings.Index(text[from:], object)
			if i < 0 {
				break
			}
			at, end := from+i, from+i+len(object)
			if !endsInWord(text[:at]) && !startsWithWord(text[end:]) {
				return strings.Repeat(" ", utf8.RuneCountInString(text[:at])) + "^"
			}
			from = end
		}
	}
	return ""
}

func endsInWord(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return isWord(r)
}

func startsWithWord(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return isWord(r)
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

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
