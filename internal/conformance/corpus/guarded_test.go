package corpus

import (
	"database/sql"
	"errors"
	"flag"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

const (
	resultsFile      = "../RESULTS.md"
	explanationsFile = "../explanations.txt"
)

var (
	update   = flag.Bool("update", false, "write "+resultsFile)
	allModes = flag.Bool("modes", false, "run every entry in every mode, which takes half as long again; "+resultsFile+" is then not compared")
)

// TestGuarded runs the entries in the modes behind a guard. Each shortcoming is listed in
// RESULTS.md with an explanation, or the test fails.
func TestGuarded(t *testing.T) {
	entries := load(t)
	x, err := LoadExplanations(explanationsFile)
	require.NoError(t, err)
	kept, err := loadResults(resultsFile)
	require.NoError(t, err)
	for _, engine := range target.Engines {
		t.Run(string(engine), func(t *testing.T) {
			major := engine.Major(t)
			r := NewReport(engine)
			runAll(t, r, For(entries, engine, major), x)
			for _, mistake := range r.Unexplained(x) {
				t.Error(mistake)
			}
			section := r.Markdown(x)
			if *allModes || !engine.IsNamedVersion(t) {
				t.Log(section) // the numbers differ: some entries exist, or fail by themselves, on one version only
				return
			}
			if *update {
				kept[engine] = section
			}
			assert.Equal(t, kept[engine], section, "%s is out of date: run with -update", resultsFile)
		})
	}
	if *update {
		require.NoError(t, kept.write(resultsFile))
	}
}

func runAll(t *testing.T, r *Report, entries []Entry, x Explanations) {
	targets := targetsOf(r.Engine)
	for d, tg := range targets {
		f := newFixture(t, tg)
		for _, e := range entries {
			explained := x.name(r.Engine, e.ID)
			if !e.runsOn(d, len(targets)) || !explained && !*allModes && !e.isInTurn() {
				continue
			}
			t.Run(tg.Name+"/"+e.ID, func(t *testing.T) {
				f.use(t, e)
				e := f.measure(t, e)
				for k, m := range Modes {
					if !crashesBare(tg, m, e) && (e.runsIn(k) || explained && !e.inherited) {
						t.Run(m.Name, func(t *testing.T) { runOne(t, r, f, m) })
					}
				}
			})
		}
	}
}

func targetsOf(engine target.Engine) []target.Target {
	return slices.DeleteFunc(target.All(), func(tg target.Target) bool { return tg.Engine != engine })
}

// isInTurn reports whether the entry runs at all: on MySQL a third does of what we wrote for MariaDB.
func (e *Entry) isInTurn() bool {
	return !e.inherited || e.File != moreFile || e.ID[len(e.ID)-2]%3 == 0
}

// runsIn reports whether the entry runs in the k-th mode: what we wrote ourselves does in the
// first, the last and one of those between, unless something is to be explained; and what was
// written for MariaDB in one on MySQL.
func (e *Entry) runsIn(k int) bool {
	switch {
	case *allModes:
		return true
	case e.inherited:
		return e.runsOn(k, len(Modes))
	}
	return k == 0 || k == len(Modes)-1 || e.runsOn(k, len(Modes)-2)
}

// runsOn reports whether the entry runs on the k-th of several drivers or modes: the
// entries that we wrote ourselves are too many for each to run on all of them.
func (e *Entry) runsOn(k, of int) bool {
	last := e.ID[len(e.ID)-1]
	return e.File != moreFile || (int(last)+k)%of == 0
}

func runOne(t *testing.T, r *Report, f *fixture, m Mode) {
	guarded := f.Run(t, m, guard)
	found := Judge(f.entry, m, guarded, func() Outcome { return f.Run(t, m, bare) })
	r.Add(f.Name, m, f.entry, errors.Is(guarded.Err, dbguard.ErrRefused), found)
	for _, x := range found {
		t.Logf("%s: %s\n%s\n%v", x.Kind, x.Text, f.entry.Statement, guarded.Err)
	}
}

func guard(tb testing.TB, d *target.Database) *sql.DB {
	tb.Helper()
	g, err := dbguard.New(dbguard.Policy{})
	require.NoError(tb, err)
	return d.Guarded(tb, g)
}
