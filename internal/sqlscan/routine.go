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
		p.compound(i)
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

// compound reads to the end of a MySQL routine. Its body is one statement; a
// compound one ends with the END that matches.
func (p *parser) compound(op int) {
	depth, header, start := 0, true, true
	for ; !p.failed; p.next() {
		switch {
		case p.tok.Kind == EOF:
			if depth > 0 {
				p.fail("a body is not closed")
			}
			return
		case p.is(';'):
			if depth <= 0 {
				return
			}
			start = true
			continue
		case p.is(':'): // behind a label
			start = true
			continue
		case header && p.is('('): // parameters may be named like keywords
			p.skipParen()
		}
		depth, header, start = p.bodyWord(op, depth, header, start)
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

// bodyWord is how a word changes the depth of a compound statement. Most that
// open one are also functions or clauses elsewhere, so they count only where a
// statement begins; header is the part before the body.
func (p *parser) bodyWord(op, depth int, header, start bool) (int, bool, bool) {
	switch p.kw {
	case kwBegin:
		if header || start {
			return depth + 1, false, true
		}
	case kwCase:
		return depth + 1, header, false
	case kwIf, kwLoop, kwWhile, kwRepeat, kwFor:
		if (start || header && p.kw != kwFor) && (!header || !p.headerClause()) {
			return depth + 1, false, p.kw == kwLoop || p.kw == kwRepeat
		}
	case kwEnd:
		if _, kw := p.peek(); kw == kwIf || kw == kwCase || kw == kwLoop || kw == kwWhile || kw == kwRepeat || kw == kwFor {
			p.next()
		}
		return depth - 1, header, false
	case kwThen, kwElse, kwDo:
		return depth, header, true
	case kwRename:
		if header {
			p.t.Ops[op].Kind = Alter // ALTER EVENT … RENAME TO
		}
	case kwSelect, kwInsert, kwUpdate, kwDelete, kwCall, kwReplace, kwReturn, kwTruncate, kwWith:
		if header && p.prevKw != kwBefore && p.prevKw != kwAfter && p.prevKw != kwOr {
			header = false
		}
	case kwSet:
		header = header && p.prevKw == kwCharacter
	}
	return depth, header, false
}

// headerClause reports that the word here is the IF of IF NOT EXISTS or the FOR
// of FOR EACH ROW.
func (p *parser) headerClause() bool {
	_, kw := p.peek()
	return kw == kwNot || kw == kwExists || kw == kwEach
}
