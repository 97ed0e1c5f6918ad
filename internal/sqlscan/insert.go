package sqlscan

// insert reads INSERT, with what happens to the rows in conflict.
func (p *parser) insert() {
	at := p.tok
	kind, flags := Insert, Flags(0)
	p.next()
	if p.s.dialect == SQLite {
		if flags = p.orAction(); flags&OrReplace != 0 {
			kind = Replace
		}
	}
	for p.kw == kwLowPriority || p.kw == kwHighPriority || p.kw == kwDelayed || p.kw == kwIgnore {
		if p.kw == kwIgnore {
			flags |= DoNothing
		}
		p.next()
	}
	if equalFold(p.s.Text(p.tok), "overwrite") && p.overwrites() {
		p.fail("INSERT OVERWRITE, which empties the table first on servers that have it")
		return
	}
	p.insertInto(p.insertTarget(kind, at, flags))
}

// overwrites reports that the word here is not the table's name, since one follows.
func (p *parser) overwrites() bool {
	t, kw := p.peek()
	return t.Kind == QuotedIdent || t.Kind == Word && (kw == kwTable || kw == kwInto || keywords[kw].sets&(sReserved|sQuery) == 0 && kw != kwAs && kw != kwSet && kw != kwValue && kw != kwFormat && kw != kwSettings)
}

// replace reads the REPLACE that is an INSERT, and ClickHouse's REPLACE TABLE.
func (p *parser) replace() {
	at := p.tok
	p.next()
	if p.s.dialect == ClickHouse {
		p.skipAny(kwTemporary, kwTable)
		p.addOn(Drop, at, p.name(), OrReplace)
		p.rest()
		return
	}
	p.skipAny(kwLowPriority, kwDelayed)
	p.insertInto(p.insertTarget(Replace, at, 0))
}

// insertTarget reads the table, its alias and its columns.
func (p *parser) insertTarget(kind Kind, at Token, flags Flags) int {
	p.accept(kwInto)
	if p.s.dialect == ClickHouse {
		if t, _ := p.peek(); p.kw == kwTable && t.Kind != EOF {
			p.next()
		}
		if t, _ := p.peek(); p.kw == kwFunction && (t.Kind == Word || t.Kind == QuotedIdent) {
			p.next()
			flags |= Parameterised
		}
	}
	i := p.addOn(kind, at, p.name(), flags)
	if p.accept(kwPartition) {
		if p.accept(kwBy) {
			p.walk(sQuery | sSettings)
		} else {
			p.paren()
		}
	}
	p.aliasBefore()
	if p.is('(') && !p.queryInside() {
		p.paren()
	}
	p.noCall = p.is('(')
	return i
}

// queryInside reports that the parenthesis here holds a query, not a list of columns.
func (p *parser) queryInside() bool {
	t, kw := p.peek()
	return t.Kind == Punct && t.Byte == '(' || kw == kwSelect || kw == kwWith || kw == kwValues || kw == kwTable && p.s.dialect != ClickHouse
}

// insertInto reads where the rows come from and what happens on conflict.
func (p *parser) insertInto(i int) {
	if p.accept(kwOverriding) { // SYSTEM VALUE, USER VALUE
		p.next()
		p.accept(kwValue)
		p.noCall = p.is('(')
	}
	switch {
	case p.kw == kwValues || p.kw == kwValue:
		p.next()
		p.t.Ops[i].Rows = p.rows()
	case p.kw == kwDefault:
		p.next()
		p.accept(kwValues)
		p.t.Ops[i].Rows = 1
	case p.kw == kwSet:
		p.next()
		p.t.Ops[i].Rows = 1
	case p.kw == kwWith && p.s.dialect != ClickHouse:
		p.next()
		p.commonTables()
		if keywords[p.kw].sets&sQuery == 0 && !p.is('(') {
			p.fail("no query behind WITH")
		}
	case p.kw == kwWith:
		p.with()
	case p.s.dialect == ClickHouse: // INFILE, SETTINGS, FORMAT, SELECT, all in one walk
		p.insertClickHouse(i)
		return
	case keywords[p.kw].sets&sQuery != 0 || p.is('('):
	default:
		p.fail("nothing to insert")
	}
	p.conflicts(i)
}

// rows counts the tuples after VALUES; -1 when they are not in the text.
func (p *parser) rows() (n int64) {
	for {
		if p.kw == kwRow {
			p.next()
		}
		if !p.is('(') {
			if n == 0 && p.s.dialect == ClickHouse {
				return -1 // the client sends them
			}
			p.fail("a row is missing behind VALUES")
			return -1
		}
		p.paren()
		n++
		if p.is(',') {
			p.next()
		} else if p.s.dialect != ClickHouse || !p.is('(') {
			return n
		}
	}
}

// conflicts reads to the end of an INSERT: ON CONFLICT, ON DUPLICATE KEY,
// RETURNING.
func (p *parser) conflicts(i int) {
	for stop := sOn | sReturning | sSettings; !p.failed; {
		p.walk(stop)
		switch {
		case stop&sReturning != 0 && p.kw == kwReturning:
			p.t.Ops[i].Flags |= Returning
			stop = 0
			p.next()
		case stop&sOn != 0 && p.kw == kwOn:
			p.next()
			p.onConflict(i)
		case p.kw == kwSettings && stop&sSettings != 0:
			p.next()
		default:
			return
		}
	}
}

// onConflict reads what follows ON. ON may also belong to a join of the query.
func (p *parser) onConflict(i int) {
	op := &p.t.Ops[i]
	switch p.kw {
	case kwDuplicate:
		if _, kw := p.peek(); kw == kwKey {
			p.upsert(op)
		}
	case kwConflict:
		p.next()
		if p.is('(') {
			p.paren()
		} else if p.kw != kwOn && p.kw != kwDo && p.kw != kwWhere {
			return // a column of that name
		}
		p.walk(sDo | sReturning)
		if !p.accept(kwDo) {
			return
		}
		op = &p.t.Ops[i]
		if p.kw == kwNothing {
			op.Flags |= DoNothing
		} else {
			p.upsert(op)
		}
	}
}

func (p *parser) upsert(op *Op) {
	if op.Kind == Insert {
		op.Kind = Upsert
	}
}

// insertClickHouse reads the rest of ClickHouse's INSERT. What follows FORMAT
// is data to the end of the text.
func (p *parser) insertClickHouse(i int) {
	for !p.failed {
		p.walk(sFormat | sValues)
		switch p.kw {
		case kwValues:
			p.next()
			if p.is('(') || p.atEnd() {
				p.t.Ops[i].Rows = p.rows()
			}
		case kwFormat:
			p.next()
			p.formatData(i)
			return
		default:
			return
		}
	}
}

// formatData skips the data after FORMAT. Values is the format of VALUES, and
// ends at a semicolon; every other runs to the end of the text.
func (p *parser) formatData(i int) {
	if p.kw == kwValues {
		p.next()
		if !p.atEnd() {
			p.t.Ops[i].Rows = p.rows()
		}
		return
	}
	if p.tok.Kind != Word {
		p.fail("a format is missing behind FORMAT")
		return
	}
	ahead := p.s
	if t := ahead.Scan(); t.Kind == Punct && t.Byte == ';' || t.Kind == EOF {
		p.next()
		return
	}
	p.s.pos = len(p.s.src)
	p.s.strayNUL = len(p.s.src)
	p.next()
}
