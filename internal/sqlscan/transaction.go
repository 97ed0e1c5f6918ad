package sqlscan

// begin reads BEGIN, the statement, and BEGIN NOT ATOMIC, the block.
func (p *parser) begin() {
	at := p.tok
	p.next()
	if p.kw == kwNot && p.s.dialect == MySQL {
		p.block(at)
		return
	}
	p.add(Begin, at)
	p.accept(kwWork)
	if p.s.dialect == MySQL && !p.atEnd() { // a block of MariaDB's Oracle mode
		p.fail("a block that is not NOT ATOMIC")
	}
	p.rest()
}

// start reads START TRANSACTION and the START of replication.
func (p *parser) start() {
	at := p.tok
	p.next()
	if p.kw == kwTransaction {
		p.add(Begin, at)
	} else {
		p.add(Maintain, at)
	}
	p.rest()
}

// block skips a compound statement. Its statements may run any number of times, so
// the text does not tell what it does.
func (p *parser) block(at Token) {
	p.add(Opaque, at)
	p.next()
	p.next()
	body{op: -1, depth: 1, start: true}.read(p)
}

// rollback reads ROLLBACK and ROLLBACK TO.
func (p *parser) rollback() {
	at := p.tok
	p.next()
	if p.kw == kwPrepared {
		p.next()
		p.addOn(Rollback, at, Span{p.tok.Pos, p.tok.End}, 0)
		p.rest()
		return
	}
	p.skipAny(kwWork, kwTransaction)
	if p.accept(kwTo) {
		p.accept(kwSavepoint)
		p.savepointName(RollbackTo, at)
		return
	}
	p.add(Rollback, at)
	p.rest()
}

// savepointName reads the name of a savepoint.
func (p *parser) savepointName(kind Kind, at Token) {
	p.addOn(kind, at, p.name(), 0)
	p.rest()
}

// release reads RELEASE [SAVEPOINT] a.
func (p *parser) release() {
	at := p.tok
	p.next()
	if _, kw := p.peek(); p.kw == kwSavepoint && kw == 0 {
		if t, _ := p.peek(); t.Kind == Word || t.Kind == QuotedIdent || t.Kind == String {
			p.next()
		}
	}
	p.savepointName(Release, at)
}

// xa reads the XA statements of MySQL.
func (p *parser) xa() {
	at := p.tok
	p.next()
	kind := Session // END, RECOVER
	switch p.kw {
	case kwStart, kwBegin:
		kind = Begin
	case kwCommit, kwPrepare:
		kind = Commit
	case kwRollback:
		kind = Rollback
	}
	p.next()
	p.addOn(kind, at, Span{p.tok.Pos, p.tok.End}, 0)
	p.rest()
}

// prepare reads PREPARE of a statement, which runs nothing, and PREPARE TRANSACTION,
// the first half of a commit.
func (p *parser) prepare() {
	at := p.tok
	p.next()
	if t, _ := p.peek(); p.kw == kwTransaction && t.Kind == String {
		p.add(Commit, at)
		p.rest()
		return
	}
	name := p.name()
	p.addOn(Prepare, at, name, 0)
	if p.s.dialect != PostgreSQL {
		p.prepared.record(p, name, p.accept(kwFrom) && p.literalOnlyReads())
		p.rest()
		return
	}
	if p.is('(') {
		p.paren()
	}
	if !p.accept(kwAs) {
		p.fail("AS is missing behind PREPARE")
		return
	}
	read, _ := p.notExecuted()
	p.prepared.record(p, name, read)
}

// notExecuted reads a statement that does not run now, to find its end. It reports
// whether it would only read, and whether it calls functions that may do anything.
func (p *parser) notExecuted() (read, called bool) {
	n, calls, temps, distrust, modal := len(p.t.Ops), p.t.Calls, p.hasTemporary, p.charsetUnsafe, p.sqlModeChanged
	p.t.Calls = false
	p.executed()
	called = p.t.Calls
	read = len(p.t.Ops) == n && !called && !p.failed
	p.t.Ops = p.t.Ops[:n]
	p.t.Calls, p.hasTemporary, p.charsetUnsafe, p.sqlModeChanged = calls, temps, distrust, modal
	return read, called
}
