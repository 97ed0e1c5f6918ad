package servers

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const folderPrefix = "dbguard-servers-"

// parentFolder prefers memory for data that need not last: creating a database takes
// PostgreSQL 25 ms there and 145 on a disk, thousands of times. TMPDIR overrides that.
func parentFolder(durable bool) string {
	const memory, enough = "/dev/shm", 2 << 30
	var fs syscall.Statfs_t
	if durable || os.Getenv("TMPDIR") != "" || syscall.Statfs(memory, &fs) != nil || fs.Bavail*uint64(fs.Bsize) < enough {
		return os.TempDir()
	}
	return memory
}

// newFolder makes a temporary folder and holds a lock in it for as long as this process lives.
// It removes the folders of processes that were killed before they could.
func newFolder(parent string) (dir string, lock *os.File, err error) {
	removeStaleFolders(parent)
	if dir, err = os.MkdirTemp(parent, folderPrefix); err != nil {
		return "", nil, err
	}
	lock, err = os.OpenFile(lockPath(dir), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return dir, nil, err
	}
	return dir, lock, flock(lock)
}

func lockPath(dir string) string { return filepath.Join(dir, "lock") }

// flock takes the lock without waiting. The kernel lets go of it when its
// holder dies, however that happens.
func flock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

func removeStaleFolders(parent string) {
	dirs, err := filepath.Glob(filepath.Join(parent, folderPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err != nil || time.Since(info.ModTime()) < time.Minute {
			continue // perhaps just made and not locked yet
		}
		lock, err := os.OpenFile(lockPath(dir), os.O_RDWR, 0)
		if err != nil {
			continue // another user's
		}
		if flock(lock) == nil {
			_ = os.RemoveAll(dir)
		}
		_ = lock.Close()
	}
}

func removeFolder(dir string, lock *os.File) error {
	if dir == "" {
		return nil
	}
	err := os.RemoveAll(dir)
	if lock != nil {
		err = errors.Join(err, lock.Close())
	}
	return err
}
