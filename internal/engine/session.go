package engine

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// Conn is what a session needs of the connection that it guards: its own
// statements run through it, inside and outside of transactions.
type Conn interface {
	// Exec runs a text without arguments.
	Exec(ctx context.Context, text string) (affected int64, err error)
	// Query runs a text without arguments and calls row for each row. The
	// values are those of a driver, valid during the call.
	Query(ctx context.Context, text string, row func(values []any) error) error
}

// Config is what a door knows of a connection beforehand.
type Config struct {
	Guard     *dbguard.Guard
	Dialect   sqlscan.Dialect // 0: ask the server
	Namespace string          // the database, as far as it is known
}

// Session is the guard's view of one connection. Like the connection it is
// used by one goroutine at a time.
type Session struct {
	conn    Conn
	guard   *dbguard.Guard
	dialect sqlscan.Dialect
	backend backend
	name    string // the database

	text  sqlscan.Text // the reading under way, reused
	reads readCache
	modes modes

	args []driver.NamedValue // of the statement that is being started

	tx     txState
	ledger *dbguard.Ledger // of the caller's transaction
	lost   bool            // the caller's transaction is gone, and the caller does not know
	flight *Flight         // the one that is open
	broken bool
}

// NewSession starts to guard a connection. Nothing is sent.
func NewSession(conn Conn, cfg Config) *Session {
	s := &Session{conn: conn, guard: cfg.Guard, name: cfg.Namespace}
	s.speak(cfg.Dialect)
	return s
}

// speak chooses the backend.
func (s *Session) speak(d sqlscan.Dialect) {
	s.dialect = d
	switch d {
	case sqlscan.PostgreSQL:
		s.backend = &postgres{conn: s.conn, stale: true}
	case sqlscan.MySQL:
		s.backend = &mysql{conn: s.conn}
		if s.tx == txIdle {
			s.tx = txUnknown // autocommit may be off by DSN or by the server's default
		}
	case sqlscan.SQLite:
		s.backend = &sqlite{conn: s.conn}
	case sqlscan.ClickHouse:
		s.backend = clickhouse{}
	}
	s.modes = modes{mode: d.DefaultMode()}
}

// errUnfinished is told to whoever starts a statement while another one that
// streams its rows has no verdict yet: it would share its fate.
var errUnfinished = errors.New("dbguard: a guarded statement of this connection still streams its rows: close them first")

// IsRead reports that the text certainly only reads: it needs no Start. It
// sends nothing and allocates nothing but what the session keeps.
func (s *Session) IsRead(text string) bool {
	if s.reads.has(text) {
		return true
	}
	if s.dialect == 0 {
		return false
	}
	t := s.classify(text)
	if !t.IsRead() || s.runsCode(t) || s.modes.matter(t) {
		return false
	}
	if s.modes.changedBy(text) {
		s.forgetModes()
		return true
	}
	s.reads.add(text)
	return true
}

// Start judges a text that the caller is about to send, and opens the way for
// it. The number of its arguments decides nothing yet.
//
// No Flight and no error: there is nothing to guard, send it. An error: send
// nothing. It is a *dbguard.Violation, an error of the server or the context,
// or driver.ErrBadConn if nothing can have happened. Else the door sends the
// caller's own statement, exactly once, and calls End or Skip.
func (s *Session) Start(ctx context.Context, text string, _ int) (*Flight, error) {
	switch {
	case s.guard.Check() != nil:
		return nil, s.guard.Check()
	case s.flight != nil:
		return nil, errUnfinished
	case s.broken:
		return nil, driver.ErrBadConn
	}
	t, err := s.read(ctx, text)
	if err != nil || t.IsRead() && !s.runsCode(t) || t.Statements == 0 && len(t.Ops) == 0 {
		return nil, err
	}
	if err := s.findState(ctx, t); err != nil {
		return nil, err
	}
	st := s.understand(t)
	if err := s.lookUp(ctx, st); err != nil {
		return nil, err
	}
	if err := s.lookUpCode(ctx, st); err != nil {
		return nil, err
	}
	if len(st.op.Acts) == 0 {
		return s.follow(ctx, st), nil
	}
	op, err := s.guard.Begin(ctx, st.op, s.ledger)
	if err != nil {
		return nil, err
	}
	return s.launch(ctx, st, op)
}

// StartWith is Start with the statement's arguments: an engine may need them to
// ask beforehand which rows it means, or to send it in another form.
func (s *Session) StartWith(ctx context.Context, text string, args []driver.NamedValue) (*Flight, error) {
	s.args = args
	defer func() { s.args = nil }()
	return s.Start(ctx, text, len(args))
}

// read classifies the text, asking the server for what the text depends on.
func (s *Session) read(ctx context.Context, text string) (*sqlscan.Text, error) {
	if s.dialect == 0 {
		d, err := askDialect(ctx, s.conn)
		if err != nil {
			return nil, err
		}
		s.speak(d)
	}
	t := s.classify(text)
	if s.modes.matter(t) {
		mode, err := s.backend.mode(ctx)
		if err != nil {
			return nil, err
		}
		s.modes = modes{mode: mode, known: true}
		t = s.classify(text)
	}
	if s.modes.changedBy(text) {
		s.forgetModes()
	}
	return t, nil
}

func (s *Session) classify(text string) *sqlscan.Text {
	sqlscan.Classify(&s.text, text, s.dialect, s.modes.mode)
	return &s.text
}

// RawTouched tells that somebody used the connection past the session: what
// it knew of the connection's state is void.
func (s *Session) RawTouched() { s.forget() }

// Reset tells that the connection goes to another user of the pool.
func (s *Session) Reset() {
	if s.flight != nil {
		s.broken = true
	}
	if s.tx == txCaller {
		s.endLedger(context.Background(), dbguard.EffectApplied, nil)
		s.tx = txUnknown
	}
	s.lost = false
}

// Broken reports that the pool must discard the connection: an undo failed or
// a reply was lost.
func (s *Session) Broken() bool { return s.broken }

// forgetModes has the server asked again, where it matters. Texts that were
// read in the old modes may read differently now.
func (s *Session) forgetModes() {
	s.modes.known = false
	s.reads = readCache{}
}

// forget drops everything that was learnt and not asked.
func (s *Session) forget() {
	s.forgetModes()
	s.tx = txUnknown
	if s.backend != nil {
		s.backend.forget()
	}
}
