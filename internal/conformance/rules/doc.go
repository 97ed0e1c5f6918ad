// Package rules runs the examples in the table of rules: every Bad must be refused by exactly
// its rule, every Good by none. The examples are Go expressions in strings, so a small
// evaluator reads the few calls that they are made of.
package rules
