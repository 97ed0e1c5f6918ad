package sqlscan

import "strings"

// scanString reads a '…' string whose opening quote is just before i.
func (s *Scanner) scanString(start, i int, escapes bool) Token {
	for {
		end := s.quoteEnd(i, '\'', escapes)
		if end < 0 {
			return s.illegal(start, len(s.src))
		}
		if !s.traits.continuation {
			return s.token(String, start, end)
		}
		next := s.continuation(end)
		if next < 0 {
			return s.token(String, start, end)
		}
		i = next
	}
}

// quoteEnd is the end of the quoted text that continues at i: after the quote that is
// neither doubled nor, with escapes, preceded by a backslash. It is -1 if there is
// none.
func (s *Scanner) quoteEnd(i int, quote byte, escapes bool) int {
	src := s.src
	for i < len(src) {
		switch src[i] {
		case quote:
			if quote == '`' && s.isWideLetter(i) {
				return -1
			}
			if i > 0 && src[i-1] == '\\' {
				s.noteMode(quote, escapes)
			}
			if !s.followedBy(i, quote) {
				return i + 1
			}
			i += 2
		case '\\':
			if s.isWideLetter(i) {
				return -1
			}
			if escapes {
				if s.followedBy(i, quote) {
					s.noteMode(quote, escapes)
				}
				i++
			}
			i++
		default:
			i++
		}
	}
	return -1
}

// isWideLetter reports that the byte may be the second byte of a letter.
func (s *Scanner) isWideLetter(i int) bool {
	if s.dialect != MySQL && s.dialect != PostgreSQL || i == 0 || s.src[i-1] < 0x80 {
		return false
	}
	s.modeMatters = true
	return s.mode&WideLetters != 0
}

// noteMode notes a backslash before a quote, in a string whose escapes depend on the
// mode: another mode would end the string elsewhere.
func (s *Scanner) noteMode(quote byte, escapes bool) {
	if quote == '\'' && escapes == (s.mode&BackslashEscapes != 0) {
		s.modeMatters = true
	}
}

// continuation is where the next part of a string that ended at i begins: after a
// quote that follows white space with a newline, in which -- comments may occur. It
// is -1 if the string ends here. Source: quotecontinue in PostgreSQL's scan.l.
func (s *Scanner) continuation(i int) int {
	newline := false
	for i < len(s.src) {
		switch c := s.src[i]; {
		case c == '\n' || c == '\r':
			newline = true
			i++
		case s.classes[c]&classMask == cSpace:
			i++
		case c == '-' && s.followedBy(i, '-'):
			n := strings.IndexAny(s.src[i:], "\r\n")
			if n < 0 {
				return -1
			}
			i += n
		case c == '\'' && newline:
			return i + 1
		default:
			return -1
		}
	}
	return -1
}

// scanQuoted reads an identifier in quotes.
func (s *Scanner) scanQuoted(start int, quote byte) Token {
	if quote == '`' && s.isWideLetter(start) {
		return s.illegal(start, len(s.src))
	}
	if end := s.quoteEnd(start+1, quote, s.traits.identEscapes); end >= 0 {
		return s.token(QuotedIdent, start, end)
	}
	return s.illegal(start, len(s.src))
}

// scanDouble reads "…", which is an identifier or, in MySQL unless ANSIQuotes
// is set, a string.
func (s *Scanner) scanDouble(start int) Token {
	if !s.traits.doubleString {
		return s.scanQuoted(start, '"')
	}
	t := s.scanQuoted(start, '"')
	if s.mode&ANSIQuotes == 0 {
		t = s.illegal(start, len(s.src))
		if end := s.quoteEnd(start+1, '"', s.mode&BackslashEscapes != 0); end >= 0 {
			t = s.token(String, start, end)
		}
	}
	s.modeMatters = true
	return t
}

// scanBracket reads SQLite's [x], which has no escape.
func (s *Scanner) scanBracket(start int) Token {
	if n := strings.IndexByte(s.src[start:], ']'); n >= 0 {
		return s.token(QuotedIdent, start, start+n+1)
	}
	return s.illegal(start, len(s.src))
}

// scanPrefixed reads a word that begins with a letter that may instead begin
// a string.
func (s *Scanner) scanPrefixed(start int) Token {
	next := byte(0)
	if start+1 < len(s.src) {
		next = s.src[start+1]
	}
	switch c := s.src[start] | 0x20; {
	case next == '\'' && c == 'e':
		return s.scanString(start, start+2, true)
	case next == '\'' && c == 'n' && s.traits.nationalEscapes:
		return s.scanString(start, start+2, s.mode&BackslashEscapes != 0)
	case next == '\'' && (c == 'x' || c == 'b' && s.dialect != SQLite):
		return s.scanString(start, start+2, false)
	case next == '&' && c == 'u' && s.followedBy(start+1, '\''):
		return s.scanString(start, start+3, false)
	case next == '&' && c == 'u' && s.followedBy(start+1, '"'):
		if end := s.quoteEnd(start+3, '"', false); end >= 0 {
			return s.withUescape(s.token(QuotedIdent, start, end))
		}
		return s.illegal(start, len(s.src))
	}
	return s.scanWord(start)
}

// withUescape adds UESCAPE 'c' to the name before it, as the server's lexer does: a name
// means nothing without its escape. The server also takes E'c' and $$c$$.
func (s *Scanner) withUescape(name Token) Token {
	ahead := *s
	if t := ahead.Scan(); t.Kind != Word || !equalFold(ahead.Text(t), "uescape") {
		return name
	}
	c := ahead.Scan()
	if text := ahead.Text(c); c.Kind != String || len(text) != 3 || text[0] != '\'' {
		return s.illegal(int(name.Pos), len(s.src))
	}
	*s = ahead
	name.End = c.End
	return name
}

// scanDollar reads what begins with $: a dollar-quoted string, a parameter or
// a word.
func (s *Scanner) scanDollar(start int) Token {
	end := start + 1
	if s.traits.dollarQuotes {
		if tag := s.dollarTag(start); tag > 0 {
			n := strings.Index(s.src[tag:], s.src[start:tag])
			if n < 0 {
				return s.illegal(start, len(s.src))
			}
			return s.token(String, start, tag+n+tag-start)
		}
	}
	switch {
	case s.traits.numberedDollar:
		for end < len(s.src) && s.src[end]-'0' <= 9 {
			end++
		}
		if end > start+1 {
			return s.token(Param, start, end)
		}
	case s.traits.namedParams:
		return s.scanNamed(start, '$')
	}
	if s.traits.dollarNeedsMatch {
		return s.scanWord(start)
	}
	return s.illegal(start, end)
}

// dollarTag is the end of the $tag$ that begins at start, or 0.
func (s *Scanner) dollarTag(start int) int {
	i := start + 1
	if i < len(s.src) && s.src[i]-'0' <= 9 && !s.traits.dollarNeedsMatch {
		return 0 // $1 is a parameter
	}
	for i < len(s.src) && s.classes[s.src[i]]&wordByte != 0 && s.src[i] != '$' {
		i++
	}
	if i < len(s.src) && s.src[i] == '$' {
		return i + 1
	}
	return 0
}
