package sqlscan

// attach reads ATTACH and DETACH: of a file in SQLite, of what exists on disk
// in ClickHouse.
func (p *parser) attach() {
	at, detach := p.tok, p.kw == kwDetach
	p.next()
	if p.s.dialect != ClickHouse {
		p.accept(kwDatabase)
		if detach {
			p.addOn(Session, at, p.name(), 0)
			return
		}
		p.attachFile(at)
		return
	}
	class, flags, _ := p.object()
	flags |= p.ifExists()
	kind := Define
	switch {
	case detach:
		kind = Alter
	case class == kwDatabase:
		kind = CreateDatabase
	}
	if class != kwTable && class != kwDatabase {
		flags |= View
	}
	if !p.failed {
		p.addOn(kind, at, p.name(), flags)
	}
	p.noCall = p.is('(')
	for !p.failed && !p.atEnd() && p.kw != kwParallel { // a column may have any type
		if p.is('(') {
			p.noCall = true
			p.walk(sParallel)
			continue
		}
		p.next()
	}
}

// attachFile reads the file and name of SQLite's ATTACH.
func (p *parser) attachFile(at Token) {
	i := p.add(CreateDatabase, at)
	p.file(i)
	p.walk(sAs)
	if !p.accept(kwAs) {
		p.fail("AS is missing behind ATTACH")
		return
	}
	p.rest()
}

// file makes the expression here the object of operation i: a literal names
// it, anything else does not.
func (p *parser) file(i int) {
	op := &p.t.Ops[i]
	op.Object = Span{p.tok.Pos, p.tok.End}
	if p.tok.Kind == String || p.tok.Kind == QuotedIdent {
		p.next()
		if p.atEnd() || p.kw == kwAs {
			return
		}
	}
	op.Flags |= Parameterised
}

// vacuum reads VACUUM; SQLite's VACUUM INTO writes a new file.
func (p *parser) vacuum() {
	at := p.tok
	i := p.add(Maintain, at)
	p.next()
	if p.s.dialect != SQLite {
		p.rest()
		return
	}
	if !p.atEnd() && p.kw != kwInto {
		p.name()
	}
	if p.accept(kwInto) {
		p.t.Ops[i].Kind = CreateDatabase
		p.file(i)
	}
	p.rest()
}

// optimize reads OPTIMIZE TABLE; ClickHouse's DEDUPLICATE deletes rows.
func (p *parser) optimize() {
	at := p.tok
	i := p.add(Maintain, at)
	p.next()
	p.skipAny(kwNoWriteToBinlog, kwLocal, kwTable, kwTables)
	p.t.Ops[i].Object = p.name()
	for !p.failed {
		p.walk(sDeduplicate)
		if p.kw != kwDeduplicate {
			return
		}
		p.t.Ops[i].Kind = Delete
		p.next()
	}
}

// system reads ClickHouse's SYSTEM; DROP REPLICA loses what is stored there.
func (p *parser) system() {
	at := p.tok
	p.next()
	kind := Maintain
	if _, kw := p.peek(); p.kw == kwDrop && (kw == kwReplica || kw == kwDatabase) {
		kind = Drop
	}
	p.add(kind, at)
	p.rest()
}

// undrop reads ClickHouse's UNDROP TABLE.
func (p *parser) undrop() {
	at := p.tok
	p.next()
	p.accept(kwTable)
	p.addOn(Define, at, p.name(), 0)
	p.rest()
}
