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

// hidden asks for the views that call stored functions.
func (m *mysql) hidden(ctx context.Context) (*hiddenCode, error) {
	m.views = nil
	there := false
	err := m.conn.Query(ctx, functionsThere, func(v []any) error {
		if !there {
			there, m.views = true, map[string]hiddenView{}
		}
		if name := strings.ToLower(asText(v[0])); sqlscan.NoCall(name, sqlscan.MySQL) {
			m.views[name] = hiddenView{routines: [][]string{{name}}}
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
		all = append(all, viewText{strings.Clone(asText(v[0])), strings.ToLower(asText(v[1])), strings.Clone(asText(v[2]))})
		return nil
	})
	if err != nil {
		return err
	}
	for found := true; found; { // until no view is found that reads from one
		found = false
		for _, view := range all {
			known, had := m.views[view.name]
			now := m.behind(view.definition, sqlscan.MySQL.DefaultMode())
			now.add(known)
			if view.definition == "" {
				now.dark = true // its owner's alone to see
			}
			now.add(hiddenView{routines: calledBy(view)})
			if len(now.routines) > 0 || now.dark {
				m.views[view.name] = now
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

// behind is what the views call that a text names.
func (m *mysql) behind(text string, mode sqlscan.Mode) (all hiddenView) {
	if len(m.views) == 0 {
		return all
	}
	t := sqlscan.Text{Source: text, Dialect: sqlscan.MySQL, Mode: mode}
	runs := containsFold(text, "execute") // what a string says
	for tok := range tokens(&t, 0, int32(len(text))) {
		switch tok.Kind {
		case sqlscan.String:
			if runs {
				all.add(m.behind(sqlscan.Unquote(text[tok.Pos:tok.End]), mode))
			}
		case sqlscan.Word, sqlscan.QuotedIdent:
			name := strings.ToLower(t.Name(sqlscan.Span{Start: tok.Pos, End: tok.End}))
			if view, ok := m.views[name]; ok {
				all.add(view)
			}
		}
	}
	return all
}

// hides looks for the names of views in a text that reads from any: not in one
// about their structure.
func (m *mysql) hides(_ *hiddenCode, t *sqlscan.Text) bool {
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
	view := m.behind(t.Source, t.Mode)
	return view.dark || len(view.routines) > 0
}

// readBody reads the body of a routine or trigger, with what the views call that it
// names.
func (m *mysql) readBody(body, sqlMode string) *routineBody {
	b := readBody(body, sqlMode)
	view := m.behind(body, modeOf(sqlMode))
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
// counted.
func showsStatus(t *sqlscan.Text) bool {
	since := 3 // words since SHOW
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		switch word := t.Source[tok.Pos:tok.End]; {
		case strings.EqualFold(word, "show"):
			since = 0
		case since < 3 && strings.EqualFold(word, "status"):
			return true
		default:
			since++
		}
	}
	return false
}
