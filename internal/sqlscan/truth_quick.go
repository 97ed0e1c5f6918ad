package sqlscan

import "strings"

// An ordinary condition, a column compared with something and no OR, is recognized
// from its bytes, without tokens.

// nextOr is the position from i on of the first possible OR, or len(s). It may be in
// a text or a comment: that costs a full reading and nothing else. It searches in
// growing pieces, so that a letter found near does not wait for the search of another
// one far away.
func nextOr(s string, i int, d Dialect) int {
	for size := 64; i < len(s); size *= 2 {
		end := min(i+size, len(s))
		at := min(nextPair(s, i, end, 'o', 'r'), nextPair(s, i, end, 'O', 'r'))
		if d == MySQL {
			at = min(at, nextPair(s, i, end, '|', '|'))
		}
		if at < end {
			return at
		}
		i = end
	}
	return len(s)
}

// nextPair is the position from i to end of the first byte followed by the second, a
// letter of either case; letters not inside a longer word. It is end if there is
// none.
func nextPair(s string, i, end int, first, second byte) int {
	for i < end {
		n := strings.IndexByte(s[i:end], first)
		if n < 0 || i+n+1 == len(s) {
			return end
		}
		i += n
		if s[i+1]|0x20 == second|0x20 && (first == '|' || isWholeWord(s, i)) {
			return i
		}
		i++
	}
	return end
}

// isWholeWord reports that the two letters at i are a word, maybe after a number, or
// the end of XOR.
func isWholeWord(s string, i int) bool {
	if i > 0 && isNameByte(s[i-1]) && !isDigit(s[i-1]) && lowerByte(s[i-1]) != 'x' {
		return false
	}
	return i+2 >= len(s) || !isNameByte(s[i+2])
}

func isNameByte(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' }

// startsWithColumn reports a text that begins with a name, maybe in brackets, and a
// comparison that is false or NULL for some rows.
func startsWithColumn(s string, d Dialect) bool {
	s = strings.TrimLeft(s, "( ")
	for {
		n := nameEnd(s, d)
		if n == 0 {
			return false
		}
		s = strings.TrimLeft(s[n:], " ")
		if s == "" {
			return false
		}
		switch s[0] {
		case '.':
			s = s[1:]
		case '=', '>', '!':
			return true
		case '<':
			return len(s) < 3 || s[:3] != "<=>"
		default:
			return false
		}
	}
}

// nameEnd is the length of the name that s begins with, or 0 when it may be
// something else.
func nameEnd(s string, d Dialect) int {
	if s == "" {
		return 0
	}
	if s[0] == '`' && d == MySQL || s[0] == '"' && d != MySQL {
		n := strings.IndexByte(s[1:], s[0]) + 2
		if n < 2 || strings.IndexByte(s[:n], '\\') >= 0 || n < len(s) && s[n] == s[0] {
			return 0
		}
		return n
	}
	if !isLetter(s[0]) && s[0] != '_' {
		return 0
	}
	n := 1
	for n < len(s) && isNameByte(s[n]) {
		n++
	}
	if roleOf(s[:n]) != roleNone {
		return 0
	}
	return n
}
