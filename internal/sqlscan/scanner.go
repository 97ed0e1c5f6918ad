package sqlscan

import (
	"math"
	"strings"
)

// Scanner cuts a text into tokens as the server's own lexer would. It skips
// white space and comments, and reads the executable comments of MySQL as
// code. The zero value scans nothing; call Init.
type Scanner struct {
	src     string
	pos     int
	classes *[256]class
	traits  *traits
	dialect Dialect
	mode    Mode
	inExec  bool // inside an executable comment
	// skipExec reads the executable comments that only some servers run as
	// comments; otherwise they are code. uncertain counts their marks.
	skipExec      bool
	uncertain     int
	uncertainMark string // the last one's
	uncertainEnd  int    // where it ends for those that do not run it
	modeMatters   bool   // another mode would cut this text differently
	stray         int    // where a NUL stands that no lexer accepts, or len(src)
}

// Init makes the scanner ready to read text. An unknown dialect makes every
// byte of it illegal.
func (s *Scanner) Init(text string, d Dialect, m Mode) {
	if int(d) >= len(classesOf) {
		d = 0
	}
	*s = Scanner{
		src: text, classes: &classesOf[d], traits: &traitsOf[d],
		dialect: d, mode: m, stray: len(text),
	}
	if d == MySQL && (strings.IndexByte(text, 0xa0) >= 0 || strings.IndexByte(text, 0xff) >= 0) {
		s.modeMatters = true
		switch {
		case m&SpaceA0 != 0:
			s.classes = &classesA0
		case m&SpaceFF != 0:
			s.classes = &classesFF
		}
	}
	// PostgreSQL and SQLite end a text at a NUL, wherever it stands: what
	// follows is invisible to them and visible to us.
	if !s.traits.nulInStrings {
		if i := strings.IndexByte(text, 0); i >= 0 {
			s.stray = i
		}
	}
	if len(text) > math.MaxInt32 {
		s.stray = 0
		s.src = text[:math.MaxInt32]
	}
}

// Text is the piece of the source that t covers.
func (s *Scanner) Text(t Token) string { return s.src[t.Pos:t.End] }

// Scan returns the next token, and EOF for ever after the last. What no
// server accepts is an Illegal token.
func (s *Scanner) Scan() Token {
	if s.stray < len(s.src) {
		at := s.stray
		s.pos = len(s.src)
		s.stray = len(s.src)
		return Token{Kind: Illegal, Pos: int32(at), End: int32(len(s.src))}
	}
	for s.pos < len(s.src) {
		start := s.pos
		switch b := s.src[start]; s.classes[b] & classMask {
		case cSpace:
			s.pos++
		case cWord:
			return s.scanWord(start)
		case cPrefix:
			return s.scanPrefixed(start)
		case cPlain:
			return s.mark(start)
		case cDigit:
			return s.scanNumber(start)
		case cQuote:
			return s.scanString(start, start+1, s.mode&BackslashEscapes != 0)
		case cDouble:
			return s.scanDouble(start)
		case cBacktick:
			return s.scanQuoted(start, '`')
		case cBracket:
			return s.scanBracket(start)
		case cDot:
			return s.scanDot(start)
		case cDollar:
			return s.scanDollar(start)
		case cColon, cAt:
			return s.scanNamed(start, b)
		case cQuestion:
			return s.scanQuestion(start)
		case cStar:
			if !s.inExec || !s.followedBy(start, '/') {
				return s.mark(start)
			}
			s.closeExec(start + 2)
		case cDash:
			if !s.dashComment(start) {
				return s.mark(start)
			}
			if t := s.skipLine(start); t.Kind == Illegal {
				return t
			}
		case cHash:
			if !s.hashComment(start) {
				return s.mark(start)
			}
			if t := s.skipLine(start); t.Kind == Illegal {
				return t
			}
		case cSlash:
			if !s.followedBy(start, '*') {
				return s.mark(start)
			}
			if t := s.skipBlock(start); t.Kind == Illegal {
				return t
			}
		case cHigh:
			if t, ok := s.scanHigh(start); ok {
				return t
			}
		default:
			switch {
			case s.verticalTab(start):
				s.pos++
			case b == '\\' && s.dialect == MySQL && s.followedBy(start, 'N'): // NULL, for short
				return s.token(Word, start, start+2)
			default:
				return s.illegal(start, start+1)
			}
		}
	}
	if s.inExec { // an executable comment that never ends
		s.inExec = false
		return s.illegal(len(s.src), len(s.src))
	}
	return Token{Pos: int32(len(s.src)), End: int32(len(s.src))}
}

// verticalTab reports the one that SQLite takes for white space: behind other
// white space, which its tokenizer goes on by another table than it begins.
func (s *Scanner) verticalTab(i int) bool {
	return s.src[i] == '\v' && s.dialect == SQLite && i > 0 &&
		(s.src[i-1] == '\v' || s.classes[s.src[i-1]]&classMask == cSpace)
}

// token ends a token of this kind at end.
func (s *Scanner) token(k TokenKind, start, end int) Token {
	s.pos = end
	return Token{Kind: k, Pos: int32(start), End: int32(end)}
}

// mark is one operator or punctuation byte.
func (s *Scanner) mark(start int) Token {
	s.pos = start + 1
	return Token{Kind: Punct, Byte: s.src[start], Pos: int32(start), End: int32(start + 1)}
}

func (s *Scanner) illegal(start, end int) Token { return s.token(Illegal, start, end) }

// followedBy reports that the byte after i is b.
func (s *Scanner) followedBy(i int, b byte) bool {
	return i+1 < len(s.src) && s.src[i+1] == b
}

// wordEnd is the end of the run of word bytes that begins at i.
func (s *Scanner) wordEnd(i int) int {
	for i < len(s.src) && s.classes[s.src[i]]&wordByte != 0 {
		i++
	}
	return i
}
