package pgxguard

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// preparedStatements are the texts of a connection's prepared statements by name: pgx accepts
// a name in place of SQL. It does not expose them, but its tracer sees them prepared. The
// statements in its cache have names that nobody uses.
type preparedStatements struct {
	texts     map[string]preparedStatement
	preparing pgx.TracePrepareStartData // being prepared
	// stillThere says that a statement which the guard prepared was prepared already.
	stillThere bool
	// replacementPending says that an earlier text, which may take a name, is still to be sent.
	replacementPending bool
}

// preparedStatement is the text of a statement, and the session's PrepareCount when it was
// prepared.
type preparedStatement struct {
	sql          string
	prepareCount int
}

// cachePrefix begins the names of statements that pgx prepares by itself.
const cachePrefix = "stmtcache_"

func (s *preparedStatements) record(data pgx.TracePrepareEndData, renamed int) {
	next := s.preparing
	s.preparing = pgx.TracePrepareStartData{}
	if data.Err != nil || data.AlreadyPrepared || next.Name == next.SQL || strings.HasPrefix(next.Name, cachePrefix) {
		return
	}
	if s.texts == nil {
		s.texts = map[string]preparedStatement{}
	}
	s.texts[next.Name] = preparedStatement{next.SQL, renamed}
}

// preparedText is the text that the server runs for a name or text of the caller's. The tracer
// does not see a statement removed; but preparing one that still exists costs nothing, and
// shows that it does.
func (g *connGuard) preparedText(ctx context.Context, sql string) (text string, byName bool) {
	s := &g.statements
	n, ok := s.texts[sql]
	if !ok {
		return sql, false
	}
	s.stillThere = false
	var err error
	g.asInternal(func() { _, err = g.conn.Prepare(ctx, sql, n.sql) })
	switch {
	case s.stillThere && g.mayBeReplaced(ctx, sql, n):
		return "EXECUTE " + pgx.Identifier{sql}.Sanitize(), true
	case s.stillThere:
		return n.sql, true
	}
	if err == nil {
		_ = g.conn.Deallocate(ctx, sql) // as the caller left it; an error breaks what comes next
	}
	delete(s.texts, sql)
	return sql, false
}

// mayBeReplaced reports that a text may have reused the name for another statement, which pgx
// does not notice. The server knows whether the statement was prepared by SQL.
func (g *connGuard) mayBeReplaced(ctx context.Context, name string, n preparedStatement) bool {
	now := g.session.PrepareCount()
	if g.statements.replacementPending {
		return true
	}
	if n.prepareCount == now || g.conn.PgConn().TxStatus() == 'E' {
		return false // or nothing will run
	}
	r := g.conn.PgConn().ExecParams(ctx, preparedBySQL, [][]byte{[]byte(name)}, nil, nil, nil).Read()
	if r.Err != nil || len(r.Rows) > 0 {
		return true
	}
	n.prepareCount = now
	g.statements.texts[name] = n
	return false
}

const preparedBySQL = "SELECT FROM pg_catalog.pg_prepared_statements WHERE name OPERATOR(pg_catalog.=) $1 AND from_sql"
