package sqlscan

// createRoutine reads what has a body that does not run now, or a table that
// it is on. A body may hold semicolons.
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

// onTable makes the table behind the keyword the object of operation i: a
// trigger, rule or policy is a matter of its table.
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

// ruleActions reads to the end of CREATE RULE. The parenthesis behind DO holds
// statements with semicolons between them.
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

// atomicBody reads to the end of a routine whose body may stand between BEGIN
// and END: SQLite's triggers and PostgreSQL's BEGIN ATOMIC. The END that ends
// it stands behind a semicolon or BEGIN; that of a CASE does not.
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

// body is where the reading of a routine or block of MySQL stands.
type body struct {
	op     int  // the operation that a RENAME in the header changes, or -1
	depth  int  // compound statements open
	cases  int  // CASE open within a statement, where THEN begins none
	header bool // before the body
	start  bool // where a statement begins
	loop   bool // before the DO of a WHILE, FOR or event
}

// read reads to the end of a routine or block. A body is one statement; a
// compound one ends with the END that matches.
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
		case p.is(';'), p.is(':'): // behind a statement, behind a label
			b.start = true
			continue
		case p.is('('): // no statement begins there, whatever the names within are
			p.skipParen()
		}
		b = b.word(p)
	}
}

// skipParen reads to the parenthesis that closes the one here.
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

// word is how the word here changes the body. Most words that open a compound
// statement are also functions or clauses elsewhere, so they count only where
// a statement begins.
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

// end is what is open behind the END here.
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

// handler reads the head of DECLARE … HANDLER FOR, up to the last of its
// conditions, behind which a statement begins; it reports that there is one. What
// else is declared has a name or several in the place of the action.
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

// beginsBody reports that the word here ends the header of a routine: a
// statement begins, not an event of a trigger or a clause.
func (p *parser) beginsBody() bool {
	switch p.kw {
	case kwSelect, kwInsert, kwUpdate, kwDelete, kwCall, kwReplace, kwReturn, kwTruncate, kwWith:
		return p.prevKw != kwBefore && p.prevKw != kwAfter && p.prevKw != kwOr
	case kwSet:
		return p.prevKw != kwCharacter
	}
	return false
}

// headerClause reports that the word here is the IF of IF NOT EXISTS or the FOR
// of FOR EACH ROW.
func (p *parser) headerClause() bool {
	_, kw := p.peek()
	return kw == kwNot || kw == kwExists || kw == kwEach
}
