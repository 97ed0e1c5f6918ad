package servers

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const folderPrefix = "dbguard-servers-"

// newFolder makes a temporary folder and holds a lock in it for as long as we
// live, and removes the folders of those who were killed before they could.
func newFolder() (dir string, lock *os.File, err error) {
	sweep()
	if dir, err = os.MkdirTemp("", folderPrefix); err != nil {
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

func sweep() {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
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
