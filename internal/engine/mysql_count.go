package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// mysqlCounter counts by two numbers. The driver's affected rows are those of
// the table that a DELETE or UPDATE names. The session's Handler_update and
// Handler_delete also count what its triggers do and what upserts and REPLACE
// find; but two for each row of a partitioned table, and rows that an UPDATE
// leaves as they are. Rows that InnoDB changes along foreign keys are in neither.
//
// What was counted is undone only in tables of a transactional engine. The
// engine is looked up by a query that opens the tables: their metadata is
// locked from then on, and no ALTER TABLE can come in between.
type mysqlCounter struct {
	m           *mysql
	f           *Flight
	before      int64
	partitioned bool
}

func (c *mysqlCounter) survey(context.Context) (string, error) { return "", nil }

func (c *mysqlCounter) baseline(ctx context.Context) (string, error) {
	var names [][]string
	open := ""
	for i, x := range c.f.st.targets {
		if changesRows(c.f.st.op.Acts[i].Verb) && len(x.name) > 0 && x.op.Flags&sqlscan.Parameterised == 0 {
			names = append(names, x.name)
			open += " AND (SELECT COUNT(*) FROM (SELECT 1 FROM " + x.raw + " LIMIT 0) dbguard) = 0"
		}
	}
	note, err := c.engines(ctx, names, open, 0)
	if err != nil && !c.f.s.lose(err) {
		// It may not be read, or does not exist: the statement will tell.
		note, err = c.engines(ctx, names, "", 0)
	}
	if err != nil || note != "" {
		return note, err
	}
	c.before, err = c.handled(ctx)
	return "", err
}

// maxViews is how deep views are followed into views.
const maxViews = 16

// engines reports a table whose engine cannot undo, looking through views. open
// are conditions that open the tables.
func (c *mysqlCounter) engines(ctx context.Context, names [][]string, open string, depth int) (note string, err error) {
	if len(names) == 0 {
		return "", nil
	}
	conds := make([]string, len(names))
	for i, name := range names {
		conds[i] = "(" + c.m.tableIs(name) + ")"
	}
	var views [][]string
	text := "SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_TYPE, t.ENGINE, e.TRANSACTIONS, t.CREATE_OPTIONS" +
		" FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE" +
		" WHERE (" + strings.Join(conds, " OR ") + ")" + open
	err = c.m.conn.Query(ctx, text, func(v []any) error {
		schema, table, engine := asText(v[0]), asText(v[1]), asText(v[3])
		switch {
		case strings.Contains(asText(v[2]), "VIEW"):
			views = append(views, []string{schema, table})
		case engine != "" && asText(v[4]) != "YES":
			note = "table " + table + " is " + engine
		case strings.Contains(asText(v[5]), "partitioned"):
			c.partitioned = true
		}
		return nil
	})
	if err != nil || note != "" || len(views) == 0 {
		return note, err
	}
	if depth == maxViews {
		return "views are nested too deeply", nil
	}
	tables, err := c.behind(ctx, views)
	if err != nil {
		return "", err
	}
	return c.engines(ctx, tables, "", depth+1)
}

// behind are the tables that the definitions of views name.
func (c *mysqlCounter) behind(ctx context.Context, views [][]string) (tables [][]string, err error) {
	for _, view := range views {
		more, err := c.definition(ctx, view)
		if err != nil {
			return nil, err
		}
		tables = append(tables, more...)
	}
	return tables, nil
}

// definition are the tables that a view's definition names; the server
// qualifies and quotes all of them.
func (c *mysqlCounter) definition(ctx context.Context, view []string) ([][]string, error) {
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
	handled := after - c.before
	x := c.f.st.simple()
	if x == nil || affected < 0 {
		return dbguard.Count{Rows: c.halved(handled)}, nil
	}
	hidden := max(handled-affected, 0)
	if c.partitioned {
		if hidden, err = c.behindPartitions(ctx, handled, affected); err != nil {
			return dbguard.Count{}, err
		}
	}
	count := dbguard.Count{Rows: affected + hidden}
	if hidden > 0 {
		count.Tables = []dbguard.TableRows{
			{Table: c.f.st.op.Acts[0].Object, Rows: affected},
			{Rows: hidden, Via: "trigger"},
		}
		if x.op.Kind == sqlscan.Update {
			count.Tables[1].Via = "trigger, or rows that stay as they are"
		}
	}
	return count, nil
}

// halved are the rows behind a number of handler calls.
func (c *mysqlCounter) halved(handled int64) int64 {
	if c.partitioned {
		return (handled + 1) / 2
	}
	return handled
}

// behindPartitions are the rows that a statement on a partitioned table has
// changed elsewhere, which takes a trigger.
func (c *mysqlCounter) behindPartitions(ctx context.Context, handled, affected int64) (int64, error) {
	x := c.f.st.targets[0]
	is := strings.NewReplacer("t.TABLE_SCHEMA", "EVENT_OBJECT_SCHEMA", "t.TABLE_NAME", "EVENT_OBJECT_TABLE").Replace(c.m.tableIs(x.name))
	n, err := askInts(ctx, c.m.conn, "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE "+is)
	if err != nil {
		return 0, err
	}
	if n[0] == 0 {
		return max(c.halved(handled)-affected, 0), nil
	}
	return max(handled-2*affected, 0), nil
}
