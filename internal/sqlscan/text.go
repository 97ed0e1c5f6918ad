package sqlscan

// Kind says what an operation does, however it is spelled.
type Kind uint8

// The kinds. The zero value is Unreadable, so that forgetting one fails closed.
const (
	Unreadable     Kind = iota // the text cannot be read with certainty
	Read                       // returns rows or metadata, or plans without executing; changes no row and no structure
	Insert                     // adds rows only (INSERT, COPY FROM, LOAD DATA, SELECT INTO, CREATE TABLE AS)
	Upsert                     // INSERT … ON CONFLICT DO UPDATE, ON DUPLICATE KEY UPDATE
	Replace                    // REPLACE, INSERT OR REPLACE, LOAD DATA … REPLACE: removes the rows in conflict
	Update                     // UPDATE in all its forms, ALTER TABLE … UPDATE of ClickHouse
	Delete                     // DELETE in all its forms, ALTER TABLE … DELETE of ClickHouse
	Merge                      // MERGE with an UPDATE or DELETE action
	Truncate                   // TRUNCATE, also of partitions
	Define                     // adds or redefines structure without losing rows: CREATE TABLE, CREATE INDEX, ADD COLUMN, COMMENT
	CreateDatabase             // CREATE DATABASE or SCHEMA, ATTACH, VACUUM INTO
	Drop                       // a table, view, index, … or a part of one goes
	DropDatabase               // DROP DATABASE or SCHEMA
	Alter                      // a column is retyped, removed or renamed; a table renamed, moved, detached, rebuilt in another engine
	Session                    // SET, USE, reading or harmless PRAGMA, LISTEN, DEALLOCATE, LOCK, cursors over reads
	GuardOff                   // the session or table turns protection off (foreign_key_checks = 0, session_replication_role, DISABLE TRIGGER, writable_schema, …)
	Maintain                   // GRANT, ANALYZE, VACUUM, REINDEX, FLUSH, roles: no row, no structure is lost
	Prepare                    // PREPARE of an SQL text: nothing happens yet
	Opaque                     // DO, CALL, EXECUTE, COPY … PROGRAM: what they run is not in the text
	Begin                      // BEGIN, START TRANSACTION, SET autocommit = 0
	Commit                     // COMMIT, END, SET autocommit = 1, PREPARE TRANSACTION, COMMIT PREPARED, XA COMMIT
	Rollback                   // ROLLBACK, ABORT
	Savepoint                  // SAVEPOINT
	Release                    // RELEASE SAVEPOINT
	RollbackTo                 // ROLLBACK TO SAVEPOINT
)

// Path says where in the statement an operation is.
type Path uint8

const (
	Top      Path = iota // the statement itself
	InCTE                // a data-modifying WITH
	Executed             // the statement inside EXPLAIN ANALYZE, COPY (…) TO, SET STATEMENT … FOR, ANALYZE …
	Body                 // in a block that runs now (BEGIN NOT ATOMIC … END)
)

// Filter says which rows an operation addresses.
type Filter uint8

const (
	NoFilter   Filter = iota // every row (also where the statement has no notion of WHERE)
	AlwaysTrue               // there is a WHERE and it is provably true for every row
	Filtered                 // a WHERE that may be false
)

// Flags are properties of one operation.
type Flags uint16

const (
	Returning     Flags = 1 << iota // RETURNING: the statement answers with rows
	IfExists                        // IF EXISTS
	IfNotExists                     // IF NOT EXISTS
	OrReplace                       // CREATE OR REPLACE
	Temporary                       // on a temporary object: by its own words, or because an earlier statement of the text created it so
	Cascade                         // DROP … CASCADE, TRUNCATE … CASCADE
	UndoneByText                    // a ROLLBACK in the same text undoes it, and the text itself opened the transaction
	DoNothing                       // ON CONFLICT DO NOTHING, INSERT IGNORE
	Multi                           // one of several targets of a joined UPDATE or DELETE (MySQL), or a USING/FROM list is present
	Parameterised                   // Object is a placeholder or an expression: the text does not have its value
	View                            // the object is a view, index, function, …: anything but a table, database or schema
	HasLimit                        // a syntactic LIMIT is present; see Op.Limit
	Joined                          // there is an inner join with a condition, which may exclude rows as a WHERE does
)

// Span is a piece of the text: Source[Start:End].
type Span struct{ Start, End int32 }

// Op is one operation of a statement on one object: `DELETE FROM a USING b`
// is one, `DELETE a, b FROM a, b` two, a modifying WITH one more.
type Op struct {
	Kind   Kind
	Path   Path
	Filter Filter
	Flags  Flags
	Stmt   int32 // index of its statement in the text, from 0
	At     Span  // its keyword: DELETE, DROP, …
	Object Span  // the target's name as written, qualified and quoted; empty when there is none
	Where  Span  // the condition, without WHERE; empty when there is none
	Rows   int64 // number of VALUES tuples of an Insert, Upsert or Replace; -1 when not in the text
	Limit  int64 // the syntactic LIMIT when HasLimit is set; -1 when it is a parameter or an expression
}

// Text is the reading of one SQL text. Reuse it: Classify keeps its storage.
type Text struct {
	Source     string
	Dialect    Dialect
	Mode       Mode
	Statements int  // how many statements it holds; empty ones do not count
	Ops        []Op // in order; every statement has at least one, unless it is a read
	// ModeMatters says that another Mode would read the text differently (MySQL: a
	// backslash or " "): ask the session and read again.
	ModeMatters bool
	// Calls says that the text calls a function that is not one of the
	// dialect's known, side-effect-free ones: it may do anything.
	Calls bool
	// Pos is where reading failed, Why is the reason; only with an Unreadable Op.
	Pos int
	Why string

	inline [4]Op
}

// IsRead reports that the text only reads. An empty text is not a read: it has no
// statements and no operations.
func (t *Text) IsRead() bool { return t.Statements > 0 && len(t.Ops) == 0 }
