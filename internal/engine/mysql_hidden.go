package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// hiddenView is what a view calls, itself or through other views.
type hiddenView struct {
	routines   [][]string
	unreadable bool // its definition cannot be read
}

// A stored function is called by its name or through a view. If there is no stored
// function, no view is read. One with the name of a built-in function counts as
// hidden behind that: it is called instead where the name is quoted or has a space
// before its parenthesis, or where this server lacks the built-in one.
const (
	storedFunctionsQuery = "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_TYPE = 'FUNCTION' AND " + notOfServer + noLimit
	viewsQuery           = "SELECT TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS WHERE " + notOfServer + noLimit
	notOfServer          = "DEFINER NOT IN ('mysql.sys@localhost', 'mariadb.sys@localhost')" // in sys and mysql there may be others
)

// findHidden reads the views that call stored functions.
func (m *mysql) findHidden(ctx context.Context) (*hiddenCode, error) {
	m.views = nil
	there := false
	err := m.conn.Query(ctx, storedFunctionsQuery, func(v []any) error {
		if err := checkCharset(AsText(v[0])); err != nil {
			return err
		}
		if !there {
			there, m.views = true, map[string]map[string]hiddenView{}
		}
		if name := strings.ToLower(AsText(v[0])); sqlscan.NoCall(name, sqlscan.MySQL) {
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
		return h, m.checkTransaction(ctx)
	case mysqlError(err, "1064"), mysqlError(err, "1109"), mysqlError(err, "1146"), mysqlError(err, "1235"):
		return &hiddenCode{}, nil // a server that only resembles MySQL
	}
	return nil, err
}

// viewText is a view as the catalogue has it.
type viewText struct{ schema, name, definition string }

// readViews reads the definitions in the server's wording, which qualifies stored
// functions with their schema.
func (m *mysql) readViews(ctx context.Context) error {
	var all []viewText
	var names []string
	err := m.conn.Query(ctx, viewsQuery, func(v []any) error {
		if err := checkCharset(AsText(v[2])); err != nil {
			return err
		}
		names = append(names, AsText(v[0]), AsText(v[1]))
		all = append(all, viewText{strings.Clone(AsText(v[0])), strings.ToLower(AsText(v[1])), strings.Clone(AsText(v[2]))})
		return nil
	})
	if err == nil {
		m.viewsMisspelt, err = m.misspells(ctx, names...)
	}
	if err != nil {
		return err
	}
	for found := true; found; { // until no further view turns out to read from one of them
		found = false
		for _, view := range all {
			in := strings.ToLower(view.schema)
			known, had := m.views[view.name][in]
			now := m.routinesBehindViews(view.definition, sqlscan.MySQL.DefaultMode(), in)
			now.add(known)
			if view.definition == "" {
				now.unreadable = true // visible to its owner only
			}
			now.add(hiddenView{routines: viewRoutines(view)})
			if len(now.routines) > 0 || now.unreadable {
				if m.views[view.name] == nil {
					m.views[view.name] = map[string]hiddenView{}
				}
				m.views[view.name][in] = now
				found = found || !had || len(now.routines) > len(known.routines) || now.unreadable && !known.unreadable
			}
		}
	}
	return nil
}

// viewRoutines are the routines that the view itself calls.
func viewRoutines(view viewText) (names [][]string) {
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
	v.unreadable = v.unreadable || other.unreadable
	for _, name := range other.routines {
		if !slices.ContainsFunc(v.routines, func(had []string) bool { return slices.Equal(had, name) }) {
			v.routines = append(v.routines, name)
		}
	}
}

// routinesOfView is what the view calls; of all schemas, if schema is "".
func (m *mysql) routinesOfView(schema, name string) (all hiddenView) {
	if m.viewsMisspelt && !isASCII(schema+name) {
		for _, views := range m.views {
			for _, view := range views {
				all.add(view)
			}
		}
	}
	for in, view := range m.views[name] {
		if in == schema || in == "" || schema == "" || strings.Contains(in, "?") { // a ? stands for a lost letter
			all.add(view)
		}
	}
	return all
}

// routinesBehindViews is what the views in a text call. schema is that of unqualified
// names; "" if unknown.
func (m *mysql) routinesBehindViews(text string, mode sqlscan.Mode, schema string) (all hiddenView) {
	if len(m.views) == 0 {
		return all
	}
	t := &sqlscan.Text{Source: text, Dialect: sqlscan.MySQL, Mode: mode}
	runs := containsFold(text, "execute") // a string may hold the text
	maybe := strings.Contains(text, "/*!") || strings.Contains(text, "/*M!")
	last, in := "", schema // the last name, the schema of the next
	for tok := range tokens(t, 0, int32(len(text))) {
		name := ""
		switch {
		case tok.Kind == sqlscan.String && runs:
			all.add(m.routinesBehindViews(sqlscan.Unquote(text[tok.Pos:tok.End]), mode, schema))
		case isName(tok):
			name = strings.ToLower(nameAt(t, tok))
			if maybe {
				in = ""
			}
			all.add(m.routinesOfView(in, name))
		}
		in = schema
		if isPunct(tok, '.') {
			in = last
		}
		last = name
	}
	return all
}

// currentDatabase asks for the current database, which may have changed unnoticed. A prepared
// statement runs in the one in which it was prepared.
func (m *mysql) currentDatabase(ctx context.Context, t *sqlscan.Text) (here string, err error) {
	if t.Statements != 1 || m.mayBeElsewhere {
		return "", nil
	}
	if here, err = askText(ctx, m.conn, "SELECT DATABASE()"); err != nil {
		return "", fatalError(err)
	}
	return strings.ToLower(here), nil
}

// mayRunHidden looks for views in a text that reads from tables, rather than defines them.
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
	view := m.routinesBehindViews(t.Source, t.Mode, here)
	return view.unreadable || len(view.routines) > 0
}

// readBody reads the body of a routine or trigger of the schema, with what its views
// call.
func (m *mysql) readBody(schema, body, sqlMode string) *routineBody {
	b := readBody(body, sqlMode)
	view := m.routinesBehindViews(body, modeOf(sqlMode), strings.ToLower(schema))
	b.calls = append(b.calls, view.routines...)
	if view.unreadable && b.opaque == "" {
		b.opaque = "reads from a view that cannot be read"
	}
	t := sqlscan.Text{Source: body, Dialect: sqlscan.MySQL, Mode: modeOf(sqlMode)}
	if b.opaque == "" && len(b.calls) > 0 && showsStatus(&t) {
		b.opaque = "may call a function in SHOW STATUS, of which the server counts nothing"
	}
	return b
}

// showsStatus reports SHOW STATUS, after which the server restores its status
// counters. Words in between may be in a comment that only some servers run.
func showsStatus(t *sqlscan.Text) bool {
	near := 3 // words in between
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
