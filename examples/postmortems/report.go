package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// A report writes results as they come.
type report interface {
	engine(version string)
	result(*result)
	end([]*result) error
}

// jsonReport writes one list at the end, for machines; spans go to another
// writer so that the list stays one.
type jsonReport struct{ out, spans io.Writer }

func (jsonReport) engine(string) {}

func (r jsonReport) result(res *result) {
	if r.spans != nil {
		for _, s := range res.spans {
			printSpan(r.spans, "", s)
		}
	}
}

func (r jsonReport) end(all []*result) error {
	enc := json.NewEncoder(r.out)
	enc.SetEscapeHTML(false) // people read it, too
	enc.SetIndent("", "  ")
	return enc.Encode(all)
}

// textReport is for people.
type textReport struct {
	out   io.Writer
	paint palette
	trace bool
}

func (r textReport) engine(version string) {
	fmt.Fprintf(r.out, "Post-mortems on %s: the same code on a bare handle, then behind a guard.\n\n", version)
}

func (r textReport) result(res *result) {
	p := res.replay
	r.line("%s", r.paint.bold(fmt.Sprintf("%d  %s, %s", p.incident, p.company, p.date)))
	r.line("   %s", p.happened)
	r.line("   %s", p.here)
	r.line("     %s", p.code)
	if res.statement != "" && res.statement != p.code {
		r.line("     %s", res.statement)
	}
	r.printRun("bare", res.Bare, p.unit)
	r.printRun("guarded", res.Guarded.runResult, p.unit)
	if res.Guarded.Message != "" {
		r.line("     %s", r.paint.bold(res.Guarded.Message))
	} else {
		r.line("     %s", r.paint.red("nothing was refused"))
	}
	if r.trace {
		for _, s := range res.spans {
			printSpan(r.out, "     ", s)
		}
	}
	r.line("")
}

func (r textReport) printRun(name string, h runResult, unit string) {
	verdict := r.paint.green("none lost")
	if h.lost() > 0 {
		verdict = r.paint.red(fmt.Sprintf("%d lost", h.lost()))
	}
	r.line("   %-8s %d %s -> %d   %s", name, h.RowsBefore, unit, h.RowsAfter, verdict)
}

func (r textReport) end(all []*result) error {
	var bare, guarded int
	for _, res := range all {
		bare += res.Bare.lost()
		guarded += res.Guarded.lost()
	}
	_, err := fmt.Fprintf(r.out, "%d replays: %d rows and documents lost bare, %d behind the guard.\n"+
		"One counts as lost if it was deleted, or if a value in it was changed.\n", len(all), bare, guarded)
	return err
}

func (r textReport) line(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

// A palette colours text, or leaves it unchanged.
type palette bool

func (p palette) red(s string) string   { return p.wrap("31", s) }
func (p palette) green(s string) string { return p.wrap("32", s) }
func (p palette) bold(s string) string  { return p.wrap("1", s) }

func (p palette) wrap(code, s string) string {
	if !p {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// paletteFor has colours on a terminal only, and none if NO_COLOR is set
// (no-color.org).
func paletteFor(w io.Writer) palette {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && palette(info.Mode()&os.ModeCharDevice != 0)
}
