// Package driversuites runs the test suites of real drivers twice, bare and through a guard
// in Observe mode, and compares the result of each test.
package driversuites

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dbguard/dbguard-go/internal/conformance/servers"
)

// suite is a driver's own tests, as they come in its module.
type suite struct {
	module  string
	args    []string                  // of go test
	env     func(testing.TB) []string // names a fresh database; nil: needs no server
	opened  []string                  // files, other than tests, that open databases
	slow    bool                      // compiles SQLite, once for each way: see slowEnv
	differs map[string]string         // tests that may end differently, and why
}

// slowEnv, set to anything, runs the suites that take minutes too.
const slowEnv = "DBGUARD_SLOW_SUITES"

var suites = map[string]suite{
	"modernc": {
		module: "modernc.org/sqlite",
		slow:   true,
		args: []string{"-short", "-skip", "^TestConcurrentGoroutines$|^TestConcurrentProcesses$|^TestMemDB$" + // minutes each
			"|^TestRegisteredFunctions$/^QueryContext_with_context_expiring$"}, // may wait for ever, bare too
		differs: map[string]string{
			"TestLimit": "sqlite.Limit asserts on the driver's own connection, and sql.Conn.Raw shows the guarded one",
		},
	},
	"mattn": {
		module: "github.com/mattn/go-sqlite3",
		slow:   true,
	},
	"go-sql-driver": {
		module: "github.com/go-sql-driver/mysql",
		args:   []string{"-skip", "^TestConnectorReturnsTimeout$"}, // calls an address on the internet, and panics without
		env:    mysqlEnv,
	},
	"libpq": {
		module: "github.com/lib/pq",
		env:    postgresEnv,
		opened: []string{"internal/pqtest/*.go"},
	},
}

func TestMain(m *testing.M) { servers.Main(m) }

// TestSuites wants the same result of every test, bare and wrapped, and no worse one of a
// test that fails by chance.
func TestSuites(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles and runs whole drivers: not in short mode")
	}
	for _, name := range slices.Sorted(maps.Keys(suites)) {
		t.Run(name, func(t *testing.T) {
			s := suites[name]
			if s.slow && os.Getenv(slowEnv) == "" {
				t.Skipf("takes minutes: set %s", slowEnv)
			}
			bare := s.run(t, s.checkout(t, false))
			if slices.Contains(slices.Collect(maps.Values(bare.results)), "unfinished") { // one that fails by chance may end them all
				bare = s.run(t, s.checkout(t, false))
			}
			wrapped := s.run(t, s.checkout(t, true))
			same, other := 0, ""
			for _, test := range slices.Sorted(maps.Keys(bare.results)) {
				switch b, w := bare.results[test], wrapped.results[test]; {
				case b == w:
					same++
				case s.differs[test] != "":
					t.Logf("%s: %s bare, %s wrapped: %s", test, b, w, s.differs[test])
				case b == "fail" && w == "pass":
					t.Logf("%s: fails bare, and not wrapped: by chance", test)
				default:
					other += fmt.Sprintf("%s: %s bare, %s wrapped\n%s\n", test, b, w, wrapped.logs[test])
				}
			}
			if other != "" {
				t.Errorf("not the same:\n%s%s", other, wrapped.output)
			}
			t.Logf("%d tests say the same bare and wrapped: %s", same, bare.summary())
			t.Logf("failing bare: %s", strings.Join(bare.failing(), " "))
		})
	}
}

// failing are the tests that fail without a guard already: they lack what the driver's
// authors have set up on their servers.
func (o outcome) failing() (names []string) {
	for name, result := range o.results {
		if result == "fail" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
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
