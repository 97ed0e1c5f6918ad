package sqlscan

import "strings"

// dashComment reports that the - at i begins a comment.
func (s *Scanner) dashComment(i int) bool {
	if !s.followedBy(i, '-') {
		return false
	}
	if !s.traits.dashNeedsSpace || i+2 == len(s.src) {
		return true
	}
	c := s.src[i+2]
	return c <= ' ' || c == 0x7f
}

// hashComment reports that the # at i begins a comment.
func (s *Scanner) hashComment(i int) bool {
	return !s.traits.hashNeedsMark || s.followedBy(i, ' ') || s.followedBy(i, '!')
}

// skipLine skips a comment up to the end of its line. A NUL in it is illegal:
// MySQL's lexer ends the comment there.
func (s *Scanner) skipLine(start int) Token {
	rest := s.src[start:]
	end := strings.IndexByte(rest, '\n')
	if end < 0 {
		end = len(rest)
	}
	if s.traits.dashEndsAtCR {
		if cr := strings.IndexByte(rest[:end], '\r'); cr >= 0 {
			end = cr
		}
	}
	if strings.IndexByte(rest[:end], 0) >= 0 {
		return s.illegal(start, len(s.src))
	}
	s.pos = start + end
	return Token{}
}

// skipBlock skips the block comment at start, or enters it if the server runs it.
func (s *Scanner) skipBlock(start int) Token {
	if s.traits.execComments {
		if body, run := s.executable(start); run {
			if s.inExec { // MySQL ends both at the first */
				return s.illegal(start, body)
			}
			s.inExec = true
			s.pos = body
			return Token{}
		}
	}
	end := s.blockEnd(start+2, s.nesting(start))
	if end > 0 && s.dialect == MySQL && s.followedBy(start+1, '+') {
		s.hinted = true
	}
	switch {
	case end > 0 && strings.IndexByte(s.src[start:end], 0) < 0:
		s.pos = end
	case end < 0 && s.traits.openComment && start+2 < len(s.src):
		s.pos = len(s.src)
	default:
		return s.illegal(start, len(s.src))
	}
	return Token{}
}

// blockEnd is the end of the comment whose body begins at i, or -1. Comments in it
// nest down to a depth of most.
func (s *Scanner) blockEnd(i, most int) int {
	depth, from := 1, i // the bytes before from belong to a /* or */ already read
	for {
		n := strings.IndexByte(s.src[i:], '*')
		if n < 0 {
			return -1
		}
		i += n
		switch {
		case depth < most && i > from && s.src[i-1] == '/':
			depth++
			i++
			from = i
		case s.followedBy(i, '/'):
			i += 2
			from = i
			if depth--; depth == 0 {
				return i
			}
		default:
			i++
		}
	}
}

// nesting is how deep the comment at i may nest. An executable comment of MySQL that
// is not run may hold one comment.
func (s *Scanner) nesting(i int) int {
	switch {
	case s.traits.nestedComments:
		return len(s.src)
	case s.traits.execComments && (s.followedBy(i+1, '!') || s.mode&(MySQL80|MySQL84) == 0 && strings.HasPrefix(s.src[i+2:], "M!")):
		return 2
	}
	return 1
}

// Every supported server runs comments for versions before MySQL 5.7. MariaDB skips
// those for MySQL 5.7 and later. 99999 marks a comment that no server runs; in
// MariaDB's own comments that takes six digits.
const (
	firstUncertainVersion = 50700
	neverVersion          = 99999
)

// executable returns where the code begins in the executable comment at start, and
// whether to read it as code. A comment that only some servers run counts as
// uncertain.
func (s *Scanner) executable(start int) (body int, run bool) {
	body = start + 3
	mariaOnly := strings.HasPrefix(s.src[start+2:], "M!")
	if mariaOnly {
		body++
	} else if !s.followedBy(start+1, '!') {
		return 0, false
	}
	if mariaOnly && s.mode&(MySQL80|MySQL84) != 0 {
		s.modeMatters = true
		return 0, false
	}
	version, digits := 0, 0
	for digits < 6 && body+digits < len(s.src) && s.src[body+digits]-'0' <= 9 {
		if digits < 5 {
			version = version*10 + int(s.src[body+digits]-'0')
		}
		digits++
	}
	switch {
	case digits < 5 && !mariaOnly:
		return body, true // unconditional; the digits are code
	case digits == 5 && !mariaOnly && version < firstUncertainVersion:
		return body + digits, true
	case version == neverVersion && (!mariaOnly || digits == 6 && s.src[body+5] == '9'):
		return 0, false
	}
	s.modeMatters = true
	if digits == 5 && !mariaOnly && version <= s.runsUpTo() {
		return body + digits, true
	}
	s.countUncertain(body, s.src[start+2:body+digits])
	if digits >= 5 {
		body += digits
	}
	return body, !s.skipExec
}

// runsUpTo is the latest version for which the server is known to run comments.
func (s *Scanner) runsUpTo() int {
	switch {
	case s.mode&MySQL84 != 0:
		return 80400
	case s.mode&MySQL80 != 0:
		return 80000
	}
	return 0
}

// countUncertain counts an executable comment that only some servers run. Comments
// with the same version mark are run by the same servers. Two different marks make
// more than two readings, and so does a comment inside.
func (s *Scanner) countUncertain(body int, mark string) {
	if mark != s.uncertainMark {
		s.uncertainMark = mark
		s.uncertain++
	}
	end := strings.Index(s.src[body:], "*/")
	if end >= 0 && strings.Contains(s.src[body:body+end], "/*") {
		s.uncertain++
	}
	s.uncertainEnd = body + end + len("*/")
}

// endExecComment leaves an executable comment. If it ends sooner for servers that do
// not run it, at a */ in a literal, it hides code from those that do.
func (s *Scanner) endExecComment(end int) {
	if s.uncertainEnd > 0 && s.uncertainEnd != end {
		s.uncertain++
	}
	s.inExec, s.uncertainEnd, s.pos = false, 0, end
}

// Uncertain reports a text with an executable comment that only some servers run.
func Uncertain(text string, d Dialect, m Mode) bool {
	var s Scanner
	for s.Init(text, d, m); s.Scan().Kind != EOF; {
	}
	return s.uncertain > 0
}
