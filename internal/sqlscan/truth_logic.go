package sqlscan

// A fact says for which classes of rows an unknown value is certainly true. The
// classes are: where a column is NULL, and where it is not. Two facts that cover both
// make a disjunction true.
const (
	whereNull    = 1
	whereNotNull = 2
	everywhere   = whereNull | whereNotNull
)

// fact is a value that is true where the column is of these classes. An exact one is
// false for all other rows.
func fact(column string, classes int64, exact bool) value {
	v := value{kind: kindUnknown, s: column, n: classes}
	if exact {
		v.flags = flagExact
	}
	return v
}

func (v value) isFact() bool { return v.kind == kindUnknown && v.n != 0 }

func (v value) isColumn() bool { return v.kind == kindUnknown && v.flags&flagColumn != 0 }

// boolean is a truth value as the dialect represents it.
func (p *prover) boolean(t tri) value {
	v := value{kind: kindInteger}
	if p.dialect == PostgreSQL {
		v.kind = kindBoolean
	}
	switch t {
	case yes:
		v.n = 1
	case null:
		v = nullOf(v.kind)
	case unknown:
		v.kind = kindUnknown
	}
	return v
}

// truth is the truth value of a condition.
func (p *prover) truth(v value) tri {
	switch v.kind {
	case kindNull:
		return null
	case kindBoolean:
		return triOf(v.n != 0)
	case kindInteger, kindDecimal:
		return p.numberTruth(v)
	case kindText:
		return p.textTruth(v)
	}
	return unknown
}

// numberTruth is the truth value of a number. ClickHouse and old versions of MySQL
// may first cut it to an integer, ClickHouse to one byte.
func (p *prover) numberTruth(v value) tri {
	switch {
	case p.dialect == PostgreSQL:
		return unknown // an error
	case v.n == 0:
		return no
	case p.dialect == ClickHouse && (v.n < -128 || v.n > 255):
		return unknown
	case p.dialect != SQLite && v.kind == kindDecimal && !v.atLeastOne():
		return unknown
	}
	return yes
}

func (p *prover) textTruth(v value) tri {
	switch p.dialect {
	case PostgreSQL:
		if b, ok := boolText(v.s); ok && v.flags&flagTyped == 0 {
			return triOf(b)
		}
	case MySQL, SQLite:
		if n := p.leadingNumber(v.s); n.kind != kindUnknown {
			return p.numberTruth(n)
		}
	}
	return unknown
}

func (p *prover) and(a, b value) value {
	x, y := p.truth(a), p.truth(b)
	switch {
	case x == yes && b.isFact():
		return b
	case y == yes && a.isFact():
		return a
	}
	return p.boolean(x.and(y))
}

func (p *prover) or(a, b value) value {
	t := p.truth(a).or(p.truth(b))
	if t != unknown {
		return p.boolean(t)
	}
	if !a.isFact() {
		a, b = b, a
	}
	switch {
	case !a.isFact():
		return value{}
	case b.isFact() && a.s == b.s:
		a.n |= b.n
	}
	if a.n == everywhere {
		return p.boolean(yes)
	}
	a.flags &^= flagExact
	return a
}

func (p *prover) not(v value) value {
	if v.isFact() && v.flags&flagExact != 0 {
		v.n ^= everywhere
		return v
	}
	return p.boolean(p.truth(v).not())
}

// isNull is v IS NULL or, negated, v IS NOT NULL.
func (p *prover) isNull(v value, neg bool) value {
	switch {
	case v.kind == kindNull:
		return p.boolean(triOf(!neg))
	case v.isColumn() && !neg:
		return fact(v.s, whereNull, true)
	case v.isColumn() && p.dialect != PostgreSQL: // see the top of truth.go
		return fact(v.s, whereNotNull, true)
	case v.kind == kindUnknown || v.kind == kindRow:
		return value{}
	}
	return p.boolean(triOf(neg))
}

// is evaluates what follows IS.
func (p *prover) is(left value, b prec) value {
	neg := p.accept(roleNot)
	switch p.role {
	case roleNull:
		p.next()
		return p.isNull(left, neg)
	case roleTrue, roleFalse:
		want := triOf(p.role == roleTrue)
		p.next()
		return p.isTruth(left, want, neg)
	case roleUnknown:
		if p.dialect != PostgreSQL && p.dialect != MySQL {
			return p.giveUp()
		}
		p.next()
		return p.isTruth(left, null, neg)
	case roleDistinct:
		p.next()
		p.expect(roleFrom)
		return p.same(left, p.subexpression(b+1), !neg)
	}
	if p.dialect != SQLite {
		return p.giveUp()
	}
	// SQLite recognizes (TRUE) in brackets, the prover does not.
	opaque := p.punct('(')
	right := p.subexpression(b + 1)
	if opaque {
		return value{}
	}
	return p.same(left, right, neg)
}

// isTruth is v IS want. ClickHouse compares with 1 or 0 instead.
func (p *prover) isTruth(v value, want tri, neg bool) value {
	t := p.truth(v)
	if p.dialect == ClickHouse && (v.kind != kindInteger || v.n>>1 != 0) {
		t = unknown
	}
	if t == unknown {
		return value{}
	}
	return p.boolean(triOf((t == want) != neg))
}

// same is equality in which NULL equals NULL: IS of SQLite, <=>, and IS NOT DISTINCT
// FROM.
func (p *prover) same(a, b value, neg bool) value {
	t := unknown
	switch {
	case a.kind == kindNull && b.kind == kindNull:
		t = yes
	case a.isColumn() && b.isColumn() && a.s == b.s && p.reflexive():
		t = yes
	case a.kind == kindUnknown || b.kind == kindUnknown || a.kind == kindRow || b.kind == kindRow:
	case a.kind == kindNull || b.kind == kindNull:
		t = no
	default:
		t = p.compare(a, b).is(isEqual)
	}
	if neg {
		t = t.not()
	}
	return p.boolean(t)
}

// reflexive reports that a column that is not NULL equals itself. NaN does not in
// ClickHouse, nor do geometric values in PostgreSQL.
func (p *prover) reflexive() bool { return p.dialect == MySQL || p.dialect == SQLite }

func (p *prover) comparison(o op, a, b value) value {
	if o == opNullSafe {
		return p.same(a, b, false)
	}
	if o == opEq && a.isColumn() && b.isColumn() && a.s == b.s && p.reflexive() {
		return fact(a.s, whereNotNull, false)
	}
	return p.boolean(p.compare(a, b).is(orderOf(o)))
}

// between evaluates the two bounds after BETWEEN.
func (p *prover) between(v value, neg bool, b prec) value {
	low := p.subexpression(precBitOr)
	p.expect(roleAnd)
	high := p.subexpression(precBitOr)
	if o, _ := p.operator(); bindings[p.dialect][o] > b {
		return p.giveUp() // the bound continues, and grammars disagree how far
	}
	t := p.compare(v, low).is(isGreater | isEqual).and(p.compare(v, high).is(isLess | isEqual))
	if p.dialect == MySQL && !sameFamily(v, low, high) {
		t = unknown
	}
	if neg {
		t = t.not()
	}
	return p.boolean(t)
}

// in evaluates the list after IN.
func (p *prover) in(v value, neg bool) value {
	if !p.punct('(') {
		return p.giveUp()
	}
	outer := p.open()
	if p.punct(')') && p.dialect == SQLite {
		p.next()
		return p.boolean(triOf(neg))
	}
	if v.kind == kindUnknown || p.role == roleSelect {
		if v.kind == kindUnknown && p.noOrAhead() {
			return p.stop()
		}
		return p.skip(outer)
	}
	t := p.inList(v)
	if neg {
		t = t.not()
	}
	return p.close(outer, p.boolean(t))
}

func (p *prover) inList(v value) tri {
	t, family := no, v.family()
	for p.state == reading {
		used := p.used
		item := p.argument()
		if family == 0 {
			family = item.family()
		}
		if f := item.family(); p.dialect != SQLite && f != 0 && f != family {
			family = familyMixed // the whole list is compared in one common type
		}
		t = t.or(p.compare(v, item).is(isEqual))
		p.used = used
		if !p.punct(',') {
			break
		}
		p.next()
	}
	if family == familyMixed || p.dialect == ClickHouse && t == null {
		return unknown
	}
	return t
}
