package dbguard

import (
	"fmt"
	"slices"
)

// rule is a row of the table beside nothing but its check and its words.
type rule struct {
	Rule
	// check says whether an act breaks the rule. Nil: the rule is told by a
	// door, not found by judging.
	check func(*inquiry, *Act) answer
	say   func(*inquiry, *Act) string
	fix   func(*inquiry, *Act) string
	// perOp is set where one finding speaks for all acts of the operation.
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

// ungranted is the check of a rule that acts of these kinds break unless their grant is there.
func ungranted(verbs ...Verb) func(*inquiry, *Act) answer {
	return func(q *inquiry, a *Act) answer {
		return when(slices.Contains(verbs, a.Verb) && !q.granted(a.needs()))
	}
}

// onObject is a phrase after "DROP TABLE on users", with the door's note if there is one.
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

// grantFix tells which grant lifts the rule.
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
