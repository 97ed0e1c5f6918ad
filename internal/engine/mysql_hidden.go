package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// hiddenView is a view that calls stored functions, itself or by other views.
type hiddenView struct {
	routines [][]string
	dark     bool // it cannot be read
}

// Views are what hides code here: a stored function is called by its name, or by
// that of a view. Where there is no stored function, no view is looked at. One that
// has the name of a function of the server's own hides behind that: where the other
// is called with a space before the parenthesis, or in quotes, or this server lacks
// it, the stored one is run.
const (
	functionsThere = "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_TYPE = 'FUNCTION' AND ROUTINE_SCHEMA NOT IN ('sys', 'mysql')" + everything
	viewsThere     = "SELECT TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA NOT IN ('sys', 'mysql', 'information_schema', 'performance_schema')" + everything
)

// findHidden asks for the views that call stored functions.
func (m *mysql) findHidden(ctx context.Context) (*hiddenCode, error) {
	m.views = nil
	there := false
	err := m.conn.Query(ctx, functionsThere, func(v []any) error {
		if err := legible(asText(v[0])); err != nil {
			return err
		}
		if !there {
			there, m.views = true, map[string]map[string]hiddenView{}
		}
		if name := strings.ToLower(asText(v[0])); sqlscan.NoCall(name, sqlscan.MySQL) {
			m.views[name] = map[string]hiddenView{"": {routines: [][]string{{name}}}}
		}
		return nil
	})
	if err == nil && there {
		err = m.readViews(ctx)
	}
	switch {
	case err == nil:
		h := &hiddenCode{}
		for name := range m.views {
			h.add(&h.names, name)
		}
		return h, m.stays(ctx)
	case mysqlError(err, "1064"), mysqlError(err, "1109"), mysqlError(err, "1146"), mysqlError(err, "1235"):
		return &hiddenCode{}, nil // it only speaks like MySQL
	}
	return nil, err
}

// viewText is what the catalogue says of a view.
type viewText struct{ schema, name, definition string }

// readViews reads the definitions: the server's own wording of them, in which a
// stored function is called with its schema.
func (m *mysql) readViews(ctx context.Context) error {
	var all []viewText
	err := m.conn.Query(ctx, viewsThere, func(v []any) error {
		if err := legible(asText(v[2])); err != nil {
			return err
		}
		all = append(all, viewText{strings.Clone(asText(v[0])), strings.ToLower(asText(v[1])), strings.Clone(asText(v[2]))})
		return nil
	})
	if err != nil {
		return err
	}
	for found := true; found; { // until no view is found that reads from one
		found = false
		for _, view := range all {
			in := strings.ToLower(view.schema)
			known, had := m.views[view.name][in]
			now := m.behind(view.definition, sqlscan.MySQL.DefaultMode(), in)
			now.add(known)
			if view.definition == "" {
				now.dark = true // its owner's alone to see
			}
			now.add(hiddenView{routines: calledBy(view)})
			if len(now.routines) > 0 || now.dark {
				if m.views[view.name] == nil {
					m.views[view.name] = map[string]hiddenView{}
				}
				m.views[view.name][in] = now
				found = found || !had || len(now.routines) > len(known.routines) || now.dark && !known.dark
			}
		}
	}
	return nil
}

// calledBy are the routines that a view calls itself.
func calledBy(view viewText) (names [][]string) {
	t := sqlscan.Text{Source: view.definition, Dialect: sqlscan.MySQL, Mode: sqlscan.MySQL.DefaultMode()}
	for _, name := range routinesCalled(&t, 0, int32(len(t.Source))) {
		if len(name) == 1 {
			name = []string{view.schema, name[0]}
		}
		names = append(names, name)
	}
	return names
}

func (v *hiddenView) add(other hiddenView) {
	v.dark = v.dark || other.dark
	for _, name := range other.routines {
		if !slices.ContainsFunc(v.routines, func(had []string) bool { return slices.Equal(had, name) }) {
			v.routines = append(v.routines, name)
		}
	}
}

// view is what the views of the name call: the one of the schema, all where that is "".
func (m *mysql) view(schema, name string) (all hiddenView) {
	for in, view := range m.views[name] {
		if in == schema || in == "" || schema == "" || strings.Contains(in, "?") { // which may be any letter
			all.add(view)
		}
	}
	return all
}

// behind is what the views call that a text names. A name without a schema is one of
// this; "", if it is not known.
func (m *mysql) behind(text string, mode sqlscan.Mode, schema string) (all hiddenView) {
	if len(m.views) == 0 {
		return all
	}
	t := &sqlscan.Text{Source: text, Dialect: sqlscan.MySQL, Mode: mode}
	runs := containsFold(text, "execute") // what a string says
	maybe := strings.Contains(text, "/*!") || strings.Contains(text, "/*M!")
	last, in := "", schema // the name before, the schema of the next
	for tok := range tokens(t, 0, int32(len(text))) {
		name := ""
		switch {
		case tok.Kind == sqlscan.String && runs:
			all.add(m.behind(sqlscan.Unquote(text[tok.Pos:tok.End]), mode, schema))
		case isName(tok):
			name = strings.ToLower(nameAt(t, tok))
			if maybe {
				in = ""
			}
			all.add(m.view(in, name))
		}
		in = schema
		if isPunct(tok, '.') {
			in = last
		}
		last = name
	}
	return all
}

// currentDatabase asks for the session's database: it may have changed unseen. A statement that
// is prepared keeps the one that it was prepared in.
func (m *mysql) currentDatabase(ctx context.Context, t *sqlscan.Text) (here string, err error) {
	if t.Statements != 1 || m.astray {
		return "", nil
	}
	if here, err = askText(ctx, m.conn, "SELECT DATABASE()"); err != nil {
		return "", fatalError(err)
	}
	return strings.ToLower(here), nil
}

// mayRunHidden looks for the names of views in a text that reads from any: not in one
// about their structure.
func (m *mysql) mayRunHidden(_ *hiddenCode, t *sqlscan.Text, here string) bool {
	reads := t.IsRead()
	for i := range t.Ops {
		switch op := &t.Ops[i]; op.Kind {
		case sqlscan.Define, sqlscan.Alter, sqlscan.DropDatabase, sqlscan.CreateDatabase, sqlscan.Truncate, sqlscan.Maintain:
		case sqlscan.Drop:
			reads = reads || keyword(t, op) == "CREATE" // OR REPLACE TABLE … AS
		default:
			reads = true
		}
	}
	if !reads {
		return false
	}
	view := m.behind(t.Source, t.Mode, here)
	return view.dark || len(view.routines) > 0
}

// readBody reads the body of a routine or trigger of the schema, with what the views
// call that it names.
func (m *mysql) readBody(schema, body, sqlMode string) *routineBody {
	b := readBody(body, sqlMode)
	view := m.behind(body, modeOf(sqlMode), strings.ToLower(schema))
	b.calls = append(b.calls, view.routines...)
	if view.dark && b.dark == "" {
		b.dark = "reads from a view that cannot be read"
	}
	t := sqlscan.Text{Source: body, Dialect: sqlscan.MySQL, Mode: modeOf(sqlMode)}
	if b.dark == "" && len(b.calls) > 0 && showsStatus(&t) {
		b.dark = "may call a function in SHOW STATUS, of which the server counts nothing"
	}
	return b
}

// showsStatus reports SHOW STATUS, after which the server puts back what it has
// counted. What stands between may be in a comment that only some servers run.
func showsStatus(t *sqlscan.Text) bool {
	near := 3 // words between
	if strings.Contains(t.Source, "/*!") || strings.Contains(t.Source, "/*M!") {
		near = len(t.Source)
	}
	since := len(t.Source) // words since SHOW
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		switch word := t.Source[tok.Pos:tok.End]; {
		case strings.EqualFold(word, "show"):
			since = 0
		case since < near && strings.EqualFold(word, "status"):
			return true
		default:
			since++
		}
	}
	return false
}
