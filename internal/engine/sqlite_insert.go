package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// knownToOnlyAdd: what was verified under the transaction's lock cannot change until
// that ends. If the library has rolled the transaction back on an error, of a read
// for example, inTransaction finds out.
func (q *sqlite) knownToOnlyAdd(st *statement) bool {
	if !q.schemaLocked || q.schema == nil || st.createsTrigger || !q.schema.onlyAdds(st) {
		return false
	}
	open, err := q.inTransaction(context.Background())
	q.schemaLocked = open && err == nil
	return q.schemaLocked
}

func (q *sqlite) mayChangeRows(ctx context.Context, t *sqlscan.Text, st *statement) (bool, error) {
	if q.schema != nil {
		if version, err := q.version(ctx); err != nil || version != q.schema.version {
			q.schema, q.schemaLocked = nil, false
		}
	}
	sc, err := q.loadSchema(ctx)
	if err == nil && st.createsTrigger {
		sc = sc.withOwnTriggers(t, st.lastInsert())
	}
	return err == nil && !sc.onlyAdds(st), err
}

// onlyAdds reports that the statement's INSERTs only add rows, to tables of main.
func (sc *sqliteSchema) onlyAdds(st *statement) bool {
	var starts []tableChange
	for i := range st.targets {
		x := &st.targets[i]
		if st.op.Acts[i].Verb != dbguard.Insert {
			continue
		}
		if len(x.name) == 0 {
			return false
		}
		name := fold(x.name[len(x.name)-1])
		homes := sc.schemasOf[name] // none: the text creates the table itself, or fails
		if sc.replaces[name] || sc.views[name] || len(homes) > 1 || len(homes) == 1 && homes[0] != "main" {
			return false
		}
		starts = append(starts, tableChange{table: name, kind: rowsAdded})
	}
	r := sc.reach(starts)
	return r.onlyAdds() && !sc.opensFile(st)
}

// opensFile reports a text that opens another file and adds rows to a table that may
// be in it: its triggers and foreign keys are known only when it has run.
func (sc *sqliteSchema) opensFile(st *statement) bool {
	if !slices.Contains(st.kinds, sqlscan.CreateDatabase) {
		return false
	}
	for i, x := range st.targets {
		n := len(x.name)
		if st.op.Acts[i].Verb == dbguard.Insert && (n == 0 || n > 1 && fold(x.name[0]) != "main" || len(sc.schemasOf[fold(x.name[n-1])]) == 0) {
			return true
		}
	}
	return false
}

// insertText is an INSERT of one row that checks the schema version by itself:
//
//	INSERT INTO t (a, b) SELECT * FROM (VALUES (?, ?)) WHERE (SELECT schema_version FROM pragma_schema_version) = 7
//
// It is empty where that is not possible, or where the INSERT may do more than add
// rows.
func (sc *sqliteSchema) insertText(f *Flight) string {
	st := f.st
	if st.op.Statements != 1 || len(st.targets) != 1 || len(st.kinds) != 1 || !allActs(st, dbguard.Insert) || !sc.onlyAdds(st) {
		return ""
	}
	x := &st.targets[0]
	returns := x.op.Flags&sqlscan.Returning != 0
	if len(sc.schemasOf[fold(x.name[len(x.name)-1])]) == 0 {
		return ""
	}
	if x.op.Rows != 1 || returns != (f.form == Rows) || containsFold(f.callerText, versionTable) {
		return ""
	}
	t := f.reading()
	begin, end, depth := int32(-1), int32(-1), 0
	for tok := range tokens(t, x.op.Object.End, int32(len(f.callerText))) {
		switch {
		case isPunct(tok, '('):
			depth++
		case isPunct(tok, ')'):
			if depth--; depth == 0 && begin >= 0 && end < 0 {
				end = tok.End
			}
		case begin < 0 && depth == 0 && tok.Kind == sqlscan.Word && strings.EqualFold(f.callerText[tok.Pos:tok.End], "VALUES"):
			begin = tok.Pos
		}
	}
	if begin < 0 || end < 0 {
		return "" // DEFAULT VALUES
	}
	return joinTexts(joinTexts(f.callerText[:begin], "SELECT * FROM (")+f.callerText[begin:end]+") WHERE (SELECT schema_version FROM "+versionTable+") = "+
		sc.version, f.callerText[end:])
}

// mayKeepPart reports that a failed statement may have left changes: those of earlier
// statements of its text, or what FAIL keeps. total_changes() does not include what
// FAIL keeps of a trigger's step that it ends midway, nor what triggers leave that
// fire each other endlessly.
func (c *sqliteCounter) mayKeepPart(cause error) bool {
	switch {
	case c.reach.mayFailMidway, strings.Contains(cause.Error(), "too many levels of trigger"):
		return false
	case c.mayOrFail: // triggers inherit it
		return c.reach.onlyAdds() && c.reach.effectOn(c.table) == 0
	}
	return len(c.schema.fails) > 0 || c.f.st.op.Statements > 1
}
