package sqlscan

import "strings"

// What holds for two texts of different bytes under every collation of the servers.
//
// In PostgreSQL they are not equal, since a database's collation is deterministic;
// their order depends on the locale. In MySQL they may even be equal: 'a' = 'A', 'a'
// = 'a ', and i, j and y, or u, v and w, are one letter in some languages
// (utf8mb4_roman_ci, _lithuanian_ci, _swedish_ci). Some languages sort pairs of
// letters as one (ch, ll, aa), Estonian puts z before t, swe7 has letters in place of
// brackets, and the C locale puts capitals first. What follows is what remains.
func collate(a, b string, d Dialect) order {
	least := anyOrder
	if d == PostgreSQL {
		least = differs
	}
	if len(a)+len(b) > maxCollate || !printable(a) || !printable(b) {
		return least
	}
	n := commonPrefix(a, b)
	switch {
	case onlySpaces(a[n:]):
		return least & compareRemainder(b[n:], least, isLess)
	case onlySpaces(b[n:]):
		return least & compareRemainder(a[n:], least, isGreater)
	case n == 0 && compareFirstLetters(a, b) != anyOrder:
		return compareFirstLetters(a, b)
	case !samePunctuation(a, b):
		return differs
	}
	return least
}

// maxCollate keeps comparing a long text with a long list of short ones linear.
const maxCollate = 256

func onlySpaces(s string) bool { return strings.TrimLeft(s, " ") == "" }

// compareRemainder orders a text, up to trailing spaces, and one that starts with it
// and continues: the first is less.
func compareRemainder(rest string, least, shorter order) order {
	if rest != "" && rest[0] != ' ' && collationClass(rest[0]) != 0 {
		return shorter
	}
	return least
}

// compareFirstLetters orders two texts whose first bytes differ.
func compareFirstLetters(a, b string) order {
	x, y := collationClass(a[0]), collationClass(b[0])
	switch {
	case x == y || x == 0 || y == 0 || x == ' ' || y == ' ':
		return anyOrder
	case mayContract(a) || mayContract(b):
		return differs
	}
	x, y = orderGroup(a), orderGroup(b)
	switch {
	case x == 0 || y == 0:
		return differs
	case x < y && a[0] < b[0]:
		return isLess
	case x > y && a[0] > b[0]:
		return isGreater
	}
	return differs
}

// samePunctuation reports that two texts have the same digits and punctuation. No
// collation makes these equal to one another or to a letter.
func samePunctuation(a, b string) bool {
	i, j := 0, 0
	for {
		for i < len(a) && !isMark(a[i]) {
			i++
		}
		for j < len(b) && !isMark(b[j]) {
			j++
		}
		if i == len(a) || j == len(b) {
			return i == len(a) && j == len(b)
		}
		if a[i] != b[j] {
			return false
		}
		i++
		j++
	}
}

func isMark(c byte) bool { return c != ' ' && collationClass(c) != 0 && !isLetter(c) }

// collationClass is equal for bytes that some collation may hold equal, and 0 for
// bytes that may be anything.
func collationClass(c byte) byte {
	switch c = lowerByte(c); {
	case c == 'j' || c == 'y':
		return 'i'
	case c == 'v' || c == 'w':
		return 'u'
	case isLetter(c) || isDigit(c):
		return c
	case c == '$' || c > '?' && c != '_':
		return 0
	}
	return c
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// orderGroup is the place of the first byte of s in an order that all collations
// share, or 0. Letters of one group have no common order: t to z, or i and j.
// Punctuation may be ignored, so it must stand alone.
func orderGroup(s string) byte {
	switch c := lowerByte(s[0]); {
	case isDigit(c):
		if len(s) > 1 && isDigit(s[1]) {
			return 0
		}
		return c
	case c == 'y' || c == '_' || !isLetter(c) && len(s) > 1:
		return 0
	case c >= 't':
		return 't'
	case c == 'j':
		return 'i'
	default:
		return c
	}
}

// mayContract reports that the first two bytes of s may sort as one letter in some
// language. None does so with a vowel and an unlike consonant.
func mayContract(s string) bool {
	if len(s) < 2 || !isLetter(s[0]) || !isLetter(s[1]) {
		return false
	}
	return !strings.ContainsRune("aeiou", rune(lowerByte(s[0]))) || strings.ContainsRune("aeiouy", rune(lowerByte(s[1])))
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// like evaluates v LIKE pattern. Letters that match exactly match under every
// collation; those that do not match even by collationClass match under none.
func (p *prover) like(v, pattern value, neg, fold bool) value {
	if p.accept(roleEscape) {
		p.subexpression(precBitOr)
		return value{}
	}
	if v.kind == kindNull || pattern.kind == kindNull {
		return p.boolean(null)
	}
	v, pattern = p.concatOperand(v), p.concatOperand(pattern)
	if v.kind != kindText || pattern.kind != kindText {
		return value{}
	}
	t := p.matches(v.s, pattern.s, fold)
	if neg {
		t = t.not()
	}
	return p.boolean(t)
}

// maxMatch bounds the work for one pattern.
const maxMatch = 1 << 12

func (p *prover) matches(s, pattern string, fold bool) tri {
	if len(s)*len(pattern) > maxMatch || !printable(s) || !printable(pattern) || strings.IndexByte(pattern, '\\') >= 0 {
		return unknown
	}
	switch {
	case matchLike(s, pattern, exactByte):
		return yes
	case !fold && (p.dialect == PostgreSQL || p.dialect == ClickHouse):
		return no
	case !matchLike(s, pattern, sameClass):
		return no
	}
	return unknown
}

func exactByte(a, b byte) bool { return a == b }

func sameClass(a, b byte) bool {
	x, y := collationClass(a), collationClass(b)
	return x == y || x == 0 || y == 0
}

// matchLike matches the wildcards % and _, backtracking to the last % only.
func matchLike(s, pattern string, same func(a, b byte) bool) bool {
	i, j, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case j < len(pattern) && pattern[j] == '%':
			star, mark = j, i
			j++
		case j < len(pattern) && (pattern[j] == '_' || same(s[i], pattern[j])):
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(pattern) && pattern[j] == '%' {
		j++
	}
	return j == len(pattern)
}
