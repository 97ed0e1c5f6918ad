package servers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// An owner is the unprivileged user that a server runs as: none of them
// runs as root.
type owner struct{ uid, gid uint32 }

// unprivileged picks the first user that exists, or nil if we are not root.
func unprivileged(names []string) (*owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		return &owner{uint32(uid), uint32(gid)}, errors.Join(err1, err2)
	}
	return nil, fmt.Errorf("running as root, and none of the users %v exists to run a server as", names)
}

func (o *owner) chown(path string) error { return os.Chown(path, int(o.uid), int(o.gid)) }

// attributes put a command into a process group of its own, so that Ctrl-C
// reaches the tests and not the server under them.
func (o *owner) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if o != nil {
		attr.Credential = &syscall.Credential{Uid: o.uid, Gid: o.gid}
	}
	return attr
}

// A process is a running server.
type process struct {
	pid  int
	done chan struct{} // closed when it has ended
	err  error         // how; to be read after done
}

// startProcess runs cmd so that it cannot outlive us: the kernel sends it deathSignal when we
// die. Linux ties that to the thread that forked, so one goroutine keeps its thread until the
// process has ended.
func startProcess(cmd *exec.Cmd, o *owner, deathSignal os.Signal) (*process, error) {
	cmd.SysProcAttr = o.attributes()
	cmd.SysProcAttr.Pdeathsig = deathSignal.(syscall.Signal)
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// end asks the process to stop and kills it if it does not.
func (p *process) end(ask os.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := syscall.Kill(p.pid, ask.(syscall.Signal)); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(10 * time.Second):
		return p.kill()
	}
}

// kill ends the process and every process it has started, without warning.
// PostgreSQL's children have process groups of their own, and live on for a
// moment when only their parent is killed.
func (p *process) kill() error {
	select {
	case <-p.done: // the PID may belong to another process by now
		return nil
	default:
	}
	var errs []error
	family := append([]int{p.pid}, childrenOf(p.pid)...)
	for _, pid := range family {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, err)
		}
	}
	<-p.done
	// A new server does not start while anybody holds the old one's memory.
	for deadline := time.Now().Add(5 * time.Second); slices.ContainsFunc(family, alive); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			errs = append(errs, fmt.Errorf("a child of %d does not end", p.pid))
			break
		}
	}
	return errors.Join(errs...)
}

// alive reports that a process exists and is not a zombie.
func alive(pid int) bool {
	_, state, ok := statOf(strconv.Itoa(pid))
	return ok && state != "Z" && state != "X"
}

// statOf reads the parent and the state of a process.
func statOf(pid string) (parent, state string, ok bool) {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return "", "", false
	}
	// "pid (name, which may hold anything) state parent …"
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 2 {
		return "", "", false
	}
	return fields[1], fields[0], true
}

// childrenOf reads the process table.
func childrenOf(parent int) (children []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if of, _, ok := statOf(e.Name()); ok && of == strconv.Itoa(parent) {
			children = append(children, pid)
		}
	}
	return children
}
