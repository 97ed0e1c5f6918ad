package dbguard

import (
	"fmt"
	"slices"
)

// rule is a row of the table, with its check and its messages.
type rule struct {
	Rule
	// check says whether an act breaks the rule. Nil: the rule is reported by an
	// adapter, not found by judging.
	check   func(*inquiry, *Act) answer
	message func(*inquiry, *Act) string
	fix     func(*inquiry, *Act) string
	// perOp is set if one finding covers all acts of the operation.
	perOp bool
}

const firstVersion = "0.1.0"

//go:generate go run ../internal/rulespage RULES.md

var rules = slices.Concat(structureRules, rowRules, textRules, serverRules)

// when turns a condition into an answer.
func when(broken bool) answer {
	if broken {
		return hits
	}
	return passes
}

// ungranted is the check of a rule that acts of these kinds break unless they are
// granted.
func ungranted(verbs ...Verb) func(*inquiry, *Act) answer {
	return func(q *inquiry, a *Act) answer {
		return when(slices.Contains(verbs, a.Verb) && !q.granted(a.needs()))
	}
}

// onObject is a phrase after "DROP TABLE on users", followed by the adapter's note if
// any.
func onObject(phrase string) func(*inquiry, *Act) string {
	return func(q *inquiry, a *Act) string {
		text := q.op.name()
		if a.Object != "" {
			text += " on " + a.Object
		}
		text += " " + phrase
		if a.Note != "" {
			text += " (" + a.Note + ")"
		}
		return text
	}
}

// grantFix says which grant permits the act.
func grantFix(what string) func(*inquiry, *Act) string {
	return func(_ *inquiry, a *Act) string {
		return allowFix(what, a.needs())
	}
}

func fixed(text string) func(*inquiry, *Act) string {
	return func(*inquiry, *Act) string { return text }
}

func rows(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}
