package servers

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Installed finds a program in the path or where else Debian puts it, or skips
// the test as for a server that is missing.
func Installed(tb testing.TB, name string, places ...string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	for _, place := range places {
		if _, missing := os.Stat(place); err != nil && missing == nil {
			path, err = place, nil
		}
	}
	switch {
	case err == nil:
	case required(name, true):
		tb.Fatalf("%s is not installed: %v", name, err)
	default:
		tb.Skipf("%s is not installed: %v", name, err)
	}
	return path
}

// FreePort is a port on loopback that nobody listened on a moment ago.
func FreePort(tb testing.TB) int {
	tb.Helper()
	port, err := freePort()
	require.NoError(tb, err)
	return port
}

// Spawn runs a program beside the servers, as an unprivileged user and in a folder of its own,
// until the test ends. It returns when the program listens on the address. files are written
// into the folder first.
func Spawn(tb testing.TB, binary, address string, files map[string]string, args ...string) {
	tb.Helper()
	o, err := unprivileged([]string{"postgres", "nobody"})
	require.NoError(tb, err)
	dir, lock, err := newFolder(parentFolder(false))
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, removeFolder(dir, lock)) })
	for name, text := range files {
		require.NoError(tb, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	if o != nil {
		require.NoError(tb, o.chown(dir))
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(tb, err)
	defer log.Close()
	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	p, err := startProcess(cmd, o, os.Kill)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, p.kill()) })
	require.Eventually(tb, func() bool { return listens(p, address) }, startTimeout, 20*time.Millisecond,
		"%s does not listen on %s:\n%s", binary, address, tail(log.Name()))
}

func listens(p *process, address string) bool {
	select {
	case <-p.done:
		return false
	default:
	}
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	return c.Close() == nil
}
