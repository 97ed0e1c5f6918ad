package sqlscan

import (
	"math"
	"strings"
)

// Scanner splits a text into tokens as the server's own lexer would. It skips white
// space and comments, and reads the executable comments of MySQL as code. Call Init
// before Scan.
type Scanner struct {
	src     string
	pos     int
	classes *[256]class
	traits  *traits
	dialect Dialect
	mode    Mode
	inExec  bool // inside an executable comment
	// skipExec treats executable comments that only some servers run as comments,
	// otherwise as code. uncertain counts their different marks.
	skipExec      bool
	uncertain     int
	uncertainMark string // of the last one
	uncertainEnd  int    // where it ends for servers that do not run it
	modeMatters   bool   // another mode would split this text differently
	hinted        bool   // it has comments that may be optimizer hints
	strayNUL      int    // where a NUL is that no lexer accepts, or len(src)
}

// Init makes the scanner ready to read text. An unknown dialect makes every
// byte of it illegal.
func (s *Scanner) Init(text string, d Dialect, m Mode) {
	if int(d) >= len(classesOf) {
		d = 0
	}
	*s = Scanner{
		src: text, classes: &classesOf[d], traits: &traitsOf[d],
		dialect: d, mode: m, strayNUL: len(text),
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
	// PostgreSQL and SQLite end a text at a NUL anywhere: they do not see what follows.
	if !s.traits.nulInStrings {
		if i := strings.IndexByte(text, 0); i >= 0 {
			s.strayNUL = i
		}
	}
	if len(text) > math.MaxInt32 {
		s.strayNUL = 0
		s.src = text[:math.MaxInt32]
	}
}

// Text is the piece of the source that t covers.
func (s *Scanner) Text(t Token) string { return s.src[t.Pos:t.End] }

// Scan returns the next token, and EOF for ever after the last. What no
// server accepts is an Illegal token.
func (s *Scanner) Scan() Token {
	if s.strayNUL < len(s.src) {
		at := s.strayNUL
		s.pos = len(s.src)
		s.strayNUL = len(s.src)
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
			return s.punct(start)
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
				return s.punct(start)
			}
			s.endExecComment(start + 2)
		case cDash:
			if !s.dashComment(start) {
				return s.punct(start)
			}
			if t := s.skipLine(start); t.Kind == Illegal {
				return t
			}
		case cHash:
			if !s.hashComment(start) {
				return s.punct(start)
			}
			if t := s.skipLine(start); t.Kind == Illegal {
				return t
			}
		case cSlash:
			if !s.followedBy(start, '*') {
				return s.punct(start)
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
			case b == '\\' && s.dialect == MySQL && s.followedBy(start, 'N'): // \N is NULL
				return s.token(Word, start, start+2)
			default:
				return s.illegal(start, start+1)
			}
		}
	}
	if s.inExec { // an unterminated executable comment
		s.inExec = false
		return s.illegal(len(s.src), len(s.src))
	}
	return Token{Pos: int32(len(s.src)), End: int32(len(s.src))}
}

// verticalTab reports a vertical tab that SQLite takes for white space: only after
// other white space, which its tokenizer continues by another table.
func (s *Scanner) verticalTab(i int) bool {
	return s.src[i] == '\v' && s.dialect == SQLite && i > 0 &&
		(s.src[i-1] == '\v' || s.classes[s.src[i-1]]&classMask == cSpace)
}

// token ends a token of this kind at end.
func (s *Scanner) token(k TokenKind, start, end int) Token {
	s.pos = end
	return Token{Kind: k, Pos: int32(start), End: int32(end)}
}

// punct is one byte of an operator or punctuation.
func (s *Scanner) punct(start int) Token {
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
