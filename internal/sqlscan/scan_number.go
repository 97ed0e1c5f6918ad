package sqlscan

func isDigit(b byte) bool { return b-'0' <= 9 }

func isHexDigit(b byte) bool { return isDigit(b) || (b|0x20)-'a' <= 5 }

// scanNumber reads a number, or a word that begins with a digit where the
// dialect has such words.
func (s *Scanner) scanNumber(start int) Token {
	if s.traits.digitWords {
		if t, ok := s.scanDigitWord(start); ok {
			return t
		}
	}
	end := start
	if s.src[start] == '0' && (s.followedBy(start, 'x') || s.followedBy(start, 'X')) &&
		start+2 < len(s.src) && isHexDigit(s.src[start+2]) {
		end = start + 2
		for end < len(s.src) && (isHexDigit(s.src[end]) || s.src[end] == '_') {
			end++
		}
		return s.token(Number, start, end)
	}
	end = s.digits(start)
	if end < len(s.src) && s.src[end] == '.' && !s.followedBy(end, '.') {
		end = s.digits(end + 1)
	}
	return s.token(Number, start, s.exponent(end))
}

// digits is the end of the run of digits, and of _ between them, at i.
func (s *Scanner) digits(i int) int {
	for i < len(s.src) && (isDigit(s.src[i]) ||
		s.src[i] == '_' && i+1 < len(s.src) && isDigit(s.src[i+1])) {
		i++
	}
	return i
}

// exponent is the end of the exponent at i, or i. Without digits there is none: in
// 1e'…' the e begins a string.
func (s *Scanner) exponent(i int) int {
	if i >= len(s.src) || s.src[i]|0x20 != 'e' {
		return i
	}
	j := i + 1
	if j < len(s.src) && (s.src[j] == '+' || s.src[j] == '-') {
		j++
	}
	if j < len(s.src) && isDigit(s.src[j]) {
		return s.digits(j)
	}
	return i
}

// scanDigitWord reads a word that begins with a digit, 1ea10 or 00662_x, or a
// number that looks like one, 0b01. After a dot MySQL reads any run of word bytes as one.
func (s *Scanner) scanDigitWord(start int) (Token, bool) {
	end := s.wordEnd(start)
	if start > 0 && s.src[start-1] == '.' && s.dialect == MySQL {
		return s.token(Word, start, end), true
	}
	i := start
	for i < end && (isDigit(s.src[i]) || s.src[i] == '_' && s.dialect == ClickHouse) {
		i++
	}
	if i == end || s.exponent(i) > i {
		return Token{}, false
	}
	if i == start+1 && s.src[start] == '0' && s.radix(i, end) {
		return s.token(Number, start, end), true
	}
	return s.token(Word, start, end), true
}

// radix reports that src[i:end] is the x1F or b01 of a hexadecimal or binary
// number.
func (s *Scanner) radix(i, end int) bool {
	c := s.src[i]
	if s.dialect == ClickHouse {
		c |= 0x20
	}
	if c != 'x' && c != 'b' || i+1 == end {
		return false
	}
	for _, d := range []byte(s.src[i+1 : end]) {
		if d == '_' && s.dialect == ClickHouse {
			continue
		}
		if c == 'x' && !isHexDigit(d) || c == 'b' && d != '0' && d != '1' {
			return false
		}
	}
	return true
}

// scanDot reads a dot, or a number that begins with one. After a name it is always a
// dot.
func (s *Scanner) scanDot(start int) Token {
	if start+1 >= len(s.src) || !isDigit(s.src[start+1]) {
		return s.punct(start)
	}
	if start > 0 && s.traits.digitWords {
		if p := s.src[start-1]; s.classes[p]&wordByte != 0 || p == '`' || p == '"' || p == ')' || p == ']' {
			return s.punct(start)
		}
	}
	return s.token(Number, start, s.exponent(s.digits(start+1)))
}
