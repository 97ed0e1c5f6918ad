package corpus

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// A Report collects the findings on one engine.
type Report struct {
	Engine target.Engine
	rows   []*tally
	open   map[findingKey][]string // where: "driver: mode"
	notes  map[string]string       // of entries that are not perfect
}

// tally is a row of a table: the entries of one file, over one driver in one mode.
type tally struct {
	file, driver, mode          string
	entries, dangerous, refused int
	found                       map[Kind]int
}

// findingKey is a line of the list under the table.
type findingKey struct {
	kind  Kind
	entry string
}

// NewReport begins the report of an engine.
func NewReport(engine target.Engine) *Report {
	return &Report{Engine: engine, open: map[findingKey][]string{}, notes: map[string]string{}}
}

// Add counts one run.
func (r *Report) Add(driver string, m Mode, e Entry, refused bool, found []Finding) {
	row := r.row(e.File, driver, m.Name)
	row.entries++
	if !e.BoundedOK {
		row.dangerous++
	}
	if refused {
		row.refused++
	}
	for _, f := range found {
		row.found[f.Kind]++
		key := findingKey{f.Kind, e.ID}
		r.open[key] = append(r.open[key], driver+": "+m.Name)
		r.notes[e.ID] = e.Note
	}
}

func (r *Report) row(file, driver, mode string) *tally {
	for _, row := range r.rows {
		if row.file == file && row.driver == driver && row.mode == mode {
			return row
		}
	}
	for _, m := range Modes { // in their order, whichever comes first
		r.rows = append(r.rows, &tally{file: file, driver: driver, mode: m.Name, found: map[Kind]int{}})
	}
	return r.row(file, driver, mode)
}

// Unexplained lists findings without an explanation, and explanations without a finding:
// each is a mistake.
func (r *Report) Unexplained(x Explanations) (mistakes []string) {
	for key, where := range r.open {
		if x[r.Engine][key] == "" {
			mistakes = append(mistakes, fmt.Sprintf("%s %s %s has no explanation (%s)", r.Engine, key.kind, key.entry, compact(where)))
		}
	}
	for key := range x[r.Engine] {
		if r.open[key] == nil {
			mistakes = append(mistakes, fmt.Sprintf("%s %s %s is explained and does not happen", r.Engine, key.kind, key.entry))
		}
	}
	slices.Sort(mistakes)
	return mistakes
}

// Markdown is the engine's section of the results.
func (r *Report) Markdown(x Explanations) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n\n", sectionMark, r.Engine)
	for _, file := range r.files() {
		fmt.Fprintf(&b, "`%s`\n\n%s", file, tableHead)
		for _, row := range r.rows {
			if row.file == file && row.entries > 0 {
				b.WriteString(row.markdown())
			}
		}
		b.WriteString("\n")
	}
	if len(r.open) > 0 {
		b.WriteString("| entry | what | about | where | why |\n|---|---|---|---|---|\n")
	}
	for _, key := range r.sorted() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", key.entry, key.kind,
			cell(r.notes[key.entry]), compact(r.open[key]), cell(x[r.Engine][key]))
	}
	return strings.TrimRight(b.String(), "\n") + "\n\n"
}

const tableHead = "| driver | mode | entries | dangerous | refused | escapes | false refusals | other |\n" +
	"|---|---|--:|--:|--:|--:|--:|--:|\n"

func (y *tally) markdown() string {
	others := 0
	for kind, n := range y.found {
		if kind != Escape && kind != FalseRefusal {
			others += n
		}
	}
	return fmt.Sprintf("| %s | %s | %d | %d | %d | %d | %d | %d |\n", y.driver, y.mode,
		y.entries, y.dangerous, y.refused, y.found[Escape], y.found[FalseRefusal], others)
}

// files are those of the entries, in their order.
func (r *Report) files() (names []string) {
	for _, row := range r.rows {
		if !slices.Contains(names, row.file) {
			names = append(names, row.file)
		}
	}
	return names
}

func (r *Report) sorted() []findingKey {
	var items []findingKey
	for key := range r.open {
		items = append(items, key)
	}
	slices.SortFunc(items, func(a, b findingKey) int {
		return strings.Compare(string(a.kind)+a.entry, string(b.kind)+b.entry)
	})
	return items
}

// compact turns "a: x", "a: y", "b: x" into "a: x, y; b: x", and a driver's
// every mode into its name.
func compact(where []string) string {
	var drivers []string
	modes := map[string][]string{}
	for _, w := range where {
		driver, mode, _ := strings.Cut(w, ": ")
		if modes[driver] == nil {
			drivers = append(drivers, driver)
		}
		modes[driver] = append(modes[driver], mode)
	}
	for i, d := range drivers {
		if len(modes[d]) < len(Modes) {
			drivers[i] += ": " + strings.Join(modes[d], ", ")
		}
	}
	return strings.Join(drivers, "; ")
}

// cell keeps a text inside its column.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
