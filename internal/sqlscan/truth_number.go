package sqlscan

import "math"

// maxScale bounds the scale of the decimals computed here.
const maxScale = 9

var powersOf10 = [...]int64{1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// integer and decimal are exact numbers.
func integer(n int64) value { return value{kind: kindInteger, n: n} }

// decimal is n·10^-scale, without trailing zeros.
func decimal(n int64, scale int) value {
	for scale > 0 && n%10 == 0 {
		n /= 10
		scale--
	}
	if scale > maxScale {
		return value{kind: kindOpaque}
	}
	return value{kind: kindDecimal, n: n, scale: uint8(scale)}
}

func (v value) isNumber() bool { return v.kind == kindInteger || v.kind == kindDecimal }

func (v value) atLeastOne() bool {
	one := powersOf10[v.scale]
	return v.n >= one || v.n <= -one
}

// numberValue reads a number token. One that is too long or unusual to compute with
// is opaque: a number, and not NULL.
func (p *prover) numberValue(s string) value {
	if len(s) > 1 && s[0] == '0' && s[1] != '.' && lowerByte(s[1]) != 'e' {
		return p.radixNumber(s)
	}
	v, rest := digits(s)
	if rest != "" {
		return value{kind: kindOpaque}
	}
	if v.kind == kindDecimal && (p.dialect == SQLite || p.dialect == ClickHouse) {
		v.flags |= flagApprox
	}
	if p.dialect == PostgreSQL {
		v.flags &^= flagApprox
	}
	return v
}

// radixNumber reads 0x1F and 0b11; other numbers with leading zeros are opaque.
func (p *prover) radixNumber(s string) value {
	switch lowerByte(s[1]) {
	case 'x':
		return p.radixDigits(s[2:], 4)
	case 'b':
		return p.radixDigits(s[2:], 1)
	}
	return value{kind: kindOpaque}
}

// radixDigits reads digits of the given number of bits each.
func (p *prover) radixDigits(s string, bits int) value {
	v := value{kind: kindInteger}
	if p.dialect == MySQL {
		v.flags = flagHybrid
	}
	for _, c := range []byte(s) {
		if !isHexDigit(c) || len(s)*bits > 60 {
			return value{kind: kindOpaque}
		}
		d := int64(c - '0')
		if !isDigit(c) {
			d = int64(lowerByte(c)-'a') + 10
		}
		v.n = v.n<<bits | d
	}
	return v
}

// digits reads 1, 1.5, .5 or 1e3 from the front of s; a number with an
// exponent is approximate.
func digits(s string) (v value, rest string) {
	opaque := value{kind: kindOpaque}
	n, scale, i, seen := int64(0), -1, 0, 0
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && scale < 0 {
			scale = 0
			continue
		}
		if !isDigit(c) {
			break
		}
		if seen++; seen > 18 {
			return opaque, ""
		}
		n = n*10 + int64(c-'0')
		if scale >= 0 {
			scale++
		}
	}
	if seen == 0 {
		return value{}, s
	}
	if i < len(s) && lowerByte(s[i]) == 'e' {
		return exponent(n, max(scale, 0), s[i+1:])
	}
	if scale < 0 {
		return integer(n), s[i:]
	}
	return decimal(n, scale), s[i:]
}

// exponent reads the rest of a number after its e.
func exponent(n int64, scale int, s string) (v value, rest string) {
	neg := s != "" && s[0] == '-'
	if neg || s != "" && s[0] == '+' {
		s = s[1:]
	}
	if len(s) != 1 || !isDigit(s[0]) {
		return value{kind: kindOpaque}, ""
	}
	e := int(s[0] - '0')
	if neg {
		e = -e
	}
	if scale -= e; scale < 0 {
		var ok bool
		if n, ok = multiply(n, powersOf10[-scale]); !ok {
			return value{kind: kindOpaque}, ""
		}
		scale = 0
	}
	v = decimal(n, scale)
	v.flags |= flagApprox
	return v, ""
}

// align brings two numbers to one scale.
func align(a, b value) (x, y int64, scale uint8, ok bool) {
	x, y, scale, ok = a.n, b.n, a.scale, true
	switch {
	case a.scale < b.scale:
		scale = b.scale
		x, ok = multiply(x, powersOf10[b.scale-a.scale])
	case a.scale > b.scale:
		y, ok = multiply(y, powersOf10[a.scale-b.scale])
	}
	return x, y, scale, ok
}

// isExact reports that the server computes with a and b without rounding: in
// decimals, or in doubles that hold them exactly.
func isExact(a, b value) bool {
	return (a.flags|b.flags)&flagApprox == 0 || a.dyadic() && b.dyadic()
}

// dyadic reports that a double holds the number exactly, with room to spare.
func (v value) dyadic() bool {
	five := int64(1)
	for range v.scale {
		five *= 5
	}
	n := v.n / five
	return v.n%five == 0 && -1<<50 < n && n < 1<<50
}

func compareNumbers(a, b value) order {
	if a.kind == kindUnknown || b.kind == kindUnknown {
		return anything
	}
	if !a.isNumber() || !b.isNumber() || !isExact(a, b) {
		return anyOrder
	}
	x, y, _, ok := align(a, b)
	if !ok {
		return anyOrder
	}
	return orderOfInts(x, y)
}

// leadingNumber is a text as MySQL and SQLite convert it to a number: its numeric
// prefix, or 0. White space and forms that only one of them reads are unknown.
func (p *prover) leadingNumber(s string) value {
	neg := s != "" && s[0] == '-'
	if neg || s != "" && s[0] == '+' {
		s = s[1:]
	}
	if s == "" || isNoNumber(s) {
		return integer(0)
	}
	v, _ := digits(s)
	if !v.isNumber() {
		return value{}
	}
	if neg {
		v.n = -v.n
	}
	v.flags |= flagApprox
	return v
}

// isNoNumber reports a text that certainly has no numeric prefix.
func isNoNumber(s string) bool {
	switch c := s[0]; {
	case c <= ' ' || c >= 0x7f || isDigit(c) || c == '.' || c == '+' || c == '-':
		return false
	}
	return len(s) < 3 || !foldEqual(s[:3], "inf") && !foldEqual(s[:3], "nan")
}

// wholeNumber is a text that is an integer.
func wholeNumber(s string) value {
	neg := s != "" && s[0] == '-'
	if neg {
		s = s[1:]
	}
	v, rest := digits(s)
	if v.kind != kindInteger || rest != "" {
		return value{}
	}
	if neg {
		v.n = -v.n
	}
	return v
}

func multiply(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	c := a * b
	if c/b != a || a == math.MinInt64 || b == math.MinInt64 {
		return 0, false
	}
	return c, true
}

func add(a, b int64) (int64, bool) {
	c := a + b
	return c, (c > a) == (b > 0)
}
