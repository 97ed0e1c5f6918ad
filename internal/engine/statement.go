package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// statement is a text as a session treats it. It keeps no part of the reading that it
// was made from, which the next text overwrites.
type statement struct {
	op      dbguard.Op
	targets []target // one for each of op.Acts
	kinds   []sqlscan.Kind
	verb    string // the keyword of its first operation
	control control
	// commits says that the server ends an open transaction to run it, as MySQL does
	// for DDL: it must not run in one of the guard's.
	commits bool
	// noOp says that it is DDL, and none of its objects exists.
	noOp bool
	// routines are the names that a MySQL text calls like stored functions, procs the
	// procedures that it calls.
	routines, procs [][]string
	// block is what a MySQL text does that can be parsed like the body of a routine.
	block *routineBody
	// unreadableView says that it names a view whose definition cannot be read,
	// serverUncounted that the server does not count what it does.
	unreadableView, serverUncounted bool
	// opaque says that it runs code that is not in the text, or could not be parsed:
	// what it does to the transaction is not known.
	opaque bool
	// calls says that the text calls a function that may do anything.
	calls bool
	// changesSchema says that it contains DDL besides, which locks the objects whose
	// names are among words.
	changesSchema bool
	words         []string
	// createsTableAs says that it has a CREATE TABLE … AS, which parses as an INSERT.
	createsTableAs bool
	// onlyAdds says that its INSERTs are known to do nothing but add rows.
	onlyAdds bool
	// sets is what it may change of the settings of a MySQL session.
	sets mysqlSettings
	// createsTrigger says that a text of INSERTs may create a trigger besides.
	createsTrigger bool
	// insertsQuery says that the rows of an INSERT may come from a query, and so from
	// a view, which may call any function.
	insertsQuery bool
}

// target is the object of one act.
type target struct {
	op       sqlscan.Op
	name     []string // its parts as the server knows them
	raw      string   // the name as written
	only     bool     // with ONLY, which excludes child tables
	class    string   // of what is dropped or altered: "TABLE", "MATERIALIZED VIEW"
	part     string   // the dropped part of the object: the trigger in DROP TRIGGER a ON b
	parts    []part   // of the table that an ALTER drops IF EXISTS
	keyword  string   // "DELETE", "ATTACH"
	replaces bool     // UPDATE OR REPLACE, which removes conflicting rows
}

// understand makes the statement of a parsed text.
func (s *Session) understand(t *sqlscan.Text) *statement {
	st := &statement{op: dbguard.Op{
		System: s.backend.system(), Namespace: s.namespace, Statements: t.Statements,
	}}
	closed := s.readControl(t, st)
	for i := range t.Ops {
		op := &t.Ops[i]
		st.kinds = append(st.kinds, op.Kind)
		st.createsTableAs = st.createsTableAs || op.Kind == sqlscan.Insert && keyword(t, op) == "CREATE"
		if i == 0 {
			st.verb = keyword(t, op)
		}
		verb, ok := s.verb(t, op, st)
		if !ok || op.Flags&sqlscan.Temporary != 0 && keyword(t, op) != "PRAGMA" { // temp.foreign_keys is not temp's only
			continue
		}
		if op.Flags&sqlscan.UndoneByText != 0 && closed && !st.commits {
			continue
		}
		s.add(st, op, verb)
	}
	if b, ok := s.backend.(understanding); ok {
		b.understand(s, t, st)
	}
	return st
}

// understanding is a backend that adds to the statement what its operations do not
// tell.
type understanding interface {
	understand(s *Session, t *sqlscan.Text, st *statement)
}

// verb is what an operation means to the rules; false if no rule applies.
func (s *Session) verb(t *sqlscan.Text, op *sqlscan.Op, st *statement) (dbguard.Verb, bool) {
	if s.dialect == sqlscan.MySQL && commitsImplicitly(t, op, s.backend.system() == "mariadb") {
		st.commits = true
	}
	if op.Kind == sqlscan.Session && s.dialect == sqlscan.SQLite && !s.guard.Observing() { // an observer would not look what is lost
		return dataLossVerb(t, op)
	}
	switch op.Kind {
	case sqlscan.Prepare:
		st.opaque = s.dialect == sqlscan.PostgreSQL && isDriverName(t.Name(op.Object))
		return dbguard.Run, st.opaque
	case sqlscan.Read, sqlscan.Insert, sqlscan.Define, sqlscan.Session, sqlscan.Maintain,
		sqlscan.Savepoint, sqlscan.RollbackTo:
		return 0, false
	case sqlscan.Begin, sqlscan.Commit, sqlscan.Rollback, sqlscan.Release:
		return dbguard.EndTransaction, st.endsTransaction(s, op)
	case sqlscan.Opaque:
		st.opaque = true
		if s.dialect == sqlscan.PostgreSQL && runsInServer(keyword(t, op)) {
			return dbguard.Call, true
		}
		return dbguard.Run, true
	case sqlscan.Unreadable:
		st.opaque = true
	}
	verb := verbs[op.Kind]
	if s.dialect == sqlscan.ClickHouse && changesRows(verb) {
		verb = dbguard.Uncounted
	}
	return verb, true
}

// addCallAct gives a text that names nothing to delete or change an act: what its
// functions do. If the text has transaction control of its own, that cannot be
// undone.
func (s *Session) addCallAct(st *statement) {
	t := &s.text.Text
	st.noteStructure(t)
	if st.changesRows() || len(st.op.Acts) > 0 && !st.changesSchema {
		return
	}
	act := dbguard.Act{Verb: dbguard.Ask}
	switch {
	case st.control != controlNone:
		act.Verb = dbguard.Call
	case declaresWithHold(t):
		act.Verb, act.Note = dbguard.Uncounted, "a cursor WITH HOLD runs its query at the COMMIT, and it calls a function that may change rows"
	}
	if len(st.op.Acts) == 0 {
		s.text.describe(&st.op, "SELECT")
		if len(t.Ops) > 0 {
			st.op.Name = sqlscan.OperationName(t, t.Ops[0])
		} else {
			st.op.Summary = "SELECT"
		}
	}
	st.op.Acts = append(st.op.Acts, act)
	st.targets = append(st.targets, target{})
	st.kinds = append(st.kinds, sqlscan.Opaque)
}

// verbs are the verbs of the kinds that always have one.
var verbs = [...]dbguard.Verb{
	sqlscan.Unreadable:     dbguard.Unread,
	sqlscan.Upsert:         dbguard.Upsert,
	sqlscan.Replace:        dbguard.Replace,
	sqlscan.Update:         dbguard.Update,
	sqlscan.Delete:         dbguard.Delete,
	sqlscan.Merge:          dbguard.Merge,
	sqlscan.Truncate:       dbguard.Empty,
	sqlscan.CreateDatabase: dbguard.Create,
	sqlscan.Drop:           dbguard.Remove,
	sqlscan.DropDatabase:   dbguard.RemoveDatabase,
	sqlscan.Alter:          dbguard.Reshape,
	sqlscan.GuardOff:       dbguard.Unprotect,
	sqlscan.RollbackTo:     dbguard.Unread, // the last: a kind without a verb is Unread
}

// runsInServer reports that the keyword runs code inside the server, where PostgreSQL
// counts. COPY … PROGRAM runs it outside.
func runsInServer(keyword string) bool {
	return keyword == "DO" || keyword == "CALL" || keyword == "EXECUTE"
}

// commitsImplicitly reports that MySQL commits an open transaction before it runs
// this.
func commitsImplicitly(t *sqlscan.Text, op *sqlscan.Op, mariadb bool) bool {
	switch op.Kind {
	case sqlscan.Insert: // CREATE TABLE … AS
		return op.Flags&sqlscan.Temporary == 0 && keyword(t, op) == "CREATE"
	case sqlscan.Maintain:
		how := keyword(t, op)
		return op.Flags&sqlscan.Temporary == 0 && !(mariadb && (how == "CACHE" || how == "LOAD"))
	case sqlscan.Define, sqlscan.CreateDatabase, sqlscan.Drop, sqlscan.DropDatabase,
		sqlscan.Truncate, sqlscan.Alter:
		return op.Flags&sqlscan.Temporary == 0
	case sqlscan.Session:
		return keyword(t, op) == "LOCK" || keyword(t, op) == "UNLOCK"
	case sqlscan.Opaque, sqlscan.Unreadable:
		return true // it may
	}
	return false
}

// add adds an act of the current reading to the statement, and its target. The first
// one names the statement.
func (s *Session) add(st *statement, op *sqlscan.Op, verb dbguard.Verb) {
	t := &s.text.Text
	if len(st.op.Acts) == 0 {
		s.text.describe(&st.op, sqlscan.OperationName(t, *op))
	}
	act := dbguard.Act{Verb: verb, Object: t.Name(op.Object), Filter: filter(op)}
	switch op.Kind {
	case sqlscan.Unreadable:
		act.Note = fmt.Sprintf("%s, at position %d", t.Why, t.Pos)
	}
	if verb == dbguard.Unprotect {
		act.Note = st.op.Text
	}
	if verb == dbguard.Uncounted {
		act.Note = "mutations run on their own time and are not undone"
	}
	st.op.Acts = append(st.op.Acts, act)
	st.targets = append(st.targets, newTarget(t, op, st.targets))
}

// filter says which rows are addressed. A statement with a constant LIMIT bounds
// itself and so does not address every row, nor does one whose join has a condition.
func filter(op *sqlscan.Op) dbguard.Filter {
	limited := op.Flags&sqlscan.HasLimit != 0 && op.Limit >= 0
	joined := op.Flags&sqlscan.Joined != 0 && op.Filter == sqlscan.NoFilter
	switch {
	case op.Filter == sqlscan.Filtered, limited, joined:
		return dbguard.Filtered
	case op.Filter == sqlscan.AlwaysTrue:
		return dbguard.AlwaysMet
	}
	return dbguard.NoFilter
}

// changesRows reports that the verb deletes or changes rows that can be counted.
func changesRows(v dbguard.Verb) bool {
	switch v {
	case dbguard.Insert, dbguard.Delete, dbguard.Update, dbguard.Merge, dbguard.Upsert, dbguard.Replace, dbguard.Ask, dbguard.Call:
		return true
	}
	return false
}

// changesRows reports that an act deletes or changes rows that can be counted.
func (st *statement) changesRows() bool {
	return slices.ContainsFunc(st.op.Acts, func(a dbguard.Act) bool { return changesRows(a.Verb) })
}

// simple is the target of a text that is a single DELETE or UPDATE of one table.
func (st *statement) simple() *target {
	if st.op.Statements != 1 || len(st.targets) != 1 || st.targets[0].op.Path != sqlscan.Top {
		return nil
	}
	switch st.targets[0].op.Kind {
	case sqlscan.Delete, sqlscan.Update:
		return &st.targets[0]
	}
	return nil
}

// newTarget extracts an operation's object from its text. before are the targets of
// earlier operations: in DROP TABLE a, b the keywords precede the first name only.
func newTarget(t *sqlscan.Text, op *sqlscan.Op, before []target) target {
	x := target{op: *op, raw: t.Source[op.Object.Start:op.Object.End], keyword: keyword(t, op)}
	x.name = nameParts(t, op.Object)
	if n := len(before); n > 0 && before[n-1].op.At == op.At {
		x.only, x.replaces, x.class = before[n-1].only, before[n-1].replaces, before[n-1].class
		return x
	}
	for word := range words(t, op.At.End, op.Object.Start) {
		switch word = strings.ToUpper(word); word {
		case "ONLY":
			x.only = true
		case "REPLACE":
			x.replaces = true
		}
	}
	switch op.Kind {
	case sqlscan.Drop, sqlscan.DropDatabase, sqlscan.Alter, sqlscan.Truncate, sqlscan.CreateDatabase:
		x.classify(t)
	}
	if op.Kind == sqlscan.Alter && x.class == "TABLE" && t.Statements == 1 {
		x.parts = partsOf(t, op.Object)
	}
	return x
}

// classify finds out, from the words before the object, its class and which part of
// it is meant.
func (x *target) classify(t *sqlscan.Text) {
	var class, part []string
	for tok := range tokens(t, x.op.At.End, x.op.Object.Start) {
		word := strings.ToUpper(t.Source[tok.Pos:tok.End])
		switch word {
		case "IF", "NOT", "EXISTS", "CONCURRENTLY", "TEMPORARY", "TEMP", "ONLINE", "IGNORE", "OR", "ONLY":
			continue
		}
		belongs := len(class) == 1 && (class[0] == "TRIGGER" || class[0] == "RULE" || class[0] == "POLICY" || class[0] == "INDEX")
		switch {
		case belongs:
			part = append(part, nameAt(t, tok))
		case tok.Kind == sqlscan.Word && len(class) < 2:
			class = append(class, word)
		}
	}
	x.class = strings.Join(class, " ")
	if len(part) == 2 && strings.EqualFold(part[1], "on") {
		x.part = part[0]
	}
}

// keyword is the first keyword of an operation, in capitals: "DELETE".
func keyword(t *sqlscan.Text, op *sqlscan.Op) string {
	return strings.ToUpper(t.Source[op.At.Start:op.At.End])
}

// allActs reports that all acts of a text have this verb.
func allActs(st *statement, verb dbguard.Verb) bool {
	return !slices.ContainsFunc(st.op.Acts, func(a dbguard.Act) bool { return a.Verb != verb })
}
