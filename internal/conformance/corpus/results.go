package corpus

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// Explanations hold the reasons of known findings.
type Explanations map[target.Engine]map[findingKey]string

// name reports whether something is explained of the entry.
func (x Explanations) name(engine target.Engine, entry string) bool {
	for key := range x[engine] {
		if key.entry == entry {
			return true
		}
	}
	return false
}

// LoadExplanations reads lines of the form
//
//	engine kind entry …: explanation
func LoadExplanations(path string) (Explanations, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	x := Explanations{}
	for n, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := x.add(line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n+1, err)
		}
	}
	return x, nil
}

func (x Explanations) add(line string) error {
	head, why, ok := strings.Cut(line, ": ")
	fields := strings.Fields(head)
	if !ok || len(fields) < 3 {
		return errors.New("want: engine kind entry …: explanation")
	}
	engine := target.Engine(fields[0])
	if x[engine] == nil {
		x[engine] = map[findingKey]string{}
	}
	for _, id := range fields[2:] {
		key := findingKey{Kind(fields[1]), id}
		if x[engine][key] != "" {
			return fmt.Errorf("%s %s is explained twice", fields[1], id)
		}
		x[engine][key] = why
	}
	return nil
}

// sectionMark begins an engine's section of the results.
const sectionMark = "## "

const resultsHead = `# The statement corpus, guarded

Every entry of ` + "`testdata/*.jsonl`" + ` with a bound of one row (` + "`AtMost(ctx, 1)`" + `), in each mode of database/sql,
on a fresh database that is compared as a whole afterwards; in ` + "`more.jsonl`" + ` the drivers of an engine take turns, and so do
the three modes of Query and Prepare; on MySQL a third runs of what was written for MariaDB. *dangerous* entries escape when they run bare, which a test proves. *escapes*: more than one existing row lost or changed, or structure, or a database, without a grant. *false
refusals*: refused although one row is the most that it changes. *other*: a refusal that left something behind or lost
the connection or the caller's transaction; an allowed statement that did not do what the bare driver does; a goroutine
left over. Written by ` + "`go test ./internal/conformance/corpus -update`" + `; ` + "`explanations.txt`" + ` holds the last column.

`

// results is the file that the repository keeps: one section per engine, so
// that a machine without one of the servers compares and updates the others.
type results map[target.Engine]string

func loadResults(path string) (results, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	r := results{}
	for i, section := range strings.Split(string(text), "\n"+sectionMark) {
		if i > 0 {
			engine, _, _ := strings.Cut(section, "\n")
			r[target.Engine(engine)] = sectionMark + strings.TrimRight(section, "\n") + "\n\n"
		}
	}
	return r, nil
}

func (r results) write(path string) error {
	text := resultsHead
	for _, engine := range target.Engines {
		text += r[engine]
	}
	return os.WriteFile(path, []byte(strings.TrimRight(text, "\n")+"\n"), 0o644)
}
