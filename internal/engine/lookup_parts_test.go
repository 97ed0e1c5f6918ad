package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPartsOf(t *testing.T) {
	tests := map[string][]part{
		"ALTER TABLE t DROP COLUMN IF EXISTS a":                                            {{"COLUMN", "a"}},
		"ALTER TABLE t DROP IF EXISTS a CASCADE;":                                          {{"COLUMN", "a"}},
		`ALTER TABLE IF EXISTS ONLY s.t DROP CONSTRAINT IF EXISTS "A b", drop if exists c`: {{"CONSTRAINT", "A b"}, {"COLUMN", "c"}},
		"ALTER TABLE t DROP KEY IF EXISTS k":                                               {{"INDEX", "k"}},
		"ALTER TABLE t DROP COLUMN a":                                                      nil,
		"ALTER TABLE t DROP COLUMN IF EXISTS a, DROP COLUMN b":                             nil,
		"ALTER TABLE t DROP COLUMN IF EXISTS a, ALTER b TYPE int":                          nil,
		"ALTER TABLE t ALTER COLUMN IF EXISTS a TYPE int":                                  nil,
		"ALTER TABLE t DROP PARTITION IF EXISTS p":                                         nil,
		"ALTER TABLE t RENAME TO u":                                                        nil,
	}
	for text, want := range tests {
		r := readText(text)
		assert.Equal(t, want, partsOf(r, r.Ops[0].Object), text)
	}
}
