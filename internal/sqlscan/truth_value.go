package sqlscan

// kind is the type of a constant, as far as it matters.
type kind uint8

const (
	kindUnknown kind = iota // depends on the row, or could not be read; may be NULL
	kindOpaque              // a constant that is only known not to be NULL
	kindNull
	kindBoolean // PostgreSQL only; elsewhere a truth value is an integer
	kindInteger
	kindDecimal
	kindText
	kindBlob
	kindRow
)

const (
	flagTyped  = 1 << iota // PostgreSQL: text that is not an untyped literal; SQLite: the value has an affinity
	flagApprox             // the server holds a double
	flagHybrid             // MySQL: a number that is compared with texts as text (0x41)
	flagColumn             // s is a column's name
	flagExact              // see fact
)

// value is a constant, or what is known of an expression.
type value struct {
	kind  kind
	flags uint8
	scale uint8  // kindDecimal: n is in units of 10^-scale; kindRow: number of members; kindNull: family of its type
	n     int64  // kindBoolean, kindInteger, kindDecimal; kindRow: where its members begin; a fact's classes
	s     string // kindText, kindBlob (hexadecimal); a column's or fact's name
}

// nullOf is a NULL of a family's type. 0 is the bare word NULL: any other affects the
// type in which its neighbours are compared.
func nullOf(family kind) value { return value{kind: kindNull, scale: uint8(family)} }

// family groups the kinds that compare as one type; 0 compares as any.
func (v value) family() kind {
	switch v.kind {
	case kindNull:
		return kind(v.scale)
	case kindDecimal:
		return kindInteger
	case kindUnknown:
		return kindOpaque
	}
	if v.flags&flagHybrid != 0 {
		return kindOpaque
	}
	return v.kind
}

// familyMixed stands for values of several families: text among numbers, for example.
const familyMixed kind = 255

// sameFamily reports that values compare as one type.
func sameFamily(values ...value) bool {
	var family kind
	for _, v := range values {
		switch f := v.family(); {
		case f == 0:
		case family == 0:
			family = f
		case f != family:
			return false
		}
	}
	return true
}

// order is the set of outcomes that a comparison may have.
type order uint8

const (
	isLess order = 1 << iota
	isEqual
	isGreater
	isNull

	differs  = isLess | isGreater
	anyOrder = isLess | isEqual | isGreater
	anything = anyOrder | isNull
)

// is tells whether the outcome is among those wanted.
func (o order) is(want order) tri {
	switch {
	case o == isNull:
		return null
	case o&^want == 0:
		return yes
	case o&(want|isNull) == 0:
		return no
	}
	return unknown
}

func orderOf(o op) order {
	switch o {
	case opEq:
		return isEqual
	case opNe:
		return differs
	case opLt:
		return isLess
	case opLe:
		return isLess | isEqual
	case opGt:
		return isGreater
	}
	return isGreater | isEqual
}

func orderOfInts(a, b int64) order {
	switch {
	case a < b:
		return isLess
	case a > b:
		return isGreater
	}
	return isEqual
}

func (o order) swap() order {
	return o&^differs | o&isLess<<2 | o&isGreater>>2
}

// compare orders two values as the server would.
func (p *prover) compare(a, b value) order {
	switch {
	case a.kind == kindRow && b.kind == kindRow:
		return p.compareRows(a, b)
	case a.kind == kindRow || b.kind == kindRow:
		return anything
	case a.kind == kindNull || b.kind == kindNull:
		return isNull
	case a.kind == kindUnknown || b.kind == kindUnknown:
		return anything
	case a.kind == kindOpaque || b.kind == kindOpaque, a.flags&b.flags&flagHybrid != 0:
		return anyOrder
	case a.kind == kindText && b.kind == kindText:
		return p.compareTexts(a.s, b.s)
	case a.kind == kindText:
		return p.compareTextTo(a, b)
	case b.kind == kindText:
		return p.compareTextTo(b, a).swap()
	case a.kind == kindBlob || b.kind == kindBlob:
		return compareBlobs(a, b)
	case a.kind == kindBoolean || b.kind == kindBoolean:
		if a.kind != b.kind {
			return anything // an error
		}
		return orderOfInts(a.n, b.n)
	}
	return compareNumbers(a, b)
}

// compareRows compares member by member.
func (p *prover) compareRows(a, b value) order {
	if a.scale != b.scale {
		return anything
	}
	var o order
	for i := range int64(a.scale) {
		m := p.compare(p.rows[a.n+i], p.rows[b.n+i])
		if m&isNull != 0 {
			return anything // a later member may still decide
		}
		o |= m &^ isEqual
		if m&isEqual == 0 {
			return o
		}
	}
	return o | isEqual
}

// compareTextTo orders a text and a value of another type.
func (p *prover) compareTextTo(t, v value) order {
	switch p.dialect {
	case SQLite:
		switch {
		case (t.flags|v.flags)&flagTyped != 0:
			return anyOrder
		case v.kind == kindBlob:
			return isLess
		}
		return isGreater
	case PostgreSQL:
		if t.flags&flagTyped != 0 {
			return anything // an error
		}
		if v.kind == kindBoolean {
			if b, ok := boolText(t.s); ok {
				return orderOfInts(b2i(b), v.n)
			}
			return anything
		}
		return compareNumbers(wholeNumber(t.s), v)
	case MySQL:
		if v.flags&flagHybrid == 0 {
			return compareNumbers(p.leadingNumber(t.s), v)
		}
	}
	return anything
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// compareBlobs orders SQLite's blobs among themselves and above numbers.
func compareBlobs(a, b value) order {
	if a.kind != b.kind {
		if a.kind == kindBlob {
			return isGreater
		}
		return isLess
	}
	for i := range min(len(a.s), len(b.s)) {
		if x, y := lowerByte(a.s[i]), lowerByte(b.s[i]); x != y {
			return orderOfInts(int64(x), int64(y))
		}
	}
	return orderOfInts(int64(len(a.s)), int64(len(b.s)))
}
