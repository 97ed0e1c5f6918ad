package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

func TestReadsCostNothing(t *testing.T) {
	r := newRig(t, pg)
	for _, text := range []string{
		"SELECT id, name FROM users WHERE id = $1",
		"SELECT '" + strings.Repeat("x", 2*maxKept) + "'", // too long to be cached: classified each time
	} {
		require.True(t, r.IsRead(text))
		assert.Zero(t, testing.AllocsPerRun(100, func() { r.IsRead(text) }))
	}
	assert.Empty(t, r.conn.log)
}

// A driver may be handed a text that lives in a buffer.
func TestReadingsCopy(t *testing.T) {
	var all readings
	buffer := []byte("DELETE FROM a")
	r := all.read(unsafe.String(&buffer[0], len(buffer)), sqlscan.SQLite, 0)
	r.passes = true
	assert.True(t, all.passes("DELETE FROM a"))
	buffer[len(buffer)-1] = 'b'
	assert.False(t, all.passes("DELETE FROM b"))
	r = all.read("DELETE FROM b", sqlscan.SQLite, 0)
	assert.Equal(t, "b", r.Name(r.Ops[0].Object))
}

// A cached reading is that of this text, in this dialect and mode.
func TestReadingsTellTextsApart(t *testing.T) {
	const mode = sqlscan.ANSIQuotes
	var all readings
	long := "SELECT '" + strings.Repeat("x", maxKept) + "'"
	for _, text := range []string{"", "SELECT 1", "DELETE FROM t", "DELETE FROM t; DELETE FROM u", `SELECT "; DELETE FROM t; "`, long} {
		for _, m := range []sqlscan.Mode{0, mode, 0} {
			var want sqlscan.Text
			sqlscan.Classify(&want, text, sqlscan.MySQL, m)
			for range 2 {
				r := all.read(text, sqlscan.MySQL, m)
				assert.Equal(t, want.Ops, r.Ops, text)
				assert.Equal(t, want.Statements, r.Statements, text)
				assert.Equal(t, text, r.Source)
				assert.False(t, r.passes, "as it was never said")
			}
		}
	}
	assert.False(t, all.passes(""))
	all.read(long, sqlscan.MySQL, 0).passes = true
	assert.False(t, all.passes(long), "it is not kept")
	assert.False(t, all.passes(""))
}

// What a session found out about a text is dropped with the modes.
func TestReadingsForgetReads(t *testing.T) {
	var all readings
	all.read("SELECT 1", sqlscan.MySQL, 0).passes = true
	assert.True(t, all.passes("SELECT 1"))
	all.forgetReads()
	assert.False(t, all.passes("SELECT 1"))
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
