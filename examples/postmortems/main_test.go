package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// execute runs the command as main does.
func execute(t *testing.T, policy dbguard.Policy, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs, policy)
	return code, out.String(), errs.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "run the test with -update if this is meant")
}

func TestTextReport(t *testing.T) {
	code, stdout, stderr := execute(t, dbguard.Policy{})
	assert.Equal(t, exitKept, code)
	assert.Empty(t, stderr)
	golden(t, "sqlite.txt", stdout)
}

func TestJSONReport(t *testing.T) {
	code, stdout, stderr := execute(t, dbguard.Policy{}, "-json")
	assert.Equal(t, exitKept, code)
	assert.Empty(t, stderr)
	golden(t, "sqlite.json", stdout)
}

func TestTrace(t *testing.T) {
	code, stdout, _ := execute(t, dbguard.Policy{}, "-trace")
	assert.Equal(t, exitKept, code)
	assert.Contains(t, stdout, "span DELETE navigation  [error]\n")
	assert.Contains(t, stdout, ` dbguard.rule="DG204"`)

	code, stdout, stderr := execute(t, dbguard.Policy{}, "-trace", "-json")
	assert.Equal(t, exitKept, code)
	assert.True(t, json.Valid([]byte(stdout)), "the spans are not in the list")
	assert.Contains(t, stderr, "span DELETE navigation  [error]\n")
}

// A guard that refuses nothing loses every row, and the command says so.
func TestBrokenGuardExitsWithOne(t *testing.T) {
	code, stdout, _ := execute(t, dbguard.Policy{Mode: dbguard.Observe}, "-json")
	assert.Equal(t, exitLost, code)
	var results []result
	require.NoError(t, json.Unmarshal([]byte(stdout), &results))
	require.Len(t, results, len(replays())+1)
	for _, res := range results {
		assert.Equal(t, res.Bare, res.Guarded.runResult, "observing changes nothing")
		assert.Empty(t, res.Guarded.Rule)
	}
	_, stdout, _ = execute(t, dbguard.Policy{Mode: dbguard.Observe})
	assert.Equal(t, len(replays())+1, strings.Count(stdout, "nothing was refused"))
	assert.Contains(t, stdout, "1020 rows and documents lost bare, 1020 behind the guard")
}

func TestExitStatus(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want int
		says string
	}{
		{"help is no mistake", []string{"-h"}, exitKept, "usage: postmortems"},
		{"unknown flag", []string{"-oracle"}, exitUsage, "flag provided but not defined: -oracle"},
		{"an argument", []string{"sqlite"}, exitUsage, `no arguments are taken, got ["sqlite"]`},
		{"a variable that is not set", []string{"-postgres", ""}, exitUsage, "-postgres is empty"},
		{"no DSN of PostgreSQL", []string{"-postgres", "nonsense"}, exitUsage, "the DSN cannot be read"},
		{"no DSN of MySQL", []string{"-mysql", "nonsense"}, exitUsage, "the DSN cannot be read"},
		{"no URL of CouchDB", []string{"-couchdb", "nonsense"}, exitUsage, "the DSN cannot be read"},
		{"nobody at the URL", []string{"-couchdb", "http://127.0.0.1:1/"}, exitLost, "connection refused"},
		{"nobody there", []string{"-mysql", "root@tcp(127.0.0.1:1)/"}, exitLost, "connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := execute(t, dbguard.Policy{}, c.args...)
			assert.Equal(t, c.want, code)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, c.says)
		})
	}
}

func TestColoursOnlyOnTerminals(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer f.Close()
	assert.False(t, bool(paletteFor(f)))
	assert.False(t, bool(paletteFor(&bytes.Buffer{})))
	assert.Equal(t, "\x1b[31mx\x1b[0m", palette(true).red("x"))
	assert.Equal(t, "x", palette(false).red("x"))
}
