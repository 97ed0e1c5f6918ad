package sqlscan

// prover evaluates one condition while it parses it. It has no tree: every
// construct is folded to a value as soon as it is read.
type prover struct {
	text    string
	d       Dialect
	m       Mode
	state   state
	won     bool // a disjunct of the whole condition is true: the rest does not matter
	plain   bool // nothing but brackets, AND and OR lies between here and the whole
	skipped bool // something was not understood
	nest    int  // brackets open
	cases   int  // CASE without END so far
	braces  int  // braces open
	depth   int  // recursion
	kw      keyword
	tok     Token
	sc      Scanner

	orAt int      // where an OR may stand ahead, see hopeless
	rows [8]value // the members of row values, see row
	used int
}

// state says how far the text is understood.
type state uint8

const (
	reading state = iota
	lost          // not understood up to the bracket that is open, which is unknown then
	stopped       // nothing that follows can change the answer no
)

// maxDepth bounds the recursion; what is nested deeper is unknown.
const maxDepth = 200

// next moves on to the next token. Brackets and CASE count as open from
// behind the token that opens them to behind the one that closes them.
func (p *prover) next() {
	before, kw := p.tok, p.kw
	p.leave()
	p.tok = p.sc.Scan()
	p.kw = kwNone
	if p.tok.Kind == Word {
		p.kw = keywordOf(p.word())
	}
	if p.fatal(before, kw) {
		p.state = stopped
	}
}

func (p *prover) leave() {
	switch {
	case p.kw == kwCase:
		p.cases++
	case p.kw == kwEnd:
		p.cases--
	case p.tok.Kind != Punct:
	case p.tok.Byte == '(':
		p.nest++
	case p.tok.Byte == ')':
		p.nest--
	case p.tok.Byte == '{':
		p.braces++
	case p.tok.Byte == '}':
		p.braces--
	}
}

func (p *prover) word() string { return p.sc.Text(p.tok) }

func (p *prover) punct(b byte) bool {
	return p.tok.Kind == Punct && p.tok.Byte == b && p.tok.End == p.tok.Pos+1
}

// take consumes the keyword k if it is next.
func (p *prover) take(k keyword) bool {
	if p.kw != k {
		return false
	}
	p.next()
	return true
}

// need is take where nothing else may stand.
func (p *prover) need(k keyword) {
	if !p.take(k) {
		p.lose()
	}
}

// lose gives up on the bracket that is open.
func (p *prover) lose() value {
	if p.state == reading {
		p.state = lost
	}
	return value{}
}

// stop ends the reading: the condition is not provable.
func (p *prover) stop() value {
	p.state = stopped
	return value{}
}

// open enters the brackets that the current token opens; shut leaves them
// with the value v of what stood inside. What cannot be read inside makes the
// group unknown and nothing else.
func (p *prover) open() (nest int) {
	p.next()
	return p.nest
}

func (p *prover) shut(nest int, v value) value {
	if p.state == reading && p.punct(')') && p.nest == nest {
		p.next()
		return v
	}
	return p.skip(nest)
}

// skip leaves the brackets that were opened last at this nesting.
func (p *prover) skip(nest int) value {
	if p.state == stopped {
		return value{}
	}
	p.state = reading
	for p.state == reading && (p.nest > nest || !p.punct(')')) {
		if p.tok.Kind == EOF {
			return p.stop()
		}
		p.next()
	}
	p.next()
	return value{}
}

// skipGroup leaves the brackets that the current token opens, unread.
func (p *prover) skipGroup() value { return p.skip(p.open()) }

// skipDisjunct leaves what could not be read, up to the OR or the end of the
// construct around it. OR binds weakest of all, so that only what swallows an
// OR without brackets around it can deceive: see fatal.
func (p *prover) skipDisjunct(nest, cases int) value {
	p.state, p.skipped = reading, true
	for p.state == reading && p.tok.Kind != EOF {
		if p.nest == nest && p.cases == cases && p.ends() {
			break
		}
		p.next()
	}
	return value{}
}

// ends reports that the current token ends a disjunct.
func (p *prover) ends() bool {
	switch p.kw {
	case kwOr, kwWhen, kwThen, kwElse, kwEnd, kwAs:
		return true
	}
	o, _ := p.operator()
	return o == opOr || p.punct(',') || p.punct(')')
}

// fatal reports a token that takes everything after it, OR included, as its
// operand: := and INTERVAL, and the ternary operator of ClickHouse, whose ? is
// a parameter where no operand stands before it.
func (p *prover) fatal(before Token, kw keyword) bool {
	switch p.tok.Kind {
	case Illegal:
		return true
	case Word:
		return p.kw == kwInterval && p.d != PostgreSQL
	case Param:
		return p.d == ClickHouse && p.tok.End == p.tok.Pos+1 && endsOperand(before, kw)
	case Punct:
		switch p.d {
		case MySQL:
			return p.tok.Byte == ':'
		case ClickHouse:
			colon := p.tok.Byte == ':' && p.at(1) != ':' && (p.tok.Pos == 0 || p.text[p.tok.Pos-1] != ':')
			return colon && p.braces == 0
		}
	}
	return false
}

func endsOperand(t Token, kw keyword) bool {
	switch t.Kind {
	case EOF:
		return false
	case Punct:
		return t.Byte == ')' || t.Byte == ']' || t.Byte == '}'
	case Word:
		return kw == kwNone || kw == kwNull || kw == kwTrue || kw == kwFalse || kw == kwEnd
	}
	return true
}

type keyword uint8

const (
	kwNone keyword = iota
	kwOr
	kwXor
	kwAnd
	kwNot
	kwIs
	kwNull
	kwTrue
	kwFalse
	kwUnknown
	kwDistinct
	kwFrom
	kwIn
	kwBetween
	kwLike
	kwILike
	kwIsNull
	kwNotNull
	kwDiv
	kwMod
	kwCase
	kwWhen
	kwThen
	kwElse
	kwEnd
	kwCast
	kwAs
	kwExists
	kwRow
	kwSelect
	kwCollate
	kwInterval
	kwEscape
	kwReserved // stands in no value: whoever meets it is lost
)

// keywords are the words that are no names, by length.
var keywords = [...][]struct {
	word string
	kw   keyword
}{
	2: {{"or", kwOr}, {"is", kwIs}, {"in", kwIn}, {"as", kwAs}, {"at", kwReserved}},
	3: {{"and", kwAnd}, {"not", kwNot}, {"xor", kwXor}, {"end", kwEnd}, {"div", kwDiv}, {"mod", kwMod}, {"row", kwRow}, {"any", kwReserved}, {"all", kwReserved}},
	4: {{"null", kwNull}, {"true", kwTrue}, {"like", kwLike}, {"from", kwFrom}, {"case", kwCase}, {"when", kwWhen}, {"then", kwThen}, {"else", kwElse}, {"cast", kwCast}, {"glob", kwReserved}, {"some", kwReserved}},
	5: {{"false", kwFalse}, {"ilike", kwILike}, {"rlike", kwReserved}, {"array", kwReserved}, {"match", kwReserved}, {"order", kwReserved}, {"limit", kwReserved}},
	6: {{"isnull", kwIsNull}, {"exists", kwExists}, {"select", kwSelect}, {"escape", kwEscape}, {"regexp", kwReserved}, {"sounds", kwReserved}, {"binary", kwReserved}, {"member", kwReserved}},
	7: {{"between", kwBetween}, {"unknown", kwUnknown}, {"notnull", kwNotNull}, {"collate", kwCollate}, {"similar", kwReserved}},
	8: {{"distinct", kwDistinct}, {"interval", kwInterval}},
}

func keywordOf(s string) keyword {
	if len(s) >= len(keywords) {
		return kwNone
	}
	for _, k := range keywords[len(s)] {
		if foldEqual(s, k.word) {
			return k.kw
		}
	}
	return kwNone
}

// foldEqual compares s with the lower-case word of the same length.
func foldEqual(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		if lowerByte(s[i]) != lower[i] {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
