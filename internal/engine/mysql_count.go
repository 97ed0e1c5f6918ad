package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// mysqlCounter counts what the session's handlers did: Handler_update and
// Handler_delete count each row that a statement, or a trigger that it fired,
// changed or removed in a table. Rows that InnoDB changes on its own, along
// foreign keys, are not among them.
//
// They are undone only in tables of a transactional engine, which is looked up
// for each table in the statement's own transaction.
type mysqlCounter struct {
	m      *mysql
	f      *Flight
	before int64
}

func (c *mysqlCounter) survey(context.Context) (string, error) { return "", nil }

func (c *mysqlCounter) baseline(ctx context.Context) (string, error) {
	var names [][]string
	for i, x := range c.f.st.targets {
		if changesRows(c.f.st.op.Acts[i].Verb) && len(x.name) > 0 {
			names = append(names, x.name)
		}
	}
	note, err := c.engines(ctx, names, 0)
	if err != nil || note != "" {
		return note, err
	}
	c.before, err = c.handled(ctx)
	return "", err
}

// maxViews is how deep views are followed into views.
const maxViews = 16

// engines reports a table whose engine cannot undo, looking through views.
func (c *mysqlCounter) engines(ctx context.Context, names [][]string, depth int) (note string, err error) {
	if len(names) == 0 {
		return "", nil
	}
	conds := make([]string, len(names))
	for i, name := range names {
		conds[i] = "(" + c.m.tableIs(name) + ")"
	}
	var views [][]string
	text := "SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_TYPE, t.ENGINE, e.TRANSACTIONS FROM information_schema.TABLES t" +
		" LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE WHERE " + strings.Join(conds, " OR ")
	err = c.m.conn.Query(ctx, text, func(v []any) error {
		schema, table, engine := asText(v[0]), asText(v[1]), asText(v[3])
		switch {
		case strings.Contains(asText(v[2]), "VIEW"):
			views = append(views, []string{schema, table})
		case engine != "" && asText(v[4]) != "YES":
			note = "table " + table + " is " + engine
		}
		return nil
	})
	if err != nil || note != "" || len(views) == 0 {
		return note, err
	}
	if depth == maxViews {
		return "views are nested too deeply", nil
	}
	var behind [][]string
	for _, view := range views {
		tables, err := c.behind(ctx, view)
		if err != nil {
			return "", err
		}
		behind = append(behind, tables...)
	}
	return c.engines(ctx, behind, depth+1)
}

// behind are the tables that a view's definition names; the server qualifies
// and quotes all of them.
func (c *mysqlCounter) behind(ctx context.Context, view []string) ([][]string, error) {
	definition, err := askText(ctx, c.m.conn, "SELECT t.VIEW_DEFINITION FROM information_schema.VIEWS t WHERE "+c.m.tableIs(view))
	if err != nil {
		return nil, err
	}
	t := sqlscan.Text{Source: definition, Dialect: sqlscan.MySQL, Mode: sqlscan.MySQL.DefaultMode()}
	var chain []string
	var names [][]string
	joined := false
	for tok := range tokens(&t, 0, int32(len(definition))) {
		switch {
		case tok.Kind == sqlscan.QuotedIdent && joined && len(chain) == 1:
			names = append(names, []string{chain[0], t.Name(sqlscan.Span{Start: tok.Pos, End: tok.End})})
			chain = nil
		case tok.Kind == sqlscan.QuotedIdent:
			chain = []string{t.Name(sqlscan.Span{Start: tok.Pos, End: tok.End})}
		case tok.Kind != sqlscan.Punct || tok.Byte != '.':
			chain = nil
		}
		joined = tok.Kind == sqlscan.Punct && tok.Byte == '.'
	}
	return names, nil
}

// handled is the number of rows that the session has changed and removed.
func (c *mysqlCounter) handled(ctx context.Context) (n int64, err error) {
	text := "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_update', 'Handler_delete')"
	err = c.m.conn.Query(ctx, text, func(v []any) error {
		rows, err := asInt(v[1])
		n += rows
		return err
	})
	return n, err
}

func (c *mysqlCounter) count(ctx context.Context, affected int64) (dbguard.Count, error) {
	after, err := c.handled(ctx)
	if err != nil {
		return dbguard.Count{}, err
	}
	count := dbguard.Count{Rows: after - c.before}
	x := c.f.st.simple()
	if x == nil {
		return count, nil
	}
	if x.op.Kind == sqlscan.Delete {
		count.Rows = max(count.Rows, affected) // a table may be emptied at one blow
	}
	if hidden := count.Rows - affected; affected >= 0 && hidden > 0 {
		count.Tables = []dbguard.TableRows{
			{Table: c.f.st.op.Acts[0].Object, Rows: affected},
			{Rows: hidden, Via: "trigger"},
		}
	}
	return count, nil
}
