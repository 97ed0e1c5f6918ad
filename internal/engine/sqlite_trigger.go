package engine

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// sqliteTrigger is a trigger, parsed from its text.
type sqliteTrigger struct {
	events        effect
	columns       []string // of UPDATE OF
	after         bool     // AFTER: the row has its final values
	changes       []tableChange
	readable      bool // if not, it may do anything to any table
	mayRaise      bool // it may raise an error
	mayFailMidway bool // a statement other than SELECT may fail, and keep a part
	maySkip       bool // it may skip a row
}

// triggerEvents are the events that a trigger can be on.
var triggerEvents = map[string]effect{"INSERT": rowsAdded, "UPDATE": rowsChanged, "DELETE": rowsRemoved}

// bodyKeywords are the keywords that a trigger's body may begin with.
var bodyKeywords = []string{"SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "VALUES"}

// parseTrigger parses a CREATE TRIGGER.
func parseTrigger(text string) sqliteTrigger {
	tr := sqliteTrigger{mayRaise: containsFold(text, "raise")}
	tr.maySkip = tr.mayRaise && containsFold(text, "ignore")
	whole := sqlscan.Text{Source: text, Dialect: sqlscan.SQLite, Mode: sqlscan.SQLite.DefaultMode()}
	begin, end, last, sure := int32(-1), int32(-1), "", false
	for tok := range tokens(&whole, 0, int32(len(text))) {
		name := strings.ToUpper(text[tok.Pos:tok.End])
		switch {
		case tok.Kind != sqlscan.Word:
		case tr.events == 0:
			if name == "AFTER" {
				tr.after = last != "TRIGGER" && last != "EXISTS" && last != "." // after these it is the trigger's name
			}
			tr.events = triggerEvents[name] // these cannot be unquoted names
		case !sure && name == "BEGIN": // or a name
			begin = tok.End
		case !sure && last == "BEGIN" && slices.Contains(bodyKeywords, name):
			sure = true
		case name == "END":
			end = tok.Pos
		}
		last = name
	}
	if tr.events == 0 || begin < 0 || end < begin {
		return sqliteTrigger{events: rowsAdded | rowsChanged | rowsRemoved, mayRaise: true, maySkip: true}
	}
	tr.columns = updateOfColumns(&whole)
	tr.parseBody(text[begin:end])
	return tr
}

// updateOfColumns are the columns in CREATE TRIGGER … UPDATE OF a, b ON.
func updateOfColumns(t *sqlscan.Text) (names []string) {
	var last string
	of := false
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		name := ""
		if tok.Kind == sqlscan.Word {
			name = strings.ToUpper(t.Source[tok.Pos:tok.End])
		}
		switch {
		case of && name == "ON", !of && triggerEvents[last] != 0 && name != "OF":
			return names
		case !of:
			of = triggerEvents[last] != 0
		case tok.Kind != sqlscan.Punct:
			names = append(names, fold(nameAt(t, tok)))
		}
		last = name
	}
	return names
}

// withOwnTriggers is the schema with the triggers that the text itself creates before
// a position.
func (sc *sqliteSchema) withOwnTriggers(t *sqlscan.Text, place int32) *sqliteSchema {
	made := map[string][]sqliteTrigger{}
	var last string
	for word := range wordTokens(t) {
		if word.Pos > place {
			break
		}
		name := strings.ToUpper(t.Source[word.Pos:word.End])
		if name == "TRIGGER" && (last == "CREATE" || last == "TEMP" || last == "TEMPORARY") {
			text := t.Source[word.Pos:triggerEnd(t, word.Pos)]
			table := triggerTable(&sqlscan.Text{Source: text, Dialect: t.Dialect, Mode: t.Mode})
			made[table] = append(made[table], parseTrigger(text))
		}
		last = name
	}
	if len(made) == 0 {
		return sc
	}
	larger := *sc
	larger.triggers = maps.Clone(sc.triggers)
	for table, triggers := range made {
		larger.triggers[table] = append(slices.Clip(larger.triggers[table]), triggers...)
	}
	return &larger
}

// triggerEnd is the end of the trigger that begins at a position: the END after a
// semicolon.
func triggerEnd(t *sqlscan.Text, from int32) int32 {
	closed := false
	for tok := range tokens(t, from, int32(len(t.Source))) {
		if closed && tok.Kind == sqlscan.Word && strings.EqualFold(t.Source[tok.Pos:tok.End], "END") {
			return tok.End
		}
		closed = isPunct(tok, ';')
	}
	return int32(len(t.Source))
}

// lastInsert is the position of the last INSERT of a text that changes rows in no
// other way; of any other text, its end.
func (st *statement) lastInsert() (last int32) {
	for i := range st.targets {
		if st.op.Acts[i].Verb != dbguard.Insert {
			return math.MaxInt32
		}
		last = max(last, st.targets[i].op.At.Start)
	}
	return last
}

// triggerTable is the table in CREATE TRIGGER … ON schema.table.
func triggerTable(t *sqlscan.Text) (table string) {
	on, dot := false, false
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		named := isName(tok)
		switch {
		case !on:
			on = tok.Kind == sqlscan.Word && strings.EqualFold(t.Source[tok.Pos:tok.End], "ON")
		case named && (table == "" || dot):
			table, dot = fold(nameAt(t, tok)), false
		case isPunct(tok, '.'):
			dot = true
		default:
			return table
		}
	}
	return table
}

func (tr *sqliteTrigger) parseBody(text string) {
	var body sqlscan.Text
	sqlscan.Classify(&body, text, sqlscan.SQLite, sqlscan.SQLite.DefaultMode())
	sets := assignedColumns(&body)
	for i := range body.Ops {
		x := newTarget(&body, &body.Ops[i], nil)
		kind := effectOf(&x)
		if kind == 0 || len(x.name) == 0 {
			return
		}
		a := tableChange{table: fold(x.name[len(x.name)-1]), kind: kind}
		if kind&rowsChanged != 0 {
			a.sets = sets
		}
		a.matched, a.rowKey = tr.matchedColumns(&body, &x), rowKeyColumn(&body, &x)
		if kind&rowsAdded != 0 {
			a.maxRows = max(body.Ops[i].Rows, 0)
		}
		tr.changes = append(tr.changes, a)
	}
	tr.readable = body.Statements > 0
	tr.mayFailMidway = failsMidway(&body)
}

// failsMidway reports that a body contains FAIL in a statement other than a SELECT.
func failsMidway(body *sqlscan.Text) bool {
	first := ""
	for tok := range tokens(body, 0, int32(len(body.Source))) {
		text := body.Source[tok.Pos:tok.End]
		switch {
		case isPunct(tok, ';'):
			first = ""
		case first == "":
			first = text
		case tok.Kind == sqlscan.Word && strings.EqualFold(text, "FAIL") && !strings.EqualFold(first, "SELECT"):
			return true
		}
	}
	return false
}

// matchedColumns are the columns of a condition like
//
//	id = NEW.id AND b = OLD.b
//
// which the row that fired the trigger fulfils; nil for any other condition. A
// different row that has OLD's key has got it in the same statement, and is counted
// or new. In a BEFORE trigger that row can still escape uncounted.
func (tr *sqliteTrigger) matchedColumns(t *sqlscan.Text, x *target) (columns []string) {
	if kind := effectOf(x); !tr.after || kind != rowsChanged && kind != rowsRemoved {
		return nil
	}
	state, column := 0, "" // next: a column, =, NEW or OLD, a dot, the column, AND
	for tok := range tokens(t, x.op.Where.Start, x.op.Where.End) {
		text := t.Source[tok.Pos:tok.End]
		name := ""
		if isName(tok) {
			name = fold(nameAt(t, tok))
		}
		switch {
		case state == 0 && name != "":
			column = name
		case state == 1 && text == "=", state == 3 && text == ".", state == 5 && name == "and":
		case state == 2 && (name == "old" || name == "new"):
		case state == 4 && name == column:
			columns = append(columns, column)
		default:
			return nil
		}
		state = (state + 1) % 6
	}
	if state != 5 {
		return nil
	}
	return columns
}

// effectOf is the effect of a statement on the table that it names.
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

// assignedColumns are the columns that a text assigns to, possibly with other names.
func assignedColumns(t *sqlscan.Text) (names []string) {
	var before, last sqlscan.Token
	list := false // possibly a list of columns: SET (a, b) =
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		follows := func(tok sqlscan.Token) bool {
			return isPunct(tok, ',') || tok.Kind == sqlscan.Word && strings.EqualFold(t.Source[tok.Pos:tok.End], "SET")
		}
		switch {
		case tok.Kind != sqlscan.Punct:
		case tok.Byte == '=' && follows(before):
			names = append(names, fold(nameAt(t, last)))
		case tok.Byte == '=' && list && isPunct(last, ')'):
			names = append(names, "*")
		case tok.Byte == '(':
			list = follows(last)
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
