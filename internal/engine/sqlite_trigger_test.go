package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestInsertsInto(t *testing.T) {
	tests := []struct {
		name, body string
		tables     []string
		ok         bool
	}{
		{"log", "INSERT INTO Log VALUES (OLD.id);", []string{"log"}, true},
		{"two", "INSERT INTO a VALUES (1); INSERT INTO main.b SELECT OLD.id;", []string{"a", "b"}, true},
		{"check", "SELECT RAISE(ABORT, 'no') WHERE NEW.id < 0;", nil, true},
		{"case", "INSERT INTO log VALUES (CASE WHEN OLD.id > 1 THEN 2 ELSE 3 END);", []string{"log"}, true},
		{"update", "INSERT INTO log VALUES (1); UPDATE t SET a = 1;", nil, false},
		{"delete", "DELETE FROM t;", nil, false},
		{"replace", "INSERT OR REPLACE INTO log VALUES (1);", nil, false},
		{"upsert", "INSERT INTO log VALUES (1) ON CONFLICT DO UPDATE SET a = 1;", nil, false},
		{"nothing", "", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tables, ok := insertsInto("CREATE TRIGGER \"begin\" AFTER DELETE ON t WHEN OLD.id > CASE 1 WHEN 1 THEN 0 END BEGIN " + tt.body + " END")
			assert.Equal(t, tt.ok, ok)
			assert.Equal(t, tt.tables, tables)
		})
	}
	_, ok := insertsInto("CREATE TABLE t (id)")
	assert.False(t, ok, "no trigger")
}
