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
	texts map[string]named
	next  pgx.TracePrepareStartData // being prepared
	// kept says that a statement that the guard prepared was still there.
	kept bool
	// unsent says that a text before this one, which may take a name, is still to be sent.
	unsent bool
}

// named is a statement that was prepared, and how many texts had been there by then
// that may take a name for another one.
type named struct {
	sql     string
	renamed int
}

// cached begins the names of what pgx prepares by itself, for each text.
const cached = "stmtcache_"

func (s *statements) done(data pgx.TracePrepareEndData, renamed int) {
	next := s.next
	s.next = pgx.TracePrepareStartData{}
	if data.Err != nil || data.AlreadyPrepared || next.Name == next.SQL || strings.HasPrefix(next.Name, cached) {
		return
	}
	if s.texts == nil {
		s.texts = map[string]named{}
	}
	s.texts[next.Name] = named{next.SQL, renamed}
}

// prepared is the text that the server runs for what the caller calls by name
// or text. Nobody sees a statement go; but to prepare one that is there costs
// nothing, and tells.
func (l *link) prepared(ctx context.Context, sql string) (text string, named bool) {
	s := &l.statements
	n, ok := s.texts[sql]
	if !ok {
		return sql, false
	}
	s.kept = false
	var err error
	l.quietly(func() { _, err = l.conn.Prepare(ctx, sql, n.sql) })
	switch {
	case s.kept && l.takenFor(ctx, sql, n):
		return "EXECUTE " + pgx.Identifier{sql}.Sanitize(), true
	case s.kept:
		return n.sql, true
	}
	if err == nil {
		_ = l.conn.Deallocate(ctx, sql) // as the caller left it; an error breaks what comes next
	}
	delete(s.texts, sql)
	return sql, false
}

// takenFor reports that a text may have taken the name for a statement of its own,
// which pgx does not notice. The server tells which of them is there.
func (l *link) takenFor(ctx context.Context, name string, n named) bool {
	now := l.session.PrepareCount()
	if l.statements.unsent {
		return true
	}
	if n.renamed == now || l.conn.PgConn().TxStatus() == 'E' {
		return false // or nothing will run
	}
	r := l.conn.PgConn().ExecParams(ctx, fromSQL, [][]byte{[]byte(name)}, nil, nil, nil).Read()
	if r.Err != nil || len(r.Rows) > 0 {
		return true
	}
	n.renamed = now
	l.statements.texts[name] = n
	return false
}

const fromSQL = "SELECT FROM pg_catalog.pg_prepared_statements WHERE name OPERATOR(pg_catalog.=) $1 AND from_sql"
