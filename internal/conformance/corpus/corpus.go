// Package corpus runs collected statements, dangerous and harmless, on every
// engine they apply to, bare and guarded with a bound of one row, and compares
// the whole database with what it was.
package corpus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// An Entry is a statement with the tables it runs on. The files of testdata
// hold them one per line.
type Entry struct {
	File      string          `json:"-"` // its name without the folder
	ID        string          `json:"id"`
	Category  string          `json:"category"` // harmless, evasion, incident, ordinary
	Setup     string          `json:"setup"`
	Statement string          `json:"statement"`
	RowsHit   *int            `json:"rows_hit"`   // existing rows deleted or changed when it runs bare
	BoundedOK bool            `json:"bounded_ok"` // whether a bound of one row may let it commit
	AppliesTo []target.Engine `json:"applies_to"`
	Since     int             `json:"since"` // the first PostgreSQL that runs it, where an older one does not
	Note      string          `json:"note"`

	// inherited entries are MariaDB's, run on MySQL: rows_hit and bounded_ok are not true
	// there before [fixture.measure] has set them.
	inherited bool
}

// Load reads the entries of a file.
func Load(path string) ([]Entry, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for n := 1; lines.Scan(); n++ {
		e := Entry{File: filepath.Base(path)}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		entries = append(entries, e)
	}
	return entries, lines.Err()
}

// For keeps the entries that an engine runs, if its server is of this major version. MySQL
// runs those of MariaDB, too.
func For(entries []Entry, engine target.Engine, major int) (kept []Entry) {
	for _, e := range entries {
		own := slices.Contains(e.AppliesTo, engine)
		e.inherited = !own && engine == target.MySQL && slices.Contains(e.AppliesTo, target.MariaDB)
		if (own || e.inherited) && e.Since <= major {
			kept = append(kept, e)
		}
	}
	return kept
}

// bareMode is the mode in which an entry does what it is there for.
func (e Entry) bareMode() Mode {
	if onlyInTx[e.ID] != "" {
		return Modes[len(Modes)-1]
	}
	return Modes[0]
}

// onlyInTx names the entries that do nothing outside a transaction, and why.
var onlyInTx = map[string]string{
	"eva-134": "COMMIT AND CHAIN is an error in autocommit, which undoes the DELETE before it",
}

// crashesBare reports that the bare driver does not survive the entry.
func crashesBare(tg target.Target, m Mode, e Entry) bool {
	if m.Name != "prepared" {
		return false
	}
	switch tg.Driver {
	case "mysql":
		return slices.Contains([]string{
			"eva-041", "ok-007", "ok-023", "ok-046", "ok-092", "my-573", "my-574", "my-623", "my-647", "my-648", "my-649",
			"my-651", "my-671", "my-672", "my-679", "my-680", "my-681", "my-682",
		}, e.ID)
	case "sqlite3":
		return slices.Contains([]string{"any-166", "any-167", "any-168", "any-169", "any-170"}, e.ID)
	}
	return false
}

// options are what the session needs that the entry was written for.
func (e Entry) options() (opts []target.Option) {
	if strings.Contains(e.Note, "ANSI_QUOTES") {
		opts = append(opts, target.ANSIQuotes)
	}
	return opts
}

// repeatable reports whether two runs return the same text: plans hold timings.
func (e Entry) repeatable() bool {
	upper := strings.ToUpper(e.Statement)
	return !strings.Contains(upper, "EXPLAIN") && !strings.Contains(upper, "ANALYZE")
}
