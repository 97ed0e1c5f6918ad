package sqlscan

import (
	"strconv"
	"strings"
)

// textValue reads a string token. One whose content is not certain is opaque.
func (p *prover) textValue() value {
	tok := p.word()
	p.next()
	if p.tok.Kind == String { // 'a' 'b' is one text in MySQL and none elsewhere
		for p.tok.Kind == String {
			p.next()
		}
		return value{kind: kindOpaque}
	}
	if lowerByte(tok[0]) == 'x' && p.dialect == SQLite {
		return value{kind: kindBlob, s: tok[2 : len(tok)-1]}
	}
	escapes := p.mode&BackslashEscapes != 0
	switch lowerByte(tok[0]) {
	case '$':
		n := strings.IndexByte(tok[1:], '$') + 2
		return value{kind: kindText, s: tok[n : len(tok)-n]}
	case 'b':
		if p.dialect == MySQL {
			return p.radixDigits(tok[2:len(tok)-1], 1)
		}
	case 'e':
		escapes = true
		tok = tok[1:]
	case 'n':
		tok = tok[1:]
	}
	return plainText(tok, escapes)
}

// plainText reads the content between the quotes of a token.
func plainText(tok string, escapes bool) value {
	quote := tok[:1]
	if quote != "'" && quote != `"` {
		return value{kind: kindOpaque}
	}
	s := tok[1 : len(tok)-1]
	if strings.Contains(s, "\x00") || escapes && strings.Contains(s, `\`) {
		return value{kind: kindOpaque}
	}
	if strings.Contains(s, quote) {
		if strings.Count(s, quote) != 2*strings.Count(s, quote+quote) {
			return value{kind: kindOpaque} // continued on another line
		}
		s = strings.ReplaceAll(s, quote+quote, quote)
	}
	return value{kind: kindText, s: s}
}

// introduced reads a text after a word: a type in PostgreSQL and ClickHouse, a date
// in MySQL, or a character set.
func (p *prover) introduced(word string) value {
	v := p.textValue()
	switch {
	case p.dialect == PostgreSQL:
		return p.castTo(word, v)
	case p.dialect == MySQL && word[0] == '_':
		if v.kind != kindText || !printable(v.s) || !isASCIISuperset(word) {
			return value{kind: kindOpaque}
		}
		return v
	case p.dialect == MySQL && (foldEqual(word, "date") || foldEqual(word, "time") || foldEqual(word, "timestamp")):
		return value{kind: kindOpaque}
	}
	return p.giveUp()
}

// isASCIISuperset reports a character set that includes printable ASCII.
func isASCIISuperset(charset string) bool {
	for _, known := range [...]string{"_utf8", "_utf8mb4", "_utf8mb3", "_latin1", "_ascii", "_binary"} {
		if foldEqual(charset, known) {
			return true
		}
	}
	return false
}

// boolText is a text as PostgreSQL's boolean input reads it.
func boolText(s string) (value, ok bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	switch s {
	case "t", "tr", "tru", "true", "y", "ye", "yes", "on", "1":
		return true, true
	case "f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0":
		return false, true
	}
	return false, false
}

// concat is a || b.
func (p *prover) concat(a, b value) value {
	a, b = p.concatOperand(a), p.concatOperand(b)
	switch {
	case a.kind == kindNull && b.kind != kindUnknown && b.kind != kindOpaque,
		b.kind == kindNull && a.kind != kindUnknown && a.kind != kindOpaque:
		return nullOf(kindText)
	case a.kind == kindText && b.kind == kindText && len(a.s)+len(b.s) <= maxConcat:
		return value{kind: kindText, flags: flagTyped & p.textFlags(), s: a.s + b.s}
	case a.kind == kindText && b.kind == kindText:
		return value{kind: kindOpaque}
	}
	return value{}
}

// maxConcat keeps a chain of || linear.
const maxConcat = 256

// textFlags are the flags of a computed text, which is not an untyped literal in
// PostgreSQL.
func (p *prover) textFlags() uint8 {
	if p.dialect == PostgreSQL {
		return flagTyped
	}
	return 0
}

// concatOperand is v as text. ClickHouse takes only texts, others convert.
func (p *prover) concatOperand(v value) value {
	if v.kind == kindInteger && (p.dialect == SQLite || p.dialect == PostgreSQL) {
		return value{kind: kindText, s: strconv.FormatInt(v.n, 10)}
	}
	return v
}

// compareTexts orders two texts under any collation that may be in force.
func (p *prover) compareTexts(a, b string) order {
	switch {
	case a == b:
		return isEqual
	case p.dialect == SQLite || p.dialect == ClickHouse:
		return orderOfInts(int64(strings.Compare(a, b)), 0)
	}
	return collate(a, b, p.dialect)
}
