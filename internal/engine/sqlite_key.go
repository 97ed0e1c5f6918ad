package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// A statement that selects its row by a key changes one row at most, if its table's
// triggers and foreign keys only add rows. There is nothing to count and nothing to
// undo, as long as the schema is still the one that was read. The statement checks
// that itself:
//
//	DELETE FROM t WHERE (id = ?) AND (SELECT schema_version FROM pragma_schema_version) = 7
//
// A statement that selects its rows by an index can count them first, which is cheap
// with an index, and change none if they are too many:
//
//	DELETE FROM t WHERE (a = ?1) AND (SELECT count(*) FROM (SELECT 1 FROM t WHERE (a = ?1) LIMIT n+1)) <= n AND …
//
// If no row is changed, either there was none or they were too many, or the schema
// differs: checkAnswer tells which.

var _ rewriter = (*sqlite)(nil)

func (q *sqlite) rewriteFor(_ context.Context, f *Flight) rewrite {
	sc, x := q.schema, f.st.simple()
	switch {
	case sc == nil || q.noVersionTable:
		return rewrite{}
	case x == nil:
		if text := sc.insertText(f); text != "" {
			return rewrite{text: text, sealed: true, keepsTx: true, onlyAdds: true, tagged: true}
		}
		return rewrite{}
	case !q.journaled || f.op.Limit() < 1 || f.op.AtLeast() > 1 || !canTakeCondition(f, x):
		return rewrite{}
	}
	name := fold(x.name[0])
	table := sc.tables[name]
	if table == nil || !table.plain || sc.replaces[name] || x.replaces {
		return rewrite{}
	}
	r := sc.reach([]tableChange{{table: name, kind: effectOf(x)}})
	columns := equalityColumns(f, x)
	head, where, tail := f.callerText[:x.op.Where.Start], f.callerText[x.op.Where.Start:x.op.Where.End], f.callerText[x.op.Where.End:]
	few := ""
	switch {
	case columns == nil || !r.onlyAdds():
		return rewrite{}
	case table.hasUniqueKey(columns):
	case !r.maySkip && f.op.Limit() <= maxBuffered && f.op.AtLeast() == 0 && table.leadsIndex(columns):
		clause, ok := tableClause(f, x), false
		if head, where, tail, ok = f.numberParams(x.op.Where); !ok || clause == "" {
			return rewrite{}
		}
		few = fmt.Sprintf(" AND (SELECT count(*) FROM (SELECT 1 FROM %s WHERE (%s) LIMIT %d)) <= %d", clause, where, f.op.Limit()+1, f.op.Limit())
	default:
		return rewrite{}
	}
	return rewrite{
		text:   joinTexts(head+"("+where+")"+few+" AND (SELECT schema_version FROM "+versionTable+") = "+sc.version, tail),
		sealed: true, keepsTx: true, tagged: true, countsFirst: few != "",
	}
}

// numberParams is the text before, in and after a span, with parameters numbered so
// that the span may occur twice with the same arguments.
func (f *Flight) numberParams(sp sqlscan.Span) (head, inside, tail string, ok bool) {
	t := f.reading()
	var parts [3]strings.Builder
	plain, others, from := 0, 0, int32(0)
	for i, cut := range []int32{sp.Start, sp.End, int32(len(f.callerText))} {
		for tok := range tokens(t, from, cut) {
			parts[i].WriteString(f.callerText[from:tok.End])
			from = tok.End
			switch {
			case tok.Kind != sqlscan.Param:
			case tok.End-tok.Pos == 1:
				plain++
				parts[i].WriteString(strconv.Itoa(plain))
			default:
				others++
			}
		}
		parts[i].WriteString(f.callerText[from:cut])
		from = cut
	}
	return parts[0].String(), parts[1].String(), parts[2].String(), plain == 0 || others == 0
}

// joinTexts concatenates texts without merging two words into one: in
// WHERE(a)=(1)RETURNING b only the parenthesis separates them.
func joinTexts(head, tail string) string {
	word := func(c byte) bool {
		return c == '_' || c == '$' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
	}
	if head != "" && tail != "" && word(head[len(head)-1]) && word(tail[0]) {
		return head + " " + tail
	}
	return head + tail
}

// versionTable has the version of main's schema, for use within a statement.
const versionTable = "pragma_schema_version"

// canTakeCondition reports a text to which a condition can be added, and whose
// outcome is a number or its rows.
func canTakeCondition(f *Flight, x *target) bool {
	returns := x.op.Flags&sqlscan.Returning != 0
	return f.st.op.Acts[0].Filter == dbguard.Filtered && len(x.name) == 1 && x.op.Where.Start < x.op.Where.End &&
		returns == (f.form == Rows) && !containsFold(f.callerText, versionTable) && !hasTrailingText(f.callerText[x.op.Where.End:]) && x.op.Flags&(sqlscan.Multi|sqlscan.Parameterised|sqlscan.HasLimit) == 0
}

// hasTrailingText reports anything but blanks after a semicolon, such as a comment:
// mattn then returns the result of that, and not the statement's.
func hasTrailingText(rest string) bool {
	_, behind, _ := strings.Cut(rest, ";")
	return strings.TrimSpace(behind) != ""
}

// leadsIndex reports that the columns are the first ones of an index: it finds
// exactly the rows that the condition selects.
func (x *sqliteTable) leadsIndex(columns []string) bool {
	return slices.ContainsFunc(x.indexes, func(key string) bool {
		names := strings.Split(key, ",")
		return len(columns) <= len(names) && !slices.ContainsFunc(columns, func(name string) bool {
			return !slices.Contains(names[:len(columns)], name)
		})
	})
}

// hasUniqueKey reports that no two rows have the same values in these columns.
func (x *sqliteTable) hasUniqueKey(columns []string) bool {
	return slices.ContainsFunc(x.unique, func(key string) bool { return coversKey(key, columns) })
}

// checkAnswer: a statement that has changed no row may have met another schema.
func (q *sqlite) checkAnswer(f *Flight, rows int64) (refused *dbguard.Count, again bool) {
	if rows > 0 || q.schema == nil {
		return nil, false
	}
	version, err := q.version(f.ctx)
	if err != nil || version != q.schema.version {
		q.schema, q.schemaLocked = nil, false
		return nil, true
	}
	f.verbatim = f.countsFirst // they may be too many
	return nil, f.countsFirst
}

// interpretError: a library that lacks what the rewrite needs says so before it runs
// anything.
func (q *sqlite) interpretError(_ *Flight, err error) (refused *dbguard.Count, again bool) {
	again = strings.Contains(err.Error(), versionTable)
	q.noVersionTable = q.noVersionTable || again
	return nil, again
}

// There are no gated rewrites.
func (*sqlite) gateError(_ *Flight, err error) error { return err }

func (*sqlite) noteUndone(*Flight) {}
