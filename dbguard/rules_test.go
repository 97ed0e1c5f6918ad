package dbguard_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

func TestTableOfRules(t *testing.T) {
	rules := dbguard.Rules()
	id, name := regexp.MustCompile(`^DG[1-9]\d\d$`), regexp.MustCompile(`^[A-Z][A-Za-z]+$`)
	names := map[string]bool{}
	for _, r := range rules {
		t.Run(string(r.ID), func(t *testing.T) {
			require.Regexp(t, id, string(r.ID))
			require.Regexp(t, name, r.Name)
			require.False(t, names[r.Name], "the name is taken")
			names[r.Name] = true
			require.Equal(t, string(r.ID)+" "+r.Name, r.ID.Error())
			require.Regexp(t, `^\d+\.\d+\.\d+$`, r.Since)
			require.Contains(t, []dbguard.Level{dbguard.Deny, dbguard.Warn, dbguard.Off}, r.Default)
			for _, text := range []string{r.Title, r.Why, r.Fix} {
				require.NotEmpty(t, text)
				require.Equal(t, strings.TrimSpace(text), text)
				require.NotContains(t, text, "\n", "one line")
			}
			require.NotRegexp(t, `\.$`, r.Title, "a title is no sentence")
			require.Regexp(t, `\.$`, r.Why)
			require.Regexp(t, `\.$`, r.Fix)
			require.Equal(t, r.Bad == "", r.Good == "", "cases come in pairs")
		})
	}
	require.True(t, slices.IsSortedFunc(rules, func(a, b dbguard.Rule) int { return strings.Compare(string(a.ID), string(b.ID)) }), "in the order of IDs")
}

func TestRulesAreACopy(t *testing.T) {
	dbguard.Rules()[0].Name = "changed"
	require.Equal(t, "ImplicitCreate", dbguard.Rules()[0].Name)
}
