package sqlscan

import "slices"

// Classify reads the text and fills t: what every statement in it does. What
// cannot be read with certainty becomes an Unreadable operation, and the
// operations read before it stay.
func Classify(t *Text, text string, d Dialect, m Mode) {
	p := parser{t: t}
	p.run(text, d, m, false)
	if p.s.uncertain > 0 {
		p.bothReadings(text, d, m)
	}
	t.ModeMatters = p.s.modeMatters && (d == MySQL || d == PostgreSQL)
	if len(t.Ops) > 1 {
		p.temporaries()
		p.undone()
	}
}

// run reads the whole text. skip reads the executable comments that only some
// servers run as comments.
func (p *parser) run(text string, d Dialect, m Mode, skip bool) {
	t := p.t
	if t.Ops == nil {
		t.Ops = t.inline[:0]
	}
	t.Source, t.Dialect, t.Mode = text, d, m
	t.Statements, t.Ops, t.Calls, t.Pos, t.Why = 0, t.Ops[:0], false, 0, ""
	p.s.Init(text, d, m)
	p.s.skipExec = skip
	if d == ClickHouse {
		p.always = sParallel
	}
	p.next()
	for !p.failed {
		for p.is(';') {
			p.next()
		}
		if p.tok.Kind == EOF {
			break
		}
		p.stmt, p.noCall = int32(t.Statements), false
		begin := len(t.Ops)
		t.Statements++
		if p.distrust != "" {
			p.fail(p.distrust)
			break
		}
		p.statement()
		for p.kw == kwParallel && d == ClickHouse && !p.failed {
			p.next()
			p.next()
			p.statement()
		}
		if !p.atEnd() {
			p.fail("unexpected text behind a statement")
		}
		if p.failed {
			t.Ops = t.Ops[:begin]
		}
	}
	if p.failed {
		p.unreadable()
	}
}

// unreadable adds the operation that stands for what cannot be read.
func (p *parser) unreadable() {
	p.t.Statements = max(p.t.Statements, 1)
	at := Span{int32(p.t.Pos), int32(p.t.Pos)}
	p.t.Ops = append(p.t.Ops, Op{Kind: Unreadable, Stmt: p.stmt, At: at, Rows: -1, Limit: -1})
}

// bothReadings reads a text with an executable comment that some servers run
// and some do not a second time. Unless both readings do the same the text is
// unreadable: which one holds depends on the server.
func (p *parser) bothReadings(text string, d Dialect, m Mode) {
	run, calls, statements := slices.Clone(p.t.Ops), p.t.Calls, p.t.Statements
	other := parser{t: p.t}
	other.run(text, d, m, true)
	if p.s.uncertain == 1 && statements == p.t.Statements && slices.Equal(run, p.t.Ops) {
		p.t.Calls = p.t.Calls || calls
		return
	}
	p.stmt, p.t.Ops = 0, p.t.Ops[:0]
	p.t.Pos, p.t.Why = 0, "a comment that only some servers run"
	p.unreadable()
}

// statement reads one statement up to its end.
func (p *parser) statement() {
	if p.is('(') {
		p.query()
		return
	}
	switch p.kw {
	case kwSelect, kwFrom:
		p.next()
		p.query()
	case kwValues, kwShow, kwHelp, kwExists, kwWatch, kwChecksum:
		p.query()
	case kwTable:
		p.next()
		p.name()
		p.query()
	case kwWith, kwInsert, kwUpdate, kwDelete, kwMerge:
		p.statementWith()
	case kwReplace:
		p.replace()
	case kwCreate:
		p.create()
	case kwDrop:
		p.drop()
	case kwAlter:
		p.alter()
	case kwTruncate:
		p.truncate()
	case kwRename, kwExchange:
		p.rename()
	case kwSet:
		p.set()
	case kwPragma:
		p.pragma()
	case kwExplain, kwDescribe, kwDesc:
		p.explain()
	case kwAnalyze, kwAnalyse:
		p.analyze()
	case kwCopy:
		p.copy()
	case kwLoad:
		p.load()
	default:
		p.control()
	}
}

// control reads the statements that steer transactions, sessions and servers.
func (p *parser) control() {
	switch p.kw {
	case kwBegin:
		p.begin()
	case kwStart:
		p.start()
	case kwCommit, kwEnd:
		p.simple(Commit)
	case kwRollback, kwAbort:
		p.rollback()
	case kwSavepoint:
		at := p.tok
		p.next()
		p.point(Savepoint, at)
	case kwRelease:
		p.release()
	case kwXa:
		p.xa()
	case kwPrepare:
		p.prepare()
	case kwExecute:
		p.execute()
	case kwCall:
		p.call()
	case kwDo:
		p.do()
	case kwDeclare:
		p.declare()
	case kwAttach, kwDetach:
		p.attach()
	case kwVacuum:
		p.vacuum()
	case kwOptimize:
		p.optimize()
	case kwSystem:
		p.system()
	case kwIf, kwCase, kwLoop, kwWhile, kwRepeat, kwFor:
		if p.s.dialect == MySQL {
			p.compoundNow()
			return
		}
		p.fail("no statement that can be read")
	default:
		p.other()
	}
}

// other reads the statements of which only the kind matters.
func (p *parser) other() {
	switch p.kw {
	case kwReset, kwMove:
		if p.s.dialect == PostgreSQL {
			p.simple(Session)
		} else { // RESET MASTER of MySQL, MOVE USER of ClickHouse
			p.simple(Maintain)
		}
	case kwUse, kwDeallocate, kwFetch, kwClose, kwListen, kwUnlisten, kwNotify,
		kwLock, kwUnlock, kwKill, kwHandler, kwSignal, kwResignal, kwGet, kwDiscard, kwCheckpoint:
		p.simple(Session)
	case kwGrant, kwRevoke, kwReindex, kwCluster, kwRepair, kwCheck, kwFlush, kwPurge, kwChange,
		kwStop, kwShutdown, kwInstall, kwUninstall, kwCache, kwRestart, kwReassign, kwBackup:
		p.simple(Maintain)
	case kwUndrop:
		at := p.tok
		p.next()
		p.accept(kwTable)
		p.addOn(Define, at, p.name(), 0)
		p.rest()
	case kwComment, kwSecurity:
		p.simple(Define)
	case kwRefresh:
		p.simple(Maintain)
	case kwImport:
		p.simple(Define)
	case kwBinlog, kwClone, kwRestore:
		p.simple(Opaque)
	default:
		p.fail("no statement that can be read")
	}
}

// simple reads a statement that is one operation on nothing in particular.
func (p *parser) simple(k Kind) {
	p.add(k, p.tok)
	p.next()
	p.rest()
}
