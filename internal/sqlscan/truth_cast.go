package sqlscan

import (
	"math"
	"strconv"
)

// cast evaluates CAST(x AS type).
func (p *prover) cast() value {
	p.next()
	if !p.punct('(') {
		return p.giveUp()
	}
	outer := p.open()
	v := p.argument()
	p.expect(roleAs)
	return p.close(outer, p.castTo(p.typeName(), v))
}

// typeName reads a type of one word; the name is empty for any other.
func (p *prover) typeName() string {
	if p.tok.Kind != Word {
		p.giveUp()
		return ""
	}
	name := p.word()
	p.next()
	if p.punct('(') {
		p.skipGroup()
		return ""
	}
	if p.punct('[') || p.punct('.') || p.tok.Kind == Word && p.role == roleNone {
		p.giveUp()
	}
	return name
}

// castTo is v in another type. An unknown type may turn anything into NULL.
func (p *prover) castTo(name string, v value) value {
	t := typeOf(name, p.dialect)
	switch {
	case t == nil || v.kind == kindUnknown || v.kind == kindRow:
		return value{}
	case v.kind == kindNull:
		if p.dialect == ClickHouse {
			return value{}
		}
		return nullOf(t.family)
	}
	switch t.family {
	case kindBoolean:
		return p.castToBoolean(v)
	case kindInteger:
		return p.castToInteger(v, t)
	case kindText:
		if v.kind == kindInteger && v.flags == 0 {
			return value{kind: kindText, flags: flagTyped, s: strconv.FormatInt(v.n, 10)}
		}
		if v.kind == kindText {
			v.flags |= flagTyped
			return v
		}
	}
	return value{kind: kindOpaque}
}

func (p *prover) castToBoolean(v value) value {
	switch v.kind {
	case kindBoolean:
		return v
	case kindInteger:
		return value{kind: kindBoolean, n: b2i(v.n != 0)}
	case kindText:
		if b, ok := boolText(v.s); ok {
			return p.boolean(triOf(b))
		}
	}
	return value{kind: kindOpaque}
}

func (p *prover) castToInteger(v value, t *typ) value {
	if v.kind == kindText && p.dialect == PostgreSQL {
		v = wholeNumber(v.s)
	}
	if v.kind == kindBoolean {
		v.kind = kindInteger
	}
	if v.kind != kindInteger || v.n < t.least || v.n > t.most {
		return value{kind: kindOpaque}
	}
	v.flags = 0
	if p.dialect == SQLite {
		v.flags = flagTyped
	}
	return v
}

// typ is a type that a constant may be cast to.
type typ struct {
	name        string
	family      kind // kindOpaque: only known not to be NULL
	least, most int64
	dialects    uint8
}

var types = [...]typ{
	{"bool", kindBoolean, 0, 0, inPG},
	{"boolean", kindBoolean, 0, 0, inPG},
	{"int", kindInteger, math.MinInt32, math.MaxInt32, inPG},
	{"int", kindInteger, math.MinInt64, math.MaxInt64, inLite},
	{"integer", kindInteger, math.MinInt32, math.MaxInt32, inPG},
	{"integer", kindInteger, math.MinInt64, math.MaxInt64, inLite},
	{"int2", kindInteger, math.MinInt16, math.MaxInt16, inPG},
	{"smallint", kindInteger, math.MinInt16, math.MaxInt16, inPG},
	{"int4", kindInteger, math.MinInt32, math.MaxInt32, inPG},
	{"int8", kindInteger, math.MinInt64, math.MaxInt64, inPG},
	{"bigint", kindInteger, math.MinInt64, math.MaxInt64, inPG},
	{"signed", kindInteger, math.MinInt64, math.MaxInt64, inMySQL},
	{"unsigned", kindInteger, 0, math.MaxInt64, inMySQL},
	{"int8", kindInteger, math.MinInt8, math.MaxInt8, inClick},
	{"uint8", kindInteger, 0, math.MaxUint8, inClick},
	{"int16", kindInteger, math.MinInt16, math.MaxInt16, inClick},
	{"uint16", kindInteger, 0, math.MaxUint16, inClick},
	{"int32", kindInteger, math.MinInt32, math.MaxInt32, inClick},
	{"uint32", kindInteger, 0, math.MaxUint32, inClick},
	{"int64", kindInteger, math.MinInt64, math.MaxInt64, inClick},
	{"uint64", kindInteger, 0, math.MaxInt64, inClick},
	{"text", kindText, 0, 0, inPG | inLite},
	{"varchar", kindText, 0, 0, inPG},
	{"char", kindOpaque, 0, 0, inMySQL},
	{"numeric", kindOpaque, 0, 0, inPG | inLite},
	{"real", kindOpaque, 0, 0, inPG | inLite},
	{"float8", kindOpaque, 0, 0, inPG},
	{"date", kindOpaque, 0, 0, inPG},
	{"time", kindOpaque, 0, 0, inPG},
	{"timestamp", kindOpaque, 0, 0, inPG},
	{"timestamptz", kindOpaque, 0, 0, inPG},
	{"interval", kindOpaque, 0, 0, inPG},
	{"uuid", kindOpaque, 0, 0, inPG},
	{"json", kindOpaque, 0, 0, inPG},
	{"jsonb", kindOpaque, 0, 0, inPG},
	{"bytea", kindOpaque, 0, 0, inPG},
	{"string", kindOpaque, 0, 0, inClick},
}

func typeOf(name string, d Dialect) *typ {
	for i := range types {
		if t := &types[i]; t.dialects&(1<<d) != 0 && foldEqual(name, t.name) {
			return t
		}
	}
	return nil
}
