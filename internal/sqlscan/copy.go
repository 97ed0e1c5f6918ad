package sqlscan

// copy reads PostgreSQL's COPY.
func (p *parser) copy() {
	at := p.tok
	p.next()
	if p.is('(') {
		p.next()
		outer := p.enter(Executed)
		p.statementWith()
		p.leave(outer)
		p.expect(')')
		p.copyTarget(at, Span{})
		return
	}
	p.skipAny(kwBinary)
	name := p.name()
	if p.is('(') {
		p.paren()
	}
	p.copyTarget(at, name)
}

// copyTarget reads FROM or TO and what follows. A program may do anything.
func (p *parser) copyTarget(at Token, table Span) {
	from := p.kw == kwFrom
	if !from && p.kw != kwTo {
		p.fail("FROM or TO is missing behind COPY")
		return
	}
	p.next()
	if from {
		p.addOn(Insert, at, table, 0)
	}
	if p.kw == kwProgram {
		p.addOn(Opaque, at, table, 0)
	}
	p.rest()
}

// load reads MySQL's LOAD DATA and LOAD XML, and the LOAD of a library.
func (p *parser) load() {
	at := p.tok
	p.next()
	if p.kw != kwData && p.kw != kwXml {
		kind := Maintain // LOAD INDEX INTO CACHE
		if p.s.dialect == PostgreSQL {
			kind = Session
		}
		p.add(kind, at)
		p.rest()
		return
	}
	i := p.add(Insert, at)
	for !p.failed && !p.atEnd() && p.kw != kwInto {
		switch p.kw {
		case kwReplace:
			p.t.Ops[i].Kind = Replace
		case kwIgnore:
			p.t.Ops[i].Flags |= DoNothing
		}
		p.next()
	}
	if !p.accept(kwInto) {
		p.fail("INTO is missing behind LOAD")
		return
	}
	p.accept(kwTable)
	p.t.Ops[i].Object = p.name()
	if p.accept(kwPartition) {
		p.paren()
	}
	p.noCall = p.is('(')
	p.rest()
}
