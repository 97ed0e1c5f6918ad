package sqlscan

// drop reads DROP.
func (p *parser) drop() {
	at := p.tok
	p.next()
	if p.kw == kwPrepare {
		p.add(Session, at)
		p.rest()
		return
	}
	class, flags, _ := p.object()
	if p.failed {
		return
	}
	p.skipAny(kwConcurrently)
	flags |= p.ifExists()
	kind := Drop
	switch class {
	case kwDatabase, kwSchema:
		kind = DropDatabase
	case kwTable:
	case kwUser, kwRole, kwGroup, kwQuota, kwProfile, kwWorkload, kwResource, kwMapping:
		p.add(Maintain, at)
		p.rest()
		return
	default:
		flags |= View
	}
	first := len(p.t.Ops)
	switch class {
	case kwOwned, kwOperator, kwCast, kwTransform:
		p.addOn(kind, at, Span{}, flags)
	default:
		p.droppedNames(kind, at, flags)
	}
	p.dropEnd(first)
}

// droppedNames reads a list of names, each of which is dropped.
func (p *parser) droppedNames(kind Kind, at Token, flags Flags) {
	for !p.failed {
		if p.tok.Kind == String && p.s.dialect != SQLite { // a UUID, a user, …
			p.addOn(kind, at, Span{p.tok.Pos, p.tok.End}, flags)
			p.next()
		} else {
			sp := p.name()
			if p.parameterised(sp) {
				flags |= Parameterised
			}
			p.addOn(kind, at, sp, flags)
		}
		if p.is('(') { // the arguments of a function
			p.paren()
		}
		if !p.is(',') {
			return
		}
		p.next()
	}
}

// dropEnd reads the rest of a DROP: ON t, CASCADE.
func (p *parser) dropEnd(first int) {
	for !p.failed {
		p.walk(sOn | sCascade)
		switch p.kw {
		case kwCascade:
			p.setFlags(first, Cascade)
			p.next()
		case kwOn:
			p.next()
			if p.kw == kwCluster && p.s.dialect == ClickHouse {
				p.next()
				p.next()
				continue
			}
			if sp := p.optionalName(); sp != (Span{}) {
				p.t.Ops[len(p.t.Ops)-1].Object = sp
			}
		default:
			return
		}
	}
}

// truncate reads TRUNCATE of tables and, in ClickHouse, of whole databases.
func (p *parser) truncate() {
	at := p.tok
	p.next()
	flags := Flags(0)
	for p.kw == kwTable || p.kw == kwTables || p.kw == kwTemporary || p.kw == kwDatabase || p.kw == kwAll || p.kw == kwFrom {
		t, _ := p.peek()
		if t.Kind != Word && t.Kind != QuotedIdent && (t.Kind != Punct || t.Byte != '{') {
			break // a table of that name
		}
		if p.kw == kwTemporary {
			flags = Temporary
		}
		p.next()
	}
	flags |= p.ifExists()
	first := len(p.t.Ops)
	for !p.failed {
		p.accept(kwOnly)
		sp := p.name()
		p.addOn(Truncate, at, sp, flags)
		if p.is('*') {
			p.next()
		}
		if !p.is(',') {
			break
		}
		p.next()
	}
	for !p.failed {
		p.walk(sCascade)
		if p.kw != kwCascade {
			return
		}
		p.setFlags(first, Cascade)
		p.next()
	}
}

// rename reads RENAME TABLE a TO b, c TO d and EXCHANGE TABLES a AND b.
func (p *parser) rename() {
	at := p.tok
	p.next()
	flags := Flags(0)
	if p.kw == kwUser {
		p.add(Maintain, at)
		p.rest()
		return
	}
	if t, _ := p.peek(); t.Kind == Word || t.Kind == QuotedIdent {
		switch p.kw {
		case kwDictionary, kwDictionaries, kwView:
			flags = View
			p.next()
		case kwTable, kwTables, kwDatabase:
			p.next()
		}
	}
	exchange := p.t.Source[at.Pos]|0x20 == 'e'
	for !p.failed {
		flags |= p.ifExists()
		p.addOn(Alter, at, p.name(), flags)
		p.walk(sTo | sAnd)
		p.next()
		if other := p.name(); exchange && !p.failed {
			p.addOn(Alter, at, other, flags)
		}
		if !p.is(',') {
			break
		}
		p.next()
	}
	p.rest()
}
