package sqlscan

// caseValue evaluates CASE … END, simple or searched.
func (p *prover) caseValue() value {
	p.next()
	var subject value
	simple := p.role != roleWhen
	if simple {
		subject = p.argument()
	}
	var c choice
	for p.state == reading && p.accept(roleWhen) {
		when := p.argument()
		p.expect(roleThen)
		t := p.truth(when)
		if simple {
			t = p.compare(subject, when).is(isEqual)
			if p.dialect != SQLite && !sameFamily(subject, when) {
				t = unknown
			}
		}
		c.offer(t, p.argument())
	}
	if p.accept(roleElse) {
		c.offer(yes, p.argument())
	} else {
		c.offer(yes, nullOf(0))
	}
	p.expect(roleEnd)
	return c.result(p)
}

// choice is the value of an expression that returns one of several.
type choice struct {
	chosen  value
	decided bool // chosen is the result
	open    bool // an earlier alternative has an unknown condition
	mixed   bool // the alternatives have different types
	mayNull bool // an alternative that may be returned may be NULL
	flags   uint8
	family  kind
	decimal bool
}

// offer adds the next alternative, with its condition.
func (c *choice) offer(when tri, v value) {
	if f := v.family(); f != 0 {
		// MariaDB turns b'1' into a text, whose truth value differs.
		c.mixed = c.mixed || c.family != 0 && c.family != f || v.flags&flagHybrid != 0
		c.family = f
	}
	c.decimal = c.decimal || v.kind == kindDecimal
	c.flags |= v.flags & (flagApprox | flagTyped)
	if c.decided || when == no || when == null {
		return
	}
	c.mayNull = c.mayNull || v.kind == kindNull || v.kind == kindUnknown || v.kind == kindRow
	if when == yes {
		c.decided = true
		c.chosen = v
		return
	}
	c.open = true
}

// result is the chosen value in the common type of the alternatives. Only SQLite has
// no such type.
func (c *choice) result(p *prover) value {
	v := c.chosen
	switch {
	case c.open || !c.decided || c.mixed && p.dialect != SQLite && v.kind != kindNull:
		if c.mayNull || !c.decided {
			return value{}
		}
		return value{kind: kindOpaque}
	case v.kind == kindNull && c.mixed:
		v = nullOf(kindOpaque)
	case v.kind == kindNull:
		v = nullOf(c.family)
	case p.dialect == SQLite:
		v.flags |= c.flags & flagTyped
	case v.isNumber():
		v.flags |= c.flags
		if c.decimal {
			v.kind = kindDecimal
		}
	case v.kind == kindText:
		v.flags |= c.flags
	}
	if v.kind == kindUnknown {
		return value{}
	}
	return v
}
