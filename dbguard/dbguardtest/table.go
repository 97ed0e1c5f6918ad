package dbguardtest

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/dbguard/dbguard-go/dbguard"
)

// table lists events, one per line, in aligned columns.
func table(events []dbguard.Event) string {
	if len(events) == 0 {
		return "nothing: is the Recorder among Policy.Observers?\n"
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "OUTCOME\tOPERATION\tROWS\tRULE\tSITE")
	for i := range events {
		e := &events[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", e.Outcome, &e.Op, rowsCell(e), ruleCell(e), e.Site)
	}
	w.Flush()
	return trimLines(b.String())
}

// rowsCell is the number of rows and, if not all are in the named table, where they
// are.
func rowsCell(e *dbguard.Event) string {
	switch {
	case e.Rows < 0 && e.Effect == dbguard.EffectNone:
		return "-"
	case e.Rows < 0:
		return "?"
	}
	cell := fmt.Sprint(e.Rows)
	if len(e.Tables) < 2 {
		return cell
	}
	parts := make([]string, len(e.Tables))
	for i, t := range e.Tables {
		parts[i] = fmt.Sprintf("%d of %s", t.Rows, nameOf(t))
	}
	return cell + ": " + strings.Join(parts, ", ")
}

func nameOf(t dbguard.TableRows) string {
	if t.Table == "" {
		return "other tables"
	}
	return t.Table
}

func ruleCell(e *dbguard.Event) string {
	if e.Rule == "" {
		return ""
	}
	return e.Rule.Error()
}

// trimLines removes the blanks that empty cells leave at the ends of lines.
func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
