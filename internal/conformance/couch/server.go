// Package couch runs the CouchDB door on servers: PouchDB Server, which speaks
// CouchDB's protocol, in memory and started here, and any CouchDB that
// [URLEnv] names.
package couch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// URLEnv names real servers, separated by commas: several are one cluster.
// Credentials are part of the URL. They must be servers that nobody else needs:
// databases are dropped.
const URLEnv = "DBGUARD_COUCHDB_URL"

// RequireEnv makes a missing server a failure if "all" is in it.
const RequireEnv = "DBGUARD_REQUIRE"

// Server is a server that tests send requests to.
type Server struct {
	URL   string
	Pouch bool // it is PouchDB Server
	stop  func() error
}

// Stop ends the server if it was started here.
func (s *Server) Stop() error {
	if s.stop == nil {
		return nil
	}
	return s.stop()
}

// Start starts PouchDB Server for this test, or skips it.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s, err := startPouchDB(tb.Context())
	if err != nil {
		if strings.Contains(os.Getenv(RequireEnv), "all") {
			tb.Fatal(err)
		}
		tb.Skip(err)
	}
	tb.Cleanup(func() {
		if err := s.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Servers are PouchDB Server and the first of the real ones.
func Servers(tb testing.TB) []*Server {
	tb.Helper()
	if urls := os.Getenv(URLEnv); urls != "" {
		first, _, _ := strings.Cut(urls, ",")
		return []*Server{{URL: strings.TrimSuffix(first, "/")}, Start(tb)}
	}
	return []*Server{Start(tb)}
}

// startPouchDB starts the program in pouchdb/, where its packages are installed.
func startPouchDB(ctx context.Context) (*Server, error) {
	_, here, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(here), "pouchdb")
	if _, err := exec.LookPath("node"); err != nil {
		return nil, fmt.Errorf("PouchDB Server needs node: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "express-pouchdb")); err != nil {
		return nil, errors.New("PouchDB Server is not installed: npm ci in internal/conformance/couch/pouchdb")
	}
	cmd := exec.Command("node", "server.js") //nolint:noctx // it ends with its input
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := func() error { return errors.Join(in.Close(), waitOrKill(cmd)) }
	port, err := firstLine(ctx, out)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("PouchDB Server did not start: %w", err), stop())
	}
	return &Server{URL: "http://127.0.0.1:" + port, Pouch: true, stop: stop}, nil
}

// waitOrKill waits for a process to end, and kills it after a while.
func waitOrKill(cmd *exec.Cmd) error {
	timer := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	return cmd.Wait()
}

func firstLine(ctx context.Context, r io.Reader) (string, error) {
	type read struct {
		line string
		err  error
	}
	done := make(chan read, 1)
	go func() {
		line, err := bufio.NewReader(r).ReadString('\n')
		done <- read{strings.TrimSpace(line), err}
	}()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	select {
	case r := <-done:
		return r.line, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
