package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

func TestVersionMode(t *testing.T) {
	const since84 = sqlscan.MySQL80 | sqlscan.MySQL84
	for version, want := range map[string]sqlscan.Mode{
		"9.7.4-2": since84, "8.4.0": since84, "8.0.36-0ubuntu0.22.04.1": sqlscan.MySQL80, "5.7.44-log": 0,
		"10.11.19-MariaDB-0+deb12u1": 0, "5.5.5-10.6.16-MariaDB": 0, "8.0.11-TiDB-v7.5.0": 0, "8.0.30-Vitess": 0, "": 0, "unknown": 0,
	} {
		assert.Equal(t, want, versionMode(version), version)
	}
}

// MySQL's dictionary joins a schema and a name by a slash, which both may hold.
func TestNamesWithSlashes(t *testing.T) {
	known := []mysqlTable{{"a/b", "c"}, {"a", "d/e"}}
	assert.Equal(t, known[0], mysqlTable{"a", "b/c"}.unsplit(known))
	assert.Equal(t, known[1], known[1].unsplit(known))
	assert.Equal(t, mysqlTable{"x", "y/z"}, mysqlTable{"x", "y/z"}.unsplit(known))
}
