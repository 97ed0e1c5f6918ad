package dbguard

import (
	"slices"
	"strings"
)

// Op is one operation as an adapter read it, before anything is sent: a statement or
// a request, and what it does to each object that it names. It contains no argument
// and no literal: Text is masked.
type Op struct {
	System     string // db.system.name of the OpenTelemetry conventions: "postgresql", "mariadb", "sqlite"
	Namespace  string // db.namespace: the database, as far as it is known
	Name       string // db.operation.name: "DELETE", "DROP TABLE"
	Summary    string // db.query.summary: "DELETE navigation"
	Text       string // db.query.text, literals masked
	Statements int    // how many statements the text holds
	Acts       []Act
}

// Act is what an operation does to one object.
type Act struct {
	Verb   Verb
	Object string // table, database, …: the name as the server knows it, qualified as in the text
	Filter Filter // of Delete and Update
	Note   string // for people: "foreign_key_checks = 0", "table m is MyISAM"
}

// Verb says what an act does, in terms that the rules know.
type Verb uint8

// The verbs. The zero value is Unread, so that forgetting one is refused.
const (
	Unread         Verb = iota // what it does could not be read
	Insert                     // adds rows: what it changes besides, by triggers, rules and functions, is counted and undone by the engine
	Delete                     // removes rows
	Update                     // changes rows
	Merge                      // MERGE: may do either
	Upsert                     // changes the rows in conflict
	Replace                    // removes the rows in conflict
	Ask                        // a read that calls functions: they may write, and are counted and undone by the engine
	Call                       // runs code that is not in the text, counted and undone by the engine: DO, CALL
	Run                        // runs code that is not in the text and that nobody can count
	Empty                      // TRUNCATE
	Remove                     // DROP
	RemoveDatabase             // DROP DATABASE, DROP SCHEMA
	Create                     // CREATE DATABASE, CREATE SCHEMA, opening a file that does not exist
	Reshape                    // ALTER that retypes, removes or renames
	Unprotect                  // turns a protection of the server off
	EndTransaction             // COMMIT or the like inside a longer text
	Uncounted                  // changes rows where the engine can neither count nor undo
	Pool                       // a connection pool without a limit
	Unready                    // goes to a server that is not ready for it: see Gate
)

// destroysRows reports whether the verb deletes or changes existing rows, or may.
func (v Verb) destroysRows() bool { return v >= Insert && v <= Call }

// asks reports whether only the count can tell if existing rows change.
func (v Verb) asks() bool { return v == Insert || v == Ask }

// MayChangeRows reports whether existing rows may be deleted or changed, as far as is
// known: also by what nobody can read or count.
func (v Verb) MayChangeRows() bool {
	return v.destroysRows() || v == Unread || v == Run || v == Uncounted
}

// LosesStructure reports whether a table or database is dropped, emptied or
// reshaped.
func (v Verb) LosesStructure() bool {
	return v == Empty || v == Remove || v == RemoveDatabase || v == Reshape
}

// addressesRows reports whether a WHERE selects the rows.
func (v Verb) addressesRows() bool { return v == Delete || v == Update }

// Filter says which rows of the object an act addresses.
type Filter uint8

// The filters. The zero value claims nothing.
const (
	Filtered  Filter = iota // a condition that may be false
	NoFilter                // no condition
	AlwaysMet               // a condition that is true for every row
)

// asks reports whether only the count can tell if existing rows change.
func (op *Op) asks() bool {
	return len(op.Acts) > 0 && !slices.ContainsFunc(op.Acts, func(a Act) bool { return !a.Verb.asks() })
}

// String is how a message names the operation: "DELETE on navigation".
func (op *Op) String() string {
	objects := op.objects()
	if len(objects) == 0 {
		return op.name()
	}
	return op.name() + " on " + strings.Join(objects, ", ")
}

// name is the operation's name in messages: what cannot be read has none.
func (op *Op) name() string {
	if op.Name == "" {
		return "statement"
	}
	return op.Name
}

// objects are the distinct names that the operation acts on, in order.
func (op *Op) objects() []string {
	var names []string
	for _, act := range op.Acts {
		if act.Object != "" && !slices.Contains(names, act.Object) {
			names = append(names, act.Object)
		}
	}
	return names
}

// onlyObject is the name that the operation acts on, "" for none or several.
func (op *Op) onlyObject() string {
	var name string
	for i := range op.Acts {
		object := op.Acts[i].Object
		if object == "" || object == name {
			continue
		}
		if name != "" {
			return ""
		}
		name = object
	}
	return name
}

// Count is the true number of existing rows that an operation deleted or changed, in
// the tables that it names and in others.
type Count struct {
	Rows   int64       // in all; -1 when it is not known
	Tables []TableRows // where they are, as far as the engine can tell; named tables first
	// Structure says that the operation dropped, emptied or altered a table though
	// its text does not show it. No bound covers that.
	Structure bool
}

// TableRows is a number of rows of one table.
type TableRows struct {
	Table string // "" if the engine knows only that it is another one, or several
	Rows  int64
	Via   string // how the operation reached it without naming it: "ON DELETE CASCADE", "trigger"
}

// String is "2 rows of posts (ON DELETE CASCADE)".
func (t TableRows) String() string {
	table := t.Table
	if table == "" {
		table = "other tables"
	}
	text := rows(t.Rows) + " of " + table
	if t.Via != "" {
		text += " (" + t.Via + ")"
	}
	return text
}
