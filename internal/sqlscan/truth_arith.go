package sqlscan

import "math"

// arithmetic evaluates a binary operator other than a comparison.
func (p *prover) arithmetic(o op, a, b value) value {
	if o == opConcat {
		return p.concat(a, b)
	}
	if a.kind == kindNull || b.kind == kindNull {
		if a.kind == kindRow || b.kind == kindRow {
			return value{}
		}
		return nullOf(kindInteger)
	}
	a, b = p.operandNumber(a), p.operandNumber(b)
	if !a.isNumber() || !b.isNumber() || !isExact(a, b) {
		return value{}
	}
	v := value{}
	switch o {
	case opAdd, opSub:
		v = sum(a, b, o == opSub)
	case opMul:
		v = product(a, b)
	case opDiv:
		v = p.quotient(a, b)
	case opIntDiv, opMod:
		v = p.division(o, a, b)
	default:
		v = p.bits(o, a, b)
	}
	if (a.flags|b.flags)&flagApprox != 0 && v.isNumber() {
		v.flags |= flagApprox
	}
	if v.flags&flagApprox != 0 && !v.dyadic() {
		return value{}
	}
	return v
}

// operandNumber is v as a number.
func (p *prover) operandNumber(v value) value {
	if v.kind == kindText && (p.dialect == MySQL || p.dialect == SQLite) {
		return p.leadingNumber(v.s)
	}
	v.flags &= flagApprox
	return v
}

func (p *prover) plus(v value) value {
	if v.isNumber() || v.kind == kindNull {
		return v
	}
	return value{}
}

func (p *prover) negative(v value) value {
	if v.isNumber() && v.n != math.MinInt64 {
		v.n = -v.n
		v.flags &= flagApprox
		return v
	}
	if v.kind == kindNull {
		return nullOf(kindInteger)
	}
	return value{}
}

// result is a number of the type that two operands give.
func result(a, b value, n int64, scale int) value {
	if a.kind == kindInteger && b.kind == kindInteger {
		return integer(n)
	}
	return decimal(n, scale)
}

func sum(a, b value, subtract bool) value {
	x, y, scale, ok := align(a, b)
	if !ok || y == math.MinInt64 {
		return value{}
	}
	if subtract {
		y = -y
	}
	n, ok := add(x, y)
	if y == 0 {
		n, ok = x, true
	}
	if !ok {
		return value{}
	}
	return result(a, b, n, int(scale))
}

func product(a, b value) value {
	n, ok := multiply(a.n, b.n)
	if !ok {
		return value{}
	}
	return result(a, b, n, int(a.scale)+int(b.scale))
}

// quotient is a / b. How many decimal places it keeps is a setting in MySQL and a
// rule of its own in PostgreSQL: only short exact ones are known.
func (p *prover) quotient(a, b value) value {
	if b.n == 0 {
		if p.dialect == SQLite || p.dialect == MySQL {
			return nullOf(kindInteger)
		}
		return value{}
	}
	integers := a.kind == kindInteger && b.kind == kindInteger
	if integers && (p.dialect == SQLite || p.dialect == PostgreSQL) {
		return p.division(opIntDiv, a, b)
	}
	x, y, _, ok := align(a, b)
	if !ok {
		return value{}
	}
	places := 4
	if p.dialect == MySQL {
		places = 0
	}
	x, ok = multiply(x, powersOf10[places])
	if !ok || x%y != 0 {
		return value{}
	}
	v := decimal(x/y, places)
	if p.dialect == ClickHouse {
		v.flags |= flagApprox
		if !a.dyadic() || !b.dyadic() {
			return value{}
		}
	}
	return v
}

// division is the integer division and its remainder, which truncate towards zero in
// all four dialects.
func (p *prover) division(o op, a, b value) value {
	switch {
	case a.kind != kindInteger || b.kind != kindInteger || a.n == math.MinInt64:
		return value{}
	case b.n == 0 && (p.dialect == MySQL || p.dialect == SQLite):
		return nullOf(kindInteger)
	case b.n == 0:
		return value{}
	case o == opMod:
		return integer(a.n % b.n)
	}
	return integer(a.n / b.n)
}

// bits evaluates bitwise operators where integers of any width agree.
func (p *prover) bits(o op, a, b value) value {
	const most = 1 << 31
	if a.kind != kindInteger || b.kind != kindInteger || a.n < 0 || b.n < 0 || a.n >= most || b.n >= most {
		return value{}
	}
	switch o {
	case opBitAnd:
		return integer(a.n & b.n)
	case opBitOr:
		return integer(a.n | b.n)
	case opBitXor:
		return integer(a.n ^ b.n)
	case opShr:
		if b.n < 31 {
			return integer(a.n >> b.n)
		}
	case opShl:
		if b.n < 31 && a.n<<b.n < most {
			return integer(a.n << b.n)
		}
	}
	return value{}
}
