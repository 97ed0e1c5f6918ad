package sqlscan

// disjunction evaluates operands of OR, the operator that binds weakest.
func (p *prover) disjunction() value {
	nest, cases, plain := p.parens, p.cases, p.topLevel
	v := p.disjunct(nest, cases)
	for p.state == reading {
		o, width := p.operator()
		if o != opOr {
			break
		}
		if p.truth(v) == yes {
			if plain && nest == 0 && !p.skipped && p.dialect != ClickHouse {
				p.proven = true
				return p.stop()
			}
			p.topLevel = false // the other operands change nothing, and must not end the reading
		}
		p.advance(width)
		v = p.or(v, p.disjunct(nest, cases))
	}
	p.topLevel = plain
	return v
}

// disjunct evaluates one operand of OR. One that cannot be read is unknown; the
// others can still be read.
func (p *prover) disjunct(nest, cases int) value {
	v := p.expr(precXor)
	if p.state == gaveUp {
		return p.skipDisjunct(nest, cases)
	}
	return v
}

// expr evaluates operators that bind at least as closely as least.
func (p *prover) expr(least prec) value {
	if p.depth++; p.depth > maxDepth {
		p.depth--
		return p.giveUp()
	}
	v := p.operand(least)
	last := precTop
	for p.state == reading {
		o, width := p.operator()
		b := bindings[p.dialect][o]
		if b < least || o == opNone {
			break
		}
		if o == opOther || b > last || b == last && !p.dialect.chains(b) || p.dialect == ClickHouse && o == opBetween && last == precCmp {
			p.giveUp()
			break
		}
		if p.cannotBecomeTrue(v, o) {
			p.stop()
			break
		}
		v = p.infix(v, o, width, b)
		last = b
	}
	p.depth--
	return v
}

// cannotBecomeTrue reports that the condition can no longer be true for every row,
// whatever follows the operator.
func (p *prover) cannotBecomeTrue(v value, o op) bool {
	switch o {
	case opAnd:
		return p.truth(v) != yes && p.noOrAhead()
	case opIs, opIsNull, opNotNull, opNullSafe:
		return false
	case opIn, opNot:
		return p.dialect != SQLite && v.kind == kindUnknown && p.noOrAhead()
	}
	return v.kind == kindUnknown && p.noOrAhead()
}

func (p *prover) advance(width int) {
	for range width {
		p.next()
	}
}

// subexpression evaluates an operand whose truth value is not that of the condition.
func (p *prover) subexpression(least prec) value {
	plain := p.topLevel
	p.topLevel = false
	v := p.expr(least)
	p.topLevel = plain
	return v
}

// argument evaluates a whole expression whose truth value is not that of the
// condition.
func (p *prover) argument() value {
	plain := p.topLevel
	p.topLevel = false
	v := p.disjunction()
	p.topLevel = plain
	return v
}

// infix evaluates an operator and its right operand.
func (p *prover) infix(left value, o op, width int, b prec) value {
	switch o {
	case opNot, opIn, opBetween, opLike:
		return p.predicate(left, b)
	}
	p.advance(width)
	switch o {
	case opAnd:
		return p.and(left, p.expr(b+1))
	case opXor:
		return p.boolean(p.truth(left).xor(p.truth(p.subexpression(b + 1))))
	case opIs:
		return p.is(left, b)
	case opIsNull, opNotNull:
		return p.isNull(left, o == opNotNull)
	case opCast:
		return p.castTo(p.typeName(), left)
	case opIndex:
		return p.skipBrackets()
	case opCollate:
		p.next()
		return value{kind: kindOfCollated(left)}
	}
	right := p.subexpression(b + 1)
	if o >= opEq && o <= opNullSafe {
		return p.comparison(o, left, right)
	}
	return p.arithmetic(o, left, right)
}

// predicate evaluates [NOT] IN, BETWEEN, LIKE and, in SQLite, x NOT NULL.
func (p *prover) predicate(left value, b prec) value {
	neg := p.accept(roleNot)
	role := p.role
	p.next()
	switch role {
	case roleIn:
		return p.in(left, neg)
	case roleBetween:
		return p.between(left, neg, b)
	case roleLike, roleILike:
		return p.like(left, p.subexpression(b+1), neg, role == roleILike)
	case roleNull:
		if p.dialect == SQLite {
			return p.isNull(left, true)
		}
	}
	return p.giveUp()
}

// kindOfCollated is what is known of a value under an unknown collation.
func kindOfCollated(v value) kind {
	if v.kind == kindText {
		return kindOpaque
	}
	return kindUnknown
}

// operand evaluates the left operand of an infix operator.
func (p *prover) operand(least prec) value {
	switch p.tok.Kind {
	case Number:
		v := p.numberValue(p.word())
		p.next()
		return v
	case String:
		return p.textValue()
	case Param, Var:
		p.next()
		return value{}
	case QuotedIdent:
		return p.name()
	case Word:
		return p.wordOperand(least)
	case Punct:
		return p.markOperand(least)
	}
	return p.giveUp()
}

func (p *prover) markOperand(least prec) value {
	switch p.tok.Byte {
	case '(':
		return p.bracketed()
	case '[':
		p.next()
		p.skipBrackets()
		return value{kind: kindOpaque}
	case '{':
		return p.substitution()
	case '!':
		if p.dialect != MySQL {
			return p.giveUp()
		}
		p.next()
		return p.not(p.subexpression(precUnary))
	case '+', '-', '~':
		return p.signed()
	}
	return p.giveUp()
}

// signed evaluates a unary operator. ClickHouse reads -1::T as (-1)::T, the
// others as -(1::T).
func (p *prover) signed() value {
	sign := p.tok.Byte
	if p.dialect == PostgreSQL && (sign == '~' || isOperatorByte(p.at(1))) {
		return p.giveUp()
	}
	p.next()
	least := precUnary
	if p.dialect == ClickHouse {
		least = precTop
	}
	v := p.subexpression(least)
	switch sign {
	case '+':
		return p.plus(v)
	case '-':
		return p.negative(v)
	}
	return value{}
}

func (p *prover) wordOperand(least prec) value {
	switch p.role {
	case roleNone, roleUnknown, roleMod, roleIsNull:
		return p.name()
	case roleNull:
		p.next()
		return nullOf(0)
	case roleTrue, roleFalse:
		t := triOf(p.role == roleTrue)
		p.next()
		return p.boolean(t)
	case roleNot:
		if least > precNot {
			return p.giveUp()
		}
		p.next()
		return p.not(p.subexpression(precNot))
	case roleCase:
		return p.caseValue()
	case roleCast:
		return p.cast()
	case roleExists:
		return p.exists()
	case roleRow:
		if p.next(); p.punct('(') {
			if v := p.bracketed(); v.kind == kindRow {
				return v
			}
			return value{}
		}
	case roleInterval:
		if p.next(); p.tok.Kind == String {
			return p.castTo("interval", p.textValue())
		}
	}
	return p.giveUp()
}

// bracketed evaluates ( … ): a value, a row or a query.
func (p *prover) bracketed() value {
	outer := p.open()
	if p.role == roleSelect {
		_, v := p.selectList()
		return p.close(outer, v)
	}
	v := p.disjunction()
	if p.state == reading && p.punct(',') {
		v = p.row(v)
	}
	return p.close(outer, v)
}

// row evaluates the rest of a row value after its first member.
func (p *prover) row(first value) value {
	var members [4]value
	members[0] = first
	n := 1
	for p.state == reading && p.punct(',') {
		p.next()
		v := p.argument()
		if n < len(members) {
			members[n] = v
		}
		n++
	}
	if n > len(members) || p.used+n > len(p.rows) {
		return value{}
	}
	at := p.used
	p.used += copy(p.rows[at:], members[:n])
	return value{kind: kindRow, n: int64(at), scale: uint8(n)}
}

// skipBrackets skips the rest of the square brackets just opened.
func (p *prover) skipBrackets() value {
	nest := p.parens
	for open := 1; p.state == reading && p.tok.Kind != EOF && p.parens >= nest; p.next() {
		if p.tok.Kind != Punct {
			continue
		}
		switch p.tok.Byte {
		case '[':
			open++
		case ']':
			if open--; open == 0 {
				p.next()
				return value{}
			}
		}
	}
	return p.giveUp()
}

// substitution skips a {name:Type} parameter of ClickHouse.
func (p *prover) substitution() value {
	for p.state == reading && p.tok.Kind != EOF && !p.punct('}') {
		p.next()
	}
	p.next()
	return value{}
}

// name evaluates what begins with a name: a column, a call, a typed literal or
// a text with a character set.
func (p *prover) name() value {
	start, word := p.tok.Pos, p.word()
	bare := p.tok.Kind == Word
	end := p.tok.End
	p.next()
	for p.punct('.') {
		bare = false
		if p.next(); p.tok.Kind != Word && p.tok.Kind != QuotedIdent && !p.punct('*') {
			return p.giveUp()
		}
		end = p.tok.End
		p.next()
	}
	switch {
	case p.punct('(') && bare:
		return p.call(word)
	case p.punct('('):
		return p.skipGroup()
	case p.tok.Kind == String && bare:
		return p.introduced(word)
	}
	return value{kind: kindUnknown, flags: flagColumn, s: p.text[start:end]}
}
