package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// Conn is what a session needs of the connection that it guards: it runs its own
// statements on it, inside and outside of transactions.
type Conn interface {
	// Exec runs a text without arguments.
	Exec(ctx context.Context, text string) (affected int64, err error)
	// Query runs a text without arguments and calls row for each row. The values are
	// as the driver returns them, and valid during the call.
	Query(ctx context.Context, text string, row func(values []any) error) error
}

// Config is what an adapter knows of a connection beforehand.
type Config struct {
	Guard     *dbguard.Guard
	Dialect   sqlscan.Dialect
	Namespace string         // the database, as far as it is known
	Gate      *dbguard.Gate  // of the server; nil is open
	Zone      *time.Location // in which a MySQL driver writes times; nil if not known
}

// Session is the guard's state of one connection. Like the connection it is used by
// one goroutine at a time.
type Session struct {
	conn      Conn
	pipeline  *pipelineConn // conn, if the adapter can pipeline
	guard     *dbguard.Guard
	gate      *dbguard.Gate
	dialect   sqlscan.Dialect
	backend   backend
	namespace string // the database
	zone      *time.Location

	readings readings
	modes    modes

	hidden              *hiddenCode      // nil: not queried yet
	preparedNameChanges int              // texts that may have prepared something under any name
	schemaChanges       int              // texts after which others may run code that they did not run before
	txChangedSchema     bool             // the transaction may have changed the schema
	txChangedMode       bool             // and a mode
	preparedCount       int              // the caller's prepared statements
	place               *CurrentDatabase // where the session is

	// The text that is being judged.
	text                *reading            // the parsed text
	sendMode            sendMode            // how the adapter sends it
	form                Form                // and what the adapter can send instead
	args                []driver.NamedValue // of the statement that is being started
	currentDB           string              // in which it runs, where names depend on that; "" if not known
	preparedElsewhere   bool                // it was prepared in another database
	encodingChanged     bool                // the text before may have changed it
	schemaChangePending bool                // a text that changes the schema is still to be sent before it

	tx        txState
	ledger    *dbguard.Ledger // of the caller's transaction
	txLost    bool            // the caller's transaction is gone, and the caller does not know
	txBegins  bool            // BeginTx was the last thing that the caller did
	flight    *Flight         // the open one
	broken    bool
	lastReply time.Time // to a judged statement
}

// NewSession starts to guard a connection. Nothing is sent.
func NewSession(conn Conn, cfg Config) *Session {
	s := &Session{
		conn: conn, guard: cfg.Guard, gate: cfg.Gate, dialect: cfg.Dialect, namespace: cfg.Namespace, zone: cfg.Zone,
		modes: modes{mode: cfg.Dialect.DefaultMode()},
	}
	if p, ok := conn.(Pipeline); ok {
		s.pipeline = &pipelineConn{Pipeline: p}
		s.conn = s.pipeline
	}
	switch s.dialect {
	case sqlscan.PostgreSQL:
		s.backend = &postgres{conn: s.conn, stale: true}
	case sqlscan.MySQL:
		s.backend = &mysql{conn: s.conn}
		s.tx = txUnknown // autocommit may be off by DSN or by the server's default
	case sqlscan.SQLite:
		long := s.conn
		s.conn = uncancelledConn{long}
		s.backend = &sqlite{conn: s.conn, cancellable: long}
	case sqlscan.ClickHouse:
		s.backend = clickhouse{}
	}
	return s
}

// errUnfinished is returned when a statement is started while another one still
// streams its rows and has no verdict: an undo would take both.
var errUnfinished = errors.New("dbguard: a guarded statement of this connection still streams its rows: close them first")

// IsRead reports that the text certainly only reads: it needs no Start. It sends
// nothing, and allocates nothing but what the session caches.
func (s *Session) IsRead(text string) bool {
	if s.gate.Refuses(true) != nil {
		return false
	}
	if s.readings.passes(text) {
		s.noteRead(text)
		return true
	}
	t := s.classify(text)
	if !t.IsRead() || s.modes.matters(t) || s.mayCallWriter(t) || s.namesRoutine(t) || s.mayRunHidden(t) {
		return false
	}
	s.noteRead(text)
	if changesMode(t) {
		s.noteModeChange()
		return true
	}
	s.text.passes = true
	return true
}

// readListener is a backend that is told of what is not judged: noteRead is called
// before a read, noteFailure after a statement has failed.
type readListener interface {
	noteRead(text string)
	noteFailure()
}

func (s *Session) noteRead(text string) {
	s.txBegins = false
	if b, ok := s.backend.(readListener); ok {
		b.noteRead(text)
	}
}

// Form is what an adapter can do with a rewritten text: see [Flight.Text].
type Form uint8

const (
	AsWritten Form = iota // nothing: it sends the caller's text
	Tagged                // return its number of affected rows, for which the caller asked, or the one number that it returns
	Counted               // return the one number only
	Rows                  // pass its rows on: the caller asked for those of RETURNING
	RowsIfAny             // Rows, or Tagged if the statement returns none
)

// of is the form for a statement.
func (form Form) of(st *statement) Form {
	if form != RowsIfAny {
		return form
	}
	if len(st.targets) > 0 && st.targets[0].op.Flags&sqlscan.Returning != 0 {
		return Rows
	}
	return Tagged
}

// Start judges a text that the caller is about to send, and opens what it needs. form
// is what the adapter can do with a rewritten text. An engine may need args, as far
// as the adapter has them, to query beforehand which rows the statement selects, or
// to rewrite it.
//
// If it returns neither a Flight nor an error, there is nothing to guard: send the
// text. If it returns an error, send nothing. That is a *dbguard.Violation, an error
// of the server or the context, or driver.ErrBadConn if nothing can have happened.
// Otherwise the adapter sends the caller's statement, exactly once, and calls End or
// Skip.
func (s *Session) Start(ctx context.Context, text string, form Form, args ...driver.NamedValue) (*Flight, error) {
	if s.flight != nil {
		return nil, errUnfinished
	}
	s.txBegins = false
	if s.pipeline != nil {
		s.pipeline.clear()
	}
	s.form, s.args = form, s.formatTimes(args)
	defer func() { s.args = nil }()
	st, op, err := s.judge(ctx, text)
	switch {
	case err != nil || st == nil:
		return nil, err
	case op == nil:
		if err := s.runDeferredBefore(ctx, st); err != nil {
			return nil, err
		}
		return s.trackTx(ctx, st), nil
	}
	return s.startFlight(ctx, st, op, form)
}

// judge parses a text and has it judged. The statement is nil if there is nothing to
// guard, and the operation if no rule applies.
func (s *Session) judge(ctx context.Context, text string) (*statement, *dbguard.Operation, error) {
	switch {
	case s.guard.Check() != nil:
		return nil, nil, s.guard.Check()
	case s.broken:
		return nil, nil, driver.ErrBadConn
	}
	t, err := s.read(ctx, text)
	if err != nil {
		return nil, nil, err
	}
	calls, err := s.callsWriter(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	code, err := s.runsRoutine(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	if err := s.checkGate(ctx, t); err != nil || !calls && !code && !s.schemaChangePending && nothingToJudge(t) {
		s.noteRead(text)
		return nil, nil, err
	}
	if err := s.findState(ctx, t, calls || code); err != nil {
		return nil, nil, err
	}
	st := s.understand(t)
	s.noteSchemaChange(t)
	if st.calls = calls || s.schemaChangePending && evaluates(t) && !hasDDL(t); st.calls {
		s.addCallAct(st)
	}
	if err := s.completeStatement(ctx, t, st, code); err != nil {
		return nil, nil, err
	}
	if len(st.op.Acts) == 0 {
		return st, nil, nil
	}
	op, err := s.guard.Begin(ctx, st.op, s.ledger)
	return st, op, err
}

// completeStatement adds what the rules need to know about the statement but the text
// does not tell.
func (s *Session) completeStatement(ctx context.Context, t *sqlscan.Text, st *statement, code bool) error {
	if err := s.addInsertActs(ctx, t, st); err != nil {
		return err
	}
	if s.preparedElsewhere {
		st.refuseInOtherDatabase(t)
	}
	if err := s.lookUp(ctx, t, st); err != nil || !code {
		return err
	}
	return s.lookUpRoutines(ctx, st)
}

// read parses the text, asking the server for what that depends on.
func (s *Session) read(ctx context.Context, text string) (*sqlscan.Text, error) {
	t := s.classify(text)
	if s.modes.matters(t) {
		mode, err := s.backend.mode(ctx)
		if err != nil {
			return nil, err
		}
		s.modes = modes{mode: mode, known: true}
		t = s.classify(text)
	}
	if changesMode(t) {
		s.noteModeChange()
		s.noteEncodingChange(t)
	}
	s.notePrepared(t)
	if err := s.leavesDatabase(ctx, t); err != nil {
		return nil, err
	}
	return t, s.backend.refineReading(ctx, t, s.form)
}

func (s *Session) classify(text string) *sqlscan.Text {
	if s.currentDB = ""; s.encodingChanged {
		s.forgetNames()
	}
	s.text = s.readings.read(text, s.dialect, s.modes.mode)
	return &s.text.Text
}

// RawTouched tells the session that its connection was used by others: what it knew
// of the connection's state is void.
func (s *Session) RawTouched() { s.forget() }

// AddPrepared tells the session that the caller has prepared n more statements, or
// closed -n.
func (s *Session) AddPrepared(n int) { s.preparedCount += n }

// Reset tells the session that the connection goes to another user of the pool.
func (s *Session) Reset() {
	if s.flight != nil {
		s.broken = true
	}
	if s.tx == txCaller {
		s.endLedger(context.Background(), dbguard.EffectApplied, nil)
		s.tx = txUnknown
	}
	s.txLost = false
}

// Broken reports that the pool must discard the connection: an undo failed or a reply
// was lost.
func (s *Session) Broken() bool { return s.broken }

// noteModeChange notes a text that may change a mode: for good, or until the
// transaction ends or is rolled back to a savepoint.
func (s *Session) noteModeChange() {
	s.txChangedMode = true
	s.forgetModes()
}

// forgetModes has the server asked again when it matters. Cached texts may parse
// differently in the new modes.
func (s *Session) forgetModes() {
	s.modes.known = false
	s.readings.forgetReads()
}

// forget drops everything that was learnt about the session and not asked for.
func (s *Session) forget() {
	s.forgetModes()
	s.dropTxCaches()
	s.tx, s.txBegins = txUnknown, false
	s.backend.forget()
}
