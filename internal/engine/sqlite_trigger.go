package engine

import (
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// liteTrigger is a trigger as its text says it.
type liteTrigger struct {
	on     effect
	acts   []deed
	read   bool // else it may do anything, at anything
	raises bool // it may fail
	skips  bool // it may pass over a row
}

// liteEvents are what a trigger can be on.
var liteEvents = map[string]effect{"INSERT": rowsAdded, "UPDATE": rowsChanged, "DELETE": rowsRemoved}

// readTrigger reads what CREATE TRIGGER says.
func readTrigger(text string) liteTrigger {
	tr := liteTrigger{raises: containsFold(text, "raise")}
	tr.skips = tr.raises && containsFold(text, "ignore")
	whole := sqlscan.Text{Source: text, Dialect: sqlscan.SQLite, Mode: sqlscan.SQLite.DefaultMode()}
	begin, end := int32(-1), int32(-1)
	for word := range wordTokens(&whole) {
		name := strings.ToUpper(text[word.Pos:word.End])
		switch {
		case begin < 0 && name == "BEGIN":
			begin = word.End
		case begin < 0 && tr.on == 0:
			tr.on = liteEvents[name] // which is no name, unless it is quoted
		case name == "END":
			end = word.Pos
		}
	}
	if tr.on == 0 || begin < 0 || end < begin {
		return liteTrigger{on: rowsAdded | rowsChanged | rowsRemoved, raises: true, skips: true}
	}
	tr.readBody(text[begin:end])
	return tr
}

func (tr *liteTrigger) readBody(text string) {
	var body sqlscan.Text
	sqlscan.Classify(&body, text, sqlscan.SQLite, sqlscan.SQLite.DefaultMode())
	sets := assigned(&body)
	for i := range body.Ops {
		x := newTarget(&body, &body.Ops[i], nil)
		kind := effectOf(&x)
		if kind == 0 || len(x.name) == 0 {
			return
		}
		a := deed{table: fold(x.name[len(x.name)-1]), kind: kind}
		if kind&rowsChanged != 0 {
			a.sets = sets
		}
		tr.acts = append(tr.acts, a)
	}
	tr.read = body.Statements > 0
}

// effectOf is what a statement does to the table that it names.
func effectOf(x *target) effect {
	switch x.op.Kind {
	case sqlscan.Insert:
		return rowsAdded
	case sqlscan.Upsert:
		return rowsAdded | rowsChanged
	case sqlscan.Replace:
		return rowsAdded | rowsChanged | rowsReplaced
	case sqlscan.Delete:
		return rowsRemoved
	case sqlscan.Update:
		if x.replaces {
			return rowsChanged | rowsReplaced
		}
		return rowsChanged
	}
	return 0
}

// assigned are the columns that a text assigns to, and perhaps more names.
func assigned(t *sqlscan.Text) (names []string) {
	var before, last sqlscan.Token
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		follows := func(tok sqlscan.Token) bool {
			return tok.Kind == sqlscan.Punct && tok.Byte == ',' || tok.Kind == sqlscan.Word && strings.EqualFold(t.Source[tok.Pos:tok.End], "SET")
		}
		switch {
		case tok.Kind != sqlscan.Punct:
		case tok.Byte == '=' && follows(before):
			names = append(names, fold(t.Name(sqlscan.Span{Start: last.Pos, End: last.End})))
		case tok.Byte == '(' && last.Kind == sqlscan.Word && follows(last):
			names = append(names, "*")
		}
		before, last = last, tok
	}
	return names
}

func wordTokens(t *sqlscan.Text) func(yield func(sqlscan.Token) bool) {
	return func(yield func(sqlscan.Token) bool) {
		for tok := range tokens(t, 0, int32(len(t.Source))) {
			if tok.Kind == sqlscan.Word && !yield(tok) {
				return
			}
		}
	}
}
