package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// A statement that names its row by a key, on a table behind which nothing but
// new rows can be, changes one row at most. There is nothing to count and nothing
// to undo, as long as the schema is still the one that says so. The statement
// asks that itself, and fails before it has changed anything:
//
//	DELETE FROM t WHERE (id = ?) AND json_extract('{}', CASE … WHEN 7 THEN '$' ELSE '…' END) = '{}'
//
// A path that is none is an error that says which one it was. It ends the
// statement and nothing else: the caller's transaction is as it was.

var _ rewording = (*sqlite)(nil)

func (q *sqlite) word(_ context.Context, f *Flight) wording {
	sc, x := q.schema, f.st.simple()
	if sc == nil || x == nil || !q.journal || q.unfit || f.op.Limit() < 1 || f.op.AtLeast() > 1 || !byItself(f, x) {
		return wording{}
	}
	name := strings.ToLower(x.name[0])
	table := sc.tables[name]
	if table == nil || !table.plain || sc.replaces[name] || x.replaces || !namesKey(f, x, table) {
		return wording{}
	}
	if r := sc.reach([]deed{{name, effectOf(x), nil}}); !r.onlyAdds() {
		return wording{}
	}
	where := x.op.Where
	return wording{
		text: f.callers[:where.Start] + "(" + f.callers[where.Start:where.End] +
			") AND json_extract('{}', CASE (SELECT schema_version FROM pragma_schema_version) WHEN " + sc.version +
			" THEN '$' ELSE '" + otherSchema + "' END) = '{}'" + f.callers[where.End:],
		sealed: true, mild: true, tagged: true,
	}
}

// otherSchema is the path that is none.
var otherSchema = "dbguard " + nonce + " schema"

// byItself reports a text that can take another condition, and whose outcome is
// one number or its rows.
func byItself(f *Flight, x *target) bool {
	returns := x.op.Flags&sqlscan.Returning != 0
	return f.st.op.Acts[0].Filter == dbguard.Filtered && len(x.name) == 1 && x.op.Where.Start < x.op.Where.End &&
		returns == (f.form == Rows) && x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised|sqlscan.HasLimit) == 0
}

// namesKey reports that the condition is made of column = value, joined by AND,
// with all columns of a key among them.
func namesKey(f *Flight, x *target, table *liteTable) bool {
	t := &sqlscan.Text{Source: f.callers, Dialect: sqlscan.SQLite, Mode: f.s.modes.mode}
	var columns []string
	state := 0 // what comes next: a column, =, a value, AND
	for tok := range tokens(t, x.op.Where.Start, x.op.Where.End) {
		text := f.callers[tok.Pos:tok.End]
		switch {
		case state == 0 && (tok.Kind == sqlscan.Word || tok.Kind == sqlscan.QuotedIdent):
			columns = append(columns, strings.ToLower(t.Name(sqlscan.Span{Start: tok.Pos, End: tok.End})))
		case state == 1 && text == "=":
		case state == 2 && (tok.Kind == sqlscan.Param || tok.Kind == sqlscan.Number || tok.Kind == sqlscan.String && text[0] == '\''):
		case state == 3 && strings.EqualFold(text, "AND"):
		default:
			return false
		}
		state = (state + 1) % 4
	}
	return state == 3 && table.hasKey(columns)
}

// hasKey reports that no two rows are the same in these columns.
func (x *liteTable) hasKey(columns []string) bool {
	among := map[string]bool{}
	for _, name := range columns {
		among[name] = true
	}
next:
	for _, key := range x.unique {
		for name := range strings.SplitSeq(key, ",") {
			if !among[name] {
				continue next
			}
		}
		return true
	}
	return false
}

// passed: SQLite has no gated wordings.
func (*sqlite) passed(*Flight, int64) (refused *dbguard.Count, again bool) { return nil, false }

func (*sqlite) gateError(_ *Flight, err error) error { return err }

// verdict: the schema is another one, or the library knows less than it needs.
func (q *sqlite) verdict(f *Flight, err error) (refused *dbguard.Count, again bool) {
	switch text := err.Error(); {
	case strings.Contains(text, otherSchema):
		q.schema, q.held = nil, false
	case strings.Contains(text, "json_extract"), strings.Contains(text, "pragma_schema_version"):
		q.unfit = true
	default:
		return nil, false
	}
	return nil, true
}

func (*sqlite) undid(*Flight) {}
