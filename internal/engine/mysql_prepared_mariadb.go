package engine

import (
	"strings"
	"time"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// MariaDB's wrapper costs as much as the statement that it wraps. An INSERT, and an UPDATE
// of unindexed columns, can do without once their text has come often: they need nothing looked
// up after they ran. Then they are prepared as on MySQL, in a text that bounds itself. What
// has to hold besides is what a wrapper with a definition check needs that does not read the
// catalogue (mysql_definition.go), and such a text is its own check: it begins with an
// expression that fails to be parsed again. A wrapper goes before it as often as the
// catalogue must be read.
//
// SET STATEMENT … FOR is a place for an expression that any statement has. To read a
// variable has the server take the statement for one that is unsafe to be logged as a text,
// which would fail on a replica: it logs rows, if binlog_format is not STATEMENT.

// mariaMarker leaves a variable as it is, and fails if the server has become a replica, or a
// function or trigger has set old_mode. PREPARE evaluates it, too, under another old_mode, while
// @dbguard_mode has the session's.
const mariaMarker = "SET STATEMENT div_precision_increment = @@div_precision_increment + (_utf8'' COLLATE utf8mb4_general_ci IS NULL) + IF(" + definitionCheckWorks + " OR @dbguard_mode = 'UTF8_IS_UTF8MB3', 0, 18446744073709551615 + 1) FOR "

// mariaTxMarker is for an UPDATE in the transaction in which a wrapper has checked the table,
// which stays as it is until that ends. It fails if that has ended unnoticed, or where another
// one may have begun by itself since.
const (
	mariaTxMarker = "SET STATEMENT div_precision_increment = @@div_precision_increment + IF(@@in_transaction AND @@autocommit, 0, 18446744073709551615 + 1) FOR "
	markerError   = "'18446744073709551615 + 1'"
)

// mariaBound is the condition that counts. RAND() keeps the server from taking it for
// constant. It fails with an error that shows the counter.
const (
	mariaBound     = "IF((@dbguard := GREATEST(@dbguard, ?) + 1 + 0 * RAND()) <= ?, 1, POW(9999 + @dbguard, 9999))"
	overBoundError = "9999 + @`dbguard`"
)

// mayStandAlone reports a statement that may run without a wrapper.
func (e *fastPath) mayStandAlone(f *Flight) bool {
	m := e.m
	_, ok := m.conn.(Preparer)
	return ok && m.checksDefinitions() && m.logsRows && e.kind != sqlscan.Delete && f.op.AtLeast() <= 1 &&
		e.isReusable() && !mayHaveSubquery(e.text.Source, e.target)
}

// runAlone runs a statement without a wrapper, unless its text says that it needs one.
func (e *fastPath) runAlone(f *Flight, p *guardedText) (_ ExecResult, done bool, err error) {
	res, err := p.stmt.Exec(f.ctx, e.preparedArgs(f.op.Limit()))
	switch {
	case err == nil:
		if f.strategy == inCallerTx && e.kind == sqlscan.Insert && !p.serializable {
			e.m.cacheTable(e.target, false)
		}
		return e.endPrepared(f, res)
	case mysqlError(err, definitionChanged), mysqlError(err, "1243"), mysqlError(err, "1615"): // parsed again, or unknown
		e.m.texts.drop(p)
		e.alone = nil
	case mysqlError(err, "1690") && strings.Contains(err.Error(), markerError): // and would be again
		e.m.dropTxCache()
		p.close()
		p.stmt = nil
	case mysqlError(err, "1690") && strings.Contains(err.Error(), overBoundError): // the wrapper finds out how many rows change
	default:
		return e.failed(f, err)
	}
	return e.runWrapped(f)
}

// aloneAfter is how often a wrapper is used before its statement is prepared to run without:
// that takes three round trips, as much as some twenty wrappers cost.
const aloneAfter = 10

// trustedText is the statement's guarded text, if it can be trusted.
func (e *fastPath) trustedText(f *Flight) (*guardedText, error) {
	m := e.m
	if !e.mayStandAlone(f) {
		return nil, nil
	}
	if m.texts.stale {
		m.texts.close()
	}
	text := e.preparedText()
	if e.alone = m.texts.find(text); e.alone != nil && e.trusts(f, e.alone) {
		return e.alone, nil
	}
	key := e.chooseWrapper(f)
	w := m.wrappers[key]
	switch {
	case w == nil, w.uses < aloneAfter:
	case !key.tableKnown && e.alone == nil:
		_, err := e.prepareAlone(f, text)
		return nil, err
	case key.tableKnown && m.unindexed[key.text] == knownUnindexed:
		return e.prepareAlone(f, mariaTxMarker+strings.TrimPrefix(text, mariaMarker))
	}
	return nil, nil
}

// trusts reports that the catalogue was read a moment ago, or in this transaction.
func (e *fastPath) trusts(f *Flight, p *guardedText) bool {
	if p.stmt == nil || p.readAt.IsZero() || e.kind == sqlscan.Update && !p.unindexed {
		return false
	}
	return time.Since(p.readAt) < trustPeriod || f.strategy == inCallerTx && p.readInTx == e.m.endedTxs+1
}

// prepareAlone prepares a text, unless that is done; nil if the server rejects it.
func (e *fastPath) prepareAlone(f *Flight, text string) (*guardedText, error) {
	texts := &e.m.texts
	p := texts.find(text)
	if p == nil {
		if err := e.m.prepare(f.ctx, f.s, text); err != nil {
			return nil, err
		}
		if p = texts.find(text); p == nil {
			texts.add(&guardedText{text: text})
			return nil, nil
		}
	}
	if p.stmt == nil {
		return nil, nil
	}
	return p, nil
}

// planAlone is the statement's guarded text, if it can be trusted once w has read the
// catalogue.
func (e *fastPath) planAlone(f *Flight, w *preparedWrapper, at time.Time) *guardedText {
	m, p := e.m, e.alone
	if !w.hasCheck || m.texts.stale || p == nil || p.stmt == nil || at.Sub(p.readAt) < trustPeriod || !p.settled(at, f.strategy == ownTx || m.endedTxs != p.preparedInTx) {
		return nil
	}
	if p.readInTx = 0; f.strategy == inCallerTx {
		p.readInTx = m.endedTxs + 1
	}
	return p
}

// noteAnswer notes what the reply of a wrapper says about the catalogue.
func (p *guardedText) noteAnswer(l catalogueCheck, r reply) {
	if p.readAt = (time.Time{}); r.answer == answerKept {
		p.readAt, p.unindexed, p.serializable = l.at, r.id != 0, r.serializable
	}
}
