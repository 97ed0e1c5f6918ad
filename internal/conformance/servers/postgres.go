package servers

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
)

var postgresOps = engineOps{
	find:       findPostgres,
	users:      []string{"postgres", "nobody"},
	initialise: initPostgres,
	args:       postgresArgs,
	dsn: func(port int) string {
		return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	},
	stop: syscall.SIGQUIT, // "immediate": no checkpoint of data that is thrown away
}

// findPostgres prefers Debian's folder of the newest version over the path,
// where a lone postgres binary may lack its share files.
func findPostgres() (string, error) {
	const debian = "/usr/lib/postgresql/*/bin/postgres"
	found, err := filepath.Glob(debian)
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return slices.MaxFunc(found, func(a, b string) int { return majorOf(a) - majorOf(b) }), nil
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("no %s and no postgres in PATH", debian)
}

// majorOf reads 15 from /usr/lib/postgresql/15/bin/postgres.
func majorOf(path string) (major int) {
	_, _ = fmt.Sscanf(filepath.Base(filepath.Dir(filepath.Dir(path))), "%d", &major)
	return major
}

func initPostgres(ctx context.Context, in *instance) error {
	return in.run(ctx, nil, filepath.Join(filepath.Dir(in.binary), "initdb"),
		"-D", in.data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync")
}

func postgresArgs(in *instance) []string {
	settings := []string{
		"listen_addresses=127.0.0.1",
		fmt.Sprintf("port=%d", in.port),
		"unix_socket_directories=", // only TCP: a path would limit the length of TMPDIR
		"max_connections=300",
		"dynamic_shared_memory_type=mmap", // in the folder, and not in /dev/shm after a kill
		"shared_buffers=64MB",
	}
	if !in.durable {
		// Commits still reach the operating system, which outlives a killed server.
		settings = append(settings, "fsync=off", "full_page_writes=off",
			"autovacuum=off") // its workers make DROP DATABASE wait
	}
	args := []string{"-D", in.data}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	return args
}
