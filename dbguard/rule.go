package dbguard

import "slices"

// RuleID identifies a rule permanently: an ID is never reused. It is itself an error,
// so that errors.Is(err, dbguard.Unbounded) tells whether a statement was refused by
// that rule.
type RuleID string

// The rules. Two carry a prefix because the grant that lifts them has the name.
const (
	ImplicitCreate     RuleID = "DG101"
	Drop               RuleID = "DG102"
	RuleTruncate       RuleID = "DG103"
	Alter              RuleID = "DG104"
	GuardOff           RuleID = "DG105"
	Unbounded          RuleID = "DG201"
	Unfiltered         RuleID = "DG202"
	AlwaysTrue         RuleID = "DG203"
	OverLimit          RuleID = "DG204"
	UnderLimit         RuleID = "DG205"
	OverBudget         RuleID = "DG206"
	Uncountable        RuleID = "DG207"
	Unconfirmed        RuleID = "DG208"
	Unreadable         RuleID = "DG301"
	Stacked            RuleID = "DG302"
	RuleOpaque         RuleID = "DG303"
	TransactionControl RuleID = "DG304"
	NotReady           RuleID = "DG401"
	UnboundedPool      RuleID = "DG404"
)

// Error is the ID and the name: "DG204 OverLimit".
func (id RuleID) Error() string {
	if r := ruleByID(id); r != nil {
		return string(id) + " " + r.Name
	}
	return string(id)
}

// Rule is a row of the table of rules, as data for documentation and tools.
type Rule struct {
	ID      RuleID
	Name    string
	Title   string // one line: what is refused
	Why     string // what happened where it was not refused
	Bad     string // Go code that this rule, and no other, refuses
	Good    string // Go code that does the same and passes
	Fix     string // what a refusal tells the caller to do
	Since   string // the version that introduced it
	Default Level
}

// Rules is the table of rules in the order of their IDs.
func Rules() []Rule {
	table := make([]Rule, len(rules))
	for i, r := range rules {
		table[i] = r.Rule
	}
	return table
}

func ruleByID(id RuleID) *rule {
	i := slices.IndexFunc(rules, func(r *rule) bool { return r.ID == id })
	if i < 0 {
		return nil
	}
	return rules[i]
}
