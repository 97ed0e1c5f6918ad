package sqlscan

// prover evaluates one condition while it parses it. There is no tree: every
// construct becomes a value as soon as it is read.
type prover struct {
	text     string
	dialect  Dialect
	mode     Mode
	state    state
	proven   bool // an operand of the outermost OR is true: the rest does not matter
	topLevel bool // only brackets, AND and OR are around the current expression
	skipped  bool // something could not be read
	parens   int  // open brackets
	cases    int  // open CASE
	braces   int  // open braces
	depth    int  // recursion
	role     role // of tok
	tok      Token
	sc       Scanner

	orAt int      // position of the next possible OR, see noOrAhead
	rows [8]value // the members of row values, see row
	used int
}

// state says how far the text can be read.
type state uint8

const (
	reading state = iota
	gaveUp        // the innermost open brackets cannot be read, and are unknown
	stopped       // the answer is no, whatever follows
)

// maxDepth bounds the recursion; what is nested deeper is unknown.
const maxDepth = 200

// next reads the next token. Brackets and CASE count as open from after the token
// that opens them until after the one that closes them.
func (p *prover) next() {
	before, was := p.tok, p.role
	p.leave()
	p.tok = p.sc.Scan()
	p.role = roleNone
	if p.tok.Kind == Word {
		p.role = roleOf(p.word())
	}
	if p.swallowsOr(before, was) {
		p.state = stopped
	}
}

func (p *prover) leave() {
	switch {
	case p.role == roleCase:
		p.cases++
	case p.role == roleEnd:
		p.cases--
	case p.tok.Kind != Punct:
	case p.tok.Byte == '(':
		p.parens++
	case p.tok.Byte == ')':
		p.parens--
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

// accept steps over the word with the role r if it is next.
func (p *prover) accept(r role) bool {
	if p.role != r {
		return false
	}
	p.next()
	return true
}

// expect is accept where anything else cannot be read.
func (p *prover) expect(r role) {
	if !p.accept(r) {
		p.giveUp()
	}
}

// giveUp makes the innermost open brackets unknown.
func (p *prover) giveUp() value {
	if p.state == reading {
		p.state = gaveUp
	}
	return value{}
}

// stop ends the reading: the condition cannot be proven.
func (p *prover) stop() value {
	p.state = stopped
	return value{}
}

// open enters the brackets that the current token opens; close leaves them with the
// value v of their content. If the content cannot be read, only these brackets are
// unknown.
func (p *prover) open() (nest int) {
	p.next()
	return p.parens
}

func (p *prover) close(nest int, v value) value {
	if p.state == reading && p.punct(')') && p.parens == nest {
		p.next()
		return v
	}
	return p.skip(nest)
}

// skip leaves the innermost brackets at this nesting.
func (p *prover) skip(nest int) value {
	if p.state == stopped {
		return value{}
	}
	p.state = reading
	for p.state == reading && (p.parens > nest || !p.punct(')')) {
		if p.tok.Kind == EOF {
			return p.stop()
		}
		p.next()
	}
	p.next()
	return value{}
}

// skipGroup skips the brackets that the current token opens.
func (p *prover) skipGroup() value { return p.skip(p.open()) }

// skipDisjunct skips what could not be read, up to the next OR or the end of the
// enclosing construct. OR binds weakest, so only what takes an OR as a part of its
// operand without brackets can mislead it: see swallowsOr.
func (p *prover) skipDisjunct(nest, cases int) value {
	p.state, p.skipped = reading, true
	for p.state == reading && p.tok.Kind != EOF {
		if p.parens == nest && p.cases == cases && p.endsDisjunct() {
			break
		}
		p.next()
	}
	return value{}
}

// endsDisjunct reports that the current token ends an operand of OR.
func (p *prover) endsDisjunct() bool {
	switch p.role {
	case roleOr, roleWhen, roleThen, roleElse, roleEnd, roleAs:
		return true
	}
	o, _ := p.operator()
	return o == opOr || p.punct(',') || p.punct(')')
}

// swallowsOr reports a token that takes everything after it, OR included, as its
// operand: := and INTERVAL, and the ternary operator of ClickHouse, whose ? is a
// parameter where no operand precedes it.
func (p *prover) swallowsOr(before Token, was role) bool {
	switch p.tok.Kind {
	case Illegal:
		return true
	case Word:
		return p.role == roleInterval && p.dialect != PostgreSQL
	case Param:
		return p.dialect == ClickHouse && p.tok.End == p.tok.Pos+1 && endsOperand(before, was)
	case Punct:
		switch p.dialect {
		case MySQL:
			return p.tok.Byte == ':'
		case ClickHouse:
			colon := p.tok.Byte == ':' && p.at(1) != ':' && (p.tok.Pos == 0 || p.text[p.tok.Pos-1] != ':')
			return colon && p.braces == 0
		}
	}
	return false
}

func endsOperand(t Token, r role) bool {
	switch t.Kind {
	case EOF:
		return false
	case Punct:
		return t.Byte == ')' || t.Byte == ']' || t.Byte == '}'
	case Word:
		return r == roleNone || r == roleNull || r == roleTrue || r == roleFalse || r == roleEnd
	}
	return true
}

// role is the function of a word in an expression. The classifier's keywords are
// about statements.
type role uint8

const (
	roleNone role = iota
	roleOr
	roleXor
	roleAnd
	roleNot
	roleIs
	roleNull
	roleTrue
	roleFalse
	roleUnknown
	roleDistinct
	roleFrom
	roleIn
	roleBetween
	roleLike
	roleILike
	roleIsNull
	roleNotNull
	roleDiv
	roleMod
	roleCase
	roleWhen
	roleThen
	roleElse
	roleEnd
	roleCast
	roleAs
	roleExists
	roleRow
	roleSelect
	roleCollate
	roleInterval
	roleEscape
	roleReserved // cannot be evaluated: the prover gives up
)

// roles are the words that have one, by length.
var roles = [...][]struct {
	word string
	role role
}{
	2: {{"or", roleOr}, {"is", roleIs}, {"in", roleIn}, {"as", roleAs}, {"at", roleReserved}},
	3: {{"and", roleAnd}, {"not", roleNot}, {"xor", roleXor}, {"end", roleEnd}, {"div", roleDiv}, {"mod", roleMod}, {"row", roleRow}, {"any", roleReserved}, {"all", roleReserved}},
	4: {{"null", roleNull}, {"true", roleTrue}, {"like", roleLike}, {"from", roleFrom}, {"case", roleCase}, {"when", roleWhen}, {"then", roleThen}, {"else", roleElse}, {"cast", roleCast}, {"glob", roleReserved}, {"some", roleReserved}},
	5: {{"false", roleFalse}, {"ilike", roleILike}, {"rlike", roleReserved}, {"array", roleReserved}, {"match", roleReserved}, {"order", roleReserved}, {"limit", roleReserved}},
	6: {{"isnull", roleIsNull}, {"exists", roleExists}, {"select", roleSelect}, {"escape", roleEscape}, {"regexp", roleReserved}, {"sounds", roleReserved}, {"binary", roleReserved}, {"member", roleReserved}},
	7: {{"between", roleBetween}, {"unknown", roleUnknown}, {"notnull", roleNotNull}, {"collate", roleCollate}, {"similar", roleReserved}},
	8: {{"distinct", roleDistinct}, {"interval", roleInterval}},
}

func roleOf(s string) role {
	if len(s) >= len(roles) {
		return roleNone
	}
	for _, k := range roles[len(s)] {
		if foldEqual(s, k.word) {
			return k.role
		}
	}
	return roleNone
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
