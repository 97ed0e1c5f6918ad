package servers

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// An instance is a server that we started, in a folder of its own.
type instance struct {
	engine  Engine
	binary  string
	dir     string // removed at the end
	data    string // inside dir, owned by the server's user
	port    int
	durable bool
	extra   []string // arguments of the caller's
	owner   *owner   // nil: ours
	lock    *os.File

	mu   sync.Mutex
	proc *process
}

// startTimeout is generous: recovery after a kill on a busy machine is slow.
const startTimeout = 60 * time.Second

// launch initialises and starts a server, or explains why that failed.
func launch(ctx context.Context, e Engine, o options) (in *instance, err error) {
	binary, err := e.findBinary()
	if err != nil {
		return nil, errNotInstalled{err}
	}
	owner, err := unprivileged(e.ops().users)
	if err != nil {
		return nil, err
	}
	in = &instance{engine: e, binary: binary, durable: o.durable, extra: o.args, owner: owner}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting %s: %w", e, err), in.stop())
		}
	}()
	if err := in.makeFolders(); err != nil {
		return in, err
	}
	if err := e.ops().initialise(ctx, in); err != nil {
		return in, err
	}
	return in, in.startOnFreePort(ctx)
}

// errNotInstalled is the one reason for which a test may be skipped: a server
// that is installed and does not start is a failure.
type errNotInstalled struct{ error }

func (in *instance) makeFolders() (err error) {
	if in.dir, in.lock, err = newFolder(parentFolder(in.durable)); err != nil {
		return err
	}
	in.data = filepath.Join(in.dir, "data")
	if err := os.Mkdir(in.data, 0o700); err != nil {
		return err
	}
	if in.owner == nil {
		return nil
	}
	// MariaDB and MySQL put their socket beside the data.
	return errors.Join(in.owner.chown(in.dir), in.owner.chown(in.data))
}

// startOnFreePort tries again if somebody takes the port between our looking
// and the server's binding.
func (in *instance) startOnFreePort(ctx context.Context) (err error) {
	for range 3 {
		if in.port, err = freePort(); err != nil {
			return err
		}
		if err = in.start(ctx); err == nil {
			return nil
		}
	}
	return err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// start runs the server on the port and waits until it answers.
func (in *instance) start(ctx context.Context) error {
	logPath := filepath.Join(in.dir, "log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	ops := in.engine.ops()
	cmd := exec.Command(in.binary, append(ops.args(in), in.extra...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = in.dir, log, log
	p, err := startProcess(cmd, in.owner, ops.stop)
	if err != nil {
		return err
	}
	in.mu.Lock()
	in.proc = p
	in.mu.Unlock()
	if err := in.awaitReady(ctx, p); err != nil {
		return fmt.Errorf("%w\nthe end of its log:\n%s", errors.Join(err, p.end(ops.stop)), tail(logPath))
	}
	return nil
}

func (in *instance) awaitReady(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	db, err := open(in.engine, in.engine.ops().dsn(in.port))
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		err := ping(ctx, db)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %w", in.engine, errors.Join(p.err, err))
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", in.engine, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ping goes beyond the handshake: PostgreSQL accepts connections during recovery and refuses
// them one message later.
func ping(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var one int
	return db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

// run executes one of the engine's tools as the server's user.
func (in *instance) run(ctx context.Context, stdin io.Reader, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdin = in.dir, stdin
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = in.owner.attributes()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, out.Bytes())
	}
	return nil
}

// stop ends the server and removes its folder.
func (in *instance) stop() (err error) {
	in.mu.Lock()
	p := in.proc
	in.mu.Unlock()
	if p != nil {
		err = p.end(in.engine.ops().stop)
	}
	return errors.Join(err, removeFolder(in.dir, in.lock))
}

func tail(path string) []byte {
	text, err := os.ReadFile(path)
	if err != nil {
		return []byte(err.Error())
	}
	return text[max(0, len(text)-4000):]
}
