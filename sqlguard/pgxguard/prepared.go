package pgxguard

import (
	"strings"

	"github.com/jackc/pgx/v5"
)

// statements are the texts of a connection's prepared statements by name: pgx
// runs a statement by its name in place of SQL. It does not show them, but its
// tracer sees them come. Those of its cache have names that nobody uses.
type statements struct {
	texts map[string]string
	next  pgx.TracePrepareStartData // being prepared
}

// cached begins the names of what pgx prepares by itself, for each text.
const cached = "stmtcache_"

func (s *statements) prepare(data pgx.TracePrepareStartData) { s.next = data }

func (s *statements) done(data pgx.TracePrepareEndData) {
	next := s.next
	s.next = pgx.TracePrepareStartData{}
	if data.Err != nil || data.AlreadyPrepared || next.Name == next.SQL || strings.HasPrefix(next.Name, cached) {
		return
	}
	if s.texts == nil {
		s.texts = map[string]string{}
	}
	s.texts[next.Name] = next.SQL
}

// prepared is the text to judge for what the caller wants run. A name that is
// not a plain word could be a text of its own, after the statement was
// deallocated: then both are judged.
func (l *link) prepared(sql string) string {
	text, ok := l.statements.texts[sql]
	switch {
	case !ok:
		return sql
	case strings.ContainsFunc(sql, func(r rune) bool { return r <= ' ' || strings.ContainsRune("'\"`$;()/", r) }):
		return sql + "\n;" + text
	}
	return text
}
