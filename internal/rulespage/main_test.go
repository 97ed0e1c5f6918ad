package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

func TestPageIsUpToDate(t *testing.T) {
	have, err := os.ReadFile("../../dbguard/RULES.md")
	require.NoError(t, err)
	require.Equal(t, page(dbguard.Rules()), string(have), "run go generate ./dbguard")
}

func TestEveryRuleHasItsRowAndSection(t *testing.T) {
	text := page(dbguard.Rules())
	for _, r := range dbguard.Rules() {
		require.Equal(t, 1, strings.Count(text, "| ["+string(r.ID)+"](#"+anchor(r)+") |"), "a row for %s", r.ID)
		require.Equal(t, 1, strings.Count(text, "\n## "+title(r)+"\n"), "a section for %s", r.ID)
	}
}

func TestSection(t *testing.T) {
	var b strings.Builder
	section(&b, dbguard.Rule{
		ID: dbguard.OverLimit, Title: "too many", Why: "It happened.", Bad: "bad()", Good: "good()",
		Fix: "Do this.", Since: "0.1.0", Default: dbguard.Deny,
	})
	require.Equal(t, "\n## DG204 OverLimit\n\nToo many.\n\nIt happened.\n\n"+
		"```go\n// refused: DG204\nbad()\n\n// passes\ngood()\n```\n\n**Fix:** Do this.\n\n*Since 0.1.0. Default: deny.*\n", b.String())
}
