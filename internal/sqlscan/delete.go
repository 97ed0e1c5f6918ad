package sqlscan

import "strings"

// delete reads DELETE in all its forms, the joined ones of MySQL included.
func (p *parser) delete() {
	at := p.tok
	p.next()
	if p.s.dialect == MySQL {
		p.skipAny(kwLowPriority, kwQuick, kwIgnore, kwHistory)
		if p.kw != kwFrom {
			p.deleteListed(at)
			return
		}
	}
	if !p.accept(kwFrom) {
		p.fail("FROM is missing behind DELETE")
		return
	}
	i := p.addOn(Delete, at, p.target(), 0)
	if p.s.dialect == MySQL && (p.is(',') || p.is('*') || p.kw == kwUsing) {
		p.deleteUsing(i, at)
		return
	}
	p.aliasBefore(kwUsing)
	p.onCluster()
	if p.kw == kwUsing {
		p.t.Ops[i].Flags |= Multi
		p.next()
	}
	p.conditions(i, p.clauses())
}

// target reads the table of a DELETE or UPDATE: ONLY (t), t *, t PARTITION (p).
func (p *parser) target() (sp Span) {
	only := false
	if p.s.dialect == PostgreSQL && p.kw == kwOnly {
		p.next()
		only = true
	}
	if only && p.is('(') {
		p.next()
		sp = p.name()
		p.expect(')')
	} else {
		sp = p.name()
	}
	if p.is('*') && p.s.dialect == PostgreSQL {
		p.next()
	}
	if t, _ := p.peek(); p.kw == kwPartition && t.Kind == Punct && t.Byte == '(' {
		p.next()
		p.paren()
	}
	return sp
}

// aliasBefore steps over the alias of a target.
func (p *parser) aliasBefore(ends ...keyword) {
	if p.accept(kwAs) {
		p.kw = 0
		p.next()
		return
	}
	if p.tok.Kind == QuotedIdent || p.tok.Kind == Word && keywords[p.kw].sets&(sReserved|sClause) == 0 {
		for _, kw := range ends {
			if p.kw == kw {
				return
			}
		}
		p.next()
	}
}

// onCluster steps over ClickHouse's ON CLUSTER x and IN PARTITION y.
func (p *parser) onCluster() {
	if p.s.dialect != ClickHouse {
		return
	}
	if p.accept(kwOn) {
		p.accept(kwCluster)
		p.next()
	}
	if p.accept(kwIn) {
		p.accept(kwPartition)
		p.walk(sWhere)
	}
}

// deleteListed reads MySQL's DELETE t1, t2 FROM a JOIN b …: the targets first.
func (p *parser) deleteListed(at Token) {
	first := p.targets(at)
	if !p.accept(kwFrom) {
		p.fail("FROM is missing behind DELETE")
		return
	}
	p.joined(first)
}

// deleteUsing reads the rest of MySQL's DELETE FROM t1, t2 USING a JOIN b ….
func (p *parser) deleteUsing(first int, at Token) {
	p.wildcard()
	if p.is(',') {
		p.next()
		p.targets(at)
	}
	if !p.accept(kwUsing) {
		p.fail("USING is missing behind a list of tables")
		return
	}
	p.joined(first)
}

// targets reads a list of table names, each of which is a DELETE.
func (p *parser) targets(at Token) (first int) {
	first = len(p.t.Ops)
	for !p.failed {
		if len(p.t.Ops)-first == maxTables {
			p.fail("more tables than a join may have")
		}
		p.addOn(Delete, at, p.name(), 0)
		p.wildcard()
		if !p.is(',') {
			return first
		}
		p.next()
	}
	return first
}

// name has stopped after the dot
func (p *parser) wildcard() {
	if p.is('*') {
		p.next()
	}
}

// joined reads the tables of a joined DELETE and its condition, and resolves aliases
// among the targets.
func (p *parser) joined(first int) {
	last := len(p.t.Ops)
	var refs tableRefs
	p.tableRefs(&refs)
	for i := first; i < last; i++ {
		op := &p.t.Ops[i]
		op.Flags |= refs.flags()
		if ref, ok := refs.find(p, op.Object); ok {
			op.Object = ref
		}
	}
	p.conditions(first, sWhere|sOrder|sLimit|sReturning)
	for i := first + 1; i < last; i++ {
		op, from := &p.t.Ops[i], p.t.Ops[first]
		op.Where, op.Filter, op.Limit = from.Where, from.Filter, from.Limit
		op.Flags |= from.Flags
	}
}

// clauses are the keywords that begin the clauses of a DELETE or UPDATE. SETTINGS is
// one in ClickHouse only, elsewhere a name.
func (p *parser) clauses() set {
	if p.s.dialect == ClickHouse {
		return sWhere | sOrder | sLimit | sReturning | sSettings
	}
	return sWhere | sOrder | sLimit | sReturning
}

// conditions reads from after the target of operation i to the end of the statement:
// USING or FROM lists, WHERE, ORDER BY, LIMIT, RETURNING.
func (p *parser) conditions(i int, stop set) {
	for !p.failed {
		p.walk(stop)
		switch keywords[p.kw].sets & stop {
		case sWhere:
			p.where(i, stop&^sWhere)
			stop &^= sWhere
		case sLimit:
			p.next()
			p.limit(i)
		case sReturning:
			p.next()
			p.t.Ops[i].Flags |= Returning
			stop = 0
		case 0:
			return
		default: // ORDER BY, SETTINGS
			p.next()
		}
	}
}

// where reads the condition of operation i.
func (p *parser) where(i int, stop set) {
	p.next()
	begin := p.tok.Pos
	if p.atEnd() || keywords[p.kw].sets&stop != 0 || p.is(')') {
		p.fail("a condition is missing behind WHERE")
		return
	}
	current := p.kw == kwCurrent
	p.walk(stop)
	sp := Span{begin, p.prev.End}
	p.t.Ops[i].Where = sp
	p.t.Ops[i].Filter = Filtered
	if !p.failed && !current && alwaysTrue(p.s.src, p.s.dialect, p.s.mode, sp) {
		p.t.Ops[i].Filter = AlwaysTrue
		if strings.Contains(p.s.src[sp.Start:sp.End], "||") { // in MySQL sql_mode decides whether it is OR
			p.s.modeMatters = true
		}
	}
}

// limit reads the number after LIMIT. MySQL's UPDATE and DELETE take one
// number; SQLite's take an offset as well, in either form.
func (p *parser) limit(i int) {
	op := &p.t.Ops[i]
	op.Flags |= HasLimit
	op.Limit = -1
	if p.tok.Kind == Number {
		n, ok := p.number()
		p.next()
		if ok && (p.atEnd() || p.tok.Kind == Word || p.is(')')) {
			op.Limit = n
		}
	}
}

// number is the value of the decimal number here, if it fits.
func (p *parser) number() (n int64, ok bool) {
	for _, c := range []byte(p.s.Text(p.tok)) {
		if !isDigit(c) || n > (1<<63-1-9)/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
