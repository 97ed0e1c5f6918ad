// Package driversuites runs the test suites of real drivers twice, bare and
// through a guard that only watches, and compares what each test says.
package driversuites

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/internal/conformance/servers"
)

// suite is a driver's own tests, as they come in its module.
type suite struct {
	module  string
	args    []string                  // of go test
	env     func(testing.TB) []string // names a fresh database; nil: needs no server
	opened  []string                  // files, other than tests, that open databases
	differs map[string]string         // tests that may say something else, and why
}

var suites = map[string]suite{
	"modernc": {
		module: "modernc.org/sqlite",
		args:   []string{"-short", "-skip", "^(TestConcurrentGoroutines|TestConcurrentProcesses|TestMemDB)$"},
	},
	"mattn": {
		module: "github.com/mattn/go-sqlite3",
	},
	"go-sql-driver": {
		module: "github.com/go-sql-driver/mysql",
		env:    mysqlEnv,
	},
	"libpq": {
		module: "github.com/lib/pq",
		env:    postgresEnv,
		opened: []string{"internal/pqtest/*.go"},
	},
}

func TestMain(m *testing.M) { servers.Main(m) }

// TestSuites wants the same result of every test, bare and wrapped.
func TestSuites(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles and runs whole drivers: not in short mode")
	}
	for _, name := range slices.Sorted(maps.Keys(suites)) {
		t.Run(name, func(t *testing.T) {
			s := suites[name]
			bare := s.run(t, s.checkout(t, false))
			wrapped := s.run(t, s.checkout(t, true))
			require.NotEmpty(t, bare.results, bare.output)
			same := 0
			for _, test := range slices.Sorted(maps.Keys(bare.results)) {
				got := wrapped.results[test]
				if why, ok := s.differs[test]; ok {
					t.Logf("%s: %s bare, %s wrapped: %s", test, bare.results[test], got, why)
					continue
				}
				if assert.Equal(t, bare.results[test], got, "%s\n%s", test, wrapped.said[test]) {
					same++
				}
			}
			t.Logf("%d tests say the same bare and wrapped: %s", same, bare.summary())
		})
	}
}

func (o outcome) summary() string {
	counts := map[string]int{}
	for _, result := range o.results {
		counts[result]++
	}
	var parts []string
	for _, result := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[result], result))
	}
	return strings.Join(parts, ", ")
}
