package corpus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

func sampleReport() *Report {
	r := NewReport(target.SQLite)
	dangerous, harmless := Entry{File: "x", ID: "d-1", Note: "a | b"}, Entry{File: "x", ID: "h-1", BoundedOK: true}
	for _, m := range Modes {
		r.Add("one", m, dangerous, false, []Finding{{Kind: Escape}})
		r.Add("one", m, harmless, false, nil)
	}
	r.Add("two", Modes[0], dangerous, true, []Finding{{Kind: HalfDone}})
	r.Add("two", Modes[0], harmless, true, []Finding{{Kind: FalseRefusal}})
	r.Add("two", Modes[0], Entry{File: "y", ID: "h-2", BoundedOK: true}, false, nil)
	return r
}

func TestReport(t *testing.T) {
	x := Explanations{}
	require.NoError(t, x.add("sqlite escape d-1: because"))
	assert.Equal(t, `## sqlite

'x'

| driver | mode | entries | dangerous | refused | escapes | false refusals | other |
|---|---|--:|--:|--:|--:|--:|--:|
| one | exec | 2 | 1 | 0 | 1 | 0 | 0 |
| one | query | 2 | 1 | 0 | 1 | 0 | 0 |
| one | query closed early | 2 | 1 | 0 | 1 | 0 | 0 |
| one | prepared | 2 | 1 | 0 | 1 | 0 | 0 |
| one | tx | 2 | 1 | 0 | 1 | 0 | 0 |
| two | exec | 2 | 1 | 2 | 0 | 1 | 1 |

'y'

| driver | mode | entries | dangerous | refused | escapes | false refusals | other |
|---|---|--:|--:|--:|--:|--:|--:|
| two | exec | 1 | 0 | 0 | 0 | 0 | 0 |

| entry | what | about | where | why |
|---|---|---|---|---|
| d-1 | escape | a \| b | one | because |
| h-1 | false-refusal |  | two: exec |  |
| d-1 | half-done | a \| b | two: exec |  |

`, strings.ReplaceAll(sampleReport().Markdown(x), "`", "'"))
}

func TestEveryFindingIsExplainedAndEveryExplanationNeeded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.txt")
	require.NoError(t, os.WriteFile(path, []byte(`
# a comment
sqlite escape d-1 d-2: because
sqlite false-refusal h-1: for now
mariadb10.11 escape d-9: not this engine's report
`), 0o600))
	x, err := LoadExplanations(path)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"sqlite escape d-2 is explained and does not happen",
		"sqlite half-done d-1 has no explanation (two: exec)",
	}, sampleReport().Unexplained(x))
}

func TestBadExplanations(t *testing.T) {
	for _, text := range []string{"sqlite escape d-1 because", "sqlite escape: because", "sqlite escape d d: because"} {
		path := filepath.Join(t.TempDir(), "x.txt")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := LoadExplanations(path)
		assert.ErrorContains(t, err, "x.txt:1: ", text)
	}
}

func TestResultsKeepTheSectionsOfOtherEngines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "RESULTS.md")
	r, err := loadResults(path)
	require.NoError(t, err, "a missing file is an empty one")
	r[target.SQLite], r[target.MariaDB] = "## sqlite\n\nx\n\n", "## mariadb10.11\n\ny\n\n"
	require.NoError(t, r.write(path))
	again, err := loadResults(path)
	require.NoError(t, err)
	assert.Equal(t, r, again)
}
