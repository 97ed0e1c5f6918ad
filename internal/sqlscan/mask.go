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
// comments, single spaces, one ? for a list behind IN, and … for what is too
// long or cannot be read.
func Mask(text string, d Dialect, m Mode) string {
	var s Scanner
	s.Init(text, d, m)
	var b strings.Builder
	var first, last keyword
	for prev := (Token{}); ; {
		t := s.Scan()
		if t.Kind == EOF {
			break
		}
		if t.Pos > prev.End && b.Len() > 0 {
			b.WriteByte(' ')
		}
		if t.Kind == Illegal || b.Len() > maxMasked {
			b.WriteString(ellipsis)
			break
		}
		switch t.Kind {
		case String, Number:
			b.WriteByte('?')
		default:
			b.WriteString(s.Text(t))
		}
		if d == ClickHouse && first == kwInsert && last == kwFormat {
			b.WriteString(" " + ellipsis) // what follows is data
			break
		}
		prev, last = t, 0
		switch {
		case t.Kind == Word:
			last = lookup(s.Text(t))
			if first == 0 {
				first = last
			}
		case t.Byte == '(' && last == 0 && behindIn(text, t):
			if list := literalList(s); list > 0 {
				s.pos = list
				b.WriteString("?)")
				prev.End = int32(list)
			}
		}
	}
	return cut(strings.ToValidUTF8(b.String(), "?"), maxMasked)
}

// behindIn reports that the parenthesis t stands behind IN.
func behindIn(text string, t Token) bool {
	before := strings.TrimRight(text[max(0, int(t.Pos)-8):t.Pos], " \t\r\n")
	if len(before) < 2 || !equalFold(before[len(before)-2:], "in") {
		return false
	}
	return len(before) == 2 || strings.IndexByte(" \t\r\n)", before[len(before)-3]) >= 0
}

// literalList is where a list of literals and parameters ends that begins
// here: behind its closing parenthesis. It is 0 when the list holds anything
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
