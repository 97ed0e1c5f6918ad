package pgxguard

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// statements are the texts of a connection's prepared statements by name: pgx
// runs a statement by its name in place of SQL. It does not show them, but its
// tracer sees them come. Those of its cache have names that nobody uses.
type statements struct {
	texts map[string]string
	next  pgx.TracePrepareStartData // being prepared
	// kept says that a statement that the guard prepared was still there.
	kept bool
}

// cached begins the names of what pgx prepares by itself, for each text.
const cached = "stmtcache_"

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

// prepared is the text that the server runs for what the caller calls by name
// or text. Nobody sees a statement go; but to prepare one that is there costs
// nothing, and tells.
func (l *link) prepared(ctx context.Context, sql string) (text string, named bool) {
	s := &l.statements
	text, ok := s.texts[sql]
	if !ok {
		return sql, false
	}
	s.kept = false
	var err error
	l.quietly(func() { _, err = l.conn.Prepare(ctx, sql, text) })
	if s.kept {
		return text, true
	}
	if err == nil {
		_ = l.conn.Deallocate(ctx, sql) // as the caller left it; an error breaks what comes next
	}
	delete(s.texts, sql)
	return sql, false
}
