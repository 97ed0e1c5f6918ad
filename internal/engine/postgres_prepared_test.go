package engine

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestIsDriverName(t *testing.T) {
	digest := strings.Repeat("0f", 24)
	for _, name := range []string{"1", "42", "stmt_" + digest, "stmtcache_" + digest} {
		assert.True(t, isDriverName(name), name)
	}
	for _, name := range []string{"", "q", "q1", "1q", "stmt_1", "stmt_" + digest + "0", "stmtcache_" + strings.Repeat("g", 48), digest} {
		assert.False(t, isDriverName(name), name)
	}
}
