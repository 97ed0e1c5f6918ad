package sqlscan

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// name reads the name of an object, qualified or not. Where the text has a
// placeholder instead the span covers that. It fails where there is no name.
func (p *parser) name() Span {
	start := p.tok.Pos
	for {
		if !p.namePart() {
			p.fail("a name is missing")
			return Span{}
		}
		end := p.prev.End
		if !p.is('.') {
			return Span{start, end}
		}
		p.next()
		if p.is('*') { // DELETE a.* of MySQL: the table is the part before
			return Span{start, end}
		}
	}
}

// namePart steps over one part of a name.
func (p *parser) namePart() bool {
	switch p.tok.Kind {
	case Word:
		if keywords[p.kw].sets&sReserved != 0 && (p.kw != kwTable || p.s.dialect != ClickHouse) {
			return false
		}
	case QuotedIdent, Param:
	case String:
		if p.s.dialect != SQLite {
			return false
		}
	case Punct:
		switch {
		case p.is('.') && p.s.dialect == MySQL: // .t is the table of the current database
			return true
		case p.is('{') && p.s.dialect == ClickHouse:
			return p.braced()
		}
		return false
	default:
		return false
	}
	p.next()
	return true
}

// braced steps over ClickHouse's {name:Identifier}.
func (p *parser) braced() bool {
	for !p.is('}') {
		if p.atEnd() {
			return false
		}
		p.next()
	}
	p.next()
	return true
}

// parameterised reports that the span holds a placeholder.
func (p *parser) parameterised(sp Span) bool {
	var s Scanner
	s.Init(p.s.src[sp.Start:sp.End], p.s.dialect, p.s.mode)
	for {
		switch t := s.Scan(); {
		case t.Kind == EOF:
			return false
		case t.Kind == Param, t.Kind == Var, t.Kind == Punct && t.Byte == '{':
			return true
		}
	}
}

// Name is the name that the server knows the object by: unquoted, its parts
// joined by dots, and in lower case where the dialect folds bare names.
func (t *Text) Name(sp Span) string {
	text := t.Source[sp.Start:sp.End]
	if t.Dialect != PostgreSQL && plainName(text) {
		return text
	}
	var s Scanner
	s.Init(text, t.Dialect, t.Mode)
	var b strings.Builder
	for tok := s.Scan(); tok.Kind != EOF; tok = s.Scan() {
		part := s.Text(tok)
		switch {
		case tok.Kind == Word && t.Dialect == PostgreSQL:
			b.WriteString(truncate(lower(part)))
		case tok.Kind == QuotedIdent && part[0]|0x20 == 'u':
			b.WriteString(truncate(unicodeName(part)))
		case tok.Kind == QuotedIdent && t.Dialect == PostgreSQL:
			b.WriteString(truncate(Unquote(part)))
		default:
			b.WriteString(Unquote(part))
		}
	}
	return b.String()
}

// plainName reports that nothing in the text needs unquoting.
func plainName(text string) bool {
	for i := range len(text) {
		if c := text[i]; c != '.' && c != '_' && !isDigit(c) && (c|0x20)-'a' >= 26 {
			return false
		}
	}
	return true
}

// lower folds a bare name as PostgreSQL does: ASCII letters only. The others may be in any
// encoding.
func lower(s string) string {
	var folded []byte
	for i := range len(s) {
		if c := fold(s[i]); c != s[i] {
			if folded == nil {
				folded = []byte(s)
			}
			folded[i] = c
		}
	}
	if folded == nil {
		return s
	}
	return string(folded)
}

// Unquote is the content of a quoted identifier or plain string: without its
// quotes, doubled quotes single, ClickHouse's and MySQL's backslashes kept. A
// text without quotes is itself.
func Unquote(text string) string {
	if len(text) < 2 {
		return text
	}
	q := text[0]
	switch q {
	case '[':
		return strings.TrimSuffix(text[1:], "]")
	case '"', '`', '\'':
		body := strings.TrimSuffix(text[1:], text[:1])
		if strings.IndexByte(body, q) < 0 {
			return body
		}
		return strings.ReplaceAll(body, text[:1]+text[:1], text[:1])
	}
	return text
}

// truncate shortens a name as PostgreSQL does: to NAMEDATALEN - 1 bytes, in whole
// characters.
func truncate(name string) string {
	const most = 63
	if len(name) <= most {
		return name
	}
	end := most
	for end > 0 && !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end]
}

// unicodeName decodes U&"…" UESCAPE '\' with its escapes \0061 and \+000061. What is no
// escape stays as it is; the server rejects it.
func unicodeName(text string) string {
	var s Scanner
	s.Init(text, PostgreSQL, 0)
	end, escape := s.quoteEnd(3, '"', false), byte('\\')
	if end < len(text) {
		escape = text[len(text)-2]
	}
	body := Unquote(text[2:end])
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		if body[i] != escape {
			b.WriteByte(body[i])
			continue
		}
		digits, at := 4, i+1
		if at < len(body) && body[at] == '+' {
			digits, at = 6, at+1
		}
		if at < len(body) && body[at] == escape {
			b.WriteByte(escape)
			i = at
			continue
		}
		if at+digits > len(body) {
			b.WriteString(body[i:])
			break
		}
		if r, err := strconv.ParseUint(body[at:at+digits], 16, 32); err == nil {
			b.WriteRune(rune(r))
			i = at + digits - 1
			continue
		}
		b.WriteByte(body[i])
	}
	return b.String()
}
