package sqlscan

// alterClickHouse reads the commands of ClickHouse's ALTER TABLE. Mutations are
// operations of their own. Operation i stands for all others, and is removed if there
// are none.
func (p *parser) alterClickHouse(i int, at Token) {
	others := false
	for !p.failed && !p.atEnd() {
		paren := p.is('(')
		if paren {
			p.next()
		}
		switch p.kw {
		case kwDelete:
			p.mutation(i, Delete)
		case kwUpdate:
			p.mutation(i, Update)
		default:
			others = true
			p.worsen(i, p.clickHouseCommand())
			p.toComma(sSettings | sParallel)
		}
		if paren {
			p.expect(')')
		}
		if !p.is(',') {
			break
		}
		p.next()
	}
	p.rest()
	if !others && len(p.t.Ops) > i+1 {
		p.t.Ops = append(p.t.Ops[:i], p.t.Ops[i+1:]...)
	}
}

// mutation reads DELETE WHERE … and UPDATE a = b, … WHERE ….
func (p *parser) mutation(i int, kind Kind) {
	at := p.tok
	j := p.addOn(kind, at, p.t.Ops[i].Object, p.t.Ops[i].Flags)
	p.next()
	p.walk(sWhere)
	if !p.accept(kwWhere) {
		p.fail("WHERE is missing in a mutation")
		return
	}
	begin := p.tok.Pos
	p.toComma(sSettings | sParallel)
	if p.prev.End <= begin {
		p.fail("a condition is missing behind WHERE")
		return
	}
	op := &p.t.Ops[j]
	op.Where, op.Filter = Span{begin, p.prev.End}, Filtered
	if !p.failed && alwaysTrue(p.s.src, p.s.dialect, p.s.mode, op.Where) {
		op.Filter = AlwaysTrue
	}
}

// clickHouseCommand is the kind of any other command. An unknown one is taken for an
// Alter.
func (p *parser) clickHouseCommand() Kind {
	kw := p.kw
	p.next()
	what := p.kw
	switch kw {
	case kwAdd, kwComment, kwFreeze, kwUnfreeze, kwFetch, kwAttach, kwApply, kwReset, kwRemove:
		return Define
	case kwMaterialize:
		if what != kwTtl {
			return Define
		}
	case kwDrop:
		if what == kwPartition || what == kwPart || what == kwDetached {
			return Drop
		}
	case kwReplace:
		return Drop // the rows of the partition that is replaced
	case kwClear:
		if what != kwColumn {
			return Define
		}
	case kwModify:
		if what == kwSetting || what == kwComment || what == kwRefresh || what == kwDefiner || what == kwSql {
			return Define
		}
	case kwMove:
		p.walk(sTo)
		if _, kw := p.peek(); kw == kwDisk || kw == kwVolume {
			return Define
		}
	}
	return Alter
}
