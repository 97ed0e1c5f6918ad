// Package layering tests which packages may import which.
package layering

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	module = "github.com/dbguard/dbguard-go"
	root   = "../.."
)

// forbidden says what a package, and everything in folders under it, may not import
// directly or indirectly, and why. A name that ends in "/..." includes the folders
// under it.
var forbidden = map[string]map[string]string{
	"dbguard": {
		"database/sql":                  "judgement knows no database",
		"database/sql/driver":           "judgement knows no database",
		"github.com/go-kivik/kivik/...": "judgement knows no database",
		module + "/sqlguard/...":        "adapters depend on judgement, not the reverse",
		module + "/couch/...":           "adapters depend on judgement, not the reverse",
		module + "/internal/engine":     "engines depend on judgement, not the reverse",
		module + "/internal/sqlscan":    "judgement is about operations, not about text",
	},
	"sqlguard": {
		module + "/couch/...":           "a user of one adapter does not pay for the other",
		"github.com/go-kivik/kivik/...": "a user of one adapter does not pay for the other",
	},
	"couch": {
		module + "/sqlguard/...":    "a user of one adapter does not pay for the other",
		module + "/internal/engine": "a user of one adapter does not pay for the other",
		"database/sql":              "a user of one adapter does not pay for the other",
	},
	"internal/engine": {
		"database/sql":           "engines are shared with adapters that are not database/sql; its driver package is fine",
		module + "/sqlguard/...": "adapters depend on engines, not the reverse",
		module + "/couch/...":    "adapters depend on engines, not the reverse",
	},
	"internal/sqlscan": {
		module + "/dbguard":         "the lexer knows dialects and no rules",
		module + "/internal/engine": "the lexer knows dialects and no databases",
		"database/sql":              "the lexer knows dialects and no databases",
	},
}

// fromNone is what no package of the module may import outside its tests.
var fromNone = map[string]string{
	"testing":                         "it registers flags in users' programs",
	"github.com/stretchr/testify/...": "tests' libraries stay out of users' programs",
}

// exempt packages are made for users' tests.
var exempt = []string{"dbguard/dbguardtest"}

// drivers may not be imported even by the module's tests: a user's go.sum would list
// them.
var drivers = []string{
	"github.com/jackc/pgx/...", "github.com/lib/pq/...", "github.com/go-sql-driver/...",
	"github.com/mattn/go-sqlite3/...", "modernc.org/sqlite/...", "github.com/ncruces/go-sqlite3/...",
	"github.com/ClickHouse/...", "github.com/microsoft/go-mssqldb/...",
}

// required gives the reason for each module in the root go.mod.
var required = map[string]string{
	"github.com/go-kivik/kivik/v4":        "couch returns its client",
	"github.com/jmoiron/sqlx":             "sqlguard.OpenX returns its handle",
	"github.com/stretchr/testify":         "dbguardtest asserts in its manner; tests use it",
	"go.opentelemetry.io/otel":            "traces",
	"go.opentelemetry.io/otel/metric":     "metrics",
	"go.opentelemetry.io/otel/trace":      "traces",
	"go.uber.org/goleak":                  "tests look for goroutines left behind",
	"go.opentelemetry.io/otel/sdk":        "tests read back the spans",
	"go.opentelemetry.io/otel/sdk/metric": "tests read back the metrics",
	"go.opentelemetry.io/otel/log":        "part of the OpenTelemetry API",
}

func TestLayering(t *testing.T) {
	imports := list(t)
	ours := 0
	for from := range imports {
		folder, ok := strings.CutPrefix(from, module+"/")
		if !ok {
			continue
		}
		ours++
		reached := reach(imports, from)
		for owner, rules := range forbidden {
			if within(folder, owner) {
				check(t, reached, from, rules)
			}
		}
		if !slices.Contains(exempt, folder) {
			check(t, reached, from, fromNone)
		}
	}
	require.NotZero(t, ours, "go list has found nothing of ours")
}

func TestNoDriverInTheRootModule(t *testing.T) {
	for path := range list(t, "-test") {
		for _, d := range drivers {
			assert.False(t, matches(path, d), "%s is reached; drivers belong into nested modules", path)
		}
	}
}

func TestEveryRequirementHasAReason(t *testing.T) {
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	require.NoError(t, json.Unmarshal(run(t, "mod", "edit", "-json"), &mod))
	require.NotEmpty(t, mod.Require)
	for _, r := range mod.Require {
		if !r.Indirect {
			assert.Contains(t, required, r.Path, "a new requirement of the root module needs a reason here")
		}
	}
}

func TestReachFindsTheChain(t *testing.T) {
	reached := reach(map[string][]string{"a": {"b", "c"}, "b": {"d"}, "c": {"a"}, "x": {"y"}}, "a")
	assert.Equal(t, "a → b → d", importChain(reached, "d"))
	assert.NotContains(t, reached, "y")
	assert.True(t, matches("m/couch/x", "m/couch/..."))
	assert.False(t, matches("m/couchx", "m/couch/..."))
	assert.False(t, matches("database/sql/driver", "database/sql"))
}

// check reports the chain of imports to what a package may not import.
func check(t *testing.T, reached map[string]string, from string, rules map[string]string) {
	t.Helper()
	for path := range reached {
		for forbidden, why := range rules {
			if path != from && matches(path, forbidden) {
				t.Errorf("%s: %s", importChain(reached, path), why)
			}
		}
	}
}

// within reports whether a folder is the owner's or under it.
func within(folder, owner string) bool {
	return folder == owner || strings.HasPrefix(folder, owner+"/")
}

func matches(path, pattern string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return within(path, base)
	}
	return path == pattern
}

// reach maps every package that from imports, directly or not, to one that imports
// it.
func reach(imports map[string][]string, from string) map[string]string {
	by := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for _, path := range imports[queue[0]] {
			if _, seen := by[path]; !seen {
				by[path] = queue[0]
				queue = append(queue, path)
			}
		}
	}
	return by
}

// importChain formats a chain of imports.
func importChain(reached map[string]string, path string) string {
	text := path
	for by := reached[path]; by != ""; by = reached[by] {
		text = by + " → " + text
	}
	return text
}

// list maps every package of the module and of its dependencies to its imports.
func list(t *testing.T, flags ...string) map[string][]string {
	t.Helper()
	args := append([]string{"list", "-deps", "-json=ImportPath,Imports"}, flags...)
	out := json.NewDecoder(strings.NewReader(string(run(t, append(args, "./...")...))))
	imports := map[string][]string{}
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := out.Decode(&p); errors.Is(err, io.EOF) {
			return imports
		} else {
			require.NoError(t, err)
		}
		imports[p.ImportPath] = p.Imports
	}
}

// statSources stats every folder and source file: go test caches a result until a
// file changes that the test itself has opened or statted, and does not know what the
// go command reads.
func statSources(t *testing.T) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == ".git" {
			return fs.SkipDir
		}
		if entry.IsDir() || strings.HasSuffix(path, ".go") || entry.Name() == "go.mod" {
			_, err = os.Stat(path)
		}
		return err
	}))
}

// run runs the go command in the root module.
func run(t *testing.T, args ...string) []byte {
	t.Helper()
	statSources(t)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, exit.Stderr)
	}
	require.NoError(t, err)
	return out
}
