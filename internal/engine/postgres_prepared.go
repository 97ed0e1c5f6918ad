package engine

import (
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// A driver refers to a prepared statement by name, and the guard judges the text that was
// prepared. On PostgreSQL an SQL text may reuse the name for another statement: DEALLOCATE
// and PREPARE share their namespace with the protocol.

// notePrepared notes a text that may prepare a statement, or shift names.
func (s *Session) notePrepared(t *sqlscan.Text) {
	if s.dialect != sqlscan.PostgreSQL {
		return
	}
	if mayRedirectNames(t) {
		s.schemaChanges++
	}
	for i := range t.Ops {
		if k := t.Ops[i].Kind; k == sqlscan.Prepare || k == sqlscan.Opaque {
			s.preparedNameChanges++
			return
		}
	}
}

// PrepareCount counts the texts that may have prepared something: since the last of them any
// name may stand for another statement.
func (s *Session) PrepareCount() int { return s.preparedNameChanges }

// isDriverName reports a name that only drivers give to prepared statements: lib/pq uses
// numbers, pgx a prefix and 48 hexadecimal digits.
func isDriverName(name string) bool {
	for _, word := range []string{"stmtcache_", "stmt_"} {
		if rest, ok := strings.CutPrefix(name, word); ok {
			return len(rest) == 48 && strings.Trim(rest, "0123456789abcdef") == ""
		}
	}
	return name != "" && strings.Trim(name, "0123456789") == ""
}
