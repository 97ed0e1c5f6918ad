package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadsCostNothing(t *testing.T) {
	r := newRig(t, pg)
	for _, text := range []string{
		"SELECT id, name FROM users WHERE id = $1",
		"SELECT '" + strings.Repeat("x", 2*maxCached) + "'", // too long to be kept: classified each time
	} {
		require.True(t, r.IsRead(text))
		assert.Zero(t, testing.AllocsPerRun(100, func() { r.IsRead(text) }))
	}
	assert.Empty(t, r.conn.log)
}

// A driver may be handed a text that lives in a buffer.
func TestReadCacheCopies(t *testing.T) {
	var c readCache
	buffer := []byte("SELECT 1")
	c.add(string(buffer))
	assert.True(t, c.has("SELECT 1"))
	assert.False(t, c.has("SELECT 2"))
	assert.False(t, c.has(""))
	long := strings.Repeat("x", maxCached+1)
	c.add(long)
	assert.False(t, c.has(long))
}

func TestOpensExisting(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a b.db")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, want := range map[string]bool{
		"":                   true,
		":memory:":           true,
		file:                 true,
		"file:" + file:       true,
		"file://" + file:     true,
		"file:x?mode=memory": true,
		"file:/x?vfs=memdb":  true,
		"file:" + dir + "/none?vfs=memdb&vfs=unix-excl": false,
		"file:" + dir + "/none#?mode=memory":            false,
		dir + "/none?vfs=memdb":                         false,
		"file:" + dir + "/none?mode=memory&mode=rwc":    false,
		"file:" + dir + "/none?mode=rwc&mode=memory":    true,
		"file:" + dir + "/none?mode=ro&mode%00=rwc":     false,
		"file:" + dir + "/none?mode=ro":                 true,
		"file:" + dir + "/none?mode=rwc":                false,
		"file:" + dir + "/a%20b.db":                     true,
		filepath.Join(dir, "none"):                      false,
		"file:" + dir + "/none":                         false,
		"file:%zz":                                      false,
	} {
		assert.Equal(t, want, opensExisting(name), "%q", name)
	}
}

func BenchmarkIsRead(b *testing.B) {
	s := NewSession(nil, Config{Dialect: pg})
	s.hidden = &hiddenCode{}
	text := "SELECT id, name FROM users WHERE id = $1"
	s.IsRead(text)
	b.ReportAllocs()
	for b.Loop() {
		s.IsRead(text)
	}
}
