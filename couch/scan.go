package couch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"unicode/utf8"
)

// scanner reads JSON (RFC 8259) from a stream, byte by byte, and keeps only what is
// asked for. encoding/json does not serve: of two equal keys a server may use either,
// while a decoder into a map keeps one; and a bulk of documents has to be parsed
// faster than the network delivers it.
//
// It is strict where strictness decides what is a key: quotes, escapes, brackets,
// commas, literals. What it accepts has one structure in every parser. A number is
// any run of a number's bytes: no parser reads a key there.
type scanner struct {
	r        io.Reader
	buf      []byte // the window on the stream; bytes before pos have been read
	pos, end int
	err      error // of the stream, io.EOF included
	scratch  []byte
	nest     nesting
}

// errMalformed says that the text is not JSON; where, is added to it.
var errMalformed = errors.New("the body is not JSON")

const (
	windowSize = 64 << 10
	maxString  = 4 << 10  // bytes kept of a string that is asked for
	maxDepth   = 10 << 10 // of brackets
)

// nesting records for each open bracket whether it is that of an object.
type nesting struct {
	object [maxDepth / 64]uint64
	depth  int
}

func (n *nesting) push(object bool) bool {
	if n.depth == maxDepth {
		return false
	}
	word, bit := n.depth/64, uint64(1)<<(n.depth%64)
	n.object[word] &^= bit
	if object {
		n.object[word] |= bit
	}
	n.depth++
	return true
}

func (n *nesting) inObject() bool {
	i := n.depth - 1
	return n.object[i/64]>>(i%64)&1 == 1
}

func newScanner() *scanner { return &scanner{buf: make([]byte, windowSize)} }

// reset starts on another stream.
func (s *scanner) reset(r io.Reader) {
	s.r, s.pos, s.end, s.err, s.nest.depth = r, 0, 0, nil, 0
}

// fill reads the next window; all bytes before it have been read.
func (s *scanner) fill() bool {
	for s.err == nil {
		n, err := s.r.Read(s.buf)
		s.pos, s.end, s.err = 0, n, err
		if n > 0 {
			return true
		}
	}
	return false
}

// malformed is the error: the stream's, or that the text is not JSON.
func (s *scanner) malformed(what string) error {
	if s.err != nil && !errors.Is(s.err, io.EOF) && s.pos >= s.end {
		return s.err
	}
	return fmt.Errorf("%w: %s", errMalformed, what)
}

// next is the next byte that is not white space, 0 at the end.
func (s *scanner) next() byte {
	for {
		for s.pos < s.end {
			c := s.buf[s.pos]
			s.pos++
			if c > ' ' {
				return c
			}
			if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
				return 1 // a control byte: no token begins with it
			}
		}
		if !s.fill() {
			return 0
		}
	}
}

// unreadByte undoes next.
func (s *scanner) unreadByte() { s.pos-- }

// finish expects the end of the stream.
func (s *scanner) finish() error {
	if s.next() != 0 || !errors.Is(s.err, io.EOF) {
		return s.malformed("something follows it")
	}
	return nil
}

// skip reads one value of any kind.
func (s *scanner) skip() error {
	base := s.nest.depth
	for {
		open, err := s.enter(s.next())
		if err != nil {
			return err
		}
		if open {
			continue
		}
		if done, err := s.leave(base); done || err != nil {
			return err
		}
	}
}

// enter reads a scalar, an empty array or object, or the beginning of a non-empty one
// up to its first value.
func (s *scanner) enter(c byte) (open bool, err error) {
	switch c {
	case '"':
		return false, s.skipString()
	case '{', '[':
		if !s.nest.push(c == '{') {
			return false, s.malformed("it is nested too deeply")
		}
		switch s.next() {
		case c + 2: // '}' and ']' are two after their openers
			s.nest.depth--
			return false, nil
		case 0:
			return false, s.malformed("it ends too early")
		}
		s.unreadByte()
		if c == '{' {
			return true, s.skipKey()
		}
		return true, nil
	case 't':
		return false, s.literal("rue")
	case 'f':
		return false, s.literal("alse")
	case 'n':
		return false, s.literal("ull")
	}
	if c == '-' || (c >= '0' && c <= '9') {
		s.skipNumber()
		return false, nil
	}
	return false, s.malformed("a value is expected")
}

// leave reads what follows a value: the ends of arrays and objects, up to the next
// value or to the depth where it began.
func (s *scanner) leave(base int) (done bool, err error) {
	for s.nest.depth > base {
		object := s.nest.inObject()
		switch c := s.next(); {
		case c == ',':
			if object {
				return false, s.skipKey()
			}
			return false, nil
		case c == '}' && object, c == ']' && !object:
			s.nest.depth--
		default:
			return false, s.malformed("a comma or a closing bracket is expected")
		}
	}
	return true, nil
}

func (s *scanner) skipKey() error {
	if s.next() != '"' {
		return s.malformed("a key is expected")
	}
	if err := s.skipString(); err != nil {
		return err
	}
	return s.colon()
}

func (s *scanner) colon() error {
	if s.next() != ':' {
		return s.malformed("a colon is expected")
	}
	return nil
}

func (s *scanner) literal(rest string) error {
	for i := range len(rest) {
		if s.pos == s.end && !s.fill() || s.buf[s.pos] != rest[i] {
			return s.malformed("a value is expected")
		}
		s.pos++
	}
	return nil
}

func (s *scanner) skipNumber() {
	for {
		for s.pos < s.end {
			switch c := s.buf[s.pos]; {
			case c >= '0' && c <= '9', c == '.', c == '-', c == '+', c == 'e', c == 'E':
				s.pos++
			default:
				return
			}
		}
		if !s.fill() {
			return
		}
	}
}

// skipString reads to the closing quote.
func (s *scanner) skipString() error {
	for {
		i := plainRun(s.buf[s.pos:s.end])
		s.pos += i
		if s.pos == s.end {
			if !s.fill() {
				return s.malformed("a string does not end")
			}
			continue
		}
		c := s.buf[s.pos]
		s.pos++
		if c == '"' {
			return nil
		}
		if err := s.escape(); err != nil {
			return err
		}
	}
}

// plainRun is the number of bytes before the first quote or backslash.
func plainRun(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, slash := w^('"'*ones), w^('\\'*ones)
		if hit := ((quote - ones) &^ quote & highs) | ((slash - ones) &^ slash & highs); hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(b); i++ {
		if b[i] == '"' || b[i] == '\\' {
			break
		}
	}
	return i
}

// text reads the rest of a string whose opening quote has been read, and decodes it.
// It is valid until the next call, and cut after maxString bytes.
func (s *scanner) text() ([]byte, error) {
	i := plainRun(s.buf[s.pos:s.end])
	if at := s.pos + i; at < s.end && s.buf[at] == '"' && i <= maxString {
		text := s.buf[s.pos:at]
		s.pos = at + 1
		return text, nil
	}
	s.scratch = s.scratch[:0]
	for {
		i := plainRun(s.buf[s.pos:s.end])
		s.keep(s.buf[s.pos : s.pos+i])
		s.pos += i
		if s.pos == s.end {
			if !s.fill() {
				return nil, s.malformed("a string does not end")
			}
			continue
		}
		s.pos++
		if s.buf[s.pos-1] == '"' {
			return s.scratch, nil
		}
		if err := s.escape(); err != nil {
			return nil, err
		}
	}
}

func (s *scanner) keep(b []byte) {
	s.scratch = append(s.scratch, b[:min(len(b), maxString-len(s.scratch))]...)
}

// escape decodes what follows a backslash.
func (s *scanner) escape() error {
	c, ok := s.byte()
	if !ok {
		return s.malformed("a string does not end")
	}
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		var r rune
		for range 4 {
			d, _ := s.byte()
			n := hexDigit(d)
			if n < 0 {
				return s.malformed("an escape is not one")
			}
			r = r<<4 | rune(n)
		}
		// Each half of a surrogate pair becomes U+FFFD: no key that is looked for has
		// one.
		s.keep(utf8.AppendRune(nil, r))
		return nil
	default:
		return s.malformed("an escape is not one")
	}
	s.keep([]byte{c})
	return nil
}

func (s *scanner) byte() (byte, bool) {
	if s.pos == s.end && !s.fill() {
		return 0, false
	}
	s.pos++
	return s.buf[s.pos-1], true
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
