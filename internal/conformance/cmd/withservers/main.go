// Command withservers runs a command while PostgreSQL, MariaDB and MySQL are up, so
// that several test binaries share one server of each:
//
//	withservers go test ./...
//	withservers -durable go test -bench Runaway ./bench   # servers that wait for the disk
//
// Servers named in the environment are left alone. An engine that is not
// installed is left out with a note, or ends the run if DBGUARD_REQUIRE
// demands it. Whatever ends this command ends the servers.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/dbguard/dbguard-go/internal/conformance/servers"
)

func main() {
	command, options := os.Args[1:], []servers.Option(nil)
	if len(command) > 0 && command[0] == "-durable" {
		command, options = command[1:], []servers.Option{servers.Durable()}
	}
	if len(command) == 0 {
		fmt.Fprintln(os.Stderr, "usage: withservers [-durable] command [argument …]")
		os.Exit(2)
	}
	code, err := run(command, options)
	if err != nil {
		fmt.Fprintln(os.Stderr, "withservers:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(command []string, options []servers.Option) (code int, err error) {
	// A parent that is killed (make, go run) passes no signal on.
	if err := dieWithParent(); err != nil {
		return 0, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	env := os.Environ()
	for _, e := range []servers.Engine{servers.Postgres, servers.MariaDB, servers.MySQL} {
		if os.Getenv(e.Env()) != "" {
			continue
		}
		s, startErr := servers.Run(ctx, e, options...)
		if servers.NotInstalled(startErr) && !e.Required() {
			fmt.Fprintf(os.Stderr, "withservers: no %s: %v\n", e, startErr)
			continue
		}
		if startErr != nil {
			return 0, startErr
		}
		defer func() { err = errors.Join(err, s.Stop()) }()
		announce(ctx, s)
		env = append(env, e.Env()+"="+s.DSN)
	}
	return execute(ctx, command, env)
}

func announce(ctx context.Context, s *servers.Server) {
	version, err := s.Version(ctx)
	if err != nil {
		version = err.Error()
	}
	fmt.Fprintf(os.Stderr, "withservers: %s at %s: %s\n", s.Engine, s.DSN, version)
}

func dieWithParent() error {
	runtime.LockOSThread() // the setting belongs to the main thread, which lives as long as we do
	const prSetPdeathsig = 1
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetPdeathsig, uintptr(syscall.SIGTERM), 0); errno != 0 {
		return fmt.Errorf("prctl: %w", errno)
	}
	return nil
}

// execute runs the command and passes the end of ctx on as SIGTERM to it and to
// what it has started: the go command leaves its test binaries behind.
func execute(ctx context.Context, command, env []string) (int, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}
