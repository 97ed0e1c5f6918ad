package couch

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
)

// spool holds what was read of a body, so that it can be sent after the verdict: in
// memory up to a limit, in a temporary file beyond. Holders are counted; the last one
// to release it removes the file.
type spool struct {
	limit int
	mem   []byte
	file  *os.File
	size  int64

	mu      sync.Mutex
	holders int
}

// memoryLimit is how much of one body is kept in memory.
const memoryLimit = 4 << 20

func newSpool(limit int, expected int64) *spool {
	s := &spool{limit: limit, holders: 1}
	if expected > 0 && expected <= int64(limit) {
		s.mem = make([]byte, 0, expected)
	}
	return s
}

// Write keeps p.
func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil && len(s.mem)+len(p) > s.limit {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	if s.file != nil {
		n, err := s.file.Write(p)
		s.size += int64(n)
		return n, err
	}
	s.mem = append(s.mem, p...)
	s.size += int64(len(p))
	return len(p), nil
}

// spill moves it to a temporary file.
func (s *spool) spill() error {
	f, err := os.CreateTemp("", "dbguard-couch-*")
	if err != nil {
		return err
	}
	s.file = f
	_, err = f.Write(s.mem)
	s.mem = nil
	return err
}

// reader reads all that was kept, from the beginning, and holds the spool until it is
// closed.
func (s *spool) reader() io.ReadCloser {
	s.hold()
	var r io.Reader = bytes.NewReader(s.mem)
	if s.file != nil {
		r = io.NewSectionReader(s.file, 0, s.size)
	}
	return &spoolReader{Reader: r, close: sync.OnceValue(s.release)}
}

func (s *spool) hold() {
	s.mu.Lock()
	s.holders++
	s.mu.Unlock()
}

// release gives up one hold of the spool.
func (s *spool) release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holders--
	if s.holders > 0 || s.file == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}

type spoolReader struct {
	io.Reader
	close func() error
}

// Close releases the spool; a second call does nothing.
func (r *spoolReader) Close() error { return r.close() }
