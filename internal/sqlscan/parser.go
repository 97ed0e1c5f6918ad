package sqlscan

// maxNesting bounds statements within statements, the only recursion here.
const maxNesting = 100

// parser walks the tokens of a text once and adds operations to it. After a failure
// it is at the end of the text, so that every loop ends.
type parser struct {
	s        Scanner
	t        *Text
	tok      Token
	kw       keyword // keyword of tok, if it may be one
	afterDot bool    // tok follows a dot
	path     Path
	failed   bool
	nested   int   // statements around this one
	stmt     int32 // index of the statement

	prev         Token
	prevKw       keyword
	prevAfterDot bool

	// charsetUnsafe says that the rest of the text cannot be split into tokens: an
	// earlier statement sets a character set in which a quote or backslash may be the
	// second byte of a letter. sqlModeChanged says that an earlier statement sets
	// sql_mode, which changes what quotes and backslashes mean.
	charsetUnsafe, sqlModeChanged bool
	// noCall says that the parenthesis here calls nothing: it has the columns of an
	// alias, the length of a type.
	noCall     bool
	stopAlways set // keywords that end every walk
	// hasTemporary says that a statement of the text created a temporary table.
	hasTemporary bool
	prepared     prepared
}

// next reads the next token.
func (p *parser) next() {
	// Field by field: to copy the struct would wait for the stores to it.
	kind, mark := p.tok.Kind, p.tok.Byte
	p.prev = Token{Kind: kind, Byte: mark, Pos: p.tok.Pos, End: p.tok.End}
	p.prevKw, p.prevAfterDot = p.kw, p.afterDot
	p.afterDot = kind == Punct && mark == '.'
	p.kw = 0
	t := p.s.Scan()
	p.tok = Token{Kind: t.Kind, Byte: t.Byte, Pos: t.Pos, End: t.End}
	switch t.Kind {
	case Word:
		if !p.afterDot {
			p.kw = p.keyword(t)
		}
	case Illegal:
		p.fail("no server can read this")
	}
}

// keyword is the keyword that t may be: none before a dot, where it qualifies a name.
func (p *parser) keyword(t Token) keyword {
	kw := lookup(p.s.src[t.Pos:t.End])
	if kw == 0 {
		return 0
	}
	if i := int(t.End); p.s.followedBy(i-1, '.') && i+1 < len(p.s.src) {
		c := p.s.src[i+1]
		if c == '"' || c == '`' || c == '[' || p.s.classes[c]&wordByte != 0 &&
			(!isDigit(c) || p.s.dialect == MySQL) {
			return 0
		}
	}
	return kw
}

// skim reads on to the next token that can matter in an expression: a word, a
// parenthesis, a semicolon or the end.
func (p *parser) skim() {
	for {
		p.next()
		switch p.tok.Kind {
		case Word, EOF:
			return
		case Punct:
			switch p.tok.Byte {
			case '(', ')', ';':
				return
			}
		}
	}
}

// fail ends the reading: the text is unreadable from here.
func (p *parser) fail(why string) {
	if p.failed {
		return
	}
	p.failed = true
	p.t.Pos, p.t.Why = int(p.tok.Pos), why
	p.s.pos = len(p.s.src)
	p.s.inExec = false
	p.tok = Token{Pos: int32(len(p.s.src)), End: int32(len(p.s.src))}
	p.kw = 0
}

func (p *parser) is(b byte) bool { return p.tok.Kind == Punct && p.tok.Byte == b }

// accept steps over the keyword if it is here.
func (p *parser) accept(kw keyword) bool {
	if p.kw != kw {
		return false
	}
	p.next()
	return true
}

// skipAny steps over any of these keywords, in any order and number.
func (p *parser) skipAny(kws ...keyword) {
	for p.kw != 0 {
		found := false
		for _, kw := range kws {
			found = found || p.kw == kw
		}
		if !found {
			return
		}
		p.next()
	}
}

// expect steps over the mark or fails.
func (p *parser) expect(b byte) {
	if !p.is(b) {
		p.fail("unexpected text")
		return
	}
	p.next()
}

// peek is the token after this one, with its keyword.
func (p *parser) peek() (Token, keyword) {
	ahead := p.s
	t := ahead.Scan()
	if t.Kind == Word {
		return t, lookup(p.s.src[t.Pos:t.End])
	}
	return t, 0
}

// atEnd reports that the statement ends here.
func (p *parser) atEnd() bool { return p.tok.Kind == EOF || p.is(';') }

// add appends an operation of this kind and returns its index.
func (p *parser) add(k Kind, at Token) int {
	p.t.Ops = append(p.t.Ops, Op{
		Kind: k, Path: p.path, Stmt: p.stmt, At: Span{at.Pos, at.End}, Rows: -1, Limit: -1,
	})
	return len(p.t.Ops) - 1
}

// addOn appends an operation on an object.
func (p *parser) addOn(k Kind, at Token, object Span, f Flags) int {
	i := p.add(k, at)
	p.t.Ops[i].Object = object
	p.t.Ops[i].Flags = f | p.tempSchema(object)
	return i
}

// setFlags sets flags on the operations from index i.
func (p *parser) setFlags(i int, f Flags) {
	for ; i < len(p.t.Ops); i++ {
		p.t.Ops[i].Flags |= f
	}
}

// walk reads an expression or a query, up to a keyword of stop outside of
// parentheses, an unmatched closing parenthesis, or the end of the statement. It
// reads modifying statements inside.
func (p *parser) walk(stop set) {
	depth := 0
	for {
		switch p.tok.Kind {
		case EOF:
			if depth > 0 {
				p.fail("a parenthesis is not closed")
			}
			return
		case Word:
			sets := keywords[p.kw].sets
			if sets&sWalk != 0 && p.walkWord(stop) {
				continue
			}
			if depth == 0 && sets&(stop|p.stopAlways) != 0 && (p.kw != kwFrom || p.prevKw != kwDistinct) {
				return
			}
		case Punct:
			switch p.tok.Byte {
			case '(':
				depth++
				p.callCheck()
				p.next()
				p.subquery()
				continue
			case ')':
				if depth--; depth < 0 {
					return
				}
			case ';':
				if depth > 0 {
					p.fail("a parenthesis is not closed")
				}
				return
			}
		}
		p.skim()
	}
}

// walkWord handles keywords that change how an expression is read, and reports that
// it has read past them.
func (p *parser) walkWord(stop set) bool {
	switch p.kw {
	case kwInto:
		if stop&sInto != 0 {
			p.into()
			return true
		}
	case kwAs: // an alias or a type, which may be any word
		if stop&sAs != 0 {
			return false
		}
		p.next()
		if p.tok.Kind == Word || p.tok.Kind == QuotedIdent {
			p.kw = 0
			p.next()
			p.noCall = p.is('(')
		}
		return true
	case kwReferences:
		p.next()
		p.optionalName()
		return true
	}
	return false
}

// paren reads from the opening parenthesis past the matching one.
func (p *parser) paren() {
	if !p.is('(') {
		p.fail("a parenthesis is missing")
		return
	}
	p.noCall = false
	p.next()
	p.subquery()
	p.walk(0)
	p.expect(')')
}

// subquery reads a modifying statement right after an opening parenthesis.
func (p *parser) subquery() {
	if keywords[p.kw].sets&sModify == 0 || !p.modifies() {
		return
	}
	p.modifyingStatement()
	if !p.is(')') {
		p.fail("a parenthesis is not closed")
	}
}

// modifyingStatement reads a modifying statement in parentheses.
func (p *parser) modifyingStatement() {
	path := p.path
	if path == Top {
		path = InCTE
	}
	outer := p.enter(path)
	p.statementWith()
	p.leave(outer)
}

// enter begins a statement within a statement, leave ends it.
func (p *parser) enter(path Path) (outer Path) {
	if p.nested++; p.nested > maxNesting {
		p.fail("nested too deeply")
	}
	outer, p.path = p.path, path
	return outer
}

func (p *parser) leave(outer Path) {
	p.nested--
	p.path = outer
}

// modifies reports that the keyword after a parenthesis begins a statement, and is
// not a column or function of that name.
func (p *parser) modifies() bool {
	t, kw := p.peek()
	switch p.kw {
	case kwWith:
		return true
	case kwDelete:
		return kw == kwFrom
	case kwInsert, kwMerge, kwReplace:
		return kw == kwInto
	case kwUpdate:
		return (t.Kind == QuotedIdent || t.Kind == Word && keywords[kw].sets&sOperator == 0) && p.mayAssign()
	}
	return false
}

// mayAssign reports that the UPDATE here may have a SET. A column of that name is
// followed by its type, and soon by a comma or a parenthesis.
func (p *parser) mayAssign() bool {
	ahead, depth := p.s, 0
	for range 16 {
		switch t := ahead.Scan(); t.Kind {
		case EOF, Illegal:
			return true // not for us to say
		case Word:
			if lookup(ahead.src[t.Pos:t.End]) == kwSet {
				return true
			}
		case Punct:
			switch t.Byte {
			case '(':
				depth++
			case ')':
				depth--
			}
			if depth < 0 || depth == 0 && t.Byte == ',' {
				return false
			}
		}
	}
	return true
}

// rest reads to the end of a statement.
func (p *parser) rest() { p.walk(0) }

// query reads to the end of a SELECT, which may have an INTO.
func (p *parser) query() { p.walk(sInto) }
