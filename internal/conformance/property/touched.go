package property

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// touched is how often the statement changes or deletes a row, run bare and rolled back. The
// difference between two states says less: the engines also count a row that is set to its old
// value, or changed twice, and none of them tells such rows apart.
func (p *pair) touched(ctx context.Context, c *testcase) (n int, err error) {
	if err := p.bare.prepare(ctx, c.Setup); err != nil {
		return 0, err
	}
	conn, err := p.bare.admin.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer func() {
		_, undo := conn.ExecContext(ctx, "ROLLBACK")
		err = errors.Join(err, undo, conn.Close())
	}()
	before := append([]string{"BEGIN"}, c.Before...)
	if p.bare.Engine != target.Postgres {
		watch, err := p.bare.watch(ctx, conn)
		if err != nil {
			return 0, err
		}
		before = append(watch, before...)
	}
	texts := []string{literal(c.Text)}
	if c.Wrap != autocommit {
		before, texts = append(before, inside), append(texts, after)
	}
	count := "SELECT count(*) FROM watched"
	if p.bare.Engine == target.Postgres {
		texts = append(texts, "SET CONSTRAINTS ALL IMMEDIATE")
		count = "SELECT sum(n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables" // the set-up only inserts
	}
	var others int
	if err := errors.Join(execAll(ctx, conn, before), conn.QueryRowContext(ctx, count).Scan(&others)); err != nil {
		return 0, err
	}
	err = errors.Join(execAll(ctx, conn, texts), conn.QueryRowContext(ctx, count).Scan(&n))
	return n - others, err
}

func execAll(ctx context.Context, conn *sql.Conn, texts []string) error {
	for _, text := range texts {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("%w in %s", err, text)
		}
	}
	return nil
}

// watch creates triggers that record every changed and deleted row. PostgreSQL has counters for
// that.
func (s *side) watch(ctx context.Context, conn *sql.Conn) (texts []string, err error) {
	kind, ask, each, begin := "TEMP ", "SELECT name FROM sqlite_schema WHERE type = 'table'", "", "BEGIN "
	if s.Engine.InMySQLFamily() {
		kind, each = "", " FOR EACH ROW"
		ask = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
	}
	rows, err := conn.QueryContext(ctx, ask)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	texts = append(texts, "CREATE "+kind+"TABLE watched (n INT)")
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			return nil, err
		}
		for _, event := range []string{"UPDATE", "DELETE"} {
			texts = append(texts, fmt.Sprintf("CREATE %sTRIGGER watch_%s_%s AFTER %s ON %s%s %sINSERT INTO watched VALUES (1); END",
				kind, table, event, event, table, each, begin))
		}
	}
	return texts, rows.Err()
}
