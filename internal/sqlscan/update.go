package sqlscan

import "strings"

// update reads UPDATE in all its forms, the joined ones of MySQL included.
func (p *parser) update() {
	at := p.tok
	p.next()
	flags := Flags(0)
	switch p.s.dialect {
	case MySQL:
		for p.kw == kwLowPriority || p.kw == kwIgnore {
			if p.kw == kwIgnore {
				flags |= DoNothing
			}
			p.next()
		}
		p.updateJoined(at, flags)
		return
	case SQLite:
		flags = p.orAction()
	}
	i := p.addOn(Update, at, p.target(), flags)
	p.portion()
	p.aliasBefore(kwSet)
	p.portion()
	p.onCluster()
	p.walk(sSet) // INDEXED BY of SQLite
	if !p.accept(kwSet) {
		p.fail("SET is missing behind UPDATE")
		return
	}
	p.walk(sFrom | p.clauses())
	if p.kw == kwFrom {
		p.t.Ops[i].Flags |= Multi
		p.next()
	}
	p.conditions(i, p.clauses())
	if p.s.dialect == PostgreSQL {
		p.updatesSettings(i, at)
	}
}

// updatesSettings adds GuardOff to an UPDATE of the view pg_settings, whose rule calls set_config
// for each row, unless the only one has the name of another setting.
func (p *parser) updatesSettings(i int, at Token) {
	op := p.t.Ops[i]
	table := p.s.src[op.Object.Start:op.Object.End]
	table = table[strings.LastIndexByte(table, '.')+1:]
	if !equalFold(strings.Trim(table, " \""), "pg_settings") {
		return
	}
	column, name, _ := strings.Cut(p.s.src[op.Where.Start:op.Where.End], "=")
	plain, decoded := "", false
	if name = strings.TrimSpace(name); equalFold(strings.TrimSpace(column), "name") && strings.Count(name, "'") == 2 && name[len(name)-1] == '\'' {
		plain, decoded = withoutEscapes(name)
	}
	if !decoded || turnsGuardOff(plain, "") {
		p.addOn(GuardOff, at, op.Object, 0)
	}
}

// portion steps over FOR PORTION OF p FROM a TO b.
func (p *parser) portion() {
	if p.kw == kwFor {
		p.walk(sSet | sAs)
	}
}

// orAction reads SQLite's OR REPLACE, OR IGNORE and the like.
func (p *parser) orAction() (f Flags) {
	if !p.accept(kwOr) {
		return 0
	}
	switch p.kw {
	case kwReplace:
		f = OrReplace
	case kwIgnore:
		f = DoNothing
	}
	p.next()
	return f
}

// updateJoined reads MySQL's UPDATE of one or several tables. Every table that
// a qualified assignment names is a target; if one is not qualified, every
// table of the join is.
func (p *parser) updateJoined(at Token, flags Flags) {
	var refs tableRefs
	p.tableRefs(&refs)
	if !p.accept(kwSet) {
		p.fail("SET is missing behind UPDATE")
		return
	}
	first := len(p.t.Ops)
	if refs.n <= 1 { // none: only a derived table, which the server refuses
		if refs.joined || refs.listed { // with a derived table
			flags |= refs.flags()
		}
		p.addOn(Update, at, refs.list[0].name, flags)
		p.conditions(first, sWhere|sOrder|sLimit|sReturning)
		return
	}
	if !p.assigned(&refs, at, flags|refs.flags()) {
		p.t.Ops = p.t.Ops[:first]
		for i := range refs.n {
			p.addOn(Update, at, refs.list[i].name, flags|refs.flags())
		}
	}
	last := len(p.t.Ops)
	p.conditions(first, sWhere|sOrder|sLimit)
	for i := first + 1; i < last; i++ {
		op, from := &p.t.Ops[i], p.t.Ops[first]
		op.Where, op.Filter, op.Limit = from.Where, from.Filter, from.Limit
		op.Flags |= from.Flags
	}
}

// assigned adds an operation for every table that SET assigns to, and reports whether
// every assignment names its table.
func (p *parser) assigned(refs *tableRefs, at Token, flags Flags) bool {
	first, all := len(p.t.Ops), true
	for !p.failed {
		start := p.tok.Pos
		if p.is('.') || !p.namePart() {
			p.fail("a column is missing behind SET")
			return false
		}
		end := p.prev.End
		qualified := false
		for p.is('.') {
			qualified = true
			end = p.prev.End
			p.next()
			p.namePart()
		}
		table, found := Span{}, false
		if qualified {
			table, found = refs.find(p, Span{start, end})
		}
		all = all && found
		if found {
			p.addTarget(first, at, table, flags)
		}
		p.toComma(sWhere | sOrder | sLimit)
		if !p.is(',') {
			return all && len(p.t.Ops) > first
		}
		p.next()
	}
	return false
}

// addTarget adds an UPDATE of the table unless there is one from index first.
func (p *parser) addTarget(first int, at Token, table Span, flags Flags) {
	for _, op := range p.t.Ops[first:] {
		if op.Object == table {
			return
		}
	}
	p.addOn(Update, at, table, flags)
}

// toComma reads an expression up to a comma outside of parentheses, or where
// walk would stop.
func (p *parser) toComma(stop set) {
	for !p.failed && !p.atEnd() && !p.is(',') && !p.is(')') && keywords[p.kw].sets&stop == 0 {
		if p.is('(') {
			p.callCheck()
			p.paren()
			continue
		}
		p.next()
	}
}
