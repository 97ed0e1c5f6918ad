package sqlscan

// createRoutine reads CREATE of what has a body, which does not run now, or belongs
// to a table. A body may have semicolons.
func (p *parser) createRoutine(at Token, flags Flags, class keyword) {
	i := p.addOn(Define, at, Span{}, flags|View)
	p.t.Ops[i].Object = p.optionalName()
	calls := p.t.Calls
	switch {
	case class == kwPackage:
		p.fail("a package has several bodies")
	case class == kwRule:
		p.walk(sTo)
		p.onTable(i, kwTo)
		p.ruleActions()
	case class == kwEvent && p.s.dialect == PostgreSQL:
		p.rest()
	case class == kwPolicy || p.s.dialect == ClickHouse:
		p.onTable(i, kwOn)
		p.rest()
	case p.s.dialect == MySQL:
		p.onTable(i, kwOn)
		body{op: i, header: true, start: true, loop: class == kwEvent}.read(p)
	default:
		p.onTable(i, kwOn)
		p.atomicBody()
	}
	p.t.Calls = calls
}

// onTable makes the table after the keyword the object of operation i, which creates
// a trigger, rule or policy on it.
func (p *parser) onTable(i int, kw keyword) {
	if kw == kwOn {
		if p.kwBefore(kwOn) {
			p.walk(sOn)
		}
	}
	if p.kw != kw {
		return
	}
	p.next()
	if kw == kwOn && (p.kw == kwSchedule || p.kw == kwDatabase) {
		return
	}
	if sp := p.optionalName(); sp != (Span{}) {
		p.t.Ops[i].Object = sp
	}
}

// kwBefore reports that the keyword comes before any parenthesis, body or end.
func (p *parser) kwBefore(kw keyword) bool {
	if p.kw == kw {
		return true
	}
	for s := p.s; ; {
		switch t := s.Scan(); t.Kind {
		case EOF, Illegal, String:
			return false
		case Punct:
			if t.Byte == '(' || t.Byte == ';' {
				return false
			}
		case Word:
			switch k := lookup(s.Text(t)); k {
			case kw:
				return true
			case kwBegin, kwReturns, kwReturn:
				return false
			}
		}
	}
}

// ruleActions reads to the end of CREATE RULE. The parentheses after DO hold
// statements separated by semicolons.
func (p *parser) ruleActions() {
	for depth := 0; !p.failed; p.next() {
		switch {
		case p.is('('):
			depth++
		case p.is(')'):
			depth--
		case p.tok.Kind == EOF && depth > 0:
			p.fail("a parenthesis is not closed")
		case p.tok.Kind == EOF, p.is(';') && depth <= 0:
			return
		}
	}
}

// atomicBody reads to the end of a routine whose body may be BEGIN … END: SQLite's
// triggers and PostgreSQL's BEGIN ATOMIC. The closing END follows a semicolon or
// BEGIN; that of a CASE does not.
func (p *parser) atomicBody() {
	p.walk(sBegin)
	if !p.accept(kwBegin) {
		return
	}
	p.accept(kwAtomic)
	for first := true; !p.failed; first = false {
		if p.tok.Kind == EOF {
			p.fail("a body is not closed")
			return
		}
		if p.kw == kwEnd && (first || p.prev.Kind == Punct && p.prev.Byte == ';') {
			p.next()
			p.rest()
			return
		}
		p.next()
	}
}

// body is the state of reading a routine or block of MySQL.
type body struct {
	op     int  // operation whose kind a RENAME in the header changes, or -1
	depth  int  // open compound statements
	cases  int  // open CASE expressions, in which THEN begins no statement
	header bool // before the body
	start  bool // at the begin of a statement
	loop   bool // before the DO of a WHILE, FOR or event
}

// read reads to the end of a routine or block. A body is one statement; a compound
// one ends with its matching END.
func (b body) read(p *parser) {
	for ; !p.failed; p.next() {
		switch {
		case p.tok.Kind == EOF:
			if b.depth > 0 {
				p.fail("a body is not closed")
			}
			return
		case p.is(';') && b.depth <= 0:
			return
		case p.is(';') && (b.cases > 0 || b.loop):
			p.fail("a statement in a body is not closed")
			return
		case p.is(';'), p.is(':'): // after a statement, after a label
			b.start = true
			continue
		case p.is('('): // no statement begins in parentheses, whatever its words are
			p.skipParen()
		}
		b = b.word(p)
	}
}

// skipParen reads to the matching parenthesis.
func (p *parser) skipParen() {
	for depth := 0; !p.failed; p.next() {
		switch {
		case p.is('('):
			depth++
		case p.is(')'):
			if depth--; depth == 0 {
				return
			}
		case p.atEnd():
			p.fail("a parenthesis is not closed")
		}
	}
}

// word is the state after the word here. Most words that open a compound statement
// are also functions or clauses, so they count only at the begin of a statement.
func (b body) word(p *parser) body {
	start := (b.start || b.header) && !(b.header && b.loop)
	b.start = false
	switch p.kw {
	case kwBegin:
		if start {
			return body{op: b.op, depth: b.depth + 1, start: true}
		}
	case kwCase:
		if start && b.cases == 0 {
			b.depth++
		} else {
			b.cases++
		}
	case kwIf, kwLoop, kwWhile, kwRepeat:
		if start && (!b.header || !p.headerClause()) {
			return body{op: b.op, depth: b.depth + 1, start: p.kw == kwLoop || p.kw == kwRepeat, loop: p.kw == kwWhile}
		}
	case kwFor:
		if start && !b.header {
			b.depth++
			b.loop = true
		}
	case kwDeclare:
		b.start = start && !b.header && p.handler()
	case kwEnd:
		b = b.end(p)
	case kwThen, kwElse:
		b.start = b.cases == 0
	case kwDo:
		b.start = b.cases == 0 && (b.loop || b.header)
		b.loop = b.loop && !b.start
	case kwRename:
		if b.header && b.op >= 0 {
			p.t.Ops[b.op].Kind = Alter // ALTER EVENT … RENAME TO
		}
	default:
		b.header = b.header && !p.beginsBody()
	}
	return b
}

// end is the state after the END here.
func (b body) end(p *parser) body {
	if b.cases > 0 {
		b.cases--
		return b
	}
	switch _, kw := p.peek(); kw {
	case kwIf, kwCase, kwLoop, kwWhile, kwRepeat, kwFor:
		p.next()
	}
	b.depth--
	return b
}

// handler reads the head of DECLARE … HANDLER FOR up to its last condition, after
// which a statement begins, and reports that it is one. Other declarations have one
// or more names in place of the action.
func (p *parser) handler() bool {
	p.next()
	if _, kw := p.peek(); kw != kwHandler {
		return false
	}
	p.next()
	for p.next(); p.kw == kwFor || p.is(','); {
		p.next()
		if p.kw == kwNot { // FOUND
			p.next()
		} else if equalFold(p.s.Text(p.tok), "sqlstate") {
			if p.next(); p.kw == kwValue {
				p.next()
			}
		}
		if t, _ := p.peek(); t.Kind != Punct || t.Byte != ',' {
			return true
		}
		p.next()
	}
	return false
}

// beginsBody reports that the word here ends the header of a routine: it begins a
// statement, and is not the event of a trigger or a clause.
func (p *parser) beginsBody() bool {
	switch p.kw {
	case kwSelect, kwInsert, kwUpdate, kwDelete, kwCall, kwReplace, kwReturn, kwTruncate, kwWith:
		return p.prevKw != kwBefore && p.prevKw != kwAfter && p.prevKw != kwOr
	case kwSet:
		return p.prevKw != kwCharacter
	}
	return false
}

// headerClause reports the IF of IF NOT EXISTS, or the FOR of FOR EACH ROW.
func (p *parser) headerClause() bool {
	_, kw := p.peek()
	return kw == kwNot || kw == kwExists || kw == kwEach
}
