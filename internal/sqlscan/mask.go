package sqlscan

import (
	"strings"
	"unicode/utf8"
)

const (
	maxMasked = 2000 // bytes of db.query.text
	ellipsis  = "…"
)

// Mask is the text as a trace may show it: ? for every string and number, no
// comments, single spaces, one ? for a list after IN, and … for what is too
// long or cannot be read.
func Mask(text string, d Dialect, m Mode) string {
	k := masker{text: text}
	k.s.Init(text, d, m)
	for k.b.Len() <= maxMasked && k.token(k.s.Scan()) {
	}
	return cut(strings.ToValidUTF8(k.b.String(), "?"), maxMasked)
}

// masker writes the tokens of a text.
type masker struct {
	s           Scanner
	text        string
	b           strings.Builder
	end         int32 // of the token before
	first, last keyword
}

// token writes one token and reports whether more may follow.
func (k *masker) token(t Token) bool {
	if t.Kind == EOF {
		return false
	}
	if t.Pos > k.end && k.b.Len() > 0 {
		k.b.WriteByte(' ')
	}
	k.end = t.End
	word := keyword(0)
	switch t.Kind {
	case Illegal:
		k.b.WriteString(ellipsis)
		return false
	case String, Number:
		k.b.WriteByte('?')
	case Word:
		word = lookup(k.s.Text(t))
		fallthrough
	default:
		k.b.WriteString(k.s.Text(t))
	}
	if k.s.dialect == ClickHouse && k.first == kwInsert && k.last == kwFormat {
		k.b.WriteString(" " + ellipsis) // what follows is data
		return false
	}
	if k.first == 0 {
		k.first = word
	}
	k.last = word
	if t.Kind == Punct && t.Byte == '(' && afterIn(k.text, t) {
		k.list()
	}
	return true
}

// list writes a list of literals as one, if that is what begins here.
func (k *masker) list() {
	if end := literalList(k.s); end > 0 {
		k.s.pos = end
		k.end = int32(end)
		k.b.WriteString("?)")
	}
}

// afterIn reports that the parenthesis t follows IN.
func afterIn(text string, t Token) bool {
	before := strings.TrimRight(text[max(0, int(t.Pos)-8):t.Pos], " \t\r\n")
	if len(before) < 2 || !equalFold(before[len(before)-2:], "in") {
		return false
	}
	return len(before) == 2 || strings.IndexByte(" \t\r\n)", before[len(before)-3]) >= 0
}

// literalList is where a list of literals and parameters ends that begins
// here: after its closing parenthesis. It is 0 when the list holds anything
// else. The scanner is a copy.
func literalList(s Scanner) int {
	for values := 0; ; {
		switch t := s.Scan(); {
		case t.Kind == String, t.Kind == Number, t.Kind == Param:
			values++
		case t.Kind != Punct:
			return 0
		case t.Byte == ')' && values > 0:
			return s.pos
		case t.Byte != ',' && t.Byte != '-' && t.Byte != '+':
			return 0
		}
	}
}

// cut shortens text to at most n bytes, an ellipsis in place of what is gone.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	end := n - len(ellipsis)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}
