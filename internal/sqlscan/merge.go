package sqlscan

// merge reads MERGE. With nothing but INSERT actions it only adds rows.
func (p *parser) merge() {
	at := p.tok
	p.next()
	if !p.accept(kwInto) {
		p.fail("INTO is missing behind MERGE")
		return
	}
	i := p.addOn(Insert, at, p.target(), 0)
	p.aliasBefore(kwUsing)
	if p.kw != kwUsing {
		p.fail("USING is missing in MERGE")
		return
	}
	p.next()
	for !p.failed {
		p.walk(sThen | sReturning)
		switch p.kw {
		case kwThen: // also that of a CASE: a column named update is rare, a missed action is not allowed
			p.next()
			if p.kw == kwUpdate || p.kw == kwDelete {
				p.t.Ops[i].Kind = Merge
			}
		case kwReturning:
			p.t.Ops[i].Flags |= Returning
			p.next()
			p.rest()
			return
		default:
			return
		}
	}
}
