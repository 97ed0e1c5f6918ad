package engine

import (
	"context"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

type Conn interface {
	Exec(ctx context.Context, text string) (affected int64, err error)
	Query(ctx context.Context, text string, row func(values []any) error) error
}
type Config struct {
	Guard     *dbguard.Guard
	Dialect   sqlscan.Dialect
	Namespace string
}
type Session struct {
	conn   Conn
	cfg    Config
	tx     bool
	broken bool
	ledger *dbguard.Ledger
}

func NewSession(conn Conn, cfg Config) *Session { return &Session{conn: conn, cfg: cfg} }
func (s *Session) IsRead(text string) bool      { return strings.HasPrefix(text, "SELECT") }

type Flight struct {
	s   *Session
	op  *dbguard.Operation
	own bool
}

func (s *Session) Start(ctx context.Context, text string, args int) (*Flight, error) {
	verb := dbguard.Insert
	name, _, _ := strings.Cut(text, " ")
	switch name {
	case "DELETE":
		verb = dbguard.Delete
	case "UPDATE":
		verb = dbguard.Update
	default:
		return nil, nil
	}
	op, err := s.cfg.Guard.Begin(ctx, dbguard.Op{Name: name, Text: text, Summary: name, Statements: 1, Acts: []dbguard.Act{{Verb: verb, Object: "t"}}}, s.ledger)
	if err != nil {
		return nil, err
	}
	f := &Flight{s: s, op: op}
	if op.NeedsUndo() {
		f.own = true
		if s.tx {
			_, err = s.conn.Exec(ctx, "SAVEPOINT dbguard")
		} else {
			_, err = s.conn.Exec(ctx, "BEGIN")
		}
		if err != nil {
			return nil, op.End(dbguard.EffectNone, err)
		}
	}
	return f, nil
}
func (f *Flight) Context() context.Context { return f.op.Context() }
func (f *Flight) Streams() bool            { return true }
func (f *Flight) done(ctx context.Context, ok bool) {
	if !f.own {
		return
	}
	q := map[[2]bool]string{{true, true}: "RELEASE dbguard", {true, false}: "ROLLBACK TO dbguard", {false, true}: "COMMIT", {false, false}: "ROLLBACK"}[[2]bool{f.s.tx, ok}]
	if _, err := f.s.conn.Exec(context.WithoutCancel(ctx), q); err != nil {
		f.s.broken = true
	}
}
func (f *Flight) End(ctx context.Context, affected int64, err error) error {
	if err != nil {
		f.done(ctx, false)
		return f.op.End(dbguard.EffectUndone, err)
	}
	if err := f.op.Settle(dbguard.Count{Rows: affected}); err != nil {
		f.done(ctx, false)
		return f.op.End(dbguard.EffectUndone, nil)
	}
	f.done(ctx, true)
	return f.op.End(dbguard.EffectApplied, nil)
}
func (f *Flight) Skip(ctx context.Context) error {
	f.done(ctx, false)
	f.op.Abandon()
	return nil
}
func (s *Session) TxBegan() { s.tx = true; s.ledger = s.cfg.Guard.NewLedger() }
func (s *Session) TxEnded(ctx context.Context, committed bool, err error) error {
	s.tx = false
	e := dbguard.EffectUndone
	if committed {
		e = dbguard.EffectApplied
	}
	l := s.ledger
	s.ledger = nil
	return l.End(ctx, e, err)
}
func (s *Session) RawTouched()  {}
func (s *Session) Reset()       {}
func (s *Session) Broken() bool { return s.broken }
