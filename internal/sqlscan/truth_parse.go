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
	role    role // of tok
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
	before, was := p.tok, p.role
	p.leave()
	p.tok = p.sc.Scan()
	p.role = roleNone
	if p.tok.Kind == Word {
		p.role = roleOf(p.word())
	}
	if p.fatal(before, was) {
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

// take consumes the word with the role r if it is next.
func (p *prover) take(r role) bool {
	if p.role != r {
		return false
	}
	p.next()
	return true
}

// need is take where nothing else may stand.
func (p *prover) need(r role) {
	if !p.take(r) {
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
	switch p.role {
	case roleOr, roleWhen, roleThen, roleElse, roleEnd, roleAs:
		return true
	}
	o, _ := p.operator()
	return o == opOr || p.punct(',') || p.punct(')')
}

// fatal reports a token that takes everything after it, OR included, as its
// operand: := and INTERVAL, and the ternary operator of ClickHouse, whose ? is
// a parameter where no operand stands before it.
func (p *prover) fatal(before Token, was role) bool {
	switch p.tok.Kind {
	case Illegal:
		return true
	case Word:
		return p.role == roleInterval && p.d != PostgreSQL
	case Param:
		return p.d == ClickHouse && p.tok.End == p.tok.Pos+1 && endsOperand(before, was)
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

// role is what a word that is no name does in an expression. The classifier's
// keywords say what it does in a statement.
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
	roleReserved // stands in no value: whoever meets it is lost
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
