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
// makes sure of that itself:
//
//	DELETE FROM t WHERE (id = ?) AND (SELECT schema_version FROM pragma_schema_version) = 7
//
// Where it has found no row, either may be the reason, and the version is asked for.

var _ rewording = (*sqlite)(nil)

func (q *sqlite) word(_ context.Context, f *Flight) wording {
	sc, x := q.schema, f.st.simple()
	if sc == nil || x == nil || !q.journal || q.unfit || f.op.Limit() < 1 || f.op.AtLeast() > 1 || !byItself(f, x) {
		return wording{}
	}
	name := fold(x.name[0])
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
			") AND (SELECT schema_version FROM " + versionTable + ") = " + sc.version + f.callers[where.End:],
		sealed: true, mild: true, tagged: true,
	}
}

// versionTable tells the version of main's schema within a statement.
const versionTable = "pragma_schema_version"

// byItself reports a text that can take another condition, and whose outcome is
// one number or its rows.
func byItself(f *Flight, x *target) bool {
	returns := x.op.Flags&sqlscan.Returning != 0
	return f.st.op.Acts[0].Filter == dbguard.Filtered && len(x.name) == 1 && x.op.Where.Start < x.op.Where.End &&
		returns == (f.form == Rows) && !containsFold(f.callers, versionTable) && x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised|sqlscan.HasLimit) == 0
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
			columns = append(columns, fold(t.Name(sqlscan.Span{Start: tok.Pos, End: tok.End})))
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

// passed: a statement that has changed no row may have met another schema.
func (q *sqlite) passed(f *Flight, rows int64) (refused *dbguard.Count, again bool) {
	if rows > 0 || q.schema == nil {
		return nil, false
	}
	version, err := q.version(f.ctx)
	if err == nil && version == q.schema.version {
		return nil, false
	}
	q.schema, q.held = nil, false
	return nil, true
}

// verdict: a library that lacks what the wording needs says so before it begins.
func (q *sqlite) verdict(_ *Flight, err error) (refused *dbguard.Count, again bool) {
	again = strings.Contains(err.Error(), versionTable)
	q.unfit = q.unfit || again
	return nil, again
}

// There are no gated wordings.
func (*sqlite) gateError(_ *Flight, err error) error { return err }

func (*sqlite) undid(*Flight) {}
