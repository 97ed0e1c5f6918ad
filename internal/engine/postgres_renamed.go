package engine

import (
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// A driver calls what it has prepared by a name, and is judged by the text that it
// prepared. On PostgreSQL a text may take the name for another statement: DEALLOCATE
// and PREPARE share their names with the protocol.

// rename notes a text that may prepare something under a name.
func (s *Session) rename(t *sqlscan.Text) {
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

// Renamed counts the texts that may have prepared something: since the last of them
// any name may stand for another statement.
func (s *Session) Renamed() int { return s.preparedNameChanges }

// isDrivers reports a name that drivers give to what they prepare, and nobody else:
// lib/pq numbers, pgx has a word before 48 hexadecimal digits.
func isDrivers(name string) bool {
	for _, word := range []string{"stmtcache_", "stmt_"} {
		if rest, ok := strings.CutPrefix(name, word); ok {
			return len(rest) == 48 && strings.Trim(rest, "0123456789abcdef") == ""
		}
	}
	return name != "" && strings.Trim(name, "0123456789") == ""
}
