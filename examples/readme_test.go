package examples

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// The example in the README is the program that Example of package quickstart
// runs, and the refusal shown is the one that it prints.
func TestReadmeShowsQuickstart(t *testing.T) {
	readme := read(t, "../README.md")
	_, block, ok := strings.Cut(readme, "```go\n")
	require.True(t, ok)
	block, _, ok = strings.Cut(block, "```")
	require.True(t, ok)
	assert.Equal(t, read(t, "quickstart/main.go"), block)

	_, output, ok := strings.Cut(read(t, "quickstart/main_test.go"), "// Output:\n\t// ")
	require.True(t, ok)
	line, _, _ := strings.Cut(output, "\n")
	assert.Contains(t, readme, line+"\n")
}

// The README lists every rule, by the name it has in Go, and no other.
func TestReadmeListsRules(t *testing.T) {
	var listed []string
	for line := range strings.Lines(read(t, "../README.md")) {
		if strings.HasPrefix(line, "| DG") {
			cells := strings.Split(line, "|")
			listed = append(listed, strings.TrimSpace(cells[1]))
		}
	}
	var rules []string
	for _, r := range dbguard.Rules() {
		rules = append(rules, r.ID.Error())
	}
	assert.Equal(t, rules, listed)
}
