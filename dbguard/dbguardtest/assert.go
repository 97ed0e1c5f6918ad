package dbguardtest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// TestingT is what the assertions need of a *testing.T. testify's TestingT is the
// same.
type TestingT interface {
	Errorf(format string, args ...any)
}

// helper is the part of *testing.T that keeps the assertions' own lines out of
// reports.
type helper interface{ Helper() }

// AssertRefused asserts that err is a refusal by the rule: a *dbguard.Violation,
// wrapped or not, that has a finding of it.
func AssertRefused(t TestingT, err error, rule dbguard.RuleID, msgAndArgs ...any) bool {
	if h, ok := t.(helper); ok {
		h.Helper()
	}
	var v *dbguard.Violation
	switch {
	case errors.Is(err, dbguard.ErrRefused) && errors.Is(err, rule):
		return true
	case err == nil:
		return fail(t, "AssertRefused: there is no error, want "+rule.Error(), "", msgAndArgs)
	case !errors.As(err, &v):
		return fail(t, "AssertRefused: an error that is no refusal, want "+rule.Error(), "error: "+err.Error(), msgAndArgs)
	case v.Rule == dbguard.Unconfirmed:
		return fail(t, "AssertRefused: a reply was lost, which is no refusal, want "+rule.Error(), v.Detail(), msgAndArgs)
	}
	return fail(t, fmt.Sprintf("AssertRefused: refused by %s, want %s", v.Rule.Error(), rule.Error()), v.Detail(), msgAndArgs)
}

// AssertChanged asserts that the recorded operations deleted or changed this many
// existing rows of the table, named as in the statements. Rows reached by cascade or
// trigger count as far as the engine reports them, what a rollback undid does not.
func AssertChanged(t TestingT, rec *Recorder, table string, rows int64, msgAndArgs ...any) bool {
	if h, ok := t.(helper); ok {
		h.Helper()
	}
	if rec == nil {
		return failNil(t, "AssertChanged", msgAndArgs)
	}
	tally, got := count(rec.Events()), ""
	switch n := tally.rows[fold(table)]; {
	case tally.unknown:
		got = "a reply was lost, so that nobody knows how many rows of " + table
	case tally.uncounted(table):
		got = "nobody counted how many rows of " + table
	case n == rows:
		return true
	case n == 1:
		got = "1 row of " + table
	default:
		got = fmt.Sprintf("%d rows of %s", n, table)
	}
	return fail(t, fmt.Sprintf("AssertChanged: %s changed, want %d", got, rows), recorded(rec), msgAndArgs)
}

// AssertNothingDestroyed asserts that no existing row was deleted or changed
// and no table or database dropped, emptied or altered, or that all of it was
// rolled back. What was refused destroyed nothing.
func AssertNothingDestroyed(t TestingT, rec *Recorder, msgAndArgs ...any) bool {
	if h, ok := t.(helper); ok {
		h.Helper()
	}
	if rec == nil {
		return failNil(t, "AssertNothingDestroyed", msgAndArgs)
	}
	tally := count(rec.Events())
	switch {
	case tally.nothing():
		return true
	case tally.unknown:
		return fail(t, "AssertNothingDestroyed: a reply was lost, so that nobody knows", recorded(rec), msgAndArgs)
	}
	return fail(t, "AssertNothingDestroyed: something was", recorded(rec), msgAndArgs)
}

func recorded(rec *Recorder) string { return "recorded:\n" + indent(rec.String()) }

func failNil(t TestingT, assertion string, msgAndArgs []any) bool {
	if h, ok := t.(helper); ok {
		h.Helper()
	}
	return fail(t, assertion+": the Recorder is nil: make one with NewRecorder", "", msgAndArgs)
}

// fail reports what is wrong, the caller's message, and the particulars.
func fail(t TestingT, what, particulars string, msgAndArgs []any) bool {
	if h, ok := t.(helper); ok {
		h.Helper()
	}
	if text := message(msgAndArgs); text != "" {
		what += "\nmessage: " + text
	}
	if particulars != "" {
		what += "\n" + strings.TrimRight(particulars, "\n")
	}
	t.Errorf("%s", what)
	return false
}

// message reads msgAndArgs as testify does: a text, or a format and its arguments.
func message(msgAndArgs []any) string {
	if len(msgAndArgs) == 0 {
		return ""
	}
	format, ok := msgAndArgs[0].(string)
	switch {
	case len(msgAndArgs) == 1 && ok:
		return format
	case len(msgAndArgs) == 1:
		return fmt.Sprintf("%+v", msgAndArgs[0])
	case !ok:
		return fmt.Sprint(msgAndArgs...)
	}
	return fmt.Sprintf(format, msgAndArgs[1:]...)
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n  ")
}
