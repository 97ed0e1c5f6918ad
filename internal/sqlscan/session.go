package sqlscan

import "strings"

// set reads SET in all its forms.
func (p *parser) set() {
	at := p.tok
	p.next()
	switch p.kw {
	case kwStatement: // SET STATEMENT a = b FOR … of MariaDB
		p.setStatement(at)
		return
	case kwPassword, kwDefault, kwResource:
		p.add(Maintain, at)
		p.toComma(0)
		if p.is(',') && p.s.dialect == MySQL { // MariaDB: SET PASSWORD = 'x', a = 1
			p.next()
			p.assignments(at)
		}
		p.rest()
		return
	case kwTransaction, kwConstraints:
		p.add(Session, at)
		p.rest()
		return
	}
	n := len(p.t.Ops)
	p.assignments(at)
	if len(p.t.Ops) == n {
		p.add(Session, at)
	}
}

// setStatement reads SET STATEMENT assignments FOR statement.
func (p *parser) setStatement(at Token) {
	p.next()
	n := len(p.t.Ops)
	p.assignments(at)
	if !p.accept(kwFor) {
		p.fail("FOR is missing in SET STATEMENT")
		return
	}
	if len(p.t.Ops) == n {
		p.add(Session, at)
	}
	p.underChangedSettings(p.executed)
}

// settingChanged is why a text, or its rest, cannot be read.
const settingChanged = "an earlier SET changes how the rest is read"

// underChangedSettings reads a statement after others that may change how it is split
// into tokens: after a change of the character set not at all; after one of sql_mode
// only if it holds nothing that depends on that. PostgreSQL parses the whole text
// before it runs any of it.
func (p *parser) underChangedSettings(statement func()) {
	if p.charsetUnsafe {
		p.fail(settingChanged)
		return
	}
	if !p.sqlModeChanged {
		statement()
		return
	}
	matters := p.s.modeMatters
	p.s.modeMatters = false
	statement()
	if p.s.modeMatters {
		p.failed = false // replaces any other failure
		p.fail(settingChanged)
	}
	p.s.modeMatters = matters
}

// executed reads a statement that is run by another one.
func (p *parser) executed() {
	outer := p.enter(Executed)
	p.statement()
	p.leave(outer)
}

// settings reads to the end of a statement that may hold SET name = value.
func (p *parser) settings(at Token) {
	for !p.failed {
		p.walk(sSet)
		if p.kw != kwSet {
			return
		}
		p.setAssignments(at)
	}
}

func (p *parser) setAssignments(at Token) {
	p.next()
	p.assignments(at)
}

// assignments reads name = value, …, and adds an operation for each that is more than
// a setting: GuardOff, Begin, Commit.
func (p *parser) assignments(at Token) {
	for !p.failed {
		global := p.kw == kwGlobal || p.kw == kwPersist || p.kw == kwPersistOnly
		p.skipAny(kwGlobal, kwSession, kwLocal, kwPersist, kwPersistOnly)
		if p.charsetItem() {
			p.toComma(0)
			if !p.is(',') {
				return
			}
			p.next()
			continue
		}
		name, sp := p.setting()
		const prefix = "@@global."
		if written := p.s.src[sp.Start:sp.End]; len(written) > len(prefix) {
			global = global || equalFold(written[:len(prefix)], prefix)
		}
		if p.is('=') || p.is(':') {
			p.next()
			if p.is('=') {
				p.next()
			}
		} else {
			p.accept(kwTo)
		}
		if !global || !equalFold(name, "autocommit") { // it is about later sessions
			p.assign(name, sp, at)
		}
		p.toComma(sFor)
		if !p.is(',') {
			return
		}
		p.next()
		if name != "" && p.s.dialect == PostgreSQL { // a list of values
			p.rest()
			return
		}
	}
}

// setting steps over the name of a setting and returns it, without @@global. and
// quotes, and its place.
func (p *parser) setting() (string, Span) {
	start, last := p.tok.Pos, p.tok
	switch p.tok.Kind {
	case Var, Word:
		p.next()
	case QuotedIdent:
		p.namePart()
	default:
		return "", Span{}
	}
	for p.is('.') {
		p.next()
		last = p.tok
		p.next()
	}
	sp := Span{start, p.prev.End}
	name := p.s.src[sp.Start:sp.End]
	if strings.HasPrefix(name, "@@") { // there may be white space around the dot
		name = strings.TrimPrefix(p.s.Text(last), "@@")
		if i := strings.LastIndexByte(name, '.'); i >= 0 {
			name = name[i+1:]
		}
	}
	if p.s.dialect == PostgreSQL && strings.IndexByte(name, '"') >= 0 {
		return p.t.Name(sp), sp
	}
	return Unquote(name), sp
}

// charsetItem reads NAMES or CHARACTER SET with its value, which in MySQL may stand
// anywhere in a list of assignments.
func (p *parser) charsetItem() bool {
	if p.s.dialect != MySQL {
		return false
	}
	_, kw := p.peek()
	switch {
	case p.kw == kwNames || p.kw == kwCharset:
	case kw == kwSet: // CHARACTER SET, CHAR SET
		p.next()
	default:
		return false
	}
	p.next()
	p.charset()
	return true
}

// assign notes what setting the name to the value here does.
func (p *parser) assign(name string, sp Span, at Token) {
	value := p.valueText()
	if p.s.dialect == MySQL && !p.plainValue() { // an expression: 1 - 1
		value = ""
	}
	switch {
	case equalFold(name, "autocommit") && p.s.dialect == MySQL:
		switch {
		case !p.plainValue():
			p.fail("autocommit is set to an expression, which may call anything")
		case isOff(value):
			p.add(Begin, at)
		default: // also an expression: it may be 1
			p.add(Commit, at)
		}
	case equalFold(name, "sql_mode"):
		p.sqlModeChanged = true
	case equalFold(name, "character_set_client"):
		p.charset()
	case turnsGuardOff(name, value):
		p.addOn(GuardOff, at, sp, 0)
	}
}

// valueText is the value here as written, without quotes.
func (p *parser) valueText() string {
	if p.atEnd() {
		return ""
	}
	text := p.s.Text(p.tok)
	if p.is('-') {
		t, _ := p.peek()
		return "-" + p.s.Text(t)
	}
	return Unquote(text)
}

// plainValue reports a value that is one word, number or variable.
func (p *parser) plainValue() bool {
	t, kw := p.peek()
	return p.tok.Kind != Punct && (t.Kind == EOF || kw == kwFor || t.Kind == Punct && (t.Byte == ',' || t.Byte == ';' || t.Byte == '.'))
}

// charset notes a character set in which a backslash or a quote may be the second
// byte of a letter: the rest cannot be split into tokens.
func (p *parser) charset() {
	if p.s.dialect != MySQL {
		return
	}
	v := p.valueText()
	for _, safe := range [...]string{"utf8", "utf8mb3", "utf8mb4", "utf-8", "unicode", "latin1", "ascii", "binary", "default", "sql_ascii"} {
		if equalFold(v, safe) {
			p.charsetUnsafe = p.charsetUnsafe || safe == "latin1" && strings.IndexByte(p.s.src, 0xa0) >= 0
			return
		}
	}
	p.charsetUnsafe = true
}
