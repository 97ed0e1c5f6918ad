package sqlscan

// statementWith reads a query or a statement that changes rows, with its WITH clause.
func (p *parser) statementWith() {
	switch p.kw {
	case kwWith:
		p.with()
	case kwInsert:
		p.insert()
	case kwReplace:
		p.replace()
	case kwUpdate:
		p.update()
	case kwDelete:
		p.delete()
	case kwMerge:
		p.merge()
	case kwSelect, kwValues, kwTable, kwFrom:
		p.next()
		p.query()
	default:
		if !p.is('(') {
			p.fail("no statement that can be read")
			return
		}
		p.query()
	}
}

// with reads WITH and the statement after it. Recursion ends with maxNesting.
func (p *parser) with() {
	p.next()
	if p.s.dialect == ClickHouse { // also WITH expression AS name
		p.accept(kwRecursive)
		p.walk(sSelect | sDML | sFrom)
	} else {
		p.commonTables()
	}
	if p.failed {
		return
	}
	if p.kw == kwWith {
		p.fail("no statement behind WITH")
		return
	}
	p.statementWith()
}

// commonTables reads the list after WITH. A name in it may be any word.
func (p *parser) commonTables() {
	if t, _ := p.peek(); t.Kind == Word || t.Kind == QuotedIdent || t.Kind == String {
		p.accept(kwRecursive)
	}
	for !p.failed {
		if p.tok.Kind != Word && p.tok.Kind != QuotedIdent && p.tok.Kind != String {
			p.fail("a name is missing behind WITH")
			return
		}
		p.next()
		if p.is('(') {
			p.paren()
		}
		if !p.accept(kwAs) {
			p.fail("AS is missing behind WITH")
			return
		}
		p.skipAny(kwNot, kwMaterialized)
		p.commonTable()
		p.searchAndCycle()
		if !p.is(',') {
			return
		}
		p.next()
	}
}

// commonTable reads the statement in parentheses after AS.
func (p *parser) commonTable() {
	p.expect('(')
	if keywords[p.kw].sets&sModify != 0 {
		p.modifyingStatement()
	} else {
		p.walk(0)
	}
	p.expect(')')
}

// searchAndCycle reads the SEARCH and CYCLE clauses of PostgreSQL and MariaDB.
func (p *parser) searchAndCycle() {
	if p.kw == kwSearch {
		p.walk(sSet)
		p.next()
		p.next()
	}
	if p.kw != kwCycle {
		return
	}
	p.next()
	for p.tok.Kind == Word && keywords[p.kw].sets&(sSet|sSelect|sDML) == 0 || p.tok.Kind == QuotedIdent || p.is(',') {
		p.next()
	}
	if !p.accept(kwSet) {
		return // CYCLE a RESTRICT of MariaDB
	}
	p.walk(sUsing)
	p.next()
	p.next()
}

// into reads the target of SELECT … INTO: a new table, a file, or a variable, which
// does not matter.
func (p *parser) into() {
	at := p.tok
	p.next()
	switch {
	case p.kw == kwOutfile || p.kw == kwDumpfile:
		p.add(Maintain, at)
	case p.tok.Kind == Var:
	default:
		flags := p.temporary()
		p.hasTemporary = p.hasTemporary || flags != 0
		p.skipAny(kwUnlogged, kwTable)
		p.addOn(Insert, at, p.name(), flags)
	}
}

// temporary steps over the words that make a table temporary.
func (p *parser) temporary() (f Flags) {
	for {
		switch p.kw {
		case kwTemp, kwTemporary:
			f |= Temporary
		case kwLocal, kwGlobal:
		default:
			return f
		}
		p.next()
	}
}
