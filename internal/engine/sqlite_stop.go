package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// stopping is the text of a DELETE or UPDATE that ends one row past its bound:
//
//	DELETE FROM t WHERE rowid IN (SELECT rowid FROM t WHERE … LIMIT n+1)
//
// It is one scan, as the caller's own is, with its arguments in the same order,
// and does the same where no more rows are found. It is empty where the
// statement must go as it is: a view or a WITHOUT ROWID table has no rowid, and
// a column may have taken its name.
//
// It is asked before anything is opened: a transaction that reads first cannot
// wait for a lock. The schema is seen to be the same afterwards.
func (c *sqliteCounter) stopping(ctx context.Context) (string, error) {
	f := c.f
	x, limit := f.st.simple(), f.op.Limit()
	if x == nil || x.replaces || limit < 0 || limit >= maxProbe || f.st.op.Acts[0].Filter != dbguard.Filtered || f.text == "" ||
		x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised|sqlscan.HasLimit) != 0 || x.op.Where.Start >= x.op.Where.End || len(x.name) != 1 {
		return "", nil
	}
	t := &sqlscan.Text{Source: f.text, Dialect: sqlscan.SQLite, Mode: f.s.modes.mode}
	cl := clausesOf(t, x)
	end := cl.rest
	if x.op.Kind == sqlscan.Update {
		end = cl.set
	}
	if end <= x.op.Object.Start || cl.odd {
		return "", nil
	}
	table := f.text[x.op.Object.Start:end]
	if containsFold(table, "indexed") {
		return "", nil
	}
	name, err := c.q.rowid(ctx, x.name[0])
	if err != nil || name == "" {
		return "", err
	}
	version, err := c.version(ctx)
	if err != nil {
		return "", err
	}
	c.schema = version
	return fmt.Sprintf("%s%s IN (SELECT %s FROM %s WHERE (%s) LIMIT %d)%s", f.text[:x.op.Where.Start], name, name, table,
		f.text[x.op.Where.Start:x.op.Where.End], limit+1, f.text[x.op.Where.End:]), nil
}

// rowid is a name of the row's number in the table, if that is the only object
// of its name and has one.
func (q *sqlite) rowid(ctx context.Context, table string) (string, error) {
	quoted := quoteString(sqlscan.SQLite, table)
	free := ""
	err := q.conn.Query(ctx, "SELECT count(*), min(type), max(wr), (SELECT group_concat(lower(name)) FROM pragma_table_xinfo("+quoted+
		") WHERE lower(name) IN ('rowid', '_rowid_', 'oid')) FROM pragma_table_list WHERE name = "+quoted+" COLLATE NOCASE", func(v []any) error {
		n, err := asInt(v[0])
		if err != nil || n != 1 || asText(v[1]) != "table" || asBool(v[2]) {
			return err
		}
		taken := "," + asText(v[3]) + ","
		for _, name := range []string{"rowid", "_rowid_", "oid"} {
			if free == "" && !strings.Contains(taken, ","+name+",") {
				free = name
			}
		}
		return nil
	})
	if err != nil && strings.Contains(err.Error(), "no such") {
		return "", nil // a SQLite older than the table of tables
	}
	return free, err
}

// version is the number of the schema of the main database; temp has its own.
func (c *sqliteCounter) version(ctx context.Context) (string, error) {
	main, err := askText(ctx, c.q.conn, "PRAGMA main.schema_version")
	if err != nil {
		return "", err
	}
	temp, err := askText(ctx, c.q.conn, "PRAGMA temp.schema_version")
	return main + " " + temp, err
}
