package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// sqliteCounter reads total_changes(), which counts the rows that cascades and
// triggers change as well, and changes(), which counts only the statement's
// own. Neither tells a changed row from an inserted one, or sees a row that
// REPLACE removed: where the text's own number of rows does not settle it, the
// table is counted before and after.
type sqliteCounter struct {
	q       *sqlite
	f       *Flight
	reads   bool   // the table must be counted
	most    int64  // rows that the text can change at most, hidden ones apart; -1: no idea
	changed int64  // total_changes() before
	rows    int64  // of the table, before
	schema  string // its version, where the statement was sent in another form
}

func (c *sqliteCounter) survey(ctx context.Context) (string, error) {
	note, err := c.q.journals(ctx)
	if err != nil || note != "" {
		return note, err
	}
	c.most = -1
	x := c.conflicting()
	if x == nil {
		c.f.instead, err = c.stopping(ctx)
		return "", err
	}
	if x.op.Kind != sqlscan.Update && x.op.Rows >= 0 {
		c.most = x.op.Rows
		if x.op.Kind == sqlscan.Replace {
			keys, err := c.keys(ctx, x)
			if err != nil {
				return "", err
			}
			c.most *= keys
		}
	}
	c.reads = c.most < 0 || c.most > c.f.op.Limit()
	return "", nil
}

// conflicting is the target whose changes cannot be told from its inserts, or
// are not counted: an upsert or anything with REPLACE in it.
func (c *sqliteCounter) conflicting() *target {
	st := c.f.st
	if st.op.Statements != 1 || len(st.targets) != 1 {
		return nil
	}
	switch x := &st.targets[0]; x.op.Kind {
	case sqlscan.Upsert, sqlscan.Replace:
		return x
	case sqlscan.Update:
		if x.replaces {
			return x
		}
	}
	return nil
}

// keys is the number of rows that one new row can be in conflict with: one for
// each unique index, and one for the rowid.
func (c *sqliteCounter) keys(ctx context.Context, x *target) (int64, error) {
	schema := ""
	if len(x.name) > 1 {
		schema = ", " + quoteString(sqlscan.SQLite, x.name[0])
	}
	n, err := askInts(ctx, c.q.conn, fmt.Sprintf(`SELECT count(*) + 1 FROM pragma_index_list(%s%s) WHERE "unique"`,
		quoteString(sqlscan.SQLite, x.name[len(x.name)-1]), schema))
	if err != nil {
		return 0, err
	}
	return n[0], nil
}

func (c *sqliteCounter) baseline(ctx context.Context) (string, error) {
	n, err := askInts(ctx, c.q.conn, "SELECT total_changes()")
	if err != nil {
		return "", err
	}
	c.changed = n[0]
	if c.reads {
		c.rows, err = c.size(ctx)
	}
	return "", err
}

func (c *sqliteCounter) size(ctx context.Context) (int64, error) {
	n, err := askInts(ctx, c.q.conn, "SELECT count(*) FROM "+c.f.st.targets[0].raw)
	if err != nil {
		return 0, err
	}
	return n[0], nil
}

func (c *sqliteCounter) count(ctx context.Context, _ int64) (dbguard.Count, error) {
	n, err := askInts(ctx, c.q.conn, "SELECT total_changes(), changes()")
	if err != nil {
		return dbguard.Count{}, err
	}
	if c.schema != "" {
		if version, err := c.q.version(ctx); err != nil || version != c.schema {
			return dbguard.Count{Rows: -1}, err
		}
	}
	all := n[0] - c.changed
	if c.f.st.op.Statements != 1 {
		return dbguard.Count{Rows: all}, nil
	}
	direct := min(n[1], all)
	hidden := all - direct
	switch x := c.conflicting(); {
	case x != nil:
		direct, err = c.conflicts(ctx, x, direct)
	case hidden > 0:
		hidden, err = c.changedBehind(ctx, hidden)
	}
	if err != nil {
		return dbguard.Count{}, err
	}
	count := dbguard.Count{Rows: direct + hidden}
	if hidden > 0 && len(c.f.st.targets) == 1 {
		count.Tables = []dbguard.TableRows{
			{Table: c.f.st.op.Acts[0].Object, Rows: direct},
			{Rows: hidden, Via: "trigger or foreign key"},
		}
	}
	return count, nil
}

// changedBehind are those of the hidden rows that were there before: all of
// them, unless nothing behind the statement does anything but insert.
func (c *sqliteCounter) changedBehind(ctx context.Context, hidden int64) (int64, error) {
	x := c.f.st.simple()
	if x == nil {
		return hidden, nil
	}
	only, err := c.q.onlyInserts(ctx, x.name[len(x.name)-1])
	if only {
		hidden = 0
	}
	return hidden, err
}

// conflicts is how many of the rows that were there before were changed or
// removed. Where the table was not counted it is the most that may have been.
func (c *sqliteCounter) conflicts(ctx context.Context, x *target, direct int64) (int64, error) {
	if !c.reads {
		if x.op.Kind == sqlscan.Upsert {
			return min(direct, c.most), nil
		}
		return c.most, nil
	}
	after, err := c.size(ctx)
	if err != nil {
		return 0, err
	}
	switch x.op.Kind {
	case sqlscan.Upsert:
		return max(direct-max(after-c.rows, 0), 0), nil
	case sqlscan.Replace:
		return max(c.rows+direct-after, 0), nil
	}
	return direct + max(c.rows-after, 0), nil // UPDATE OR REPLACE
}

// journals reports a database without a rollback journal: nothing is undone in it.
func (q *sqlite) journals(ctx context.Context) (note string, err error) {
	if q.journal {
		return "", nil
	}
	schemas, err := q.schemas(ctx)
	if err != nil {
		return "", err
	}
	for _, schema := range schemas {
		mode, err := askText(ctx, q.conn, "PRAGMA "+quoteName(schema)+".journal_mode")
		if err != nil {
			return "", err
		}
		if strings.EqualFold(mode, "off") {
			return "journal_mode of " + schema + " is OFF", nil
		}
	}
	q.journal = true
	return "", nil
}
