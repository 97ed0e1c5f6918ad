package driversuites

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// outcome is the results and the output of one run's tests.
type outcome struct {
	results map[string]string // "pass", "fail", "skip" or "unfinished", by test
	logs    map[string]string // their output, by test
	output  string            // what belongs to no test
}

// run runs the tests of a folder's package and separates their output. A suite that does
// not build is a failure; one in which tests fail is not: bare it may be the same.
func (s suite) run(t *testing.T, folder string) outcome {
	args := append([]string{"test", "-json", "-count=1", "-timeout=5m", "-vet=off", "-trimpath"}, s.args...)
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOWORK="+folder+"/../go.work", "GOFLAGS=-mod=readonly")
	if s.env != nil {
		cmd.Env = append(cmd.Env, s.env(t)...)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	o := outcome{results: map[string]string{}, logs: map[string]string{}, output: stderr.String()}
	lines := json.NewDecoder(bytes.NewReader(out))
	for lines.More() {
		var line struct{ Action, Test, Output string }
		require.NoError(t, lines.Decode(&line), "%v\n%s\n%s", err, out, &stderr)
		switch {
		case line.Action == "build-output", line.Action == "output" && line.Test == "":
			o.output += line.Output
		case line.Action == "output":
			o.logs[line.Test] += line.Output
		case line.Action == "run":
			o.results[line.Test] = "unfinished"
		case line.Test != "" && (line.Action == "pass" || line.Action == "fail" || line.Action == "skip"):
			o.results[line.Test] = line.Action
		}
	}
	require.NotEmpty(t, o.results, "no test ran: %v\n%s", err, o.output)
	return o
}
