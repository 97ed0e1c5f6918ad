// Rulespage writes the page that explains dbguard's rules to its users, from
// the table that the rules are made of.
//
//	go run ./internal/rulespage dbguard/RULES.md
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: rulespage FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], []byte(page(dbguard.Rules())), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const head = `<!-- Generated from the table of rules by go generate ./dbguard. Do not edit. -->

# Rules

What a guard refuses unless told otherwise. IDs are permanent: they name a rule in errors, in traces and in
` + "`Policy.Levels`" + `, where each can be set to ` + "`Deny`, `Warn` or `Off`" + `. In a program, ` + "`dbguard.Rules()`" + ` is this table.

A statement that breaks several rules is told all of them: the first in ` + "`Error()`, every one in `Detail()`" + `.

`

// page is the table as Markdown: an overview, then a section for each rule.
func page(rules []dbguard.Rule) string {
	var b strings.Builder
	b.WriteString(head)
	b.WriteString("| ID | Name | | Default |\n|---|---|---|---|\n")
	for _, r := range rules {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s |\n", string(r.ID), anchor(r), r.Name, cell(r.Title), level(r))
	}
	for _, r := range rules {
		section(&b, r)
	}
	return b.String()
}

func section(b *strings.Builder, r dbguard.Rule) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n%s\n\n", title(r), capital(r.Title), r.Why)
	if r.Bad != "" {
		fmt.Fprintf(b, "```go\n// %s\n%s\n\n// passes\n%s\n```\n\n", verdict(r), r.Bad, r.Good)
	}
	fmt.Fprintf(b, "**Fix:** %s\n\n*Since %s. Default: %s.*\n", r.Fix, r.Since, level(r))
}

func title(r dbguard.Rule) string { return r.ID.Error() }

// anchor is what Markdown renderers make of the section's heading.
func anchor(r dbguard.Rule) string {
	return strings.ReplaceAll(strings.ToLower(title(r)), " ", "-")
}

// level is the default; what is a fact and no verdict has none.
func level(r dbguard.Rule) string {
	if r.ID == dbguard.Unconfirmed {
		return "always told"
	}
	return r.Default.String()
}

func verdict(r dbguard.Rule) string {
	if r.Default == dbguard.Warn {
		return "passes, with a warning"
	}
	return "refused: " + string(r.ID)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
