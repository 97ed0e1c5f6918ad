package corpus

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/internal/conformance/servers"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

func TestMain(m *testing.M) { servers.PrivateMain(m) }

// files are the entries: those that were collected, and those that were written to find
// what the first do not.
var files = []string{"../testdata/statements.jsonl", "../testdata/" + moreFile}

const moreFile = "more.jsonl"

// load reads every entry. An id means one entry, whatever its file.
func load(t *testing.T) (all []Entry) {
	t.Helper()
	seen := map[string]bool{}
	for _, file := range files {
		entries, err := Load(file)
		require.NoError(t, err)
		for _, e := range entries {
			require.False(t, seen[e.ID], "%s: %s is there twice", file, e.ID)
			seen[e.ID] = true
		}
		all = append(all, entries...)
	}
	return all
}

// TestBare checks the corpus itself: without a guard, every entry hits exactly the rows that
// it is said to hit, and exactly the dangerous ones escape.
func TestBare(t *testing.T) {
	entries := load(t)
	for _, engine := range target.Engines {
		for d, tg := range targetsOf(engine) {
			t.Run(tg.String(), func(t *testing.T) {
				f := newFixture(t, tg)
				for _, e := range For(entries, engine, engine.Major(t)) {
					if !e.inherited && e.runsOn(d, len(targetsOf(engine))) {
						t.Run(e.ID, func(t *testing.T) { runBare(t, f, e) })
					}
				}
			})
		}
	}
}

func runBare(t *testing.T, f *fixture, e Entry) {
	f.use(t, e)
	o := f.Run(t, e.bareMode(), bare)
	require.NotNil(t, e.RowsHit)
	assert.Equal(t, *e.RowsHit, o.Diff.RowsHit(), "%s: %v: %v", e.Statement, o.Diff, o.Err)
	assert.Equal(t, !e.BoundedOK, o.Diff.Escape(1) != "", "%s: %v: %v", e.Statement, o.Diff, o.Err)
	assert.NoError(t, o.Leak)
}
