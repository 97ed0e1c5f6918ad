package sqlscan

import "strings"

// scanWord reads a keyword or a bare identifier.
func (s *Scanner) scanWord(start int) Token {
	end := s.wordEnd(start + 1)
	s.pos = end
	return Token{Kind: Word, Pos: int32(start), End: int32(end)}
}

// scanQuestion reads the ? or ?1 of a parameter.
func (s *Scanner) scanQuestion(start int) Token {
	end := start + 1
	for s.traits.namedParams && end < len(s.src) && isDigit(s.src[end]) {
		end++
	}
	return s.token(Param, start, end)
}

// scanNamed reads what begins with : @ $ or #: a parameter, a variable or the
// mark itself.
func (s *Scanner) scanNamed(start int, first byte) Token {
	i := start + 1
	switch {
	case s.traits.variables && first == '@':
		return s.scanVariable(start)
	case !s.traits.namedParams, s.dialect == ClickHouse && first == ':':
		return s.punct(start)
	case s.dialect == ClickHouse:
		if end := s.wordEnd(i); end > i {
			return s.token(Param, start, end)
		}
		return s.punct(start)
	}
	return s.scanSQLiteParam(start)
}

// scanVariable reads @a, @@a, @'a b' and @`a b`. The parts after a dot
// (@@global.x) are words of their own.
func (s *Scanner) scanVariable(start int) Token {
	i := start + 1
	if i < len(s.src) && s.src[i] == '@' {
		i++
	}
	if i < len(s.src) {
		switch q := s.src[i]; q {
		case '\'', '"', '`':
			end := s.quoteEnd(i+1, q, q != '`' && s.mode&BackslashEscapes != 0)
			if end < 0 {
				return s.illegal(start, len(s.src))
			}
			return s.token(Var, start, end)
		}
	}
	end := i
	for end < len(s.src) && (s.classes[s.src[end]]&wordByte != 0 || s.src[end] == '.' && i == start+1) {
		end++
	}
	return s.token(Var, start, end)
}

// scanSQLiteParam reads :a, @a, #a and $a::b(c): the parenthesised suffix belongs
// to the name and may hold anything but white space. Source: CC_DOLLAR and
// CC_VARALPHA in SQLite's tokenize.c.
func (s *Scanner) scanSQLiteParam(start int) Token {
	i, named := start+1, false
	for i < len(s.src) {
		switch c := s.src[i]; {
		case s.classes[c]&wordByte != 0:
			named = true
			i++
		case c == '(' && named:
			n := strings.IndexAny(s.src[i:], ") \t\n\f\r")
			if n < 0 || s.src[i+n] != ')' {
				return s.illegal(start, i+1)
			}
			return s.token(Param, start, i+n+1)
		case c == ':' && s.followedBy(i, ':'):
			i += 2
		default:
			return s.endSQLiteParam(start, i, named)
		}
	}
	return s.endSQLiteParam(start, i, named)
}

func (s *Scanner) endSQLiteParam(start, end int, named bool) Token {
	if !named {
		return s.illegal(start, end)
	}
	return s.token(Param, start, end)
}

// scanHigh reads what begins with a byte of 0x80 or more: SQLite's byte order
// mark, the Unicode spaces and quotes of ClickHouse. ok is false for white
// space, which it skips.
func (s *Scanner) scanHigh(start int) (t Token, ok bool) {
	rest := s.src[start:]
	if s.traits.byteOrderMark {
		if strings.HasPrefix(rest, "\ufeff") {
			s.pos = start + len("\ufeff")
			return t, false
		}
		return s.scanWord(start), true
	}
	for _, space := range unicodeSpaces {
		if strings.HasPrefix(rest, space) {
			s.pos = start + len(space)
			return t, false
		}
	}
	for _, q := range smartQuotes {
		if strings.HasPrefix(rest, q.open) {
			n := strings.Index(rest[len(q.open):], q.shut)
			if n < 0 {
				return s.illegal(start, len(s.src)), true
			}
			return s.token(q.kind, start, start+len(q.open)+n+len(q.shut)), true
		}
	}
	if strings.HasPrefix(rest, "\u2212") { // MINUS SIGN
		t = s.token(Punct, start, start+len("\u2212"))
		t.Byte = '-'
		return t, true
	}
	return s.illegal(start, start+1), true
}

// What ClickHouse's lexer takes for white space and for quotes beyond ASCII.
// Sources: skipWhitespacesUTF8 and Lexer::nextTokenImpl.
var (
	unicodeSpaces = [...]string{
		"\u0085", "\u00a0", "\u180e", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005",
		"\u2006", "\u2007", "\u2008", "\u2009", "\u200a", "\u200b", "\u200c", "\u200d", "\u2028",
		"\u2029", "\u202f", "\u205f", "\u2060", "\u3000", "\ufeff",
	}
	smartQuotes = [...]struct {
		open, shut string
		kind       TokenKind
	}{
		{"\u2018", "\u2019", String},
		{"\u201c", "\u201d", QuotedIdent},
	}
)
