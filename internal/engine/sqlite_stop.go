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
// a column may have taken its name. And where a row that is found need not be
// changed, so that the LIMIT could cut unnoticed: a trigger may RAISE(IGNORE), a
// conflict may be ignored, or resolved by removing a row. Nor where rows refer to
// others of the table: a part of them may not go without the rest.
//
// It is asked before anything is opened: a transaction that reads first cannot
// wait for a lock. The schema is seen to be the same afterwards.
func (c *sqliteCounter) stopping(ctx context.Context) (string, error) {
	f := c.f
	x, limit := f.st.simple(), f.op.Limit()
	if x == nil || x.replaces || limit < 0 || limit >= maxProbe || f.st.op.Acts[0].Filter != dbguard.Filtered || f.callers == "" ||
		x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised|sqlscan.HasLimit) != 0 || x.op.Where.Start >= x.op.Where.End || len(x.name) != 1 {
		return "", nil
	}
	t := &sqlscan.Text{Source: f.callers, Dialect: sqlscan.SQLite, Mode: f.s.modes.mode}
	cl := clausesOf(t, x)
	end := cl.rest
	if x.op.Kind == sqlscan.Update {
		end = cl.set
	}
	if end <= x.op.Object.Start || cl.odd {
		return "", nil
	}
	table := f.callers[x.op.Object.Start:end]
	if containsFold(table, "indexed") || containsFold(f.callers[:x.op.Object.Start], "ignore") {
		return "", nil
	}
	version, err := c.q.version(ctx)
	if err != nil {
		return "", err
	}
	name, err := c.q.knownRowid(ctx, version, x.name[0])
	if err != nil || name == "" {
		return "", err
	}
	c.schema = version
	return fmt.Sprintf("%s%s IN (SELECT %s FROM %s WHERE (%s) LIMIT %d)%s", f.callers[:x.op.Where.Start], name, name, table,
		f.callers[x.op.Where.Start:x.op.Where.End], limit+1, f.callers[x.op.Where.End:]), nil
}

// knownRowid remembers what rowid found, for as long as the schema is the same.
func (q *sqlite) knownRowid(ctx context.Context, version, table string) (string, error) {
	if q.schema != version || len(q.rowids) > 1000 {
		q.schema, q.rowids = version, map[string]string{}
	}
	name, ok := q.rowids[table]
	if ok {
		return name, nil
	}
	name, err := q.rowid(ctx, table)
	if err == nil {
		q.rowids[table] = name
	}
	return name, err
}

// rowid is a name of the row's number in the table, if that is the only object
// of its name, in the main database, and has one.
func (q *sqlite) rowid(ctx context.Context, table string) (string, error) {
	quoted := quoteString(sqlscan.SQLite, table)
	free := ""
	// A trigger of temp may be on a table of main.
	err := q.conn.Query(ctx, "SELECT count(*), min(schema || type), max(wr), (SELECT group_concat(lower(name)) FROM pragma_table_xinfo("+quoted+
		") WHERE lower(name) IN ('rowid', '_rowid_', 'oid')), "+
		"(SELECT count(*) FROM (SELECT * FROM main.sqlite_master UNION ALL SELECT * FROM temp.sqlite_master)"+
		" WHERE lower(tbl_name) = lower("+quoted+") AND (type = 'trigger' OR sql LIKE '%conflict%'))"+
		" + (SELECT count(*) FROM pragma_foreign_key_list("+quoted+") WHERE lower(\"table\") = lower("+quoted+")) FROM pragma_table_list WHERE name = "+quoted+" COLLATE NOCASE", func(v []any) error {
		n, err := asInt(v[0])
		if err != nil || n != 1 || asBool(v[4]) || asText(v[1]) != "maintable" || asBool(v[2]) {
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

// version is the number of the main database's schema. That of temp changes only
// by texts of this connection.
func (q *sqlite) version(ctx context.Context) (string, error) {
	return askText(ctx, q.conn, "PRAGMA main.schema_version")
}
