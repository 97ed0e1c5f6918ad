package sqlscan

// execute reads EXECUTE of a prepared statement or of a text, and
// ClickHouse's EXECUTE AS user statement.
func (p *parser) execute() {
	at := p.tok
	p.next()
	if p.s.dialect == ClickHouse {
		p.accept(kwAs)
		p.name()
		if p.atEnd() {
			p.add(Session, at)
			return
		}
		p.executed()
		return
	}
	i := p.add(Opaque, at)
	read := false
	if p.accept(kwImmediate) {
		read = p.literalOnlyReads()
	} else {
		p.t.Ops[i].Object = p.name()
		read = p.prepared.onlyReads(p, p.t.Ops[i].Object)
		p.noCall = p.is('(')
	}
	if read {
		p.t.Ops[i].Kind = Session
	}
	p.rest()
}

// call reads CALL: what a procedure does is not in the text.
func (p *parser) call() {
	at := p.tok
	p.next()
	i := p.add(Opaque, at)
	p.t.Ops[i].Object = p.name()
	p.noCall = p.is('(')
	p.rest()
}

// do reads PostgreSQL's DO, a program, and MySQL's, an expression.
func (p *parser) do() {
	at := p.tok
	p.next()
	if p.s.dialect != MySQL {
		p.add(Opaque, at)
		p.rest()
		return
	}
	i := p.add(Session, at)
	calls := p.t.Calls
	p.t.Calls = false
	p.rest()
	if p.t.Calls {
		p.t.Ops[i].Kind = Opaque
	}
	p.t.Calls = p.t.Calls || calls
}

// declare reads DECLARE c CURSOR FOR query.
func (p *parser) declare() {
	at := p.tok
	p.next()
	p.name()
	p.walk(sFor)
	if !p.accept(kwFor) {
		p.fail("FOR is missing behind DECLARE")
		return
	}
	if p.path != Executed { // EXPLAIN ANALYZE runs the query, and declares nothing
		p.add(Session, at)
	}
	outer := p.enter(Executed)
	p.statementWith()
	p.leave(outer)
}

// compoundNow reads a compound statement of MariaDB outside of any routine.
func (p *parser) compoundNow() {
	if p.s.dialect != MySQL {
		p.fail("no statement that can be read")
		return
	}
	p.add(Opaque, p.tok)
	body{op: -1, start: true}.read(p)
}
