package sqlscan

import "math"

// call evaluates a function whose name was just read. One that is not listed here is
// unknown, and its arguments are skipped.
func (p *prover) call(name string) value {
	f := functionOf(name, p.dialect)
	if f == nil {
		return p.skipGroup()
	}
	var args [4]value
	n := 0
	outer := p.open()
	for p.state == reading {
		v := p.argument()
		if n < len(args) {
			args[n] = v
		}
		n++
		if !p.punct(',') {
			break
		}
		p.next()
	}
	v := value{}
	if n >= f.least && n <= min(f.most, len(args)) {
		v = p.apply(f.id, args[:n])
	}
	return p.close(outer, v)
}

type function struct {
	name        string
	id          functionID
	least, most int
	dialects    uint8 // set of 1<<Dialect
}

type functionID uint8

const (
	fnCoalesce functionID = iota
	fnNullIf
	fnIf
	fnIsNull
	fnIsNotNull
	fnAbs
	fnMod
	fnToInt
)

const (
	inPG    = 1 << PostgreSQL
	inMySQL = 1 << MySQL
	inLite  = 1 << SQLite
	inClick = 1 << ClickHouse
	inAll   = inPG | inMySQL | inLite | inClick
)

// functions are those that ORMs and people put around constants. No user's function
// can replace them, except in SQLite, where a program may register its own and is
// trusted to keep the meaning.
var functions = [...]function{
	{"coalesce", fnCoalesce, 1, 4, inAll},
	{"ifnull", fnCoalesce, 2, 2, inMySQL | inLite | inClick},
	{"nvl", fnCoalesce, 2, 2, inMySQL},
	{"nullif", fnNullIf, 2, 2, inAll},
	{"if", fnIf, 3, 3, inMySQL | inClick | inLite},
	{"iif", fnIf, 3, 3, inLite},
	{"isnull", fnIsNull, 1, 1, inMySQL | inClick},
	{"isnotnull", fnIsNotNull, 1, 1, inClick},
	{"abs", fnAbs, 1, 1, inMySQL | inLite | inClick},
	{"mod", fnMod, 2, 2, inMySQL},
	{"touint8", fnToInt, 1, 1, inClick},
	{"toint8", fnToInt, 1, 1, inClick},
	{"touint16", fnToInt, 1, 1, inClick},
	{"touint32", fnToInt, 1, 1, inClick},
	{"touint64", fnToInt, 1, 1, inClick},
	{"toint16", fnToInt, 1, 1, inClick},
	{"toint32", fnToInt, 1, 1, inClick},
	{"toint64", fnToInt, 1, 1, inClick},
}

func functionOf(name string, d Dialect) *function {
	for i := range functions {
		if f := &functions[i]; f.dialects&(1<<d) != 0 && foldEqual(name, f.name) {
			return f
		}
	}
	return nil
}

func (p *prover) apply(id functionID, args []value) value {
	a, b := args[0], args[len(args)-1]
	switch id {
	case fnCoalesce:
		return p.coalesce(args)
	case fnNullIf:
		switch t := p.compare(a, b).is(isEqual); {
		case t == yes:
			return nullOf(a.family())
		case t != unknown && a.flags&flagHybrid == 0 && (p.dialect == SQLite || sameFamily(a, b)):
			return a
		}
	case fnIf:
		var c choice
		c.offer(p.truth(a), args[1])
		c.offer(yes, b)
		return c.result(p)
	case fnIsNull, fnIsNotNull:
		return p.isNull(a, id == fnIsNotNull)
	case fnAbs:
		if a.kind == kindInteger && a.n < 0 && a.n != math.MinInt64 {
			return p.negative(a)
		}
		if a.kind == kindInteger {
			return a
		}
	case fnMod:
		return p.arithmetic(opMod, a, b)
	case fnToInt:
		if a.kind == kindInteger && a.n >= 0 && a.n <= math.MaxInt8 {
			return a
		}
	}
	return value{}
}

// coalesce is the first argument that is not NULL.
func (p *prover) coalesce(args []value) value {
	var c choice
	for _, v := range args {
		switch v.kind {
		case kindNull:
			c.offer(no, v)
		case kindUnknown, kindRow:
			c.offer(unknown, v)
			c.mayNull = false // it is returned only where it is not NULL
		default:
			c.offer(yes, v)
		}
	}
	if !c.decided && !c.open {
		return nullOf(c.family)
	}
	return c.result(p)
}

// selectList reads the rest of a query in brackets if it has nothing but constants:
// their number, and the value of a single one. Anything else is left unread.
func (p *prover) selectList() (n int, v value) {
	p.next()
	for p.state == reading {
		switch {
		case p.tok.Kind == Number, p.tok.Kind == String, p.role == roleNull, p.role == roleTrue, p.role == roleFalse:
			v = p.operand(precTop)
		default:
			p.giveUp()
			return 0, value{}
		}
		n++
		if !p.punct(',') {
			break
		}
		p.next()
	}
	if !p.punct(')') {
		p.giveUp()
	}
	if n != 1 || v.flags&flagHybrid != 0 {
		return n, value{}
	}
	if v.kind == kindText {
		v.flags |= p.textFlags()
	}
	return n, v
}

// exists evaluates EXISTS: a query without FROM has one row.
func (p *prover) exists() value {
	p.next()
	if !p.punct('(') {
		return p.giveUp()
	}
	outer := p.open()
	if p.role != roleSelect {
		return p.skip(outer)
	}
	n, _ := p.selectList()
	return p.close(outer, p.boolean(triOf(n > 0)))
}
