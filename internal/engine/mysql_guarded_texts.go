package engine

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"time"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// Preparer is a Conn whose adapter can prepare statements.
type Preparer interface {
	Conn
	Prepare(ctx context.Context, text string) (Prepared, error)
	// WritesArgs reports that the driver writes arguments into texts.
	WritesArgs(ctx context.Context) bool
}

// Prepared is a statement that an adapter has prepared.
type Prepared interface {
	Exec(ctx context.Context, args []driver.NamedValue) (driver.Result, error)
	Close() error
}

// guardedText is a text that the session has prepared.
type guardedText struct {
	text         string
	stmt         Prepared // nil if the server has rejected the text
	preparedInTx int      // value of mysql.endedTxs at PREPARE

	// MySQL
	first bool // and PREPARE came before anything that takes a snapshot
	plain bool // the catalogue had no objection, after PREPARE
	ran   bool // it has been executed without an error

	// MariaDB
	trust
	readInTx     int  // 1 + value of mysql.endedTxs, if that was in a transaction of the caller's
	serializable bool // its isolation level was SERIALIZABLE
}

// guardedTexts are those of a session, the latest used last.
type guardedTexts struct {
	list    []*guardedText
	literal textSet         // texts without arguments that have come once
	typed   map[string]bool // texts whose parameters have a type of their own, see typedParam
	stale   bool            // settings may have changed since they were prepared
	counter int64           // the largest value that the counter may have
	parses  parsing
}

// parsing says how the server parses a prepared text again.
type parsing uint8

const (
	parsingNotTried parsing = iota
	parsingByNow            // under the sql_mode of the session
	parsingByThen           // otherwise, or never
)

// maxGuardedTexts is the number that a session keeps prepared.
const maxGuardedTexts = 32

// forget has the texts prepared again.
func (g *guardedTexts) forget() { g.stale = true }

func (g *guardedTexts) close() {
	for _, p := range g.list {
		p.close()
	}
	g.list, g.typed, g.stale = nil, nil, false
}

func (g *guardedTexts) drop(p *guardedText) {
	if i := slices.Index(g.list, p); i >= 0 {
		g.list = slices.Delete(g.list, i, i+1)
		p.close()
	}
}

func (p *guardedText) close() {
	if p.stmt != nil {
		_ = p.stmt.Close() // the server forgets it with the session
	}
}

// noteTyped notes that a text needs typed parameters. It reports that this is news.
func (g *guardedTexts) noteTyped(text string) bool {
	if g.typed[text] {
		return false
	}
	if g.typed == nil || len(g.typed) >= maxNames {
		g.typed = map[string]bool{}
	}
	g.typed[text] = true
	return true
}

// find is the text as it was prepared, or nil.
func (g *guardedTexts) find(text string) *guardedText {
	i := slices.IndexFunc(g.list, func(p *guardedText) bool { return p.text == text })
	if i < 0 {
		return nil
	}
	p := g.list[i]
	g.list = append(slices.Delete(g.list, i, i+1), p)
	return p
}

func (g *guardedTexts) add(p *guardedText) {
	if len(g.list) >= maxGuardedTexts {
		g.drop(g.list[0])
	}
	g.list = append(g.list, p)
}

// readyToPrepare finds out what the texts of a MySQL session depend on. It reports that
// one can be prepared.
func (s *Session) readyToPrepare(ctx context.Context, m *mysql) bool {
	if _, ok := m.conn.(Preparer); !ok || m.texts.parses == parsingByThen {
		return false
	}
	if m.texts.stale || !s.modes.known {
		m.texts.close()
		m.sessionKnown = false // its database, for one
	}
	if !s.modes.known {
		mode, err := m.mode(ctx)
		if err != nil {
			return false
		}
		s.modes = modes{mode: mode, known: true}
	}
	return s.modes.mode&sqlscan.ANSIQuotes == 0
}

// prepareFirst prepares the first text of the caller's transaction before the guard's own
// queries take its snapshot: so the catalogue may be asked within the transaction. An error
// shows up again.
func (s *Session) prepareFirst(ctx context.Context, m *mysql, t *sqlscan.Text, text string, args []driver.NamedValue) {
	if m.detectServer(ctx) != nil || m.system() != "mysql" || !s.readyToPrepare(ctx, m) || m.sessionKnown && !m.logsRows {
		return
	}
	st := s.understand(t)
	if s.addInsertActs(ctx, t, st) != nil || len(st.targets) != 1 {
		return
	}
	e := m.fastPathOf(st, text, args, s.modes.mode)
	if e == nil || m.willBackOff(e.target) || m.texts.find(e.preparedText()) != nil {
		return
	}
	either := []string{e.preparedWith(untypedParam), e.preparedWith(typedParam)}
	_ = m.prepare(ctx, s, slices.Compact(either)...)
	for _, text := range either {
		if p := m.texts.find(text); p != nil {
			p.first = true
		}
	}
}

// prepare prepares texts under a setting that is on for nothing else, except those that the
// server rejects: the caller's own will tell why.
func (m *mysql) prepare(ctx context.Context, s *Session, texts ...string) error {
	const trial = `SELECT "a" FROM (SELECT 1 AS "a") "b" WHERE "a" = ?`
	enter := "SET @dbguard = 0, @dbguard_mode = @@sql_mode, sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')"
	leave := "SET sql_mode = @dbguard_mode"
	switch {
	case m.system() == "mariadb":
		enter, leave = "SET @dbguard = 0, @dbguard_mode = @@old_mode, old_mode = ''", "SET old_mode = @dbguard_mode, @dbguard_mode = ''"
	case m.texts.parses == parsingNotTried:
		texts = append(texts, trial)
	}
	if _, err := m.conn.Exec(ctx, enter); err != nil {
		return err
	}
	stmts := make([]Prepared, len(texts))
	var err error
	for i := range texts {
		if stmts[i], err = m.conn.(Preparer).Prepare(ctx, texts[i]); fatalError(err) != nil {
			break
		}
		s.FreePrepared(err)
	}
	lasting, cancel := outlive(ctx)
	defer cancel()
	if _, lost := m.conn.Exec(lasting, leave); lost != nil {
		s.broken = true
		switch {
		case fatalError(err) != nil:
			return err
		case s.connectionLost(lost): // the caller's statement was not sent
			return lost
		}
		return fmt.Errorf("dbguard: sql_mode or old_mode could not be restored: %w", lost)
	}
	for i, stmt := range stmts {
		switch {
		case stmt == nil:
		case texts[i] == trial:
			m.tryParsing(ctx, stmt)
		default:
			m.texts.add(&guardedText{text: texts[i], stmt: stmt, preparedInTx: m.endedTxs, trust: trust{preparedAt: time.Now()}})
		}
	}
	if m.noFastPath || m.system() == "mysql" && m.texts.parses != parsingByNow {
		m.texts.close()
	}
	return fatalError(err)
}

// FreePrepared closes what the session has prepared on its own, and prepares no more, if err
// is the server's that there are too many statements: they are the caller's to use. It reports
// that there were some.
func (s *Session) FreePrepared(err error) bool {
	m, ok := s.backend.(*mysql)
	if !ok || err == nil || !mysqlError(err, "1461") {
		return false
	}
	m.noFastPath = true
	freed := len(m.texts.list) > 0
	m.texts.close()
	return freed
}

// tryParsing finds out how the server parses a text again.
func (m *mysql) tryParsing(ctx context.Context, trial Prepared) {
	_, err := trial.Exec(ctx, []driver.NamedValue{{Ordinal: 1, Value: 1.5}})
	m.texts.parses = parsingByThen
	if err != nil && mysqlError(err, "1064") {
		m.texts.parses = parsingByNow
	}
	_ = trial.Close()
}
